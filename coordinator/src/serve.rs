//! `coordinator serve`: joins Kubernetes (or a directory), QUIC and HTTP to the ports, and runs until a signal.

use crate::{
    exporting,
    ready::{Kube, Ready},
};
use anyhow::Context;
use clap::Args;
use coordinator::{
    aside::THREADS,
    config::CoordinatorConfig,
    edge::{self, kube, local::Local},
    known,
    metrics::Metrics,
    ports::{AdminCall, Inbound, Logs, NoTraces, Ports},
    standing::Standing,
};
use shared::{cron::Zone, request::Limits};
use shell::{
    clock::{Clock, system_wall},
    config, expiry, http,
    quic::{self, Server},
    telemetry,
    tls::{Credentials, RELOAD_EVERY, TlsError, TlsFiles},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, LocalSet},
};

/// Name of the leader Lease.
const LEASE: &str = "isochron-coordinator";

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Configuration file (YAML).
    #[arg(long, env = "ISOCHRON_CONFIG")]
    config: Option<PathBuf>,
    /// Take VolumeBackup objects from this directory instead of Kubernetes.
    #[arg(long)]
    standalone: Option<PathBuf>,
    /// Print the configuration with the source of each value, and end.
    #[arg(long)]
    print_config: bool,
    /// Log form.
    #[arg(long, env = "ISOCHRON_LOG_FORMAT", default_value = "text")]
    log_format: telemetry::Format,
    /// Log filter.
    #[arg(long, env = "ISOCHRON_LOG", default_value = "info")]
    log: String,
}

pub(crate) fn main(args: ServeArgs) -> anyhow::Result<()> {
    let loaded = config::load::<CoordinatorConfig>(args.config.as_deref(), std::env::vars())?;
    if args.print_config {
        print!("{}", loaded.print());
        return Ok(());
    }
    telemetry::init(args.log_format, &args.log)?;
    telemetry::abort_on_panic();
    let mut config = loaded.value;
    if args.standalone.is_some() {
        config.standalone = args.standalone;
    }
    anyhow::ensure!(
        !config.planes.is_empty(),
        "no planes are configured; list them under planes: in the configuration"
    );
    // One thread for actors, as in tests; QUIC and Kubernetes run beside them on the same runtime.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(THREADS).build()?;
    LocalSet::new().block_on(&runtime, serve(config, args.config))
}

/// What stands behind the ports, and must live as long as they are used.
struct Backends {
    ports: Ports,
    leading: watch::Receiver<bool>,
    leader: Option<kube::Leader>,
    kinds: Option<kube::Kinds>,
    // Stand-alone leads for as long as this lives.
    _decision: Option<watch::Sender<bool>>,
}

/// The logs that `main` has set up.
struct OfThisProcess;

impl Logs for OfThisProcess {
    fn filter(&self) -> Result<String, String> {
        telemetry::filter().map_err(|error| error.to_string())
    }

    fn set_filter(&self, filter: &str) -> Result<(), String> {
        telemetry::set_filter(filter).map_err(|error| error.to_string())
    }

    fn recent(&self) -> Vec<String> {
        telemetry::recent()
    }
}

async fn assemble(config: &CoordinatorConfig, clock: &Clock) -> anyhow::Result<Backends> {
    let wall: Arc<dyn Fn() -> shared::time::Timestamp + Send + Sync> = {
        let clock = clock.clone();
        Arc::new(move || clock.wall())
    };
    let zone = Zone::named(&config.timezone).context("timezone: in the configuration")?;
    if let Some(directory) = &config.standalone {
        let local = Local::open(directory, Limits::default(), zone, wall.clone())?;
        let (decision, leading) = watch::channel(true);
        let ports = Ports {
            source: local.source,
            ledger: local.ledger,
            objects: local.objects,
            schedules: local.schedules,
            manifests: local.manifests,
            restores: local.restores,
            logs: Arc::new(OfThisProcess),
            traces: Arc::new(NoTraces),
            wall,
        };
        return Ok(Backends { ports, leading, leader: None, kinds: None, _decision: Some(decision) });
    }
    let client = kube::client().await.context("no Kubernetes API server; or give --standalone DIR")?;
    let kinds = kube::Kinds::follow(client.clone());
    let identity = format!("{}-{}", hostname(), uuid::Uuid::new_v4());
    let lease = if config.name.is_empty() { LEASE.to_owned() } else { format!("{LEASE}-{}", config.name) };
    let leader = kube::Leader::start(
        client.clone(),
        kube::LeaderConfig::new(&config.namespace, &lease, &identity, wall.clone()),
    );
    let share = &config.objects;
    let ports = Ports {
        source: Arc::new(kube::KubeSource::new(client.clone(), share, Limits::default())),
        ledger: Arc::new(kube::KubeLedger::named(client.clone(), &config.namespace, &config.name)),
        objects: Arc::new(kube::KubeObjects::new(client.clone(), &identity, wall.clone())),
        manifests: Arc::new(kube::KubeManifests::new(client.clone())),
        restores: Arc::new(kube::KubeRestores::new(client.clone(), share, &identity, wall.clone())),
        schedules: Arc::new(kube::KubeSchedules::new(client, share, Limits::default(), zone, &identity, wall.clone())),
        logs: Arc::new(OfThisProcess),
        traces: Arc::new(NoTraces),
        wall,
    };
    let leading = leader.is_leading.clone();
    Ok(Backends { ports, leading, leader: Some(leader), kinds: Some(kinds), _decision: None })
}

fn hostname() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| "coordinator".to_owned())
}

fn routes(ready: Ready, standing: &Arc<Standing>, metrics: &Metrics, pages: Option<http::Pages>) -> http::Routes {
    let (alive, leads) = (standing.clone(), standing.clone());
    http::Routes {
        metrics: metrics.registry(),
        healthy: Arc::new(move || alive.healthy()),
        ready: Arc::new(move || ready.check()),
        leads: Some(Arc::new(move || leads.leading())),
        pages,
    }
}

/// Says in the metric whether the custom resources fit.
async fn count(mut fit: watch::Receiver<Result<(), String>>, metrics: Arc<Metrics>) {
    loop {
        metrics.kinds_fit(fit.borrow_and_update().is_ok());
        if fit.changed().await.is_err() {
            return;
        }
    }
}

/// Serves consoles inside the pod. Without it they need a certificate, as everywhere else.
fn console_socket(path: &Path, admins: mpsc::Sender<AdminCall>) -> Option<JoinHandle<()>> {
    let folder = path.parent().filter(|folder| folder.is_dir())?;
    match edge::socket::bind(path) {
        Ok(listener) => Some(tokio::spawn(edge::socket::serve(listener, admins))),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), folder = %folder.display(), "no local socket for consoles");
            None
        }
    }
}

fn credentials(config: &CoordinatorConfig) -> Result<Arc<Credentials>, TlsError> {
    let tls = &config.tls;
    Credentials::load(TlsFiles {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        crl: (!tls.crl.as_os_str().is_empty()).then(|| tls.crl.clone()),
        trust_domain: config.trust_domain.clone(),
        identities: config.identities.clone(),
    })
}

/// Where planes and admins dial in.
fn listen(config: &CoordinatorConfig, credentials: &Arc<Credentials>) -> anyhow::Result<Server> {
    let mut server = Server::bind(config.listen, credentials, quic::Limits::default())?;
    if let Some(address) = config.tcp {
        let tcp = server.also_over_tcp(address, credentials)?;
        tracing::info!(%tcp, "planes whose networks drop UDP are let in over TCP");
    }
    Ok(server)
}

async fn serve(config: CoordinatorConfig, file: Option<PathBuf>) -> anyhow::Result<()> {
    let clock = Clock::system();
    let credentials = credentials(&config)?;
    let fresh = tokio::spawn(credentials.clone().keep_fresh(RELOAD_EVERY));
    let mut world = assemble(&config, &clock).await?;
    let sending = exporting::begin(&config.tracing, &mut world.ports)?;
    let server = listen(&config, &credentials)?;
    let metrics = Arc::new(Metrics::new());
    let quic = server.local_addr()?;
    let standing = Arc::new(match &world.leader {
        Some(leader) => Standing::following(leader.holder.clone()),
        None => Standing::default(),
    });
    let ending = tokio::spawn(expiry::tell(metrics.expiries(), RELOAD_EVERY, system_wall, {
        let (credentials, monitor, standing) = (credentials.clone(), server.monitor(), standing.clone());
        let metrics = metrics.clone();
        move || {
            metrics.dials(monitor.counts());
            let all: Vec<_> = credentials.current().expiries().iter().cloned().chain(monitor.expiries()).collect();
            standing.tell_expiries(&all);
            all
        }
    }));
    let (planes_tx, planes) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (admins_tx, admins) = mpsc::channel(edge::quic::GATE_QUEUE);
    let local = console_socket(&config.socket, admins_tx.clone());
    let pages = config.ui.then(|| edge::web::pages(admins_tx.clone()));
    let serving = tokio::spawn(edge::quic::serve(server, planes_tx, admins_tx));
    let deaf = serving.abort_handle();
    // Files need no definitions.
    metrics.kinds_fit(world.kinds.is_none());
    let watched = world.kinds.take().zip(world.leader.as_ref().map(|leader| leader.contact.clone()));
    let following = watched.as_ref().map(|(kinds, _)| tokio::spawn(count(kinds.fit.clone(), metrics.clone())));
    let ready = Ready {
        credentials: credentials.clone(),
        deaf: Box::new(move || deaf.is_finished()),
        kube: watched.map(|(kinds, contact)| Kube { contact, kinds }),
    };
    let http = http::serve(config.http, routes(ready, &standing, &metrics, pages))
        .with_context(|| format!("cannot listen on {}", config.http))?;
    tracing::info!(%quic, http = %http.address(), planes = config.planes.len(), "coordinator serves");
    let (tell, known) = watch::channel(config.planes.clone());
    let listed = file.map(|file| tokio::spawn(known::follow(file, RELOAD_EVERY, tell, metrics.clone())));
    let stops = shell::signals::each()?;
    let inbound = Inbound { planes, admins, leading: world.leading.clone(), standing, known, stops };
    let outcome = coordinator::run(config, world.ports, clock, metrics, inbound).await;

    exporting::end(sending).await;
    serving.abort();
    for task in [local, following, listed].into_iter().flatten() {
        task.abort();
    }
    fresh.abort();
    ending.abort();
    http.close().await;
    if let Some(leader) = world.leader {
        leader.resign().await;
    }
    outcome
}
