//! Leases and clocks: what breaks an epoch, and what no longer can.

use crate::fixtures::*;
use shared::{
    evidence::{Evidence, HoldKind},
    ids::{InstanceId, StoreId, VolumeId},
    machine::Machine,
    member::{AttemptState, Done, Effect, Input, Phase, ReadBack, SnapshotCalls, Timer, Work},
    reason::{Reason, Refusal},
    region_set::RegionSet,
    request::Limits,
    time::{Instant, Millis, Timestamp},
    ts::Ts,
    wire::{Answer, Confirmed, Order},
};

#[test]
fn renewals_come_every_quarter_and_none_is_asked_for_twice() {
    let mut b = Bench::at_phase(Phase::Suspended);
    assert_eq!(b.member.deadline(), Some((Instant(2_500), Timer::RenewStores)));
    b.at = 2_500;
    assert_eq!(b.expire(Timer::RenewStores), [Effect::RenewStores { number: 6, stores: both() }]);
    b.leased(1, 6);
    b.at = 5_000;
    let only = std::collections::BTreeSet::from([StoreId(1)]);
    assert_eq!(b.expire(Timer::RenewStores), [Effect::RenewStores { number: 7, stores: only }], "2 owes an answer");
}

#[test]
fn a_lease_runs_from_when_it_was_asked_for() {
    let mut b = Bench::at_phase(Phase::Suspending);
    b.at = 1_000;
    b.step(Input::StoreHeld { store: StoreId(1), age: Millis(400), kind: HoldKind::Full });
    assert_eq!(b.member.view(b.now()).store_lease_left, Some(Millis(9_600)));
    b.at = 3_500;
    b.expire(Timer::RenewStores);
    b.at = 5_500;
    b.leased(1, 6);
    assert_eq!(b.member.view(b.now()).store_lease_left, Some(Millis(8_000)), "not from when it was answered");
}

#[test]
fn a_hold_that_ends_breaks_every_live_stage_durably_before_it_is_told() {
    for phase in [Phase::Suspended, Phase::Covering, Phase::Covered, Phase::Snapshotting, Phase::Snapshotted] {
        let work: Vec<u64> = work_of(phase).into_iter().collect();
        let mut b = Bench::at_phase(phase);
        b.expire(Timer::RenewStores);
        let mut lost = b.member.clone();
        let effects = b.step(Input::StoreLeased { store: StoreId(2), number: renewal(&b), valid: false });
        let text = "store 2 answered a renewal: the lease before it had ended";
        assert_eq!(effects, breaking(&work, true, Refusal::new(Reason::StoreHoldLost, text)), "{phase:?}");
        assert_eq!(b.phase(), Phase::Broken);

        let refusal = Refusal::new(Reason::StoreHeldByOther, "taken");
        let effects = lost.step(b.now(), Input::StoreBroken { store: StoreId(1), refusal: refusal.clone() });
        assert_eq!(effects, breaking(&work, true, refusal), "{phase:?}");
    }
}

fn renewal(b: &Bench) -> u64 {
    let text = format!("{:?}", b.member);
    let at = text.find("asked: Some((").expect("a renewal is asked for") + "asked: Some((".len();
    text[at..].chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn an_unanswered_renewal_breaks_when_the_lease_may_have_ended() {
    let mut b = Bench::at_phase(Phase::Covered);
    b.at = 2_500;
    b.expire(Timer::RenewStores);
    b.leased(1, 7);
    b.order(renew(1));
    assert_eq!(b.member.view(b.now()).store_lease_left, Some(Millis(7_500)));
    b.at = 10_000;
    let text = "store 2 did not answer a renewal within its lease of 10 s";
    assert_eq!(b.expire(Timer::StoreLease), breaking(&[], true, Refusal::new(Reason::StoreHoldLost, text)));
}

#[test]
fn without_a_renewal_the_plane_lets_go_by_itself_in_every_live_stage() {
    for phase in LIVE {
        let mut b = Bench::at_phase(phase);
        b.at = Limits::default().plane_lease.0;
        let work: Vec<u64> = work_of(phase).into_iter().collect();
        let text = "no renewal from the coordinator for 15 s; no session is up";
        let cause = Refusal::new(Reason::PlaneLeaseExpired, text);
        assert_eq!(b.expire(Timer::PlaneLease), breaking(&work, touches(phase), cause), "{phase:?}");
        assert_eq!(b.member.deadline(), None, "{phase:?}: nothing is renewed any more");
    }
}

#[test]
fn a_process_that_ends_breaks_off_at_once_what_is_not_close_to_its_evidence() {
    let close = [Phase::Confirming, Phase::ReadingBack];
    for phase in LIVE {
        let work: Vec<u64> = work_of(phase).into_iter().collect();
        let cause = Refusal::new(Reason::PlaneRestarted, "the plane actor was told to end");
        let mut b = Bench::at_phase(phase);
        let ended = b.step(Input::Stop { finish: true });
        if close.contains(&phase) {
            assert_eq!(ended, [], "{phase:?} may finish");
            assert!(!b.member.view(b.now()).over, "{phase:?}");
            let ended = b.step(Input::Stop { finish: false });
            assert_eq!(ended, breaking(&work, true, cause), "{phase:?} has had its time");
        } else {
            assert_eq!(ended, breaking(&work, touches(phase), cause), "{phase:?}");
        }
        assert_eq!(b.member.view(b.now()).over, !touches(phase), "{phase:?}: not before all is let go");
        if touches(phase) {
            b.step(Input::HoldsDropped);
        }
        assert!(b.member.view(b.now()).over, "{phase:?}");
    }
}

#[test]
fn a_process_that_ends_keeps_saved_evidence_and_waits_for_the_release() {
    let mut b = Bench::at_phase(Phase::Confirmed);
    assert_eq!(b.step(Input::Stop { finish: true }), []);
    assert_eq!(b.order(Order::Release), [Effect::DropHolds { confirmed: true }]);
    assert_eq!(b.step(Input::HoldsDropped), [say(Answer::Released(shared::wire::Released {}))]);
    assert!(b.member.view(b.now()).over);
    let mut b = Bench::at_phase(Phase::Confirmed);
    b.step(Input::Stop { finish: true });
    assert_eq!(b.step(Input::Stop { finish: false }), [Effect::DropHolds { confirmed: true }], "nothing is broken");
    for phase in [Phase::Idle, Phase::Preparing, Phase::Prepared, Phase::Released, Phase::Broken] {
        let mut b = Bench::at_phase(phase);
        assert_eq!(b.step(Input::Stop { finish: true }), [], "{phase:?}");
        assert!(b.member.view(b.now()).over, "{phase:?} holds nothing");
    }
}

#[test]
fn a_lost_link_alone_changes_nothing() {
    for phase in ALL {
        let mut b = Bench::at_phase(phase);
        b.step(Input::LinkUp);
        let before = b.member.clone();
        assert_eq!(b.step(Input::LinkLost), []);
        assert_eq!(b.step(Input::LinkUp), []);
        assert_eq!(b.member, before, "{phase:?}");
    }
}

#[test]
fn a_confirmation_counts_only_when_asked_for_after_confirm() {
    let mut b = Bench::at_phase(Phase::Snapshotted);
    b.expire(Timer::RenewStores);
    b.leased(1, 8);
    let only = |id| std::collections::BTreeSet::from([StoreId(id)]);
    assert_eq!(b.order(Order::Confirm), [Effect::RenewStores { number: 9, stores: only(1) }]);
    assert_eq!(b.leased(1, 9), []);
    assert_eq!(b.leased(2, 8), [Effect::RenewStores { number: 10, stores: only(2) }], "the earlier one does not count");
    assert_eq!(b.leased(2, 10), [begins(11, Work::ReadBack { gc_hold: GC })]);
    b.expire(Timer::RenewStores);
    let effects = b.done(11, Done::ReadBack(seen()));
    let Effect::Send { answer: Answer::Confirmed(Confirmed { evidence }), .. } = &effects[1] else {
        panic!("{effects:?}")
    };
    let counts: Vec<_> = evidence.stores.iter().map(|s| (s.renewals_sent, s.renewals_valid)).collect();
    assert_eq!(counts, [(2, 2), (2, 2)], "a renewal on its way is not in the evidence");
}

#[test]
fn what_is_read_back_must_be_what_was_prepared() {
    type Spoil = fn(&mut ReadBack);
    let table: [(&str, Spoil, Reason); 8] = [
        ("restarted", |r| r.stores[0].start_timestamp = 101, Reason::StoresChanged),
        ("moved", |r| r.stores[1].address = "x:1".into(), Reason::StoresChanged),
        ("gone", |r| drop(r.stores.pop()), Reason::StoresChanged),
        ("detached", |r| drop(r.attached.insert(VolumeId::new("vol-2"), None)), Reason::VolumeMoved),
        (
            "attached elsewhere",
            |r| drop(r.attached.insert(VolumeId::new("vol-2"), Some(InstanceId::new("i-9")))),
            Reason::VolumeMoved,
        ),
        ("not described", |r| drop(r.attached.remove(&VolumeId::new("vol-2"))), Reason::VolumeMoved),
        ("gc", |r| r.pd.as_mut().unwrap().gc_safe_point = COMMIT, Reason::GcPassed),
        ("pd not read", |r| r.pd = None, Reason::Internal),
    ];
    for (name, spoil, reason) in table {
        let mut b = Bench::at_phase(Phase::ReadingBack);
        let mut read = seen();
        spoil(&mut read);
        let effects = b.done(9, Done::ReadBack(read));
        assert_eq!(broken_by(&effects), Some(reason), "{name}");
        assert_eq!(effects[0], save(AttemptState::Broken), "{name}");
    }
    let mut b = Bench::at_phase(Phase::ReadingBack);
    let mut read = seen();
    read.pd.as_mut().unwrap().gc_safe_point = Ts(COMMIT.0 - 1);
    assert_eq!(broken_by(&b.done(9, Done::ReadBack(read))), None, "below commitTs is enough");
}

#[test]
fn snapshots_are_one_per_volume_of_one_call_per_instance() {
    type Spoil = fn(&mut Vec<shared::evidence::AcceptedSnapshot>);
    let table: [(&str, Spoil); 6] = [
        ("missing", |s| drop(s.pop())),
        ("surplus", |s| s.push(s[0].clone())),
        ("one id twice", |s| s[1].snapshot = s[0].snapshot.clone()),
        ("foreign volume", |s| s[2].volume = VolumeId::new("vol-9")),
        ("two calls", |s| s[1].start_time = Timestamp(78)),
        ("other instance", |s| s[2].instance = InstanceId::new("i-1")),
    ];
    for (name, spoil) in table {
        let mut b = Bench::at_phase(Phase::Snapshotting);
        let mut taken = snapshots();
        spoil(&mut taken);
        let effects = b.done(7, Done::Snapshotted { snapshots: taken, accepted: vec![], calls: SnapshotCalls::None });
        assert_eq!(broken_by(&effects), Some(Reason::SnapshotFailed), "{name}");
    }
}

#[test]
fn pd_is_renewed_and_only_a_refused_safe_point_is_fatal() {
    let ttl = Limits::default().safe_point_ttl();
    let mut b = Bench::at_phase(Phase::PdHeld);
    assert_eq!(b.member.deadline(), Some((Instant(3_750), Timer::RenewPd)));
    b.at = 3_750;
    let work = Work::RenewPd { service: "isochron-uid-7".into(), ttl, gc_hold: GC };
    assert_eq!(b.expire(Timer::RenewPd), [begins(4, work)]);
    b.at = 7_500;
    assert_eq!(b.expire(Timer::RenewPd), [], "one at a time");
    assert_eq!(b.fail(4, Reason::PdUnavailable), []);
    b.at = 11_250;
    b.expire(Timer::RenewPd);
    assert_eq!(b.fail(5, Reason::SafePointRefused), breaking(&[], true, refusal(Reason::SafePointRefused)));

    let mut b = Bench::at_phase(Phase::Confirmed);
    b.expire(Timer::RenewPd);
    assert_eq!(b.fail(10, Reason::SafePointRefused), [], "evidence once saved stays true");
}

#[test]
fn after_the_confirmation_no_hold_that_ends_breaks_anything() {
    let inputs = [
        Input::StoreLeased { store: StoreId(1), number: 10, valid: false },
        Input::StoreBroken { store: StoreId(1), refusal: refusal(Reason::StoreHoldLost) },
        Input::Expired(Timer::StoreLease),
        Input::LinkLost,
    ];
    for input in inputs {
        let mut b = Bench::at_phase(Phase::Confirmed);
        b.expire(Timer::RenewStores);
        assert_eq!(b.step(input.clone()), [], "{input:?}");
        assert_eq!(b.phase(), Phase::Confirmed);
    }
    let mut b = Bench::at_phase(Phase::Confirmed);
    assert_eq!(b.expire(Timer::PlaneLease), [Effect::DropHolds { confirmed: true }]);
    b.step(Input::HoldsDropped);
    assert_eq!(b.phase(), Phase::Confirmed);
    assert!(matches!(&b.order(Order::Recover)[..], [Effect::Send { answer: Answer::Recovered(_), .. }]));
    assert!(matches!(&b.order(Order::Release)[..], [Effect::Send { answer: Answer::Released(_), .. }]));
}

#[test]
fn a_store_that_opens_after_the_end_is_let_go_and_one_that_opens_twice_breaks() {
    let mut b = Bench::at_phase(Phase::Suspending);
    b.order(abort());
    assert_eq!(b.held(1), [Effect::DropHolds { confirmed: false }]);
    assert_eq!(b.step(Input::HoldsDropped), []);
    assert_eq!(b.step(Input::HoldsDropped), [say(aborted(None))], "aborted once all is let go");

    let mut b = Bench::at_phase(Phase::Suspending);
    b.held(1);
    assert_eq!(broken_by(&b.held(1)), Some(Reason::Internal), "one stream per store, or none");
}

#[test]
fn evidence_survives_a_restart_word_for_word() {
    let mut b = Bench::at_phase(Phase::ReadingBack);
    let effects = b.done(9, Done::ReadBack(seen()));
    let Effect::Save(record) = &effects[0] else { panic!("{effects:?}") };
    let AttemptState::Confirmed(evidence) = record.state.clone() else { panic!("{record:?}") };
    let saved: Evidence = evidence.clone();
    let mut b = Bench::restored(AttemptState::Confirmed(evidence));
    let recovered = Answer::Recovered(shared::wire::Recovered::Evidence(saved));
    assert_eq!(b.order(Order::Recover), [say(recovered)]);
}

/// An attempt that opens its holds, under a spec that allows weaker ones or not; and the number of that work.
fn suspending(allowed: bool) -> (Bench, u64) {
    let mut b = Bench::new();
    b.order(Order::Prepare(shared::wire::Prepare { round: 1, spec: weaker_spec(allowed) }));
    b.done(1, Done::Prepared(prepared(1)));
    b.did(Order::Reserve, Done::Reserved);
    b.did(Order::Settle(shared::wire::Settle::HoldPd), Done::PdHeld { gc_hold: GC, schedulers: vec![] });
    b.did(leaders(), Done::Leaders { regions: 1, least_safe_ts: COMMIT });
    let opening = begun(&b.order(Order::Suspend));
    (b, opening)
}

fn begun(effects: &[Effect]) -> u64 {
    let number = |effect: &Effect| match effect {
        Effect::Work { number, .. } => Some(*number),
        _ => None,
    };
    effects.iter().find_map(number).expect("work begins")
}

fn weaker_spec(allowed: bool) -> shared::request::MemberSpec {
    shared::request::MemberSpec { allow_weaker_holds: allowed, ..spec(true) }
}

fn weakly(b: &mut Bench, store: u64) -> Vec<Effect> {
    b.step(Input::StoreHeld { store: StoreId(store), age: Millis(0), kind: HoldKind::Weaker })
}

#[test]
fn a_weaker_hold_that_nobody_allowed_breaks_the_epoch() {
    let (mut b, _) = suspending(false);
    assert!(weakly(&mut b, 1).iter().any(|effect| matches!(effect, Effect::Alarm(_))));
    assert_eq!(b.phase(), Phase::Broken);
}

#[test]
fn a_weaker_hold_is_told_apart_in_the_evidence() {
    for set in [None, Some(RegionSet::of_region(1, 1, 1, b"", b""))] {
        let (mut b, opening) = suspending(true);
        weakly(&mut b, 1);
        b.held(2);
        b.done(opening, Done::HoldsOpen);
        assert_eq!(b.phase(), Phase::Suspended);
        b.did(cover(1), Done::Covered(covered(1)));
        b.did(snapshot(), taken(snapshots()));
        let Some(Effect::RenewStores { number, .. }) = b.order(Order::Confirm).pop() else { panic!("no renewal") };
        b.leased(1, number);
        let reading = begun(&b.leased(2, number));
        let effects = b.done(reading, Done::ReadBack(ReadBack { set, ..seen() }));
        let confirmed = effects.iter().find_map(|effect| match effect {
            Effect::Send { answer: Answer::Confirmed(confirmed), .. } => Some(&confirmed.evidence),
            _ => None,
        });
        match (set, confirmed) {
            (None, None) => assert_eq!(b.phase(), Phase::Broken, "regions were not read again"),
            (Some(_), Some(evidence)) => {
                let kinds: Vec<_> = evidence.stores.iter().map(|store| store.kind).collect();
                assert_eq!((kinds, evidence.set_after), (vec![HoldKind::Weaker, HoldKind::Full], set));
            }
            other => panic!("{other:?}"),
        }
    }
}
