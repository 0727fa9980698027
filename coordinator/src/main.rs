//! The coordinator's program: joins edges to ports, and the admin's commands.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout)]

mod asking;
mod checking;
mod colour;
mod diagnosing;
mod draining;
mod exporting;
mod following;
mod interactive;
mod interrupts;
mod migrating;
mod next_runs;
mod pki;
mod reach;
mod ready;
mod restoring;
mod serve;
mod status;
mod verbs;
mod writing;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use std::{io::Write, path::PathBuf, process::ExitCode};

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
    #[command(after_long_help = status::MEANING)]
    Console(asking::ConsoleArgs),
    /// Print the custom resource definitions.
    Crd {
        /// With a status subresource: for a control plane where the old manager never runs again
        #[arg(long)]
        status_subresource: bool,
    },
    /// Print what makes a shell complete these commands.
    Completion {
        /// Of which shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages of all commands into a folder.
    Man {
        /// Where: ~/.local/share/man/man1, /usr/local/share/man/man1
        folder: PathBuf,
    },
    /// From "BR Federation" to here.
    Migrate(migrating::MigrateArgs),
    /// Print when a schedule's expression fires, before applying it.
    NextRuns(next_runs::NextRunsArgs),
    /// Make certificates for coordinator, planes and admins.
    Pki(pki::PkiArgs),
}

/// Who closes a pipe early has read enough, which is no reason to panic.
fn printed(text: &[u8]) -> anyhow::Result<()> {
    std::io::stdout().write_all(text).context("standard output")
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(args) => serve::main(args),
        Command::Console(args) => return asking::console(args),
        Command::Crd { status_subresource: false } => printed(coordinator::edge::kube::crds().as_bytes()),
        Command::Crd { status_subresource: true } => printed(coordinator::edge::kube::crds_with_status().as_bytes()),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "coordinator", &mut script);
            printed(&script)
        }
        Command::Man { folder } => shell::man::write(Cli::command(), &folder)
            .with_context(|| format!("{} cannot be written", folder.display())),
        Command::Migrate(args) => return migrating::main(&args),
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
