//! The phases of a member, and what is so of each.

use shared::member::Phase;

/// The number of the work that runs in a phase, by the order of `at_phase`.
pub fn work_of(phase: Phase) -> Option<u64> {
    Some(match phase {
        Phase::Preparing => 1,
        Phase::Reserving => 2,
        Phase::HoldingPd => 3,
        Phase::Asking => 4,
        Phase::Suspending => 5,
        Phase::Covering => 6,
        Phase::Snapshotting => 7,
        Phase::ReadingBack => 9,
        _ => return None,
    })
}

pub const LIVE: [Phase; 14] = [
    Phase::Reserving,
    Phase::Reserved,
    Phase::HoldingPd,
    Phase::PdHeld,
    Phase::Asking,
    Phase::Settled,
    Phase::Suspending,
    Phase::Suspended,
    Phase::Covering,
    Phase::Covered,
    Phase::Snapshotting,
    Phase::Snapshotted,
    Phase::Confirming,
    Phase::ReadingBack,
];

pub const ALL: [Phase; 20] = [
    Phase::Idle,
    Phase::Preparing,
    Phase::Prepared,
    Phase::Reserving,
    Phase::Reserved,
    Phase::HoldingPd,
    Phase::PdHeld,
    Phase::Asking,
    Phase::Settled,
    Phase::Suspending,
    Phase::Suspended,
    Phase::Covering,
    Phase::Covered,
    Phase::Snapshotting,
    Phase::Snapshotted,
    Phase::Confirming,
    Phase::ReadingBack,
    Phase::Confirmed,
    Phase::Released,
    Phase::Broken,
];

/// True from the first hold on.
pub fn touches(phase: Phase) -> bool {
    (Phase::HoldingPd..=Phase::ReadingBack).contains(&phase)
}
