//! Any inputs in any order: the machine never panics, and `Confirmed` is never said without its proof.

use crate::fixtures::*;
use proptest::prelude::*;
use shared::{
    epoch::Epoch,
    evidence::HoldKind,
    ids::StoreId,
    machine::Machine,
    member::{AttemptRecord, AttemptState, Done, Effect, Input, Member, Phase, Timer, Work},
    reason::Reason,
    time::{Instant, Millis, Now, Timestamp},
    wire::{Answer, CleanScope, Measured, Order, Settle},
};
use std::collections::{BTreeMap, BTreeSet};

/// What may happen; numbers are chosen from what the machine has asked for, so that most of it means something.
#[derive(Clone, Debug)]
enum Act {
    /// The next order of the good way.
    Next,
    Order(usize, u64),
    /// The running work ends as it should.
    Well,
    Badly,
    /// Result of some other kind, or under some other number.
    Odd(usize, u64),
    /// A store that is being opened is held.
    Opened,
    /// Some store is held, asked for or not.
    Held(u64),
    /// The oldest unanswered renewal of a store is answered.
    Leased(u64, bool),
    Broken(u64),
    HoldsDropped,
    Superseded(u64),
    Wait(u64),
    Expired(usize),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        30 => Just(Act::Next),
        2 => (0usize..15, 5u64..10).prop_map(|(order, epoch)| Act::Order(order, epoch)),
        30 => Just(Act::Well),
        1 => Just(Act::Badly),
        1 => (0usize..11, 0u64..30).prop_map(|(kind, number)| Act::Odd(kind, number)),
        30 => Just(Act::Opened),
        1 => (1u64..4).prop_map(Act::Held),
        30 => (1u64..3, prop::bool::weighted(0.98)).prop_map(|(store, valid)| Act::Leased(store, valid)),
        1 => (1u64..4).prop_map(Act::Broken),
        2 => Just(Act::HoldsDropped),
        1 => (5u64..9).prop_map(Act::Superseded),
        8 => (0u64..3_000).prop_map(Act::Wait),
        1 => (0usize..4).prop_map(Act::Expired),
        1 => Just(Act::Restart),
    ]
}

fn orders(index: usize) -> Order {
    let all = [
        prepare(1, true),
        Order::Reserve,
        Order::Settle(Settle::HoldPd),
        leaders(),
        Order::Suspend,
        cover(1),
        snapshot(),
        Order::Confirm,
        Order::Release,
        abort(),
        renew(3),
        Order::Recover,
        complete(),
        clean(CleanScope::Attempt),
        cover(2),
        measure(0),
    ];
    all[index % all.len()].clone()
}

fn results(index: usize) -> Done {
    let all = [
        Done::Prepared(prepared(1)),
        Done::Reserved,
        Done::PdHeld { gc_hold: GC, schedulers: vec![] },
        Done::PdRenewed,
        Done::Leaders { regions: 1, least_safe_ts: COMMIT },
        Done::HoldsOpen,
        Done::Covered(covered(1)),
        taken(snapshots()),
        Done::ReadBack(seen()),
        Done::Completed(completed()),
        Done::Cleaned(Default::default()),
    ];
    all[index % all.len()].clone()
}

fn result_of(work: &Work) -> Done {
    match work {
        Work::Prepare(prepare) => Done::Prepared(prepared(prepare.round)),
        Work::Reserve => results(1),
        Work::HoldPd { .. } => results(2),
        Work::RenewPd { .. } => results(3),
        Work::Leaders { .. } => results(4),
        Work::OpenHolds { .. } => results(5),
        Work::Cover { round, .. } => Done::Covered(covered(*round)),
        Work::Snapshot { .. } => results(7),
        Work::ReadBack { .. } => results(8),
        Work::Complete { .. } => results(9),
        Work::Measure(order) => Done::Measured(Measured { from: order.from, ..Measured::default() }),
        Work::Clean { .. } => results(10),
    }
}

/// An observer that knows nothing of the machine's state, only what it was told and what it said.
#[derive(Default)]
struct World {
    at: u64,
    works: BTreeMap<u64, Work>,
    opened: BTreeSet<StoreId>,
    asked: BTreeMap<StoreId, Vec<u64>>,
    confirm_ordered: bool,
    /// Renewals asked for after `Confirm` and answered true.
    confirmed: BTreeMap<StoreId, bool>,
    bad_answer: bool,
    saved: Option<AttemptRecord>,
    renewals_of_lease: u64,
    lease_from: u64,
}

impl World {
    fn input(&mut self, member: &Member, act: &Act) -> Option<Input> {
        let epoch = |order: &Order| if matches!(order, Order::Prepare(_)) { Epoch::NONE } else { E };
        Some(match act {
            Act::Next => {
                let order = match member.view(self.now()).phase {
                    Phase::Idle => orders(0),
                    Phase::Prepared => orders(1),
                    Phase::Reserved => orders(2),
                    Phase::PdHeld => orders(3),
                    Phase::Settled => orders(4),
                    Phase::Suspended => orders(5),
                    Phase::Covered => orders(6),
                    Phase::Snapshotted => orders(7),
                    Phase::Confirmed => orders(8),
                    _ => {
                        self.renewals_of_lease += 1;
                        renew(self.renewals_of_lease + 10)
                    }
                };
                Input::Order { epoch: epoch(&order), order }
            }
            Act::Order(index, e) => Input::Order { epoch: Epoch(*e), order: orders(*index) },
            Act::Well => {
                let (number, work) = self
                    .works
                    .iter()
                    .rev()
                    .find(|(_, work)| self.opened.len() == 2 || !matches!(work, Work::OpenHolds { .. }))
                    .map(|(number, work)| (*number, work.clone()))?;
                self.works.remove(&number);
                Input::Done { number, result: Ok(result_of(&work)) }
            }
            Act::Badly => {
                let (number, _) = self.works.pop_last()?;
                Input::Done { number, result: Err(refusal(Reason::Ec2Unavailable)) }
            }
            Act::Odd(kind, number) => Input::Done { number: *number, result: Ok(results(*kind)) },
            Act::Opened => {
                let asked = self.works.values().find_map(|work| match work {
                    Work::OpenHolds { stores } => Some(stores.clone()),
                    _ => None,
                })?;
                let store = asked.into_iter().find(|store| !self.opened.contains(store))?;
                self.opened.insert(store);
                Input::StoreHeld { store, age: Millis(10), kind: HoldKind::Full }
            }
            Act::Held(store) => Input::StoreHeld { store: StoreId(*store), age: Millis(10), kind: HoldKind::Full },
            Act::Leased(store, valid) => {
                let store = StoreId(*store);
                let asked = self.asked.get_mut(&store).filter(|asked| !asked.is_empty())?;
                Input::StoreLeased { store, number: asked.remove(0), valid: *valid }
            }
            Act::Broken(store) => {
                Input::StoreBroken { store: StoreId(*store), refusal: refusal(Reason::StoreHoldLost) }
            }
            Act::HoldsDropped => Input::HoldsDropped,
            Act::Superseded(epoch) => Input::Superseded { cluster: CLUSTER, epoch: Epoch(*epoch) },
            Act::Expired(timer) => {
                Input::Expired([Timer::PlaneLease, Timer::StoreLease, Timer::RenewStores, Timer::RenewPd][*timer])
            }
            Act::Wait(_) | Act::Restart => return None,
        })
    }

    fn now(&self) -> Now {
        Now { at: Instant(self.at), wall: Timestamp(0) }
    }

    fn state(&self) -> Option<&AttemptState> {
        self.saved.as_ref().map(|saved| &saved.state)
    }

    fn watch_input(&mut self, before: Phase, input: &Input) {
        match input {
            Input::Order { order: Order::Confirm, .. } if before == Phase::Snapshotted => self.confirm_ordered = true,
            Input::StoreLeased { store, number, valid } => {
                if !valid && before.is_live() {
                    self.bad_answer = true;
                }
                if *valid && self.confirmed.contains_key(store) && *number > 0 {
                    self.confirmed.insert(*store, true);
                }
            }
            _ => {}
        }
    }

    fn watch(&mut self, effects: &[Effect]) -> Result<(), TestCaseError> {
        for (index, effect) in effects.iter().enumerate() {
            match effect {
                Effect::Work { number, work } => {
                    let touches = !matches!(
                        work,
                        Work::Prepare(_) | Work::Complete { .. } | Work::Measure(_) | Work::Clean { .. }
                    );
                    prop_assert!(!touches || self.saved.is_some(), "I2/I3: {work:?} before the epoch is saved");
                    self.works.insert(*number, work.clone());
                }
                Effect::CancelWork { number } => drop(self.works.remove(number)),
                Effect::RenewStores { number, stores } => {
                    prop_assert!(self.at < self.lease_from + 15_000, "renewed without a lease of the plane's own");
                    for store in stores {
                        self.asked.entry(*store).or_default().push(*number);
                        if self.confirm_ordered {
                            self.confirmed.entry(*store).or_insert(false);
                        }
                    }
                }
                Effect::Save(record) => {
                    let back = self.state() == Some(&AttemptState::Broken);
                    prop_assert!(!back || record.state == AttemptState::Broken, "broken is for ever");
                    let was_confirmed = matches!(self.state(), Some(AttemptState::Confirmed(_)))
                        || self.saved.as_ref().is_some_and(|saved| saved.taken_back);
                    prop_assert!(!record.taken_back || was_confirmed, "only what was confirmed is taken back");
                    self.saved = Some(AttemptRecord::clone(record));
                }
                Effect::Send { answer: Answer::Confirmed(said), .. } => {
                    let just = matches!(index.checked_sub(1).map(|i| &effects[i]), Some(Effect::Save(record))
                        if record.state == AttemptState::Confirmed(said.evidence.clone()));
                    let repeated = effects.len() == 1;
                    prop_assert!(just || repeated, "saved immediately before: {effects:?}");
                    prop_assert_eq!(self.state(), Some(&AttemptState::Confirmed(said.evidence.clone())));
                    prop_assert!(!self.bad_answer, "a renewal was answered false");
                    prop_assert_eq!(said.evidence.stores.len(), 2);
                    prop_assert!(self.confirmed.len() == 2 && self.confirmed.values().all(|valid| *valid));
                }
                Effect::Send { answer: Answer::Aborted(_), .. } => {
                    prop_assert!(!matches!(self.state(), Some(AttemptState::Live | AttemptState::Confirmed(_))));
                }
                Effect::Send { .. } | Effect::DropHolds { .. } | Effect::Alarm(_) => {}
            }
        }
        Ok(())
    }
}

fn run(acts: &[Act]) -> Result<bool, TestCaseError> {
    let mut member = Member::new(attempt(), None, Instant(0));
    let mut world = World::default();
    let mut confirmed = false;
    for act in acts {
        if let Act::Wait(length) = act {
            world.at += length;
        }
        if let Act::Restart = act {
            member = Member::new(attempt(), world.saved.clone(), Instant(0));
            if let Some(live) = world.saved.as_mut().filter(|saved| saved.state == AttemptState::Live) {
                live.state = AttemptState::Broken;
            }
            (world.works, world.asked, world.confirmed, world.opened) = Default::default();
            (world.confirm_ordered, world.bad_answer) = (false, false);
            continue;
        }
        while let Some((due, timer)) = member.deadline()
            && due <= world.now().at
        {
            let before = member.clone();
            let effects = member.step(world.now(), Member::expired(timer));
            assert_eq!(member.check_step(&before, &effects), Ok(()), "{member:#?}");
            world.watch(&effects)?;
            prop_assert!(member.deadline() != Some((due, timer)), "{timer:?} is due again at once");
        }
        let Some(input) = world.input(&member, act) else { continue };
        let before = member.view(world.now()).phase;
        world.watch_input(before, &input);
        let lease = member.view(world.now()).plane_lease_left;
        let was = member.clone();
        let effects = member.step(world.now(), input);
        assert_eq!(member.check_step(&was, &effects), Ok(()), "{member:#?}");
        if member.view(world.now()).plane_lease_left > lease {
            world.lease_from = world.at;
        }
        world.watch(&effects)?;
        confirmed |= effects.iter().any(|effect| matches!(effect, Effect::Send { answer: Answer::Confirmed(_), .. }));
    }
    Ok(confirmed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn confirmed_is_never_said_without_its_proof(acts in prop::collection::vec(act(), 1..160)) {
        run(&acts)?;
    }
}

/// The law would hold for a machine that never confirms: this one does, often enough.
#[test]
fn the_law_is_not_empty() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(act(), 160);
    let confirmed = (0..400).filter(|_| run(&strategy.new_tree(&mut runner).unwrap().current()).unwrap()).count();
    assert!(confirmed >= 20, "{confirmed} of 400 runs confirmed");
}
