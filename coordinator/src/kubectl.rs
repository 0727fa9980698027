//! `kubectl isochron`: the console with nothing but a kubeconfig.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod asking;
mod checking;
mod colour;
mod diagnosing;
mod draining;
mod following;
mod interactive;
mod interrupts;
mod plugin;
mod restoring;
mod status;
mod verbs;
mod writing;

use clap::{CommandFactory, Parser};
// The verbs are those of the console; only the way is another.
use plugin as reach;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    thread::sleep,
    time::Duration,
};

/// Between two answers with `-w`.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Parser)]
#[command(
    name = "kubectl-isochron",
    bin_name = "kubectl isochron",
    version,
    after_long_help = status::MEANING,
    about = "Consistent backups of TiDB clusters over several Kubernetes clusters: what runs, what is proved, why it waits"
)]
struct Cli {
    #[command(flatten)]
    console: asking::ConsoleArgs,
    /// Ask again and again.
    #[arg(short = 'w', long = "again", global = true)]
    again: bool,
    /// Write manual pages of all commands into this folder, and end.
    #[arg(long, value_name = "FOLDER")]
    man: Option<PathBuf>,
}

fn written(folder: &Path) -> ExitCode {
    match shell::man::write(Cli::command(), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubectl-isochron: {} cannot be written: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    loop {
        let cli = Cli::parse();
        if let Some(folder) = cli.man {
            return written(&folder);
        }
        let status = asking::console(cli.console);
        if !cli.again {
            return status;
        }
        sleep(AGAIN);
        println!();
    }
}
