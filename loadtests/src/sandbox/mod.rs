//! `cargo sandbox`: the demo's world kept alive, so that anybody can see what a backup does when it hurts. Objects are files
//! in a directory, or with `--kube` on a real API server; consoles come over real QUIC, the web page is the coordinator's own; the cluster, EC2 and S3 are
//! simulated.

mod args;
mod commands;
mod common;
mod objects;
mod relay;
#[cfg(feature = "servers")]
mod served;
mod site;

pub(crate) use args::SandboxArgs;

use anyhow::Context;
use commands::{Command, HELP, parse};
use site::Site;
use std::io::{BufRead, Read};
use tokio::{sync::mpsc, task::LocalSet};

/// Longest command that is read.
const LINE: u64 = 4096;

/// Until `quit`, the end of standard input, or a signal.
pub(crate) fn main(args: &SandboxArgs) -> anyhow::Result<bool> {
    shell::telemetry::init(shell::telemetry::Format::Text, &args.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, play(args))?;
    Ok(true)
}

async fn play(args: &SandboxArgs) -> anyhow::Result<()> {
    let removed = tempfile::tempdir().context("no folder for the sandbox")?;
    let folder = args.dir.clone().unwrap_or_else(|| removed.path().to_owned());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut site = Site::start(args, &folder).await?;
    println!("{}", site.greeting());
    let mut lines = lines();
    let mut stops = shell::signals::each()?;
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = stops.recv() => None,
        };
        let Some(line) = line else { return Ok(()) };
        match parse(&line) {
            Ok(None) => {}
            Ok(Some(Command::Quit)) => return Ok(()),
            Ok(Some(Command::Help)) => println!("{HELP}"),
            Ok(Some(command)) => match site.carry_out(command).await {
                Ok(done) => println!("{done}"),
                Err(error) => println!("{error:#}"),
            },
            Err(error) => println!("{error}"),
        }
    }
}

/// Standard input, line by line; its reader ends with the process.
fn lines() -> mpsc::Receiver<String> {
    // A person writes one at a time, and a script waits for room.
    let (tell, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = String::new();
            match input.by_ref().take(LINE).read_line(&mut line) {
                Ok(1..) if tell.blocking_send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    lines
}
