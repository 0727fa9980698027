//! The demo, load tests and long simulations.
// Standard output is the result, standard error the progress.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod barrier;
mod clean;
mod demo;
mod embedded;
mod figures;
mod fleet;
mod process;
mod sandbox;
mod simulate;
mod soak;
mod year;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "loadtests", version, about = "Isochron's demo, load tests and long simulations")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The main job, embedded: one consistent backup of a simulated TiDB cluster, proved and cleaned up.
    Demo(demo::DemoArgs),
    /// The demo's world kept alive, to be broken by commands on standard input: console, web page and metrics on loopback.
    Sandbox(sandbox::SandboxArgs),
    /// Whole backups in virtual time, with faults by seed, every invariant watched.
    Simulate(simulate::SimulateArgs),
    /// The barrier at the size of the field, with figures beside their bounds.
    Barrier(barrier::BarrierArgs),
    /// Long cleans of many planes in one account, with figures beside their bounds.
    Clean(clean::CleanArgs),
    /// A thousand planes, with figures beside their bounds.
    Fleet(fleet::FleetArgs),
    /// Months of schedules, failures and restarts in virtual time, with what stays of them.
    Soak(soak::SoakArgs),
    /// A year of certificates, lists, authorities, upgrades and schedules in virtual time, over real QUIC.
    Year(year::YearArgs),
    /// The coordinator's process of `fleet`.
    #[command(hide = true)]
    FleetCoordinator(fleet::CoordinatorArgs),
    /// The plane's process of `barrier`.
    #[cfg(feature = "servers")]
    #[command(hide = true)]
    BarrierPlane(barrier::PlaneArgs),
}

fn main() -> ExitCode {
    let (name, outcome) = match Cli::parse().command {
        Command::Demo(args) => ("demo", demo::main(&args)),
        Command::Sandbox(args) => ("sandbox", sandbox::main(&args)),
        Command::Simulate(args) => ("simulate", simulate::main(&args)),
        Command::Barrier(args) => ("barrier", barrier::main(&args)),
        Command::Clean(args) => ("clean", clean::main(&args)),
        Command::Fleet(args) => ("fleet", fleet::main(&args)),
        Command::Soak(args) => ("soak", soak::main(&args)),
        Command::Year(args) => ("year", year::main(&args)),
        Command::FleetCoordinator(args) => ("fleet-coordinator", fleet::coordinator(&args)),
        #[cfg(feature = "servers")]
        Command::BarrierPlane(args) => ("barrier-plane", barrier::plane(&args)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
