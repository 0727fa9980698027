//! The demo, load tests and long simulations.
// Standard output is the result, standard error the progress.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod demo;

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
}

fn main() -> ExitCode {
    let Cli { command: Command::Demo(args) } = Cli::parse();
    match demo::main(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
