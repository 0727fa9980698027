//! What a restore goes by once it may go on.

use crate::{
    epoch::Epoch,
    ids::{BackupUid, ClusterId, StoreId},
    reason::{Reason, Refusal},
    ts::Ts,
};
use serde::{Deserialize, Serialize};

/// A restore that may go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Admitted {
    /// PD's cluster id of the target; `None`: a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The highest epoch that a plane has obeyed for it.
    pub floor: Epoch,
    /// Which backup.
    pub backup: BackupUid,
    /// Its attempt.
    pub attempt: u32,
    /// The moment that is restored.
    pub commit_ts: Ts,
    /// Above everything in the snapshots.
    pub ceiling: Ts,
    /// No certificate notes a ceiling: this one is commitTs and an hour, or the target's present.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ceiling_guessed: bool,
    /// Every plane has the same certificate, and it says Consistent.
    pub proven: bool,
    /// Every store of the backup.
    pub stores: Vec<StoreId>,
    /// Volumes that are made.
    pub volumes: u32,
    /// GiB of them.
    pub gib: u64,
}

impl Admitted {
    /// # Errors
    /// It is another backup or another cluster by now.
    pub(super) fn confirmed_by(&self, again: &Self) -> Result<(), Refusal> {
        let of = |this: &Self| {
            let Self { backup, attempt, commit_ts, volumes, stores, .. } = this;
            let cluster = this.cluster.map(|cluster| format!(" into cluster {cluster}")).unwrap_or_default();
            let stores = stores.len();
            format!(
                "backup {backup}, attempt {attempt}, commitTs {commit_ts}, {volumes} volumes of {stores} stores{cluster}"
            )
        };
        if of(self) == of(again) && self.stores == again.stores && self.proven == again.proven {
            return Ok(());
        }
        let text = format!("planes saw {} before the claim, and {} under it", of(self), of(again));
        Err(Refusal::new(Reason::BackupMismatch, text))
    }
}
