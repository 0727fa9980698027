//! What work is told of CreateSnapshots calls: a clean that knows too little would believe in an absence that EC2 has not
//! shown yet, and leave a snapshot that nobody keeps.

use crate::{fixtures::*, happy_path::evidence};
use shared::{
    epoch::Epoch,
    member::{AttemptState, CallsMade, Effect, Input, Phase, SnapshotCalls, Work},
    reason::Reason,
    time::Instant,
    wire::{CleanScope, Order},
};

/// What the work is told that this order begins.
fn told(b: &mut Bench, order: Order) -> CallsMade {
    told_under(b, E, order)
}

fn told_under(b: &mut Bench, epoch: Epoch, order: Order) -> CallsMade {
    let effects = b.step(Input::Order { epoch, order });
    let calls = effects.iter().find_map(|effect| match effect {
        Effect::Work { work: Work::Clean { calls, .. } | Work::Complete { calls, .. }, .. } => Some(calls.clone()),
        _ => None,
    });
    calls.unwrap_or_else(|| panic!("nothing begun: {effects:?}"))
}

#[test]
fn who_was_there_from_the_reserve_on_knows_that_none_was_made() {
    for phase in [Phase::Reserving, Phase::Reserved, Phase::Settled, Phase::Suspended, Phase::Covered] {
        let mut b = Bench::at_phase(phase);
        assert_eq!(told(&mut b, clean(CleanScope::Attempt)), made_none(), "{phase:?}");
    }
}

#[test]
fn calls_that_were_cut_off_may_have_made_anything() {
    let mut b = Bench::at_phase(Phase::Snapshotting);
    b.at = 1_500;
    b.order(abort());
    b.at = 9_000;
    let calls = CallsMade { snapshots: SnapshotCalls::Unknown, last: Instant(1_500) };
    assert_eq!(told(&mut b, clean(CleanScope::Attempt)), calls, "none is made after the abort");
}

#[test]
fn calls_that_failed_may_have_made_anything() {
    let mut b = Bench::at_phase(Phase::Snapshotting);
    b.at = 1_500;
    b.fail(7, Reason::Ec2Unavailable);
    b.at = 9_000;
    let calls = CallsMade { snapshots: SnapshotCalls::Unknown, last: Instant(1_500) };
    assert_eq!(told(&mut b, clean(CleanScope::Backup)), calls);
}

#[test]
fn calls_that_were_answered_are_known_by_what_they_made() {
    let mut b = Bench::at_phase(Phase::Snapshotting);
    b.at = 1_500;
    b.done(7, taken(snapshots()));
    b.at = 9_000;
    b.order(abort());
    let calls = CallsMade { last: Instant(1_500), ..made_all() };
    assert_eq!(told(&mut b, clean(CleanScope::Attempt)), calls);
}

/// Its predecessor could not save, or made room: the ledger forgot the attempt.
#[test]
fn a_member_that_was_made_anew_does_not_believe_that_none_was_made() {
    let mut b = Bench::new_at(700);
    b.at = 9_000;
    let calls = CallsMade { snapshots: SnapshotCalls::Unknown, last: Instant(700) };
    assert_eq!(told(&mut b, clean(CleanScope::Attempt)), calls, "the last may have been just before");
}

#[test]
fn nothing_was_called_for_before_an_epoch() {
    assert_eq!(told_under(&mut Bench::new(), Epoch::NONE, clean(CleanScope::Attempt)), made_none());
}

/// It was Complete before it was deleted, so EC2 has shown them all.
#[test]
fn of_a_whole_backup_nothing_is_hidden() {
    for scope in [CleanScope::Backup, CleanScope::Surplus] {
        assert_eq!(told(&mut Bench::new(), clean(scope)), made_none(), "{scope:?}");
    }
    assert_eq!(told(&mut Bench::new(), complete()), made_none());
}

#[test]
fn after_a_restart_nobody_knows_whether_one_was_under_way() {
    let calls = CallsMade { snapshots: SnapshotCalls::Unknown, last: Instant(0) };
    for (state, order) in [
        (AttemptState::Live, clean(CleanScope::Attempt)),
        (AttemptState::Broken, clean(CleanScope::Backup)),
        (AttemptState::Confirmed(evidence()), complete()),
    ] {
        let mut b = Bench::restored(state);
        b.at = 9_000;
        assert_eq!(told(&mut b, order), calls);
    }
}

#[test]
fn an_end_of_other_work_is_not_the_last_call() {
    let mut b = Bench::at_phase(Phase::Snapshotting);
    b.done(7, taken(snapshots()));
    b.at = 9_000;
    b.order(Order::Confirm);
    b.leased(1, 8);
    b.leased(2, 8);
    b.done(9, shared::member::Done::ReadBack(seen()));
    assert_eq!(told(&mut b, complete()), made_all());
}
