//! What a restore that is Complete has proved (RE1 to RE6, `facts/restore.md` §6.6).

use crate::{
    ids::{BackupUid, ClusterId, PlaneId, RestoreUid},
    recovery::{Checked, FlashbackTimes, Led, Met, Normal, RolledBack},
    wire::PlacedVolume,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// The cluster holds what the backup's certificate proves, at its commitTs.
    Restored,
    /// All steps were proved, of a backup that is not, or with less looked at.
    Weaker,
}

/// In the status, and as `isochron-restore-<uid>.json` beside the init plane's part of the backup.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreCertificate {
    /// Of which restore.
    pub restore: RestoreUid,
    /// `namespace/name` of the VolumeRestore.
    pub name: String,
    /// What was restored.
    pub backup: BackupUid,
    /// Its attempt.
    pub attempt: u32,
    /// PD's cluster id of what was restored into.
    pub cluster: ClusterId,
    /// What it comes to.
    pub verdict: Verdict,
    /// What makes it weaker than it could be, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weaker: Vec<String>,
    /// RE1, RE2.
    pub planes: BTreeMap<PlaneId, PlaneCertificate>,
    /// RE3.
    pub met: Met,
    /// RE4, before the roll-back.
    pub led: Led,
    /// RE5.
    pub times: FlashbackTimes,
    /// RE5.
    pub rolled_back: RolledBack,
    /// RE4 and RE6.
    pub checked: Checked,
    /// RE6.
    pub normal: Normal,
}

/// One plane's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlaneCertificate {
    /// From snapshot to claim, one for each.
    pub volumes: Vec<PlacedVolume>,
}
