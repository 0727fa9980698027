//! Backups of different TiDB clusters that work in one AWS account, at the same time.

use crate::{
    LIMIT,
    light_planes::{Heard, Log, Planes, Said, complete, coordinator, manifest},
};
use shared::{
    limiter::Budget,
    request::Limits,
    time::Timestamp,
    wire::{AccountPart, CallBudgets, CallShare, Divided},
};
use std::{sync::Arc, time::Duration};
use tests::control::Control;
use tokio::{
    task::LocalSet,
    time::{Instant, timeout},
};

/// Two backups, each of a TiDB cluster in one plane with one instance, begin in the same moment; both end well.
fn two_at_once(sets: Budget) -> Vec<Heard> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let control = Control::new(Limits::default(), Arc::new(|| Timestamp(1_000)));
        let log = Log::default();
        let planes =
            Planes { number: 2, members: 1, account: Some(CallBudgets { sets, one_volume: None }), newer: false };
        coordinator(control.ports(), "c", planes, &log);
        for (name, plane) in [("one", 0), ("two", 1)] {
            control.apply(&manifest("a", name, plane..plane + 1)).unwrap();
        }
        for key in ["a/one", "a/two"] {
            let waiting = timeout(LIMIT, control.wait(key, complete)).await;
            assert!(waiting.is_ok(), "{key} is {:#}", control.get(key).unwrap()["status"]);
        }
        log.take()
    })
}

/// When both planes were first ordered this, the earlier one first.
fn ordered(heard: &[Heard], order: &str) -> [Instant; 2] {
    let first = |plane| {
        let is = |heard: &&Heard| heard.plane == plane && matches!(heard.what, Said::Order(_, name) if name == order);
        heard.iter().find(is).map(|heard| heard.at).unwrap()
    };
    let (one, two) = (first(0), first(1));
    [one.min(two), one.max(two)]
}

#[test]
fn planes_are_told_their_parts_before_they_call_and_that_it_is_over() {
    let heard = two_at_once(Budget::EC2_CREATE_SNAPSHOTS);
    let half = AccountPart {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        action: Divided::CreateSnapshots,
        share: CallShare { calls: 1, of: 2 },
    };
    let [snapshot, _] = ordered(&heard, "Snapshot");
    for plane in 0..2 {
        let told: Vec<_> = heard
            .iter()
            .filter(|heard| heard.plane == plane)
            .filter_map(|heard| match &heard.what {
                Said::Divide(parts) => Some((heard.at, parts.clone())),
                Said::Order(..) => None,
            })
            .collect();
        assert_eq!(told.iter().map(|(_, parts)| parts.as_slice()).collect::<Vec<_>>(), [&[half.clone()][..], &[]]);
        assert!(told[0].0 < snapshot && told[1].0 > snapshot, "{told:?}");
    }
}

/// One call, and the next one after 100 s: beside each other neither would be through within its hold limit of a minute.
#[test]
fn one_that_would_not_fit_waits_before_anything_is_held() {
    let heard = two_at_once(Budget { rate_milli: 10, burst_milli: 1_000 });
    let [first, _] = ordered(&heard, "Snapshot");
    let [_, second] = ordered(&heard, "Reserve");
    let waited = second - first;
    let least = Duration::from_secs(40);
    assert!((least..least + Duration::from_secs(10)).contains(&waited), "it began {waited:?} after the other's calls");
    assert!(heard.iter().all(|heard| matches!(heard.what, Said::Order(..))), "one at a time, each has all of it");
}
