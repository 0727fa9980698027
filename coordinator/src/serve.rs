//! `coordinator serve`: joins Kubernetes (or a directory), QUIC and HTTP to the ports, and runs until a signal.

use anyhow::Context;
use clap::Args;
use coordinator::{
    config::CoordinatorConfig,
    edge::{self, kube, local::Local},
    metrics::Metrics,
    ports::{Gates, Ports},
};
use shared::{cron::Zone, request::Limits};
use shell::{
    clock::Clock,
    config, http,
    quic::{self, Server},
    telemetry,
    tls::{Credentials, RELOAD_EVERY, TlsFiles},
};
use std::{path::PathBuf, sync::Arc};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(config))
}

/// What stands behind the ports, and must live as long as they are used.
struct World {
    ports: Ports,
    leading: watch::Receiver<bool>,
    leader: Option<kube::Leader>,
    // Stand-alone leads for as long as this lives.
    _decision: Option<watch::Sender<bool>>,
}

async fn join(config: &CoordinatorConfig, clock: &Clock) -> anyhow::Result<World> {
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
            wall,
        };
        return Ok(World { ports, leading, leader: None, _decision: Some(decision) });
    }
    let client = kube::client().await.context("no Kubernetes API server; or give --standalone DIR")?;
    let identity = format!("{}-{}", hostname(), uuid::Uuid::new_v4());
    let leader =
        kube::Leader::start(client.clone(), kube::LeaderConfig::new(&config.namespace, LEASE, &identity, wall.clone()));
    let ports = Ports {
        source: Arc::new(kube::KubeSource::new(client.clone(), None, Limits::default())),
        ledger: Arc::new(kube::KubeLedger::new(client.clone(), &config.namespace)),
        objects: Arc::new(kube::KubeObjects::new(client.clone(), &identity, wall.clone())),
        schedules: Arc::new(kube::KubeSchedules::new(client, None, Limits::default(), zone, &identity, wall.clone())),
        wall,
    };
    Ok(World { ports, leading: leader.is_leading.clone(), leader: Some(leader), _decision: None })
}

fn hostname() -> String {
    std::env::var("HOSTNAME").unwrap_or_else(|_| "coordinator".to_owned())
}

async fn serve(config: CoordinatorConfig) -> anyhow::Result<()> {
    let clock = Clock::system();
    let tls = &config.tls;
    let credentials = Credentials::load(TlsFiles {
        ca: tls.ca.clone(),
        cert: tls.cert.clone(),
        key: tls.key.clone(),
        crl: (!tls.crl.as_os_str().is_empty()).then(|| tls.crl.clone()),
        trust_domain: config.trust_domain.clone(),
    })?;
    let fresh = tokio::spawn(credentials.clone().keep_fresh(RELOAD_EVERY));
    let world = join(&config, &clock).await?;
    let server = Server::bind(config.listen, &credentials, quic::Limits::default())?;
    let metrics = Arc::new(Metrics::new());
    let leading = world.leading.clone();
    let ready: http::Check =
        Arc::new(move || if *leading.borrow() { Ok(()) } else { Err("another replica leads".to_owned()) });
    let routes = http::Routes { metrics: metrics.registry(), healthy: Arc::new(|| Ok(())), ready };
    let http = http::serve(config.http, routes).await.with_context(|| format!("cannot listen on {}", config.http))?;
    tracing::info!(quic = %server.local_addr()?, http = %http.address(), planes = config.planes.len(), "coordinator serves");

    let (planes_tx, planes) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (admins_tx, admins) = mpsc::channel(edge::quic::GATE_QUEUE);
    let serving = tokio::spawn(edge::quic::serve(server, planes_tx, admins_tx));
    let gates = Gates { planes, admins, leading: world.leading.clone() };
    let outcome = coordinator::run(config, world.ports, clock, metrics, gates, shell::signals::stopped()?).await;

    serving.abort();
    fresh.abort();
    http.close().await;
    if let Some(leader) = world.leader {
        leader.resign().await;
    }
    outcome
}
