//! The coordinator's process of `loadtests fleet`: its actors behind the real QUIC server.
//! It does as the lines on its standard input say, and answers each with a line of JSON.

use super::{args::CoordinatorArgs, backing::Backing, certificates::of_coordinator, objects::InMemory};
use crate::process::{cpu_seconds, resident_kibibytes};
use anyhow::{Context, bail};
use coordinator::{
    aside::THREADS,
    config::CoordinatorConfig,
    edge,
    metrics::Metrics,
    ports::{AdminCall, Inbound},
    standing::Standing,
};
use serde_json::{Value, json};
use shell::{
    clock::Clock,
    http,
    quic::{self, Monitor, Server},
};
use std::{collections::BTreeSet, io::BufRead, net::Ipv4Addr, sync::Arc, time::Duration};
use tests::light::plane_name;
use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
    task::LocalSet,
    time::Instant,
};

const NAMESPACE: &str = "fleet";
/// All barriers of a round.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks at whether it leads.
const LOOK: Duration = Duration::from_millis(2);
/// For the last packets of connections that are closed; nobody measures it.
const LAST_WORDS: Duration = Duration::from_millis(100);

pub(crate) fn main(args: &CoordinatorArgs) -> anyhow::Result<bool> {
    shell::telemetry::init(shell::telemetry::Format::Text, &args.log)?;
    // As the program's own `main` has it.
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(THREADS).build()?;
    LocalSet::new().block_on(&runtime, serve(args))?;
    Ok(true)
}

async fn serve(args: &CoordinatorArgs) -> anyhow::Result<()> {
    let server = Server::bind(args.listen, &of_coordinator(&args.folder)?, quic::Limits::default())?;
    let (address, monitor) = (server.local_addr()?, server.monitor());
    let (planes_tx, planes) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (admins_tx, admins) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (standing, metrics) = (Arc::new(Standing::default()), Arc::new(Metrics::new()));
    let http = http::serve((Ipv4Addr::LOCALHOST, 0).into(), routes(&standing, &metrics, admins_tx.clone()))?;
    let serving = tokio::spawn(edge::quic::serve(server, planes_tx, admins_tx));
    let Backing { ports, objects } = Backing::new(args).await?;
    let (decision, leading) = watch::channel(true);
    let names: BTreeSet<String> = (0..args.planes).map(plane_name).collect();
    let config = CoordinatorConfig { planes: names.clone(), ..CoordinatorConfig::default() };
    let (known, stops) = (watch::channel(names).1, mpsc::channel(1).1);
    let inbound = Inbound { planes, admins, leading, standing: standing.clone(), known, stops };
    let told = obey(args, objects.as_ref(), &monitor, &standing);
    let running = coordinator::run(config, ports, Clock::system(), metrics, inbound);
    say(&json!({"listening": address.to_string(), "http": http.address().to_string()}));
    tokio::select! {
        ended = running => bail!("the coordinator ended: {ended:?}"),
        told = told => told?,
    }
    drop(decision);
    serving.abort();
    tokio::time::sleep(LAST_WORDS).await;
    Ok(())
}

fn routes(standing: &Arc<Standing>, metrics: &Metrics, admins: mpsc::Sender<AdminCall>) -> http::Routes {
    let (alive, leads) = (standing.clone(), standing.clone());
    http::Routes {
        metrics: metrics.registry(),
        healthy: Arc::new(move || alive.healthy()),
        ready: Arc::new(|| Ok(())),
        leads: Some(Arc::new(move || leads.leading())),
        pages: Some(edge::web::pages(admins)),
    }
}

fn say(value: &Value) {
    println!("{value}");
}

/// Until its standard input ends.
async fn obey(
    args: &CoordinatorArgs,
    objects: Option<&InMemory>,
    monitor: &Monitor,
    standing: &Standing,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let ready = async {
        while standing.leading().is_err() {
            tokio::time::sleep(LOOK).await;
        }
        begun.elapsed()
    };
    let ready = tokio::time::timeout(LIMIT, ready).await.context("it does not lead")?;
    let (told, mut orders) = mpsc::channel(4);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if told.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut round = 0;
    while let Some(order) = orders.recv().await {
        match order.as_str() {
            "ready" => say(&json!({"ready_ms": ready.as_secs_f64() * 1000.0})),
            "memory" => say(&json!({"kibibytes": resident_kibibytes()?, "sessions": monitor.sessions()})),
            "counts" => {
                let counts = monitor.counts();
                let refused = counts.handshakes_refused + counts.refused;
                say(&json!({"retried": counts.retried, "refused": refused, "cpu_s": cpu_seconds()?}));
            }
            "barriers" => {
                round += 1;
                say(&barriers(args, objects.context("nobody applies backups here")?, round).await?);
            }
            other => bail!("{other} is no order"),
        }
    }
    Ok(())
}

/// One backup of each TiDB cluster, all at a time.
async fn barriers(args: &CoordinatorArgs, all: &InMemory, round: u32) -> anyhow::Result<Value> {
    let clusters = args.planes.div_ceil(args.members);
    let keys: Vec<String> = (0..clusters).map(|cluster| format!("{NAMESPACE}/round-{round}-{cluster}")).collect();
    for (cluster, key) in (0..clusters).zip(&keys) {
        all.apply(&manifest(args, cluster, key.split('/').next_back().unwrap_or_default()))?;
    }
    let ended = |object: Option<&Value>| object.is_some_and(|it| ["Complete", "Failed"].contains(&phase(it)));
    let over = async {
        for key in &keys {
            all.wait(key, ended).await;
        }
    };
    let in_time = tokio::time::timeout(LIMIT, over).await.is_ok();
    let objects: Vec<Value> = keys.iter().filter_map(|key| all.get(key)).collect();
    for object in &objects {
        if phase(object) != "Complete" {
            bail!("not Complete (in time: {in_time}): {}", object["status"]);
        }
    }
    let longest = |field: &str| objects.iter().filter_map(|it| it["status"]["barrier"][field].as_u64()).max();
    for key in &keys {
        all.delete(key);
    }
    let gone = async {
        for key in &keys {
            all.wait(key, |object| object.is_none()).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.context("the backups are not gone")?;
    Ok(json!({"backups": clusters, "hold_ms": longest("hold_ms"), "reach_ms": longest("reach_ms")}))
}

fn phase(object: &Value) -> &str {
    object["status"]["phase"].as_str().unwrap_or_default()
}

fn manifest(args: &CoordinatorArgs, cluster: u32, name: &str) -> String {
    let first = cluster * args.members;
    let members = first..(first + args.members).min(args.planes);
    let cluster =
        |number| format!("  - k8sClusterName: {}\n    tcName: shop\n    tcNamespace: tidb\n", plane_name(number));
    let clusters: String = members.map(cluster).collect();
    format!(
        "apiVersion: federation.pingcap.com/v1alpha1\nkind: VolumeBackup\nmetadata:\n  name: {name}\n  namespace: \
         {NAMESPACE}\nspec:\n  clusters:\n{clusters}  template:\n    br: {{}}\n    s3:\n      provider: aws\n      region: \
         eu-west-1\n      bucket: backups\n      prefix: {name}\n    toolImage: pingcap/br:v8.5.3\n    cleanPolicy: \
         Delete\n    calcSizeLevel: none\n"
    )
}
