//! The coordinator's program: joins edges to ports, and the admin's commands.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout)]

mod next_runs;
mod pki;
mod reach;
mod ready;
mod serve;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};
use coordinator::console::{Answered, Output, Question, shown};
use shared::time::Timestamp;
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
    Console(ConsoleArgs),
    /// Print the custom resource definitions.
    Crd,
    /// Print when a schedule's expression fires, before applying it.
    NextRuns(next_runs::NextRunsArgs),
    /// Make certificates for coordinator, planes and admins.
    Pki(pki::PkiArgs),
}

#[derive(Args)]
struct ConsoleArgs {
    #[command(flatten)]
    reach: reach::ReachArgs,
    /// How to show the answer.
    #[arg(long, value_enum, default_value = "table", global = true)]
    output: Output,
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Subcommand)]
enum Ask {
    /// Which coordinators the console knows, and which one it asks.
    Contexts,
    /// Ask another of them from now on.
    UseContext {
        /// Its name
        name: String,
    },
    /// Everything at a glance.
    Status,
    /// Planes and their sessions.
    Planes,
    /// Every backup, one line each.
    Backups,
    /// One backup whole.
    Show {
        /// name, namespace/name or uid
        name: String,
    },
    /// Why a backup is not done yet, and what to do.
    Why {
        /// name, namespace/name or uid
        name: String,
    },
    /// Where the time of its last attempt went, step by step and plane by plane.
    Timeline {
        /// name, namespace/name or uid
        name: String,
    },
    /// Records whose VolumeBackup is gone although nobody deleted it; everything of them is kept.
    Orphans {
        /// Delete the one with this uid, and what its cleanPolicy names, as if its object had been deleted.
        #[arg(long, value_name = "UID")]
        delete: Option<String>,
    },
    /// Schedules, one line each; or one of them, with its coming runs and its backups.
    Schedules {
        /// name or namespace/name
        name: Option<String>,
        /// Only which backups stay or go, and why.
        #[arg(long, requires = "name")]
        plan: bool,
        /// As it will be at this moment, if nothing else happens: RFC 3339, or a date (midnight UTC).
        #[arg(long, requires = "name", value_parser = moment)]
        at: Option<Timestamp>,
    },
}

/// An RFC 3339 moment, or a date.
fn moment(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>().map(|at| at.as_millisecond());
    let date = || text.parse::<jiff::civil::Date>().and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC));
    at.or_else(|_| date().map(|midnight| midnight.timestamp().as_millisecond()))
        .map(Timestamp)
        .map_err(|_| "write a moment like 2026-12-01T03:00:00Z, or a date like 2026-12-01".to_owned())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(args) => serve::main(args),
        Command::Console(args) => console(args),
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

fn console(args: ConsoleArgs) -> anyhow::Result<()> {
    let question = match args.ask {
        Ask::Contexts => return args.reach.show_contexts(args.output),
        Ask::UseContext { name } => return reach::use_context(&name),
        Ask::Status => Question::Status,
        Ask::Planes => Question::Planes,
        Ask::Backups => Question::Backups,
        Ask::Show { name } => Question::Show { name },
        Ask::Why { name } => Question::Why { name },
        Ask::Timeline { name } => Question::Timeline { name },
        Ask::Orphans { delete } => Question::Orphans { delete },
        Ask::Schedules { name, plan, at } => Question::Schedules { name, plan, at },
    };
    match args.reach.ask(&question)? {
        Answered::Ok(value) => println!("{}", shown(&question, &value, args.output)),
        Answered::Error(error) => bail!("{error}"),
        Answered::NotLeading { leader } => bail!("{}", reach::not_leading(leader.as_deref())),
    }
    Ok(())
}
