//! Any history, any policy, any moment.

use crate::fixtures::*;
use proptest::prelude::*;
use shared::{
    cron::Zone,
    retention::{Backup, BackupState, Policy, STUCK_AFTER, Tier, Verdict, last_good, plan},
    time::{Millis, Timestamp},
};
use std::collections::BTreeSet;

/// Hours from the start; now lies in or after them.
const SPAN: i64 = 24 * 120;

fn hour(hours: i64) -> Timestamp {
    Timestamp(START + hours * 3_600_000)
}

fn history() -> impl Strategy<Value = Vec<Backup>> {
    let state =
        prop_oneof![6 => Just(PROVEN), 2 => Just(OLD), 2 => Just(BackupState::Failed), 1 => Just(BackupState::Running)];
    let one =
        (0..SPAN, state, prop::option::weighted(0.1, 0..SPAN), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    prop::collection::vec(one, 0..40).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(number, (created, state, deleting, skip_gc, on_hold))| Backup {
                created: hour(created),
                deleting: deleting.map(hour),
                skip_gc,
                on_hold,
                ..backup(&format!("b{number}"), 0, state)
            })
            .collect()
    })
}

fn some_policy() -> impl Strategy<Value = Policy> {
    let count = || prop::option::weighted(0.5, 1_u32..12);
    let time = || {
        prop::option::weighted(0.5, 1_u64..SPAN.unsigned_abs())
            .prop_map(|hours| hours.map(|hours| Millis::secs(hours * 3600)))
    };
    let tiers = prop::array::uniform5(prop_oneof![2 => Just(0_u32), 1 => 1_u32..8]);
    let zone = prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("Asia/Kathmandu")];
    (count(), time(), tiers, count(), time(), zone).prop_map(
        |(max_backups, max_reserved, counts, max_failed, max_failed_reserved, zone)| {
            let mut policy = Policy {
                max_backups,
                max_reserved,
                max_failed,
                max_failed_reserved,
                ..Policy::keep_all(Zone::named(zone).unwrap())
            };
            for (tier, count) in Tier::ALL.into_iter().zip(counts) {
                policy.tiers.set(tier, count);
            }
            policy
        },
    )
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![4 => (0..SPAN * 2).prop_map(hour), 1 => any::<i64>().prop_map(Timestamp)]
}

fn doomed(history: &[Backup], policy: &Policy, now: Timestamp) -> BTreeSet<String> {
    to_delete(&plan(history, policy, now)).into_iter().map(str::to_owned).collect()
}

/// Raises one number that is set; which one is chosen by `which`.
fn raise(policy: &Policy, which: usize, by: u32) -> Policy {
    let mut looser = policy.clone();
    let more = |time: Option<Millis>| time.map(|time| time.plus(Millis::secs(u64::from(by) * 3600)));
    match which {
        0 => looser.max_backups = policy.max_backups.map(|max| max + by),
        1 => looser.max_reserved = more(policy.max_reserved),
        2 => looser.max_failed = policy.max_failed.map(|max| max + by),
        3 => looser.max_failed_reserved = more(policy.max_failed_reserved),
        _ => {
            for tier in Tier::ALL {
                let count = policy.tiers.get(tier);
                if count > 0 {
                    looser.tiers.set(tier, count + by);
                }
            }
        }
    }
    looser
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Carries the plan out to its end, one deletion after another, each gone before the next.
    #[test]
    fn what_is_deleted_is_named_and_the_last_good_one_stays(history in history(), policy in some_policy(), now in moment()) {
        let proven = |history: &[Backup]| history.iter().any(|b| b.state == PROVEN && b.deleting.is_none());
        let (good, had_proven) = (last_good(&history).map(|b| b.name.clone()), proven(&history));
        let doomed = doomed(&history, &policy, now);
        let mut left: Vec<Backup> = history.iter().filter(|b| b.deleting.is_none()).cloned().collect();
        let mut deleted = BTreeSet::new();
        while let Some((name, uid, _)) = plan(&left, &policy, now).delete_now {
            let victim = left.iter().find(|b| b.name == name).unwrap();
            prop_assert_eq!(&victim.uid, &uid);
            prop_assert!(!victim.skip_gc && !victim.on_hold && !victim.is_running(), "{:?}", victim);
            let older = left.iter().any(|b| doomed.contains(&b.name) && b.created < victim.created);
            prop_assert!(!older, "the oldest first");
            left.retain(|b| b.name != name);
            deleted.insert(name);
        }
        prop_assert_eq!(&deleted, &doomed, "deleting one changes no other verdict");
        prop_assert_eq!(last_good(&left).map(|b| b.name.clone()), good);
        prop_assert_eq!(proven(&left), had_proven);
    }

    #[test]
    fn a_raised_limit_never_deletes_more(history in history(), policy in some_policy(), now in moment(), which in 0_usize..5, by in 1_u32..9) {
        let looser = doomed(&history, &raise(&policy, which, by), now);
        let tighter = doomed(&history, &policy, now);
        prop_assert!(looser.is_subset(&tighter), "{looser:?} is more than {tighter:?}");
    }

    #[test]
    fn time_alone_only_lets_more_go_and_exactly_when_told(history in history(), policy in some_policy(), now in (0..SPAN * 2).prop_map(hour)) {
        let rows = plan(&history, &policy, now).rows;
        for row in &rows {
            let verdict = |at| {
                plan(&history, &policy, at).rows.into_iter().find(|other| other.name == row.name).unwrap().verdict
            };
            match (&row.verdict, row.expires) {
                (Verdict::Keep(_), Some(at)) => {
                    prop_assert!(at > now);
                    prop_assert!(matches!(verdict(Timestamp(at.0 - 1)), Verdict::Keep(_)));
                    prop_assert!(matches!(verdict(at), Verdict::Delete(_)));
                }
                (Verdict::Keep(_), None) => prop_assert!(matches!(verdict(hour(SPAN * 1000)), Verdict::Keep(_))),
                (Verdict::Delete(_), expires) => {
                    prop_assert_eq!(expires, None);
                    prop_assert!(matches!(verdict(hour(SPAN * 1000)), Verdict::Delete(_)));
                }
                (Verdict::Leaving(_), expires) => prop_assert_eq!(expires, None),
            }
        }
    }

    #[test]
    fn the_next_deletion_comes_when_told_and_not_before(history in history(), policy in some_policy(), now in (0..SPAN * 2).prop_map(hour)) {
        let told = plan(&history, &policy, now);
        let leaving = history.iter().filter_map(|b| b.deleting).max();
        let blocked = leaving.is_some_and(|since| since.0 + i64::try_from(STUCK_AFTER.0).unwrap() > now.0);
        prop_assert_eq!(told.waiting.is_some(), blocked);
        prop_assert!(!blocked || told.delete_now.is_none(), "one at a time");
        match told.next {
            Some(next) => {
                let then = plan(&history, &policy, next.at);
                prop_assert_eq!(then.delete_now.as_ref().map(|(name, _, _)| name), Some(&next.name));
                if next.at > now {
                    prop_assert_eq!(plan(&history, &policy, Timestamp(next.at.0 - 1)).delete_now, None);
                } else {
                    prop_assert!(told.delete_now.is_some());
                }
            }
            None => prop_assert_eq!(plan(&history, &policy, hour(SPAN * 1000)).delete_now, None),
        }
    }

    #[test]
    fn the_limits_are_kept(history in history(), policy in some_policy(), now in moment()) {
        let doomed = doomed(&history, &policy, now);
        let stays = |b: &&Backup| !doomed.contains(&b.name) && b.deleting.is_none() && !b.skip_gc && !b.on_hold;
        let good: Vec<_> = history.iter().filter(stays).filter(|b| b.is_good()).collect();
        let by_tiers: u32 = Tier::ALL.into_iter().map(|tier| policy.tiers.get(tier)).sum();
        if let Some(max) = policy.max_backups {
            prop_assert!(good.len() <= usize::try_from(max + by_tiers + 1).unwrap());
        } else if policy.max_reserved.is_none() && by_tiers > 0 {
            prop_assert!(good.len() <= usize::try_from(by_tiers + 1).unwrap());
        }
        if policy.limits_anything() {
            let failed = history.iter().filter(stays).filter(|b| b.state == BackupState::Failed).count();
            prop_assert!(failed <= usize::try_from(policy.max_failed.unwrap_or(10)).unwrap());
        }
    }
}
