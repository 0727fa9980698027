//! Every state of a small barrier. The very machines of `shared` run in a world of their own: a network that loses,
//! repeats, delays and reorders, deaths of coordinator and planes (also in the middle of a batch of effects), a deposed
//! coordinator that goes on, leases that end and streams that are taken over at any time, work that is refused, people
//! who cancel and delete. What is really so (`truth`) is kept apart from what any machine believes.
//!
//! ```text
//! world ── the state          coordinator, plane ── feed the machines, carry out effects, check each against the truth
//! truth ── what is really so  actions ── what may happen next     properties ── what always holds, what has to happen
//! kept ─── hashed once        normal ─── states made one          healing ───── a fair continuation ends everything
//! arbiter  who has the claim  claims ─── the arbiter by itself    search ─────── every state of a model
//! facts ── what planes find   member ─── what members are told and want done, in short
//! ```
//! Time: machines get 0 for ever, and any running timer may be the next to run out. Two guards stand for real time:
//! `HoldsGone` of a coordinator comes after the planes' own leases (given up in `clocks_that_lie`), and the clocks of
//! settle, reach and hold are represented by their cap, because all of them end an attempt in the same way.
//!
//! Not in here: PD (schedulers, safe point), regions that move within one cover, EC2 calls that take effect after they
//! were given up, S3. The seeded simulation has them.
//!
//! What these models must catch stands in `tests/mutants/model`, among the planted bugs of all rungs.
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
mod search;
mod truth;
mod world;

use properties::BarrierModel;
use search::search;
use world::{Bounds, Budget};

/// Searches the model of this size.
fn check(bounds: Bounds, seen: &'static [&'static str], at_least: usize) {
    search(BarrierModel { bounds }, seen, at_least, |BarrierModel { bounds }, world| {
        let why = healing::why_not(bounds, world, false).or_else(|| healing::why_not(bounds, world, true));
        format!("seen broken: {:?}\nunhealed: {why:?}", world.truth.broken)
    });
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
    early_clocks: false,
    zombies: false,
    budget: Budget { coordinator: 0, plane: 0, ledger: 0, answers: 0, troubles: 0, wishes: 0, renewals: 0, renews: 0 },
};

const NOTHING: Budget = QUIET.budget;

#[test]
fn two_attempts_with_a_death_and_a_trouble() {
    let budget = Budget { coordinator: 1, troubles: 1, ..NOTHING };
    check(Bounds { attempts: 2, budget, ..QUIET }, &[COMPLETE, FAILED, LATE, DETECTED], 84_000);
}

#[test]
fn a_plane_dies() {
    check(Bounds { attempts: 2, budget: Budget { plane: 1, ..NOTHING }, ..QUIET }, &[COMPLETE, FAILED], 15_000);
}

#[test]
fn a_plane_cannot_save() {
    check(Bounds { budget: Budget { ledger: 1, ..NOTHING }, ..QUIET }, &[COMPLETE, FAILED], 73_000);
}

#[test]
fn two_backups_of_one_cluster() {
    let budget = Budget { troubles: 1, ..NOTHING };
    check(Bounds { backups: 2, budget, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 15_000);
}

#[test]
fn a_person_ends_it() {
    let budget = Budget { coordinator: 1, wishes: 1, ..NOTHING };
    check(Bounds { budget, ..QUIET }, &[COMPLETE, FAILED, LATE], 43_000);
}

#[test]
fn words_of_the_attempt_before_arrive() {
    let budget = Budget { troubles: 1, ..NOTHING };
    check(Bounds { attempts: 2, late: true, budget, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 9_000);
}

#[test]
fn all_work_takes_time() {
    let budget = Budget { troubles: 1, ..NOTHING };
    check(Bounds { slow: true, budget, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 37_000);
}

#[test]
fn two_coordinators_at_once() {
    let budget = Budget { coordinator: 1, ..NOTHING };
    check(Bounds { zombies: true, budget, ..QUIET }, &[COMPLETE, FAILED, LATE], 21_000);
}

#[test]
fn renewals_on_the_way() {
    let budget = Budget { troubles: 1, renewals: 1, ..NOTHING };
    check(Bounds { budget, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 44_000);
}

#[test]
fn clocks_that_lie() {
    let budget = Budget { troubles: 2, ..NOTHING };
    check(Bounds { attempts: 2, early_clocks: true, budget, ..QUIET }, &[COMPLETE, FAILED, DETECTED], 80_000);
}

/// Larger worlds, about two minutes on two idle cores. The first number of each is the least count of states.
#[test]
#[ignore = "minutes: cargo test -p isochron-testing --test model longer -- --ignored --nocapture"]
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
        (1_600_000, "attempts=2 early_clocks zombies coordinator troubles"),
    ];
    for (at_least, text) in all {
        eprint!("{text}: ");
        check(sized(text), &[], at_least);
    }
}

/// Any other size: `MODEL="attempts=2 coordinator=1 troubles=2 late" cargo test -p isochron-testing --test model manual --
/// --ignored --nocapture`.
#[test]
#[ignore = "its size is asked for in MODEL"]
fn manual() {
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
            "early_clocks" => bounds.early_clocks = true,
            "zombies" => bounds.zombies = true,
            "coordinator" => bounds.budget.coordinator = number,
            "plane" => bounds.budget.plane = number,
            "ledger" => bounds.budget.ledger = number,
            "answers" => bounds.budget.answers = number,
            "troubles" => bounds.budget.troubles = number,
            "wishes" => bounds.budget.wishes = number,
            "renewals" => bounds.budget.renewals = number,
            "renews" => bounds.budget.renews = number,
            _ => panic!("{name} is no part of a model's size"),
        }
    }
    bounds
}
