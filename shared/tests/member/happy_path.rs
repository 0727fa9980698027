//! The good way, effect by effect.

use crate::fixtures::*;
use shared::{
    evidence::{Evidence, HoldKind, StoreEvidence},
    ids::StoreId,
    machine::Machine,
    member::{AttemptState, Done, Effect, Input, Work, coverage::nothing_led},
    request::Limits,
    wire::{
        Answer, Cleaned, Confirmed, Order, Prepare, Recovered, Released, Renewed, Reserved, Settle, Settled,
        Snapshotted, Suspended,
    },
};

pub fn evidence() -> Evidence {
    let store = |id: u64| StoreEvidence {
        store: StoreId(id),
        address: format!("tikv-{id}:20160"),
        start_timestamp: 100,
        renewals_sent: 1,
        renewals_valid: 1,
        confirmed: true,
        kind: HoldKind::Full,
    };
    Evidence {
        epoch: E,
        cluster: CLUSTER,
        stores: vec![store(1), store(2)],
        cover: nothing_led(),
        snapshots: snapshots(),
        commit_ts: COMMIT,
        pd: seen().pd,
        set_after: None,
    }
}

#[test]
fn an_attempt_from_prepare_to_release() {
    let mut b = Bench::new();
    let ttl = Limits::default().safe_point_ttl();
    let service = || "isochron-uid-7".to_owned();

    assert_eq!(b.order(prepare(1, true)), [begins(1, Work::Prepare(Prepare { round: 1, spec: spec(true) }))]);
    let answer = Answer::Prepared(prepared(1));
    assert_eq!(b.done(1, Done::Prepared(prepared(1))), [Effect::Send { epoch: shared::epoch::Epoch::NONE, answer }]);
    assert_eq!(b.order(Order::Reserve), [save(AttemptState::Live), begins(2, Work::Reserve)], "persist, then touch");
    assert_eq!(b.done(2, Done::Reserved), [say(Answer::Reserved(Reserved {}))]);
    assert_eq!(b.order(Order::Settle(Settle::HoldPd)), [begins(3, Work::HoldPd { service: service(), ttl })]);
    assert_eq!(
        b.done(3, Done::PdHeld { gc_hold: GC, schedulers: vec!["s".into()] }),
        [say(Answer::Settled(Settled::PdHeld { gc_hold: GC, schedulers: vec!["s".into()] }))]
    );
    assert_eq!(b.order(leaders()), [begins(4, Work::Leaders { gc_hold: GC })]);
    assert_eq!(
        b.done(4, Done::Leaders { regions: 9, least_safe_ts: COMMIT }),
        [say(Answer::Settled(Settled::Leaders { regions: 9, least_safe_ts: COMMIT }))]
    );
    assert_eq!(b.order(Order::Suspend), [begins(5, Work::OpenHolds { stores: both() })]);
    assert_eq!(b.held(1), []);
    assert_eq!(b.done(5, Done::HoldsOpen), [], "not before every store has answered");
    assert_eq!(b.held(2), [say(Answer::Suspended(Suspended { stores: 2 }))]);
    assert_eq!(b.order(cover(1)), [begins(6, Work::Cover { round: 1, name_missing: false, gc_hold: GC })]);
    assert_eq!(b.done(6, Done::Covered(covered(1))), [say(Answer::Covered(covered(1)))]);
    assert_eq!(b.order(snapshot()), [begins(7, Work::Snapshot { commit_ts: COMMIT, share: None, one_volume: None })]);
    assert_eq!(
        b.done(7, taken(snapshots())),
        [say(Answer::Snapshotted(Snapshotted { snapshots: snapshots(), accepted: accepted() }))]
    );
    assert_eq!(b.order(Order::Confirm), [Effect::RenewStores { number: 8, stores: both() }]);
    assert_eq!(b.leased(1, 8), []);
    assert_eq!(b.leased(2, 8), [begins(9, Work::ReadBack { gc_hold: GC })]);
    assert_eq!(
        b.done(9, Done::ReadBack(seen())),
        [save(AttemptState::Confirmed(evidence())), say(Answer::Confirmed(Confirmed { evidence: evidence() }))]
    );
    assert_eq!(b.order(Order::Recover), [say(Answer::Recovered(Recovered::Evidence(evidence())))]);
    assert_eq!(b.order(Order::Release), [Effect::DropHolds { confirmed: true }]);
    assert_eq!(b.order(Order::Release), [], "asked again while letting go");
    assert_eq!(b.step(Input::HoldsDropped), [say(Answer::Released(Released {}))]);
    assert_eq!(b.order(Order::Release), [say(Answer::Released(Released {}))]);
    let Order::Complete(work) = complete() else { unreachable!() };
    assert_eq!(b.order(complete()), [begins(10, Work::Complete { order: work, calls: made_all() })]);
    assert_eq!(b.done(10, Done::Completed(completed())), [say(Answer::Completed(completed()))]);
    assert_eq!(b.order(complete()), [say(Answer::Completed(completed()))]);
}

#[test]
fn a_plane_that_is_not_the_init_plane_never_holds_pd() {
    let mut b = Bench::new();
    b.did(prepare(1, false), Done::Prepared(prepared(1)));
    b.did(Order::Reserve, Done::Reserved);
    let effects = b.order(Order::Settle(Settle::HoldPd));
    assert!(matches!(&effects[..], [Effect::Send { answer: Answer::Refused(_), .. }]), "{effects:?}");
    assert_eq!(b.order(leaders()), [begins(3, Work::Leaders { gc_hold: GC })]);
    assert_eq!(b.member.deadline().map(|(_, timer)| timer), Some(shared::member::Timer::PlaneLease));
}

#[test]
fn an_order_repeated_while_it_runs_is_one_order_and_afterwards_gets_its_answer_again() {
    let mut b = Bench::new();
    b.order(prepare(1, true));
    assert_eq!(b.order(prepare(1, true)), []);
    let first = b.done(1, Done::Prepared(prepared(1)));
    assert_eq!(b.order(prepare(1, true)), first);
    b.step(Input::LinkLost);
    b.step(Input::LinkUp);
    assert_eq!(b.order(prepare(1, true)), first, "also after a reconnect");
    for (phase, order) in [
        (shared::member::Phase::Suspended, Order::Suspend),
        (shared::member::Phase::Covered, cover(1)),
        (shared::member::Phase::Snapshotted, snapshot()),
        (shared::member::Phase::Confirmed, Order::Confirm),
    ] {
        let mut b = Bench::at_phase(phase);
        let before = b.member.clone();
        let effects = b.order(order);
        assert!(matches!(&effects[..], [Effect::Send { .. }]), "{phase:?}: {effects:?}");
        assert_eq!(b.member, before, "{phase:?}: a repetition changes nothing");
    }
}

#[test]
fn a_new_round_of_cover_replaces_the_old_one_and_an_old_one_is_dead() {
    let mut b = Bench::at_phase(shared::member::Phase::Covering);
    assert_eq!(
        b.order(cover(2)),
        [Effect::CancelWork { number: 6 }, begins(7, Work::Cover { round: 2, name_missing: false, gc_hold: GC })]
    );
    assert_eq!(b.order(cover(1)), []);
    assert_eq!(b.done(6, Done::Covered(covered(1))), [], "cancelled work may still end");
    assert_eq!(b.done(7, Done::Covered(covered(2))), [say(Answer::Covered(covered(2)))]);
    assert_eq!(b.order(cover(1)), []);
}

#[test]
fn preparing_anew_forgets_what_was_found() {
    let mut b = Bench::at_phase(shared::member::Phase::Prepared);
    assert_eq!(b.order(prepare(2, true)), [begins(2, Work::Prepare(Prepare { round: 2, spec: spec(true) }))]);
    assert_eq!(b.order(prepare(1, true)), [], "the old round is dead");
    let refused = b.fail(2, shared::reason::Reason::PdUnavailable);
    assert!(matches!(&refused[..], [Effect::Send { answer: Answer::Refused(_), .. }]));
    assert_eq!(b.order(prepare(2, true)), refused);
    let effects = b.order(Order::Reserve);
    assert!(matches!(&effects[..], [Effect::Send { answer: Answer::Refused(r), .. }]
        if r.reason == shared::reason::Reason::NotPrepared));
}

#[test]
fn a_coordinator_that_counts_anew_is_told_the_round() {
    let mut b = Bench::at_phase(shared::member::Phase::Prepared);
    b.order(prepare(2, true));
    let answered = b.done(2, Done::Prepared(prepared(2)));
    assert_eq!(b.order(prepare(1, true)), answered, "it lost count when it restarted");
    assert_eq!(b.order(prepare(3, true)), [begins(3, Work::Prepare(Prepare { round: 3, spec: spec(true) }))]);
}

#[test]
fn only_a_new_number_extends_the_planes_lease() {
    let mut b = Bench::at_phase(shared::member::Phase::Reserved);
    b.at = 4_000;
    assert_eq!(b.order(renew(1)), [say(Answer::Renewed(Renewed { number: 1 }))]);
    assert_eq!(b.member.view(b.now()).plane_lease_left, Some(Limits::default().plane_lease));
    b.at = 8_000;
    assert_eq!(b.order(renew(1)), [say(Answer::Renewed(Renewed { number: 1 }))]);
    assert_eq!(b.member.view(b.now()).plane_lease_left, Some(shared::time::Millis(11_000)));
    let mut b = Bench::at_phase(shared::member::Phase::Prepared);
    assert_eq!(b.order(renew(1)), [], "a renewal that overtook Reserve");
}

#[test]
fn cleaning_is_done_again_only_while_something_is_left() {
    let order = clean(shared::wire::CleanScope::Attempt);
    let Order::Clean(work) = order.clone() else { unreachable!() };
    let report = |left: &[&str]| shared::wire::CleanReport {
        snapshots: 1,
        objects: 1,
        left: left.iter().map(|line| (*line).to_owned()).collect(),
        ..shared::wire::CleanReport::default()
    };
    let mut b = Bench::at_phase(shared::member::Phase::Broken);
    let begun = b.order(order.clone());
    assert!(matches!(&begun[..], [Effect::Work { work: Work::Clean { order: w, .. }, .. }] if *w == work));
    b.done(5, Done::Cleaned(report(&["snap-1: in use"])));
    assert_eq!(
        b.order(order.clone()),
        [begins(6, Work::Clean { order: work.clone(), service: "isochron-uid-7".into(), calls: made_none() })]
    );
    assert_eq!(b.done(6, Done::Cleaned(report(&[]))), [say(Answer::Cleaned(Cleaned { report: report(&[]) }))]);
    assert_eq!(b.order(order), [say(Answer::Cleaned(Cleaned { report: report(&[]) }))]);
}

/// Orders of before a deletion and after it may come in turn for ever; each does not begin the same work anew.
#[test]
fn a_clean_is_begun_again_only_for_one_that_may_delete_more() {
    let mut b = Bench::at_phase(shared::member::Phase::Broken);
    let asking = |taken_back, afresh| {
        let Order::Clean(clean) = clean(shared::wire::CleanScope::Attempt) else { unreachable!() };
        Order::Clean(shared::wire::Clean { taken_back, afresh, ..clean })
    };
    let order = |taken_back| asking(taken_back, false);
    let begun = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Work { work: Work::Clean { .. }, .. })).count()
    };
    assert_eq!(begun(&b.order(order(false))), 1);
    assert_eq!(begun(&b.order(order(false))), 0, "it is under way");
    let more = b.order(order(true));
    assert_eq!(begun(&more), 1, "it may delete what S3 proves: {more:?}");
    assert_eq!(b.order(order(false)), [], "that is being done");
    let more = b.order(asking(true, true));
    assert_eq!(begun(&more), 1, "it asks for what was refused lately: {more:?}");
    assert_eq!(b.order(order(true)), [], "that is being done, too");
    let Some(number) = more.iter().find_map(|effect| match effect {
        Effect::Work { number, .. } => Some(*number),
        _ => None,
    }) else {
        panic!("{more:?}")
    };
    let cleaned = say(Answer::Cleaned(Cleaned { report: Default::default() }));
    assert_eq!(b.done(number, Done::Cleaned(Default::default())), std::slice::from_ref(&cleaned));
    for taken_back in [false, true, false] {
        assert_eq!(b.order(order(taken_back)), std::slice::from_ref(&cleaned), "what is gone is gone");
    }
}
