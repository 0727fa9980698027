//! The coordinator's program: joins edges to ports, and the admin's commands.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout)]

mod asking;
mod checking;
mod next_runs;
mod pki;
mod reach;
mod ready;
mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "coordinator",
    version,
    about = "Holds the global backup barrier of TiDB clusters over several Kubernetes clusters"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the coordinator.
    Serve(serve::ServeArgs),
    /// Ask a running coordinator what it believes.
    Console(asking::ConsoleArgs),
    /// Print the custom resource definitions.
    Crd,
    /// Print when a schedule's expression fires, before applying it.
    NextRuns(next_runs::NextRunsArgs),
    /// Make certificates for coordinator, planes and admins.
    Pki(pki::PkiArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(args) => serve::main(args),
        Command::Console(args) => return asking::console(args),
        Command::Crd => {
            print!("{}", coordinator::edge::kube::crds());
            Ok(())
        }
        Command::NextRuns(args) => return next_runs::main(&args),
        Command::Pki(args) => pki::main(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coordinator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
