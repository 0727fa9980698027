//! The good path.

use crate::fixtures::*;
use shared::{
    barrier::{Input, Milestone, Phase, Timer},
    epoch::Epoch,
    time::Millis,
    wire::{Answer, Released, Reserved, Suspended},
};

fn joined(first: &[&str], rest: Vec<String>) -> Vec<String> {
    first.iter().map(|s| (*s).to_owned()).chain(rest).collect()
}

#[test]
fn nothing_is_sent_before_every_plane_is_here() {
    let mut kit = Kit::new(request());
    assert_eq!(kit.feed(Input::Start), ["save Preparing"]);
    assert!(kit.up(0).is_empty());
    assert!(kit.up(1).is_empty());
    assert_eq!(kit.view().waiting_for, "planes to connect: az3");
    assert_eq!(kit.up(2), to_all("@0 Prepare 1"));
}

#[test]
fn a_plane_that_goes_away_while_all_prepare_is_waited_for() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.feed(Input::PlaneDown(plane(2)));
    assert!(kit.says(0, Answer::Prepared(prepared(0, 1))).is_empty(), "two planes have not answered");
    assert!(kit.says(1, Answer::Prepared(prepared(1, 1))).is_empty(), "one plane has not answered");
    let mut late = Kit { machine: kit.machine.clone(), now: kit.now };
    assert_eq!(kit.up(2), ["az3 @0 Prepare 1"]);
    assert_eq!(kit.says(2, Answer::Prepared(prepared(2, 1))), ["claim above 4"]);

    late.expire(Timer::Prepare);
    let why = late.view().record.failure.expect("it failed").message;
    assert!(why.ends_with("waiting for az3 (not connected)"), "{why}");
}

#[test]
fn planes_that_come_back_one_by_one_all_prepare() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.feed(Input::PlaneDown(plane(1)));
    kit.feed(Input::PlaneDown(plane(2)));
    assert!(kit.up(1).is_empty(), "one is still away");
    assert_eq!(kit.up(2), to_all("@0 Prepare 1"), "who knows it already ignores it");
}

#[test]
fn the_claim_comes_before_any_touch_and_the_save_before_any_send() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    assert_eq!(kit.all(|i| Answer::Prepared(prepared(i, 1))), ["claim above 4"]);
    assert_eq!(kit.feed(Input::Claimed(Epoch(5))), joined(&["save Barrier"], to_all("@5 Reserve")));
}

#[test]
fn settle_goes_first_to_the_init_plane_then_to_all() {
    let mut kit = Kit::new(request());
    kit.claimed();
    assert_eq!(kit.all(|_| Answer::Reserved(Reserved {})), ["az1 @5 Settle HoldPd"]);
    assert!(kit.says(1, leaders(1)).is_empty(), "nobody may settle before PD is held");
    assert_eq!(kit.says(0, pd_held()), to_all("@5 Settle Leaders { gc_hold: Ts(1000) }"));
    assert_eq!(kit.all(leaders), to_all("@5 Suspend"));
}

#[test]
fn commit_ts_is_the_least_and_is_saved_before_it_is_sent() {
    let mut kit = Kit::new(request());
    kit.suspending();
    kit.later(40);
    assert_eq!(kit.all(|_| Answer::Suspended(Suspended { stores: 1 })), to_all("@5 Cover 1"));
    kit.later(60);
    assert_eq!(kit.all(|i| covered(i, 1)), joined(&["save Snapshotting"], to_all("@5 Snapshot 2000")));
    let record = kit.view().record;
    assert_eq!(record.barrier.reach, Some(Millis(100)));
    assert_eq!(record.commit_ts, Some(safe_ts(1)));
    assert_eq!(record.planes[&plane(2)].least_safe_ts, Some(safe_ts(2)));
}

#[test]
fn release_goes_out_only_after_every_confirmation() {
    let mut kit = Kit::new(request());
    assert_eq!(kit.confirming(), to_all("@5 Confirm"));
    let mut lines = to_all("@5 Release");
    lines.push("save Certified".into());
    assert_eq!(kit.all(confirmed), lines);
    kit.later(7);
    let mut lines = joined(&["save Certified", "end claim"], to_all("@5 Complete 2000"));
    assert_eq!(kit.all(|_| Answer::Released(Released {})), std::mem::take(&mut lines));
    assert_eq!(kit.view().record.barrier.hold, Some(Millis(7)));
    assert!(kit.view().record.times.snapshots_created.is_some());
}

#[test]
fn complete_needs_every_plane() {
    let mut kit = Kit::new(request());
    kit.completing();
    assert!(kit.says(2, done()).is_empty());
    assert!(kit.says(2, done()).is_empty(), "a repeated answer counts once");
    assert!(kit.says(0, done()).is_empty());
    assert_eq!(kit.says(1, done()), ["save Complete"]);
    assert_eq!(kit.view().phase, Phase::Complete);
    assert_eq!(kit.machine_deadline(), None);
}

/// Packing the record of many planes takes the thread of all barriers.
#[test]
fn answers_that_come_together_are_saved_together_and_none_waits_for_long() {
    let mut kit = Kit::new(request());
    kit.completing();
    let from = kit.now.at;
    assert!(kit.says(2, done()).is_empty());
    kit.later(400);
    assert!(kit.says(0, done()).is_empty());
    assert_eq!(kit.expire(Timer::Save), ["save Certified"]);
    assert_eq!(kit.now.at.since(from), Millis(1_000), "the first of them does not wait for the last");
    let saved = kit.view().record;
    assert!(saved.planes[&plane(0)].completed_bytes.is_some() && saved.planes[&plane(2)].completed_bytes.is_some());
    assert_eq!(kit.machine_deadline(), None);
}

impl Kit {
    fn machine_deadline(&self) -> Option<Timer> {
        use shared::machine::Machine;
        self.machine.deadline().map(|(_, timer)| timer)
    }
}

#[test]
fn planes_are_renewed_at_a_quarter_of_their_lease_while_something_is_held() {
    let mut kit = Kit::new(request());
    kit.claimed();
    let at = kit.now.at;
    assert_eq!(kit.expire(Timer::Renew), to_all("@5 Renew 1"));
    assert_eq!(kit.now.at.since(at), Millis(3_750));
    assert_eq!(kit.expire(Timer::Renew), to_all("@5 Renew 2"));
}

#[test]
fn a_tiling_with_a_hole_is_asked_again_and_at_last_named() {
    let mut kit = Kit::new(request());
    kit.covering();
    let hole = |i: usize, round| covered(if i == 1 { 0 } else { i }, round);
    let begun = kit.now.at;
    let (mut pauses, mut round) = (Vec::new(), 1);
    loop {
        let asked = kit.now.at;
        let lines = kit.all(|i| hole(i, round));
        if !lines.is_empty() {
            assert_eq!(lines, joined(&["save Aborting"], to_all("@5 Abort TilingBroken")));
            break;
        }
        round += 1;
        assert_eq!(kit.expire(Timer::Cover), to_all(&format!("@5 Cover {round} naming")));
        assert!(kit.says(0, covered(0, round - 1)).is_empty(), "an answer to an old round is dead");
        pauses.push(kit.now.at.since(asked).0 / 1000);
    }
    assert_eq!(pauses[..4], [1, 2, 4, 8], "an election takes 10 to 20 s");
    let limit = kit.view().record.request.limits.reach.0;
    let used = kit.now.at.since(begun).0;
    assert!(used > limit / 2 && used < limit, "{used} of {limit} ms: the clock has not run out, so the hole is named");
    let why = kit.view().record.failure.unwrap().message;
    assert!(why.contains(&format!("after {round} rounds; missing: none was named by PD")), "{why}");
}

#[test]
fn a_leader_that_comes_between_two_rounds_is_taken() {
    let mut kit = Kit::new(request());
    kit.covering();
    assert!(kit.all(|i| covered(if i == 1 { 0 } else { i }, 1)).is_empty());
    assert_eq!(kit.view().phase, Phase::Covering);
    kit.expire(Timer::Cover);
    assert_eq!(kit.all(|i| covered(i, 2)), joined(&["save Snapshotting"], to_all("@5 Snapshot 2000")));
}

#[test]
fn a_reconnected_plane_gets_its_outstanding_order_again() {
    let mut kit = Kit::new(request());
    kit.covering();
    kit.says(1, covered(1, 1));
    kit.feed(Input::PlaneDown(plane(0)));
    kit.feed(Input::PlaneDown(plane(1)));
    assert_eq!(kit.up(0), ["az1 @5 Renew 0", "az1 @5 Cover 1"]);
    assert_eq!(kit.up(1), ["az2 @5 Renew 0"], "it has answered already");
}

#[test]
fn a_claim_that_is_taken_is_waited_for_and_everything_is_prepared_anew() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    kit.all(|i| Answer::Prepared(prepared(i, 1)));
    assert!(kit.feed(Input::ClaimTaken("br/other".into())).is_empty());
    assert!(kit.view().waiting_for.contains("br/other"));
    assert_eq!(kit.feed(Input::ClaimFree), to_all("@0 Prepare 2"));
    assert!(kit.says(0, Answer::Prepared(prepared(0, 1))).is_empty(), "the first round is dead");
    assert_eq!(kit.all(|i| Answer::Prepared(prepared(i, 2))), ["claim above 4"]);
    assert_eq!(kit.view().record.milestone, Milestone::Preparing);
}

#[test]
fn a_restarted_coordinator_prepares_above_the_round_of_the_one_before() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    assert!(kit.says(1, Answer::Prepared(prepared(1, 1))).is_empty());
    assert_eq!(kit.says(0, Answer::Prepared(prepared(0, 4))), to_all("@0 Prepare 5"), "az2 too: its answer is older");
    assert!(kit.says(1, Answer::Prepared(prepared(1, 4))).is_empty(), "the old round is dead");
    assert_eq!(kit.all(|i| Answer::Prepared(prepared(i, 5))), ["claim above 4"]);
    assert!(kit.says(0, Answer::Prepared(prepared(0, 9))).is_empty(), "prepared is prepared");
}

#[test]
fn a_plane_that_counts_rounds_up_for_ever_runs_into_the_clock() {
    let mut kit = Kit::new(request());
    kit.feed(Input::Start);
    (0..3).for_each(|i| drop(kit.up(i)));
    let begun = kit.now.at;
    for nth in 0..10 {
        kit.later(11_000);
        assert_eq!(kit.says(0, Answer::Prepared(prepared(0, 2 + 2 * nth))).len(), 3);
    }
    kit.expire(Timer::Prepare);
    let limit = kit.view().record.request.limits.prepare;
    assert_eq!((limit, kit.now.at), (Millis(120_000), begun + limit), "asking again wins no time");
}
