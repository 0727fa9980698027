//! What a plane keeps of restores across its own death.

use crate::{
    epoch::Epoch,
    ids::{ClusterId, RestoreUid},
};
use serde::{Deserialize, Serialize};

/// Restores kept. One TiDB cluster is restored into once, by one restore; older entries only matter while a coordinator that was deposed may
/// still repeat what it once ordered.
pub const MAX_RESTORES_KEPT: usize = 32;

/// Of the restores that this plane has obeyed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RestoreLedger(pub Vec<RestoreEntry>);

/// One restore, as far as this plane has come in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreEntry {
    /// Which.
    pub restore: RestoreUid,
    /// The highest epoch that was obeyed for it.
    pub epoch: Epoch,
    /// PD's cluster id of the target; `None`: a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The furthest that was begun here.
    pub reached: Reached,
}

/// What is not taken back. In this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reached {
    /// Something was made, or the mark was set.
    Touched,
    /// TiKV may have started: what was made is not taken away any more.
    Started,
    /// The mark may be gone: nothing is flashed back any more, TiKV would die of it once somebody has written (`facts/restore.md` §0, 13).
    Unmarked,
    /// It is over here: nothing is made any more.
    Undone,
}

impl RestoreLedger {
    /// Nothing was restored here.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of one restore.
    pub fn of(&self, restore: &RestoreUid) -> Option<&RestoreEntry> {
        self.0.iter().find(|entry| &entry.restore == restore)
    }

    /// The highest epoch of a cluster under which any restore was obeyed.
    pub fn highest(&self, cluster: ClusterId) -> Epoch {
        let of = self.0.iter().filter(|entry| entry.cluster == Some(cluster));
        of.map(|entry| entry.epoch).max().unwrap_or(Epoch::NONE)
    }

    /// In the place of what was kept of it; forgets the oldest above the bound, of those that are over first.
    pub fn put(&mut self, entry: RestoreEntry) {
        self.0.retain(|kept| kept.restore != entry.restore);
        self.0.push(entry);
        while self.0.len() > MAX_RESTORES_KEPT {
            let over = self.0.iter().position(|kept| kept.reached == Reached::Undone).unwrap_or(0);
            self.0.remove(over);
        }
    }
}
