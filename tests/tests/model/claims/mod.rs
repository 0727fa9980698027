//! The arbiter of claims by itself, with everything in it that takes time: two processes that both believe that they lead,
//! two backups of one TiDB cluster, their records and the claim with versions in the one ledger. A save may fail, or
//! happen and be answered by nobody; a read may see what is old when it is heard; a process may end between any two
//! effects, and another begins to lead. Barriers are as short as a claim can see them; the large model has the real ones.

mod barriers;
mod fair;
mod ledger;
mod world;

use crate::search::search;
use stateright::{Model, Property};
use world::{Action, Bounds, Two};

static SEEN: [&str; 2] = ["the first process holds", "the other process holds for the other backup"];

#[derive(Clone, Debug)]
struct ClaimsModel {
    bounds: Bounds,
}

impl Model for ClaimsModel {
    type State = Two;
    type Action = Action;

    fn init_states(&self) -> Vec<Two> {
        vec![Two::new(&self.bounds)]
    }

    fn actions(&self, two: &Two, actions: &mut Vec<Action>) {
        two.actions(actions);
    }

    fn next_state(&self, two: &Two, action: Action) -> Option<Two> {
        let mut next = two.clone();
        next.act(&action);
        (next != *two).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("I1: no epoch is granted twice, and only to who asked", |_, two| {
                two.broken.is_none()
            }),
            Property::<Self>::always("I7: whoever may hold has the claim, and nobody beside it", |_, two| {
                two.held_alone()
            }),
            Property::<Self>::always("whoever waits is granted", |_, two| fair::why_not(two).is_none()),
            Property::<Self>::sometimes(SEEN[0], |_, two| two.holds(0, 0)),
            Property::<Self>::sometimes(SEEN[1], |_, two| two.holds(1, 1)),
        ]
    }
}

fn check(bounds: Bounds, seen: &'static [&'static str], at_least: usize) {
    search(ClaimsModel { bounds }, seen, at_least, |_, two| format!("{:?}\n{two:#?}", two.broken));
}

#[test]
fn claims_of_two_processes() {
    check(Bounds { backups: 2, leads: 1, faults: 0, minutes: 0, epochs: 1, agains: 0 }, &SEEN[..1], 1_000);
}

#[test]
fn claims_whose_saves_go_wrong() {
    check(Bounds { backups: 1, leads: 1, faults: 1, minutes: 0, epochs: 2, agains: 0 }, &SEEN[..1], 1_000);
}

#[test]
fn claims_and_a_third_process() {
    check(Bounds { backups: 1, leads: 2, faults: 0, minutes: 0, epochs: 2, agains: 0 }, &SEEN[..1], 1_000);
}

#[test]
fn claims_that_a_deposed_process_takes_over_again() {
    check(Bounds { backups: 1, leads: 1, faults: 0, minutes: 0, epochs: 2, agains: 1 }, &SEEN[..1], 1_000);
}

#[test]
#[ignore = "minutes, as `longer`"]
fn claims_longer() {
    check(Bounds { backups: 2, leads: 1, faults: 0, minutes: 0, epochs: 2, agains: 0 }, &SEEN, 1_000_000);
    check(Bounds { backups: 1, leads: 2, faults: 1, minutes: 0, epochs: 2, agains: 1 }, &SEEN[..1], 100_000);
}

/// `CLAIMS="backups=2 leads=2 faults=1 minutes=1 epochs=3 agains=1"`.
#[test]
#[ignore = "its size is asked for in CLAIMS"]
fn claims_by_hand() {
    let text = std::env::var("CLAIMS").unwrap_or_default();
    let size = |name: &str| {
        let word = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        word.map_or(0, |number| number.parse().expect("a small number"))
    };
    let (backups, epochs) = (size("backups").into(), size("epochs").into());
    let (leads, faults, minutes, agains) = (size("leads"), size("faults"), size("minutes"), size("agains"));
    check(Bounds { backups, leads, faults, minutes, epochs, agains }, &[], 1);
}
