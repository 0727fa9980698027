//! A year of schedules with faults, in virtual time: the pure scheduler in a world of an API server, an object store and
//! two clocks, one of which lies.
//!
//! ```text
//! world ── API server, object store, clocks, the process and its watch     user ── what people and machines break
//! laws ─── what holds after every step, and after healing                  main ── the seeds
//! ```
//! Faults: backups that fail or run for days, deletions that hang for days, creations and deletions that are refused or
//! whose answer is lost, statuses that are not stored, lists that come late, crashes between any two effects and down
//! times of up to ten days, clocks that are set back and forth by up to eleven hours, pauses, changed expressions and
//! limits, holds, backups that people delete.
//!
//! Planted bugs, each put into the machine alone and seen caught here:
//!
//! | Bug | Caught by |
//! |---|---|
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod laws;
mod objects;
mod user;
mod world;

use world::{DAY, World};

const YEAR: i64 = 365 * DAY;

/// One year, then all faults end and the goals are asked for.
fn year(seed: u64) -> World {
    let mut world = World::new(seed);
    world.run(YEAR);
    world.heal();
    world.run(YEAR + 20 * DAY);
    laws::healed(&world);
    world
}

#[test]
fn a_thousand_years_with_faults() {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(4);
    let mut seen = objects::Seen::default();
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..threads)
            .map(|part| {
                scope.spawn(move || {
                    let mut seen = objects::Seen::default();
                    for seed in (0..1000).filter(|seed| seed % threads == part) {
                        seen.add(&year(seed.try_into().unwrap()).seen);
                    }
                    seen
                })
            })
            .collect();
        for part in parts {
            seen.add(&part.join().expect("a law is broken; the message above names the seed"));
        }
    });
    eprintln!("{seen:?}");
    // The laws would hold for a world in which nothing happens.
    for (what, count, least) in [
        ("runs", seen.made, 300_000),
        ("deletions", seen.deleted, 100_000),
        ("runs found by their names", seen.found, 300),
        ("creations of unknown outcome", seen.unknown, 3_000),
        ("crashes", seen.crashes, 10_000),
        ("runs made up for", seen.late, 5_000),
        ("clocks set back", seen.back, 5_000),
        ("runs that waited for their group", seen.waited, 1_000),
        ("stuck deletions overtaken", seen.overtaken, 100),
    ] {
        assert!(count >= least, "{what}: {count}, at least {least} were expected");
    }
}

#[test]
fn the_same_seed_is_the_same_year() {
    let (one, two) = (year(7), year(7));
    assert_eq!(one.seen, two.seen);
    assert_eq!(one.trace, two.trace);
}
