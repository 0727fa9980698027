//! I7: one live attempt per TiDB cluster. An attempt is live under the claim that names it, and a claim changes hands only
//! when its holder holds nothing any more.

use super::checker::{Checker, Entry, Write};
use coordinator::ports::LedgerKey;
use shared::barrier::{Milestone, Record};

#[derive(Default)]
pub(super) struct OneLive {
    /// A claim was deleted by somebody else: its holder does not know yet, and planes' own epochs are what is left.
    lost: bool,
}

impl Checker for OneLive {
    fn name(&self) -> &'static str {
        "I7"
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        self.lost |= matches!((write.key, write.entry), (LedgerKey::Claim(_), Entry::Gone));
        match write.entry {
            _ if self.lost => Vec::new(),
            Entry::Record(record) => unclaimed(record, write).into_iter().collect(),
            Entry::Claim(claim) => {
                let live = claim.live.as_ref().map(|holder| &holder.backup);
                let others = write.before.records.iter().filter(|(uid, _)| Some(*uid) != live);
                others
                    .filter(|(_, record)| record.cluster == Some(claim.cluster) && may_hold(record))
                    .map(|(uid, record)| {
                        format!(
                            "the claim went to {live:?} while {uid} is at {:?} under {}",
                            record.milestone, record.epoch
                        )
                    })
                    .collect()
            }
            Entry::Gone => Vec::new(),
        }
    }
}

fn unclaimed(record: &Record, write: &Write<'_>) -> Option<String> {
    if !matches!(record.milestone, Milestone::Barrier | Milestone::Snapshotting) {
        return None;
    }
    let claim = record.cluster.and_then(|cluster| write.before.claims.get(&cluster));
    let named = claim.is_some_and(|claim| {
        claim.epoch == record.epoch && claim.live.as_ref().is_some_and(|live| live.backup == *record.key())
    });
    (!named)
        .then(|| format!("{} is at {:?} under {} and {claim:?}", record.attempt_id(), record.milestone, record.epoch))
}

fn may_hold(record: &Record) -> bool {
    // Everything was released before `snapshots_created` was noted, whatever became of the backup then.
    matches!(record.milestone, Milestone::Barrier | Milestone::Snapshotting | Milestone::Aborting)
        && record.times.snapshots_created.is_none()
}
