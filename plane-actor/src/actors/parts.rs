//! Which parts of its accounts' calls this plane was given: by each order, for its one backup; and by the coordinator, over all
//! backups. The smaller of both counts.

use super::bucket::BucketKey;
use crate::budgets::Action;
use shared::{
    limiter::Budget,
    wire::{CallShare, Divided, Division},
};
use std::collections::{BTreeMap, BTreeSet};

/// Parts of a division that are kept: four actions in more accounts than a plane ever works in.
const MAX_PARTS: usize = 64;

/// See the module.
#[derive(Default)]
pub(super) struct Parts {
    ordered: BTreeMap<BucketKey, CallShare>,
    divided: BTreeMap<BucketKey, CallShare>,
}

impl Parts {
    /// What the last order for this action said.
    pub(super) fn order(&mut self, key: BucketKey, part: Option<CallShare>) {
        match part {
            Some(part) => self.ordered.insert(key, part),
            None => self.ordered.remove(&key),
        };
    }

    /// Another division in place of the one before; says for which buckets something changed.
    pub(super) fn divide(&mut self, division: Division) -> BTreeSet<BucketKey> {
        let parts = division.parts.into_iter().take(MAX_PARTS).flat_map(|part| {
            let (account, region, share) = (part.account, part.region, part.share);
            actions(part.action).iter().map(move |action| ((account.clone(), region.clone(), *action), share))
        });
        let before = std::mem::replace(&mut self.divided, parts.collect());
        let changed = |key: &&BucketKey| before.get(*key) != self.divided.get(*key);
        before.keys().chain(self.divided.keys()).filter(changed).cloned().collect()
    }

    /// A part of it was given, so that it may be called.
    pub(super) fn has(&self, key: &BucketKey) -> bool {
        self.ordered.contains_key(key) || self.divided.contains_key(key)
    }

    /// What is left of the whole budget; `own`: what the configuration leaves of it.
    pub(super) fn budget(&self, key: &BucketKey, whole: Budget, own: Budget) -> Budget {
        let parts = [self.ordered.get(key), self.divided.get(key)];
        parts.into_iter().flatten().fold(own, |own, part| own.at_most(whole.part(part.calls, part.of)))
    }
}

fn actions(divided: Divided) -> &'static [Action] {
    match divided {
        Divided::CreateSnapshots => &[Action::CreateSnapshots],
        Divided::CreateSnapshot => &[Action::CreateSnapshot],
        Divided::DeleteSnapshot => &[Action::DeleteSnapshot],
        Divided::ListBlocks => &[Action::ListChangedBlocks, Action::ListSnapshotBlocks],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::wire::AccountPart;

    fn key(action: Action) -> BucketKey {
        ("a".to_owned(), "r".to_owned(), action)
    }

    #[test]
    fn the_smaller_part_counts_and_a_new_division_replaces_the_old_one() {
        let (whole, mut parts) = (Budget::whole(10, 100), Parts::default());
        let of = |calls| CallShare { calls, of: 100 };
        let part = |action, calls| AccountPart { account: "a".into(), region: "r".into(), action, share: of(calls) };
        let sets = key(Action::CreateSnapshots);
        assert_eq!(parts.budget(&sets, whole, whole.share(2)), whole.share(2), "nobody gave anything");
        parts.order(sets.clone(), Some(of(40)));
        assert_eq!(parts.budget(&sets, whole, whole), whole.part(40, 100));
        let division = vec![part(Divided::CreateSnapshots, 30), part(Divided::ListBlocks, 5)];
        let changed = parts.divide(Division { parts: division.clone() });
        assert_eq!(
            changed.into_iter().map(|(_, _, action)| action).collect::<BTreeSet<_>>(),
            BTreeSet::from([Action::CreateSnapshots, Action::ListChangedBlocks, Action::ListSnapshotBlocks])
        );
        assert_eq!(parts.budget(&sets, whole, whole), whole.part(30, 100));
        parts.order(sets.clone(), Some(of(20)));
        assert_eq!(parts.budget(&sets, whole, whole), whole.part(20, 100));
        assert!(parts.divide(Division { parts: division }).is_empty());
        assert!(!parts.has(&key(Action::CreateSnapshot)) && parts.has(&sets));
        assert_eq!(parts.divide(Division::default()).len(), 3);
        parts.order(sets.clone(), None);
        assert!(!parts.has(&sets));
        assert_eq!(parts.budget(&sets, whole, whole), whole);
    }
}
