//! `loadtests soak`: months of schedules, failures and restarts in virtual time, and what stays of them. Both programs'
//! real actors, one process, one thread.
//!
//! Whatever is compared is compared at rest: schedules are paused, what was begun has ended, failed backups were deleted
//! by a person. Then as many backups are there as at the rest before, so that what there is more of was leaked. The first
//! half of the time restarts neither coordinator nor planes: a restart would hide what a process never forgets.

mod args;
mod failures;
mod play;
mod rest;
mod schedules;

pub(crate) use args::{SoakArgs, minutes};
pub(crate) use failures::{BROKEN, Cuts, outside};
pub(crate) use play::{LOOK_BEFORE, WARM, world};
pub(crate) use rest::Rest;
pub(crate) use schedules::{Scheduled, both};

/// True if every figure is within its bound.
pub(crate) fn main(args: &SoakArgs) -> anyhow::Result<bool> {
    shell::telemetry::init(shell::telemetry::Format::Text, &args.log)?;
    let figures = play::run(args)?;
    figures.print(args.json)?;
    Ok(figures.ok())
}
