//! Plane's half: what it obeys, repeats and refuses.

use crate::fixtures::{CLUSTER, answer, now, plane, request};
use shared::{
    epoch::Epoch,
    ids::RestoreUid,
    machine::Machine,
    reason::Reason,
    recovery::FlashbackTimes,
    restorer::{Effect, Input, MAX_RESTORES_KEPT, Reached, RestoreEntry, RestoreLedger, Restorer},
    ts::Ts,
    wire::{Restore, RestoreAnswer, RestoreOrder, Undone},
};

fn order(epoch: u64, order: RestoreOrder) -> Box<Restore> {
    let request = request();
    let spec = request.spec(&plane("az1")).unwrap();
    Box::new(Restore { restore: request.restore, epoch: Epoch(epoch), cluster: Some(CLUSTER), spec, order })
}

struct Plane(Restorer);

impl Plane {
    fn new(entry: Option<RestoreEntry>) -> Self {
        Self(Restorer::new(request().restore, entry))
    }

    fn give(&mut self, order: Box<Restore>, highest: u64) -> Vec<Effect> {
        self.0.step(now(1), Input::Order { order, highest: Epoch(highest) })
    }

    /// Gives it and has the work done.
    fn obey(&mut self, order: Box<Restore>) -> RestoreAnswer {
        let effects = self.give(order.clone(), order.epoch.0);
        if let [Effect::Send { answer, .. }] = effects.as_slice() {
            return answer.clone();
        }
        let Some(Effect::Work { number, .. }) = effects.last() else { panic!("{effects:?}") };
        let done = answer(&plane("az1"), &order);
        let said = self.0.step(now(1), Input::Done { number: *number, result: Ok(Box::new(done)) });
        let [Effect::Send { answer, .. }] = said.as_slice() else { panic!("{said:?}") };
        answer.clone()
    }

    fn refusal(&mut self, order: Box<Restore>, highest: u64) -> Reason {
        let effects = self.give(order, highest);
        let [Effect::Send { answer: RestoreAnswer::Refused(refusal), .. }] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        refusal.reason
    }
}

fn entry(reached: Reached) -> RestoreEntry {
    RestoreEntry { restore: request().restore, epoch: Epoch(5), cluster: Some(CLUSTER), reached }
}

fn times() -> FlashbackTimes {
    FlashbackTimes { version: Ts(1), start_ts: Ts(2), commit_ts: Ts(3) }
}

#[test]
fn what_cannot_be_taken_back_is_saved_before_it_is_begun_and_once() {
    let mut plane = Plane::new(None);
    assert!(
        matches!(plane.give(order(0, RestoreOrder::Look), 0).as_slice(), [Effect::Work { .. }]),
        "a look leaves no trace"
    );
    let effects = plane.give(order(5, RestoreOrder::Mark { above: Ts(1) }), 0);
    let [Effect::CancelWork { .. }, Effect::Save(saved), Effect::Work { work, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((saved, work.again), (&entry(Reached::Touched), false), "and the look is cancelled");
    let effects = plane.give(order(5, RestoreOrder::Build), 5);
    assert!(matches!(effects.as_slice(), [Effect::CancelWork { .. }, Effect::Work { .. }]), "{effects:?}");
    let Effect::Work { work, .. } = effects.last().unwrap() else { panic!() };
    assert!(work.again, "what is there may be its own");
}

#[test]
fn an_order_that_is_repeated_is_neither_begun_nor_done_twice() {
    let mut plane = Plane::new(None);
    let build = order(5, RestoreOrder::Build);
    let begun = plane.give(build.clone(), 0);
    assert_eq!(begun.len(), 2);
    assert_eq!(plane.give(build.clone(), 5), []);
    let Some(Effect::Work { number, .. }) = begun.last() else { panic!() };
    let done = answer(&crate::fixtures::plane("az1"), &build);
    let said = plane.0.step(now(1), Input::Done { number: *number, result: Ok(Box::new(done)) });
    assert_eq!(plane.give(build, 5), said, "word for word");
    assert_eq!(plane.0.step(now(1), Input::Done { number: *number, result: Ok(Box::new(RestoreAnswer::Warmed)) }), []);
}

#[test]
fn below_what_was_obeyed_nothing_is_begun() {
    let mut plane = Plane::new(Some(entry(Reached::Touched)));
    assert_eq!(plane.refusal(order(4, RestoreOrder::Build), 0), Reason::EpochStale);
    assert_eq!(plane.refusal(order(5, RestoreOrder::Build), 6), Reason::EpochStale, "a backup has come since");
    assert_eq!(plane.refusal(order(0, RestoreOrder::Build), 0), Reason::EpochStale);
    assert_eq!(Plane::new(None).refusal(order(0, RestoreOrder::Build), 0), Reason::NotPrepared);
    let undo = order(5, RestoreOrder::Undo { unmark: true, started: false });
    assert!(plane.give(undo, 6).len() == 2, "what is taken away is its own");
}

#[test]
fn after_the_mark_is_gone_nothing_is_flashed_back() {
    let mut plane = Plane::new(Some(entry(Reached::Started)));
    plane.obey(order(5, RestoreOrder::RollBack(times())));
    plane.obey(order(5, RestoreOrder::Unmark));
    let over = |plane: &mut Plane| {
        for late in [
            RestoreOrder::RollBack(times()),
            RestoreOrder::Lead { floor: 0 },
            RestoreOrder::Time { version: Ts(1), above: Ts(1) },
            RestoreOrder::Mark { above: Ts(1) },
            RestoreOrder::Build,
            RestoreOrder::Place,
            RestoreOrder::Start,
        ] {
            assert_eq!(plane.refusal(order(5, late), 5), Reason::RestoreOver);
        }
        assert_eq!(plane.obey(order(5, RestoreOrder::Unmark)), RestoreAnswer::Unmarked);
    };
    over(&mut plane);
    over(&mut Plane::new(Some(entry(Reached::Unmarked))));
}

#[test]
fn what_was_taken_away_is_not_made_again_and_what_runs_is_not_taken_away() {
    let undo = |started| order(5, RestoreOrder::Undo { unmark: true, started });
    let mut plane = Plane::new(Some(entry(Reached::Undone)));
    for late in [RestoreOrder::Build, RestoreOrder::Start, RestoreOrder::Unmark, RestoreOrder::Warm] {
        assert_eq!(plane.refusal(order(5, late), 5), Reason::RestoreOver);
    }
    plane.obey(undo(false));
    for reached in [Reached::Started, Reached::Unmarked] {
        let mut plane = Plane::new(Some(entry(reached)));
        assert_eq!(plane.refusal(undo(false), 5), Reason::RestoreOver);
        plane.obey(undo(true));
    }
}

#[test]
fn what_left_something_over_is_done_again() {
    let mut plane = Plane::new(Some(entry(Reached::Touched)));
    let undo = order(5, RestoreOrder::Undo { unmark: true, started: false });
    let begun = plane.give(undo.clone(), 5);
    let Some(Effect::Work { number, .. }) = begun.last() else { panic!() };
    let left = RestoreAnswer::Undone(Undone { deleted: 0, left: vec!["vol-1".to_owned()] });
    plane.0.step(now(1), Input::Done { number: *number, result: Ok(Box::new(left)) });
    assert!(matches!(plane.give(undo, 5).as_slice(), [Effect::Work { .. }]));
}

#[test]
fn a_ledger_forgets_what_is_over_first() {
    let mut ledger = RestoreLedger::default();
    let put = |ledger: &mut RestoreLedger, number: usize, reached| {
        ledger.put(RestoreEntry {
            restore: RestoreUid::new(format!("r{number}")),
            epoch: Epoch(number as u64),
            cluster: Some(CLUSTER),
            reached,
        });
    };
    put(&mut ledger, 1, Reached::Started);
    put(&mut ledger, 2, Reached::Undone);
    (3..=MAX_RESTORES_KEPT + 1).for_each(|number| put(&mut ledger, number, Reached::Touched));
    assert_eq!(ledger.0.len(), MAX_RESTORES_KEPT);
    assert!(ledger.of(&RestoreUid::new("r1")).is_some() && ledger.of(&RestoreUid::new("r2")).is_none());
    assert_eq!(ledger.highest(CLUSTER), Epoch(MAX_RESTORES_KEPT as u64 + 1));
}
