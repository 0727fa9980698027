//! `loadtests barrier`: the barrier at the size of the field, with figures beside their bounds.

mod args;
mod calls;
#[cfg(feature = "servers")]
mod plane;
#[cfg(feature = "servers")]
mod regions;

pub(crate) use args::BarrierArgs;
#[cfg(feature = "servers")]
pub(crate) use plane::{PlaneArgs, main as plane};

use crate::figures::Figures;

/// True if every figure is within its bound.
pub(crate) fn main(args: &BarrierArgs) -> anyhow::Result<bool> {
    let figures = match args.planes {
        Some(planes) => calls::main(args, planes)?,
        None => regions(args)?,
    };
    figures.print(args.json)?;
    Ok(figures.ok())
}

#[cfg(feature = "servers")]
fn regions(args: &BarrierArgs) -> anyhow::Result<Figures> {
    regions::main(args)
}

#[cfg(not(feature = "servers"))]
fn regions(args: &BarrierArgs) -> anyhow::Result<Figures> {
    anyhow::bail!(
        "--regions with {} stores of {} leaders (log {}) needs our TiKV servers: build with --features servers",
        args.stores,
        args.leaders,
        args.log
    )
}
