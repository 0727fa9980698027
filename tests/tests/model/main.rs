//! Every state of a small barrier. The very machines of `shared` run in a world of their own: a network that loses,
//! repeats, delays and reorders, deaths of coordinator and planes (also in the middle of a batch of effects), a deposed
//! coordinator that goes on, leases that end and streams that are taken over at any time, work that is refused, people
//! who cancel and delete. What is really so (`truth`) is kept apart from what any machine believes.
//!
//! ```text
//! world ── the state          coordinator, plane ── feed the machines, carry out effects, check each against the truth
//! truth ── what is really so  actions ── what may happen next     properties ── what always holds, what has to happen
//! kept ─── hashed once        normal ─── states made one          healing ───── a fair continuation ends everything
//! facts ── what planes find   member ─── what members are told and want done, in short
//! ```
//! Time: machines get 0 for ever, and any running timer may be the next to run out. Two guards stand for real time:
//! `HoldsGone` of a coordinator comes after the planes' own leases (given up in `clocks_that_lie`), and the clocks of
//! settle, reach and hold are represented by their cap, because all of them end an attempt in the same way.
//!
//! Not in here: PD (schedulers, safe point), regions that move within one cover, EC2 calls that take effect after they
//! were given up, S3. The seeded simulation has them.
//!
//! Planted bugs, each put into the machines alone and seen caught:
//!
//! | Bug | Caught by | In |
//! |---|---|---|
//! | member takes a renewal answered false for true | a certificate is true | six of nine |
//! | member takes a renewal asked before `Confirm` for the confirmation | a certificate is true | `renewals_on_the_way` |
//! | member begins before its epoch is saved as live | a certificate is true | `a_plane_dies` |
//! | member tells evidence after it was aborted | a plane that broke never confirms | `two_coordinators_at_once`, … |
//! | member says `Confirmed` before the evidence is saved | I2 | all |
//! | member keeps its evidence through an abort | I2 | all |
//! | member says `Aborted` before that is saved | I2 | all |
//! | member lets nothing go when it breaks | I7, fair continuation | all |
//! | barrier sends `Abort` before it is saved | I2 | all |
//! | barrier sends `Snapshot` before commitTs is saved | I4 | all |
//! | barrier covers after the first `Suspended` | a step begins after the one before | all |
//! | barrier confirms after the first `Snapshotted` | a step begins after the one before | all |
//! | barrier takes commitTs from an earlier round of covers | a step begins after the one before | six of nine |
//! | barrier releases each plane as it confirms | Release only after all | all |
//! | barrier ends its claim when it begins to abort | I7 | all but `clocks_that_lie` |
//! | barrier ends its claim after the first `Aborted` | I7 | all but `clocks_that_lie` |
//! | barrier compares neither attempt nor epoch of an answer | I7 | `words_of_the_attempt_before_arrive` |
//! | barrier begins a new attempt before the old one is cleaned | P4 | four of nine |
//! | barrier does not repeat its order to a plane that comes back | fair continuation | all |
//! | barrier goes on snapshotting after a restart, without asking | fair continuation | three of nine |
//!
//! Planted and not caught, because the machines are safe without it: comparing only the attempt or only the epoch of an
//! answer (one implies the other); refusing an epoch below the highest obeyed in a member that was outbid, and knowing
//! after a restart of the plane that an attempt was live (ledger and stores' leases fence both); aborting, and not going
//! on, after a restart before commitTs (the planes' refusals end it).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod arbiter;
mod claims;
mod coordinator;
mod facts;
mod healing;
mod kept;
mod member;
mod normal;
mod plane;
mod properties;
mod truth;
mod world;

use actions::Action;
use properties::BarrierModel;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use world::{Bounds, Purse, World};

/// Searches every state. `seen`: what has to happen on the way; `at_least`: states, so that a model which has lost its
/// way is noticed.
fn check(bounds: Bounds, seen: &'static [&'static str], at_least: usize) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = std::time::Instant::now();
    let checker =
        BarrierModel { bounds }.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let states = checker.unique_state_count();
    eprintln!("{states} states, {} steps, {:?}", checker.state_count(), begun.elapsed());
    for property in checker.model().properties().iter().filter(|property| property.expectation == Expectation::Always) {
        if let Some(path) = checker.discovery(property.name) {
            panic!("{}", told(property.name, checker.model(), path.into_vec()));
        }
    }
    for name in seen {
        assert!(checker.discovery(name).is_some(), "{name}: never");
    }
    assert!(states >= at_least, "{states} states, at least {at_least} were expected: what is no longer reached?");
}

/// A way to a broken rule, one line for each thing that happened.
fn told(name: &str, model: &BarrierModel, path: Vec<(World, Option<Action>)>) -> String {
    let mut text = format!("broken: {name}\n");
    for (_, action) in &path {
        text.extend(action.iter().map(|action| format!("  {action:?}\n")));
    }
    let last = path.last().map(|(world, _)| world);
    let why = last.and_then(|world| {
        healing::why_not(&model.bounds, world, false).or_else(|| healing::why_not(&model.bounds, world, true))
    });
    text + &format!("seen broken: {:?}\nunhealed: {why:?}", last.map(|world| &world.truth.broken))
}

const COMPLETE: &str = "complete";
const FAILED: &str = "failed";
const LATE: &str = "complete after the coordinator died in the barrier";
const DETECTED: &str = "a broken hold is detected";

const QUIET: Bounds = Bounds {
    planes: 2,
    backups: 1,
    attempts: 1,
    early: false,
    late: false,
    slow: false,
    hasty: false,
    zombies: false,
    purse: Purse { coordinator: 0, plane: 0, ledger: 0, answers: 0, troubles: 0, wishes: 0, renewals: 0, renews: 0 },
};

const NOTHING: Purse = QUIET.purse;

#[test]
fn two_attempts_with_a_death_and_a_trouble() {
    let purse = Purse { coordinator: 1, troubles: 1, ..NOTHING };
    check(Bounds { attempts: 2, purse, ..QUIET }, &[COMPLETE, FAILED, LATE, DETECTED], 84_000);
}

#[test]
fn a_plane_dies() {
    check(Bounds { attempts: 2, purse: Purse { plane: 1, ..NOTHING }, ..QUIET }, &[COMPLETE, FAILED], 15_000);
}

#[test]
fn a_plane_cannot_save() {
    check(Bounds { purse: Purse { ledger: 1, ..NOTHING }, ..QUIET }, &[COMPLETE, FAILED], 73_000);
}

#[test]
fn two_backups_of_one_cluster() {
    let purse = Purse { troubles: 1, ..NOTHING };
    check(Bounds { backups: 2, purse, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 15_000);
}

#[test]
fn a_person_ends_it() {
    let purse = Purse { coordinator: 1, wishes: 1, ..NOTHING };
    check(Bounds { purse, ..QUIET }, &[COMPLETE, FAILED, LATE], 50_000);
}

#[test]
fn words_of_the_attempt_before_arrive() {
    let purse = Purse { troubles: 1, ..NOTHING };
    check(Bounds { attempts: 2, late: true, purse, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 9_000);
}

#[test]
fn all_work_takes_time() {
    let purse = Purse { troubles: 1, ..NOTHING };
    check(Bounds { slow: true, purse, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 37_000);
}

#[test]
fn two_coordinators_at_once() {
    let purse = Purse { coordinator: 1, ..NOTHING };
    check(Bounds { zombies: true, purse, ..QUIET }, &[COMPLETE, FAILED, LATE], 21_000);
}

#[test]
fn renewals_on_the_way() {
    let purse = Purse { troubles: 1, renewals: 1, ..NOTHING };
    check(Bounds { purse, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 44_000);
}

#[test]
fn clocks_that_lie() {
    let purse = Purse { troubles: 2, ..NOTHING };
    check(Bounds { attempts: 2, hasty: true, purse, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 80_000);
}

/// Larger worlds, about two minutes on two idle cores. The first number of each is the least count of states.
#[test]
#[ignore = "minutes: cargo test -p tests --test model longer -- --ignored --nocapture"]
fn longer() {
    let all = [
        (490_000, "plane troubles"),
        (200_000, "plane coordinator"),
        (430_000, "plane wishes"),
        (500_000, "ledger coordinator"),
        (1_200_000, "ledger troubles"),
        (630_000, "ledger wishes"),
        (1_200_000, "ledger plane"),
        (130_000, "ledger attempts=2"),
        (57_000, "troubles wishes"),
        (57_000, "troubles=2"),
        (110_000, "planes=3 troubles"),
        (100_000, "coordinator renewals renews"),
        (160_000, "backups=2 coordinator troubles"),
        (69_000, "backups=2 early"),
        (40_000, "backups=2 zombies coordinator"),
        (100_000, "zombies coordinator=2"),
        (1_600_000, "attempts=2 hasty zombies coordinator troubles"),
    ];
    for (at_least, text) in all {
        eprint!("{text}: ");
        check(sized(text), &[], at_least);
    }
}

/// Any other size: `MODEL="attempts=2 coordinator=1 troubles=2 late" cargo test -p tests --test model by_hand --
/// --ignored --nocapture`.
#[test]
#[ignore = "its size is asked for in MODEL"]
fn by_hand() {
    check(sized(&std::env::var("MODEL").unwrap_or_default()), &[], 1);
}

fn sized(text: &str) -> Bounds {
    let mut bounds = QUIET;
    for word in text.split_whitespace() {
        let (name, number) = word.split_once('=').unwrap_or((word, "1"));
        let number: u8 = number.parse().unwrap_or_else(|_| panic!("{word}: a small number belongs after ="));
        match name {
            "planes" => bounds.planes = usize::from(number),
            "backups" => bounds.backups = usize::from(number),
            "attempts" => bounds.attempts = u32::from(number),
            "early" => bounds.early = true,
            "late" => bounds.late = true,
            "slow" => bounds.slow = true,
            "hasty" => bounds.hasty = true,
            "zombies" => bounds.zombies = true,
            "coordinator" => bounds.purse.coordinator = number,
            "plane" => bounds.purse.plane = number,
            "ledger" => bounds.purse.ledger = number,
            "answers" => bounds.purse.answers = number,
            "troubles" => bounds.purse.troubles = number,
            "wishes" => bounds.purse.wishes = number,
            "renewals" => bounds.purse.renewals = number,
            "renews" => bounds.purse.renews = number,
            _ => panic!("{name} is no part of a model's size"),
        }
    }
    bounds
}
