//! What must never become Complete.

use crate::fixtures::*;
use shared::{
    barrier::{Input, Milestone, Phase, Timer},
    epoch::Epoch,
    evidence::{Evidence, PreparedStore, StoreState},
    ids::{Attempt, BackupUid, ClusterId, StoreId},
    reason::{Reason, Refusal},
    time::Millis,
    ts::Ts,
    wire::{Aborted, Answer, Confirmed, Prepared},
};

fn failure(kit: &Kit) -> Reason {
    kit.view().record.failure.expect("failed").reason
}

/// Prepares with one answer bent; nothing may have been touched.
fn refused_at_prepare(bend: impl Fn(usize, &mut Prepared), reason: Reason) {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    let lines = kit.all(|i| {
        let mut answer = prepared(i, 1);
        bend(i, &mut answer);
        Answer::Prepared(answer)
    });
    assert_eq!(lines, ["save Failed"], "nothing was touched, so nothing is aborted");
    assert_eq!(failure(&kit), reason);
}

#[test]
fn what_planes_prepared_is_judged_together() {
    refused_at_prepare(|i, p| p.cluster = ClusterId(if i == 1 { 8 } else { 7 }), Reason::ClusterMismatch);
    refused_at_prepare(|_, p| p.cluster_stores[2].state = StoreState::Disconnected, Reason::StoreNotUp);
    refused_at_prepare(|_, p| p.cluster_stores[2].heartbeat_age = Millis::secs(21), Reason::StoreNotUp);
    refused_at_prepare(|_, p| p.cluster_stores[0].uptime = Millis::secs(100), Reason::StoreJustStarted);
    refused_at_prepare(
        |i, p| {
            if i == 1 {
                p.stores.clear()
            }
        },
        Reason::NoStores,
    );
    refused_at_prepare(
        |i, p| {
            if i == 1 {
                p.stores = stores(0)
            }
        },
        Reason::StoreInTwoPlanes,
    );
    let extra = |_: usize, p: &mut Prepared| {
        let mut store = p.cluster_stores[0].clone();
        store.store = StoreId(9);
        p.cluster_stores.push(store);
    };
    refused_at_prepare(extra, Reason::StoreInNoPlane);
    refused_at_prepare(
        |i, p| {
            if i == 2 {
                p.stores[0].store = StoreId(9)
            }
        },
        Reason::StoreInNoPlane,
    );
    let surplus = |i: usize, p: &mut Prepared| {
        if i == 2 {
            let store = PreparedStore { store: StoreId(9), ..p.stores[0].clone() };
            p.stores.push(store);
        }
    };
    refused_at_prepare(surplus, Reason::StoresChanged);
}

/// Scaling in takes days at some terabytes a node: until it is a Tombstone such a store is held, snapshotted and counted.
#[test]
fn a_store_that_is_being_removed_and_still_heard_of_is_in() {
    let prepare = |age: u64| {
        let mut kit = Kit::new(request());
        kit.feed(Input::Start);
        (0..3).for_each(|i| drop(kit.up(i)));
        kit.all(|i| {
            let mut answer = prepared(i, 1);
            answer.cluster_stores[2].state = StoreState::Offline;
            answer.cluster_stores[2].heartbeat_age = Millis::secs(age);
            Answer::Prepared(answer)
        })
    };
    assert_eq!(prepare(3), ["claim above 4"]);
    assert_eq!(prepare(21), ["save Failed"]);
}

/// Confirms with one plane's evidence bent; it must abort, and never release.
fn broken_evidence(bend: impl Fn(usize, &mut Evidence), named: &str) {
    let mut kit = Kit::new(request());
    kit.confirming();
    let lines = kit.all(|i| {
        let mut seen = evidence(i, Epoch(5));
        bend(i, &mut seen);
        Answer::Confirmed(Confirmed { evidence: seen })
    });
    assert_eq!(lines[0], "save Aborting", "{named}");
    assert_eq!(lines[1..], to_all("@5 Abort EvidenceBroken"), "{named}");
    let message = kit.view().record.failure.unwrap().message;
    assert!(message.contains(named), "{message} should name {named}");
    assert_eq!(kit.view().record.certificate, None);
}

#[test]
fn every_piece_of_evidence_counts() {
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.stores[0].start_timestamp = 101
            }
        },
        "E1",
    );
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.stores[0].address = "elsewhere:1".into()
            }
        },
        "E1",
    );
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.stores.clear()
            }
        },
        "E1",
    );
    broken_evidence(
        |_, e| {
            if let Some(pd) = &mut e.pd {
                pd.stores.pop();
            }
        },
        "E1",
    );
    broken_evidence(
        |i, e| {
            if i == 2 {
                e.stores[0].renewals_valid = 2
            }
        },
        "E2",
    );
    broken_evidence(
        |i, e| {
            if i == 2 {
                e.stores[0].confirmed = false
            }
        },
        "E2",
    );
    broken_evidence(
        |i, e| {
            if i == 2 {
                (e.stores[0].renewals_sent, e.stores[0].renewals_valid) = (0, 0);
            }
        },
        "E2",
    );
    broken_evidence(
        |i, e| {
            if i == 0 {
                e.cover = cover(1)
            }
        },
        "E3",
    );
    broken_evidence(
        |i, e| {
            if i == 0 {
                e.snapshots.clear()
            }
        },
        "E4",
    );
    broken_evidence(
        |i, e| {
            if i == 0 {
                e.snapshots.push(snapshots(1)[0].clone())
            }
        },
        "E4",
    );
    broken_evidence(
        |i, e| {
            if i == 0 {
                e.snapshots[0].instance = "i-9".into()
            }
        },
        "E4",
    );
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.cover.least_safe_ts = Ts(1_999)
            }
        },
        "E5",
    );
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.commit_ts = Ts(4_000)
            }
        },
        "E5",
    );
    broken_evidence(
        |_, e| {
            if let Some(pd) = &mut e.pd {
                pd.gc_safe_point = safe_ts(1);
            }
        },
        "E5",
    );
    broken_evidence(|_, e| e.pd = None, "E5");
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.cluster = ClusterId(8)
            }
        },
        "E6",
    );
    broken_evidence(
        |i, e| {
            if i == 1 {
                e.epoch = Epoch(4)
            }
        },
        "epoch",
    );
}

#[test]
fn words_of_another_attempt_or_epoch_are_dead() {
    let mut kit = Kit::new(request());
    kit.confirming();
    let other = Attempt { backup: BackupUid::from("uid-1"), number: 2 };
    for i in 0..3 {
        assert!(kit.says_under(i, other.clone(), Epoch(5), confirmed(i)).is_empty());
        let mine = kit.view().record.attempt_id();
        assert!(kit.says_under(i, mine, Epoch(4), confirmed(i)).is_empty());
    }
    assert_eq!(kit.view().phase, Phase::Confirming);
}

#[test]
fn each_clock_ends_its_part_with_its_name() {
    type Go = fn(&mut Kit) -> Vec<String>;
    let cases: [(Go, Timer, Reason); 5] = [
        (Kit::claimed, Timer::Prepare, Reason::PrepareTimedOut),
        (Kit::suspending, Timer::Reach, Reason::ReachTimedOut),
        (Kit::covering, Timer::Reach, Reason::ReachTimedOut),
        (Kit::snapshotting, Timer::Hold, Reason::HoldTimedOut),
        (Kit::confirming, Timer::Hold, Reason::HoldTimedOut),
    ];
    for (go, timer, reason) in cases {
        let mut kit = Kit::new(request());
        go(&mut kit);
        let lines = kit.expire(timer);
        assert_eq!(lines[0], "save Aborting", "{reason}");
        assert_eq!(lines[1..], to_all(&format!("@5 Abort {reason}")));
    }
}

#[test]
fn the_cap_over_all_clocks_ends_the_barrier_whatever_the_single_limits_say() {
    let mut request = request();
    request.limits.total = Millis::secs(30);
    let mut kit = Kit::new(request);
    kit.covering();
    assert_eq!(kit.expire(Timer::Total)[0], "save Aborting");
    assert_eq!(failure(&kit), Reason::HoldTimedOut);
}

#[test]
fn a_plane_that_never_connects_costs_the_others_nothing() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    kit.up(0);
    assert_eq!(kit.expire(Timer::Connect), ["save Failed"]);
    assert_eq!(failure(&kit), Reason::PlaneNotConnected);
    assert!(kit.view().record.failure.unwrap().message.contains("az2, az3"));
}

#[test]
fn a_plane_that_lets_go_by_itself_ends_the_attempt_with_its_cause() {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    let cause = Some(Refusal::new(Reason::StoreHoldLost, "store 2: renewal answered false"));
    let lines = kit.says(1, Answer::Aborted(Aborted { cause }));
    assert_eq!(lines[1..], to_all("@5 Abort StoreHoldLost"));
    assert!(kit.view().record.failure.unwrap().message.starts_with("plane az2: store 2"));
}

#[test]
fn a_plane_away_for_longer_than_its_lease_is_lost_one_that_returns_is_not() {
    let mut kit = Kit::new(request());
    kit.snapshotting();
    kit.feed(Input::PlaneDown(plane(2)));
    kit.later(14_000);
    kit.up(2);
    kit.later(10_000);
    assert_eq!(kit.view().phase, Phase::Snapshotting);
    kit.feed(Input::PlaneDown(plane(2)));
    kit.expire(Timer::PlaneLost);
    assert_eq!(failure(&kit), Reason::PlaneLost);
    assert_eq!(kit.view().record.milestone, Milestone::Aborting);
}

#[test]
fn a_safe_ts_that_is_not_above_the_gc_hold_never_becomes_commit_ts() {
    let mut kit = Kit::new(request());
    kit.covering();
    let low = |i: usize| {
        let Answer::Covered(mut answer) = covered(i, 1) else { unreachable!() };
        answer.digest.least_safe_ts = if i == 2 { GC_HOLD } else { answer.digest.least_safe_ts };
        Answer::Covered(answer)
    };
    assert_eq!(kit.all(low)[0], "save Aborting");
    assert_eq!(failure(&kit), Reason::SafeTsStuck);
}
