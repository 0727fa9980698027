//! The certificate: Complete means that this exists (I5).

use super::{moments::Moments, times::BarrierTimes};
use crate::{
    epoch::Epoch,
    evidence::Evidence,
    ids::{BackupUid, ClusterId, PlaneId, VolumeId},
    tiling::Tiling,
    time::Timestamp,
    ts::Ts,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a certificate claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// E1–E6 hold.
    Consistent,
    /// The user allowed stores to be held in the weaker way, and some were. E1, E4, E5 and E6 hold; of E2 and E3 only
    /// what looking can tell: imports stayed suspended, and the regions after the last snapshot are, by number, epoch and
    /// keys, those that were covered. Log compaction is neither prevented nor seen: a restore may find a peer that lags
    /// behind and no log to bring it up with. Of stores that were held with a prepare lease that does not stop compaction
    /// (TiKV 6.5.8) only this last is missing.
    Weaker,
}

impl Verdict {
    /// As status, certificate and console write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consistent => "Consistent",
            Self::Weaker => "Weaker",
        }
    }

    /// One sentence for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Consistent => "the certificate proves one consistent moment",
            Self::Weaker => {
                "the certificate is weaker than a proof: some TiKV is too old to be held in full, so region changes were \
                 looked for and none was seen, but log compaction was not prevented"
            }
        }
    }
}

/// Saved in the record, stored beside every backupmeta as `isochron-certificate.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// What it claims.
    pub verdict: Verdict,
    /// `metadata.uid` of the VolumeBackup.
    pub backup: BackupUid,
    /// Its namespace and name.
    pub name: String,
    /// Which attempt.
    pub attempt: u32,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Of which TiDB cluster (E6).
    pub cluster: ClusterId,
    /// The moment (E5).
    pub commit_ts: Ts,
    /// What GC was held at, and its safe point read at the confirmation (E5).
    pub gc_hold: Ts,
    /// Read at the confirmation; below `commit_ts`.
    pub gc_safe_point: Ts,
    /// PD's own minimum at the confirmation; shown only.
    pub pd_min_resolved_ts: Ts,
    /// No version in the snapshots is above this (E5): a restore that has thrown away what is above `commit_ts` has to make
    /// PD give out later ones. `None`: the init plane was of a version that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts_ceiling: Option<Ts>,
    /// Regions that tiled the key space exactly (E3).
    pub regions: u64,
    /// Their sum, equal to that of the whole key space (E3).
    pub tiling: Tiling,
    /// Per plane: stores and their holds (E1, E2), snapshots (E4).
    pub planes: BTreeMap<PlaneId, CertificatePlane>,
    /// When it was made, by the coordinator's wall clock; for people.
    pub made_at: Timestamp,
}

/// One plane's part.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CertificatePlane {
    /// Word for word what the plane confirmed.
    pub evidence: Evidence,
    /// What TiKV keeps on its volumes (E4). Empty: the plane was of a version that did not look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directories: Vec<DirectoriesOn>,
}

/// The same directories of TiKV on each of some volumes, one a store as a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DirectoriesOn {
    /// Dotted key of TiKV's configuration → path, as the running processes named them.
    pub directories: BTreeMap<String, String>,
    /// On each of these.
    pub volumes: Vec<VolumeId>,
}

impl Certificate {
    /// The object that goes beside backupmeta: the certificate, the clocks of its barrier and its moments. Of these only
    /// what no later answer changes: the same order says the same, however often it is repeated.
    pub fn to_json(&self, barrier: &BarrierTimes, moments: &Moments) -> String {
        serde_json::json!({ "format": 1, "certificate": self, "barrier": {
            "settle_ms": barrier.settle, "reach_ms": barrier.reach, "hold_ms": barrier.hold,
        }, "moments": moments.of_certificate() })
        .to_string()
    }
}
