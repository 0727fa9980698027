//! What happens when: in which month, after how many hundredths of it.

use super::args::MONTHS;
use std::collections::BTreeMap;

/// Of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The one before: its `Hello` names nothing that it could do, and it saves what it knew of.
    Earlier,
    /// This one.
    Present,
}

/// Something that happens in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The coordinator ends and one of this version starts, in the middle of a backup.
    Coordinator(Version),
    /// The same of the plane of this number, between two backups.
    Plane(usize, Version),
    /// Another authority follows the one there is.
    NextAuthority,
    /// The older one is taken out.
    RetireAuthority,
    /// A plane's certificate is taken back, and it gets another one.
    Revoke,
    /// A plane is renewed for the last time: the next one is missed.
    LastRenewal,
    /// Something breaks for a while.
    Fault,
    /// The plane of this number dies while it holds its stores, and is back after a while.
    Kill(usize),
}

use Deed::{Coordinator, Fault, Kill, LastRenewal, NextAuthority, Plane, RetireAuthority, Revoke};
use Version::{Earlier, Present};

/// Month from 0, hundredths of it, what. The year begins with earlier programs everywhere. Three upgrades: coordinator first, planes
/// first, and coordinator in the middle; before the second and the third the way back, planes first and coordinator first.
const DEEDS: [(u32, u32, Deed); 25] = [
    (0, 50, Kill(1)),
    (1, 20, Coordinator(Present)),
    (1, 35, Plane(0, Present)),
    (1, 50, Plane(1, Present)),
    (1, 65, Plane(2, Present)),
    (2, 10, NextAuthority),
    (2, 95, RetireAuthority),
    (5, 10, Plane(2, Earlier)),
    (5, 20, Plane(1, Earlier)),
    (5, 30, Plane(0, Earlier)),
    (5, 40, Coordinator(Earlier)),
    (5, 50, Plane(0, Present)),
    (5, 60, Plane(1, Present)),
    (5, 70, Plane(2, Present)),
    (5, 80, Coordinator(Present)),
    (6, 20, Revoke),
    (6, 50, LastRenewal),
    (9, 10, Coordinator(Earlier)),
    (9, 20, Plane(0, Earlier)),
    (9, 30, Plane(1, Earlier)),
    (9, 40, Plane(2, Earlier)),
    (9, 50, Plane(1, Present)),
    (9, 60, Coordinator(Present)),
    (9, 70, Plane(0, Present)),
    (9, 80, Plane(2, Present)),
];

/// Between two failures: some two and a half days of a year.
const FAULT_EVERY: u32 = 20;

/// Deeds by month and interval, of months that have so many.
pub(super) fn calendar(intervals: u32) -> BTreeMap<(u32, u32), Deed> {
    let mut all: BTreeMap<(u32, u32), Deed> =
        DEEDS.iter().map(|(month, share, deed)| ((*month, intervals * share / 100), *deed)).collect();
    let numbers = (0..MONTHS * intervals).skip(FAULT_EVERY as usize / 2).step_by(FAULT_EVERY as usize);
    for number in numbers {
        all.entry((number / intervals, number % intervals)).or_insert(Fault);
    }
    all
}

/// Programs of which no process ends in that month: what is allocated at its end and at its beginning can be compared.
pub(super) fn restarts(month: u32) -> bool {
    DEEDS.iter().any(|(of, _, deed)| *of == month && matches!(deed, Coordinator(_) | Plane(..) | Kill(_)))
}
