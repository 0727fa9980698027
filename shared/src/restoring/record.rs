//! The durable part: everything that must outlive the coordinator. Written before anything is done that rests on it.

use super::{admitted::Admitted, certificate::RestoreCertificate, request::RestoreRequest, stage::Stage};
use crate::{
    epoch::Epoch,
    ids::{ClusterId, PlaneId},
    reason::Refusal,
    recovery::{Checked, FlashbackTimes, Led, Met, Normal, RolledBack},
    time::Timestamp,
    wire::{Built, LookedAt, PlacedVolume},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One restore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The wish, as it was when it was admitted.
    pub request: RestoreRequest,
    /// Where it stands.
    pub stage: Stage,
    /// The claim's epoch on the cluster that is restored into; [`Epoch::NONE`]: none was granted yet, or none is needed.
    pub epoch: Epoch,
    /// PD's cluster id of that cluster, once its claim is granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// What all planes together found; known once they have looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<Admitted>,
    /// Each plane's part.
    pub planes: BTreeMap<PlaneId, PlaneRecord>,
    /// RE3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<Met>,
    /// RE4, before the roll-back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led: Option<Led>,
    /// RE5: chosen once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<FlashbackTimes>,
    /// RE5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RolledBack>,
    /// RE4, after it; RE6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// RE6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal: Option<Normal>,
    /// Made when everything is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<RestoreCertificate>,
    /// Why it ended badly, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<(Stage, Refusal)>,
    /// How far it had come when it was ended: what has to be undone depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<Stage>,
    /// Its object is deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// When each stage began and ended, by the coordinator's wall clock.
    pub spans: BTreeMap<Stage, Span>,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Its orders were sent.
    pub began: Timestamp,
    /// All had been answered; `None`: not yet, or it was ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// What one plane has said that lasts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlaneRecord {
    /// To `Look`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Box<LookedAt>>,
    /// To `Build`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Built>,
    /// To `Place` (RE2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placed: Vec<PlacedVolume>,
    /// To `Undo`: nothing of it is left here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undone: bool,
    /// Volumes that were deleted here.
    #[serde(default, skip_serializing_if = "crate::skip::zero")]
    pub deleted: u32,
    /// What is left here all the same, as last told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

impl Record {
    /// A new wish.
    pub fn new(request: RestoreRequest, started: Timestamp) -> Self {
        let planes = request.members.iter().map(|member| (member.plane.clone(), PlaneRecord::default())).collect();
        Self {
            request,
            stage: Stage::Looking,
            epoch: Epoch::NONE,
            cluster: None,
            admitted: None,
            planes,
            met: None,
            led: None,
            times: None,
            rolled_back: None,
            checked: None,
            normal: None,
            certificate: None,
            failure: None,
            undoes: None,
            deleting: false,
            spans: BTreeMap::from([(Stage::Looking, Span { began: started, ended: None })]),
        }
    }

    /// When it began.
    pub fn started(&self) -> Option<Timestamp> {
        self.spans.values().map(|span| span.began).min()
    }

    /// The claim under which it may hold something.
    pub fn may_hold(&self) -> Option<(ClusterId, Epoch)> {
        self.cluster.filter(|_| self.stage.has_touched() && !self.stage.is_over()).map(|cluster| (cluster, self.epoch))
    }

    /// It has not ended: whoever has it may go on with it.
    pub fn is_under_way(&self) -> bool {
        !self.stage.is_over()
    }
}
