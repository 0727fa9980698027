//! What a plane keeps across its own death: per TiDB cluster the highest epoch it obeyed, per attempt whether it may
//! still be confirmed (`design.md` §4, I3, §5).

use crate::{
    epoch::Epoch,
    evidence::Evidence,
    ids::{Attempt, ClusterId},
    restorer::RestoreLedger,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Attempts kept with their state. One TiDB cluster has one live attempt, and a plane serves a handful of TiDB clusters;
/// older entries only matter while their coordinator may still ask `Recover`, and "not kept" answers "aborted".
pub const MAX_ATTEMPTS_KEPT: usize = 32;

/// One small object per plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemberLedger {
    /// Highest epoch obeyed, per TiDB cluster. Saved before the first lease under it.
    pub epochs: BTreeMap<u64, Epoch>,
    /// Newest last.
    pub attempts: Vec<AttemptRecord>,
    /// Of this ledger among all there are, made with its first entry. Snapshots bear it: two planes of one name may work in
    /// one account, and what another one has made is not this one's to delete. Empty: written by an earlier version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Restores that were obeyed.
    #[serde(default, skip_serializing_if = "RestoreLedger::is_empty")]
    pub restores: RestoreLedger,
}

/// What became of one attempt here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Which.
    pub attempt: Attempt,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Of which TiDB cluster.
    pub cluster: ClusterId,
    /// How far.
    pub state: AttemptState,
    /// It was confirmed under this epoch, and an `Abort` or a `Clean` took that back: the coordinator had saved the bad
    /// end by then. A record that says otherwise is older. Broken for any other cause proves nothing: this ledger itself
    /// may have been lost, or come back from a copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
}

/// An attempt goes Live → Confirmed or Live → Broken, and never back to Live; `Abort` and `Clean` take Confirmed to
/// Broken, after the coordinator has recorded the bad end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AttemptState {
    /// Obeyed; a restart of the plane actor turns it into `Broken`.
    Live,
    /// A hold ended before it was confirmed, or it was aborted: never confirmed any more.
    Broken,
    /// Confirmed: true for ever, however its holds end later.
    Confirmed(Evidence),
}

impl MemberLedger {
    /// The highest epoch obeyed for a TiDB cluster, by whatever.
    pub fn highest(&self, cluster: ClusterId) -> Epoch {
        self.epochs.get(&cluster.0).copied().unwrap_or(Epoch::NONE).max(self.restores.highest(cluster))
    }

    /// The state of an attempt, if kept.
    pub fn attempt(&self, attempt: &Attempt) -> Option<&AttemptRecord> {
        self.attempts.iter().find(|kept| &kept.attempt == attempt)
    }

    /// Puts an attempt's new state in; raises the epoch; forgets the oldest attempts above the bound, and evidence that
    /// nobody will ask for: a claim is granted anew only when the attempt before has its certificate or its bad end in
    /// the coordinator's record.
    pub fn put(&mut self, record: AttemptRecord) {
        if record.state == AttemptState::Live {
            self.attempts.retain(|kept| {
                let before = kept.cluster == record.cluster && kept.epoch < record.epoch;
                !(before && matches!(kept.state, AttemptState::Confirmed(_)))
            });
        }
        let highest = self.highest(record.cluster).max(record.epoch);
        self.epochs.insert(record.cluster.0, highest);
        self.attempts.retain(|kept| kept.attempt != record.attempt);
        self.attempts.push(record);
        let surplus = self.attempts.len().saturating_sub(MAX_ATTEMPTS_KEPT);
        self.attempts.drain(..surplus);
    }

    /// The coordinator has this attempt's certificate, evidence included: nothing of it has to be kept here. Asked all the
    /// same, by a coordinator that was deposed before, this plane answers "aborted", which that one cannot save.
    pub fn forget(&mut self, attempt: &Attempt) {
        self.attempts.retain(|kept| &kept.attempt != attempt);
    }

    /// What a restart means: every attempt that was live is broken (it is never re-entered).
    pub fn after_restart(mut self) -> Self {
        for kept in &mut self.attempts {
            if kept.state == AttemptState::Live {
                kept.state = AttemptState::Broken;
            }
        }
        self
    }
}
