//! The plane actor's program: joins edges to ports, and the preflight.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod preflight;
mod settings;
mod wiring;

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use plane_actor::{config::PlaneConfig, metrics::PlaneMetrics, ports::Ports};
use prometheus_client::{encoding::text::encode, registry::Registry};
use settings::{Common, Settings, plane_config, settings};
use shell::{
    clock::system_wall,
    config,
    expiry::{self, Expiries},
    http,
    quic::Client,
    telemetry,
    tls::{Distrust, RELOAD_EVERY},
};
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use tokio::task::LocalSet;

#[derive(Parser)]
#[command(name = "plane-actor", version, about = "Holds and snapshots the TiKV of one Kubernetes cluster")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the plane actor.
    Run(RunArgs),
    /// What a backup would need, checked; nothing is changed.
    Preflight(preflight::PreflightArgs),
    /// Write manual pages of all commands into a folder.
    Man {
        /// Where: ~/.local/share/man/man1, /usr/local/share/man/man1
        folder: PathBuf,
    },
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    common: Common,
    /// Print the configuration with the source of each value, and end.
    #[arg(long)]
    print_config: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run(&args).map(|()| true),
        Command::Preflight(args) => preflight::main(&args),
        Command::Man { folder } => shell::man::write(Cli::command(), &folder)
            .with_context(|| format!("{} cannot be written", folder.display()))
            .map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("plane-actor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &RunArgs) -> anyhow::Result<()> {
    if args.print_config {
        let loaded = config::load::<Settings>(args.common.config.as_deref(), std::env::vars())?;
        print!("{}", loaded.print());
        return Ok(());
    }
    let settings = settings(&args.common)?;
    telemetry::abort_on_panic();
    anyhow::ensure!(!settings.plane.is_empty(), "no name is configured; set plane: to this plane's k8sClusterName");
    anyhow::ensure!(!settings.coordinator.is_empty(), "no coordinator is configured; set coordinator: [host:7443]");
    // Lease streams, their connections and their timers have a thread of their own, and so has what computes: neither the
    // actors nor a million regions may delay a renewal.
    let (leases, work) = (runtime("leases", 1)?, runtime("work", work_threads())?);
    let mut config = plane_config(&settings);
    config.lease_runtime = Some(leases.handle().clone());
    config.work_runtime = Some(work.handle().clone());
    let actors = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = LocalSet::new().block_on(&actors, serve(settings, config));
    // Nothing is left in them that anybody waits for.
    leases.shutdown_background();
    work.shutdown_background();
    outcome
}

fn runtime(name: &str, threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build()
}

/// One core is enough for a million regions; a few shorten the hold.
fn work_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_WORK_THREADS))
}
const MOST_WORK_THREADS: usize = 4;

async fn serve(settings: Settings, config: PlaneConfig) -> anyhow::Result<()> {
    let credentials = wiring::credentials(&settings)?;
    let fresh = tokio::spawn(credentials.clone().keep_fresh(RELOAD_EVERY));
    let client = Client::new(credentials.clone())?;
    let (distrusted, linked_to) = (client.distrusted(), client.linked());

    let mut registry = Registry::default();
    let metrics = PlaneMetrics::register(&mut registry);
    let ports = metrics.counted(wiring::ports(&settings, Some(client)).await?);
    let ends = expiry::tell(Expiries::register(&mut registry), RELOAD_EVERY, system_wall, move || {
        credentials.current().expiries().iter().cloned().chain(linked_to()).collect()
    });
    let ending = tokio::spawn(ends);
    let registry = Arc::new(registry);
    let ports = Ports { metrics: counts(registry.clone()), ..ports };
    let views = ports.views.subscribe();
    let ready: http::Check = {
        let (views, distrusted) = (views.clone(), distrusted.clone());
        Arc::new(move || linked(views.borrow().linked, distrusted.borrow().as_ref()))
    };
    let watching = tokio::spawn({
        let (mut views, mut distrusted) = (views, distrusted);
        async move {
            loop {
                metrics.shown(&views.borrow_and_update());
                metrics.distrusts(distrusted.borrow_and_update().is_some());
                let over = tokio::select! {
                    changed = views.changed() => changed.is_err(),
                    changed = distrusted.changed() => changed.is_err(),
                };
                if over {
                    return;
                }
            }
        }
    });
    let routes = http::Routes { metrics: registry, healthy: Arc::new(|| Ok(())), ready, leads: None, pages: None };
    let http = http::serve(settings.http, routes).with_context(|| format!("cannot listen on {}", settings.http))?;
    tracing::info!(plane = settings.plane, http = %http.address(), "plane actor runs");
    let outcome = plane_actor::run(config, ports, shell::signals::stopped()?).await;
    watching.abort();
    ending.abort();
    fresh.abort();
    http.close().await;
    outcome
}

/// What the registry shows.
fn counts(registry: Arc<Registry>) -> Arc<dyn Fn() -> String + Send + Sync> {
    Arc::new(move || {
        let mut text = String::new();
        encode(&mut text, &registry).map_or_else(|error| error.to_string(), |()| text)
    })
}

/// `/readyz`.
fn linked(linked: bool, distrusted: Option<&Distrust>) -> Result<(), String> {
    match (linked, distrusted) {
        (true, _) => Ok(()),
        (false, None) => Err("no session to the coordinator".to_owned()),
        (false, Some(distrust)) => Err(format!("no session to the coordinator: {distrust}")),
    }
}
