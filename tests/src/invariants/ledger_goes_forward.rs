//! I1: the compare-and-set of the record is the fence of an attempt; that of the claim, of a TiDB cluster. Seen from
//! outside: whoever writes, a record never goes back, and a claim's epoch never falls.

use super::checker::{Checker, Entry, Write};
use coordinator::ports::LedgerKey;
use shared::{
    barrier::{Milestone, Record},
    epoch::Epoch,
    request::{CleanPolicy, Request},
};

pub(super) struct Forward;

impl Checker for Forward {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        match (write.entry, write.key) {
            (Entry::Record(after), LedgerKey::Record(uid)) => {
                let wrong = write.before.records.get(uid).and_then(|before| record_step(before, after));
                wrong.into_iter().map(|text| format!("record of {uid}: {text}")).collect()
            }
            (Entry::Claim(after), LedgerKey::Claim(cluster)) => {
                let before = write.before.claims.get(cluster).map_or(Epoch::NONE, |claim| claim.epoch);
                let fell = after.epoch < before;
                fell.then(|| format!("claim of {cluster} fell from {before} to {}", after.epoch)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

fn record_step(before: &Record, after: &Record) -> Option<String> {
    if !is_same_wish(&before.request, &after.request, after.deleting) {
        return Some("the wish changed".to_owned());
    }
    if after.attempt != before.attempt {
        let next = after.attempt == before.attempt + 1 && before.milestone == Milestone::Failed;
        let fresh = after.milestone == Milestone::Preparing && after.epoch == Epoch::NONE;
        return (!(next && fresh)).then(|| {
            format!(
                "attempt {} in {:?} became {} in {:?}",
                before.attempt, before.milestone, after.attempt, after.milestone
            )
        });
    }
    if before.epoch != Epoch::NONE && after.epoch != before.epoch {
        return Some(format!("epoch {} became {} in attempt {}", before.epoch, after.epoch, after.attempt));
    }
    (!follows(before.milestone, after.milestone))
        .then(|| format!("{:?} became {:?}", before.milestone, after.milestone))
}

/// A deletion may find a policy that keeps more.
fn is_same_wish(before: &Request, after: &Request, deleting: bool) -> bool {
    let kept = Request { clean_policy: after.clean_policy, ..before.clone() };
    before == after || deleting && after.clean_policy != CleanPolicy::Delete && kept == *after
}

fn follows(before: Milestone, after: Milestone) -> bool {
    use Milestone::{Aborting, Barrier, Certified, Cleaned, Cleaning, Complete, Failed, Preparing, Snapshotting};
    before == after
        || matches!(
            (before, after),
            (Preparing, Barrier | Failed)
                | (Barrier, Snapshotting)
                | (Snapshotting, Certified)
                | (Certified, Complete)
                | (Preparing | Barrier | Snapshotting | Certified, Aborting)
                | (Aborting, Failed)
                | (Complete, Cleaning | Cleaned)
                | (Failed | Cleaning, Cleaned)
        )
}
