//! `loadtests fleet`: one coordinator in a process of its own, and as many planes as are wanted beside it.

mod args;
mod backing;
mod backups;
mod certificates;
mod child;
mod coordinator;
mod heard;
mod objects;
mod pages;
mod planes;
mod stored;
mod storm;

pub(crate) use args::{CoordinatorArgs, FleetArgs};
pub(crate) use coordinator::main as coordinator;

/// True if every figure is within its bound.
pub(crate) fn main(args: &FleetArgs) -> anyhow::Result<bool> {
    shell::telemetry::init(shell::telemetry::Format::Text, &args.log)?;
    let figures = match args.backups {
        Some(backups) => backups::main(args, backups)?,
        None => storm::main(args)?,
    };
    figures.print(args.json)?;
    Ok(figures.ok())
}
