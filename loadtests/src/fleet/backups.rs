//! Ten thousand backups that have ended: how long a coordinator takes until it leads, and each answer on the console.

use super::{
    args::FleetArgs,
    certificates,
    child::{Coordinator, Start, number},
    planes::Fleet,
    stored::{self, Pattern},
};
use crate::figures::{Figure, Figures};
use anyhow::{Context, bail};
use bytes::Bytes;
use coordinator::console::{Answered, Question};
use shell::quic::{AdminConnection, Client};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// Connected meanwhile.
const PLANES: u32 = 100;
/// Of anything here that is waited for.
const LIMIT: Duration = Duration::from_secs(600);
/// From its start until it leads and has read all that it acts by.
const READY: f64 = 5.0;
/// One answer.
const ANSWER_MS: f64 = 100.0;

pub(super) fn main(args: &FleetArgs, backups: u32) -> anyhow::Result<Figures> {
    let args = FleetArgs { planes: PLANES, ..args.clone() };
    let folder = tempfile::tempdir()?;
    certificates::make(folder.path(), args.planes)?;
    let pattern = Pattern::make()?;
    let file = folder.path().join("pattern.json");
    std::fs::write(&file, serde_json::to_vec(&pattern)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let mut figures = Figures::default();
        figures.add(Figure::shown("backups that have ended", f64::from(backups), ""));
        let start = Start { backups, pattern: Some(&file), ..Start::default() };
        measure(&args, folder.path(), &start, "API server in memory", &mut figures).await?;
        real(&args, folder.path(), backups, &pattern, &mut figures).await?;
        Ok(figures)
    })
}

async fn measure(
    args: &FleetArgs,
    folder: &Path,
    start: &Start<'_>,
    api: &str,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut ready = Vec::new();
    // One that another takes over from has the API server with it, where that is in memory.
    let rounds = if start.kubeconfig.is_some() { args.rounds } else { 1 };
    let mut coordinator = Coordinator::start(args, folder, any, start)?;
    ready.push(number(&coordinator.ask("ready")?, "ready_ms")?);
    for _ in 1..rounds {
        coordinator.end()?;
        coordinator = Coordinator::start(args, folder, any, start)?;
        ready.push(number(&coordinator.ask("ready")?, "ready_ms")?);
    }
    let least = ready.iter().copied().fold(f64::MAX, f64::min);
    figures.add(Figure::at_most(&format!("ready, {api}"), least / 1000.0, "s", READY * args.slack));
    let fleet = Fleet::start(args, folder, coordinator.address)?;
    timeout(LIMIT, fleet.all_linked()).await.context("not all planes are linked")?;
    let client = Client::new(certificates::of_admin(folder)?)?;
    let console = client.dial_admin(&[coordinator.address.to_string()], None, Duration::from_secs(10)).await?;
    for (name, question) in questions(start.backups / 2) {
        let mut best = Duration::MAX;
        for _ in 0..args.rounds {
            best = best.min(asked(&console, &question).await.with_context(|| format!("console {name}"))?);
        }
        let name = format!("console {name}, {api}");
        figures.add(Figure::at_most(&name, best.as_secs_f64() * 1000.0, "ms", ANSWER_MS * args.slack));
    }
    let (of, how) = ((start.backups / 2, start.backups), (args.rounds, args.slack));
    super::pages::measure(coordinator.http, of, how, api, figures).await?;
    let memory = number(&coordinator.ask("memory")?, "kibibytes")?;
    let with = if start.kubeconfig.is_some() { "" } else { " and the API server" };
    figures.add(Figure::shown(&format!("the coordinator's process{with}"), memory / 1024.0, "MiB"));
    drop(console);
    coordinator.end()
}

fn questions(middle: u32) -> Vec<(&'static str, Question)> {
    let name = || stored::name(middle);
    let schedule = stored::schedule_name(middle / stored::OF_A_SCHEDULE);
    vec![
        ("status", Question::Status),
        ("planes", Question::Planes),
        ("backups", Question::Backups),
        ("show", Question::Show { name: name() }),
        ("why", Question::Why { name: name() }),
        ("timeline", Question::Timeline { name: name() }),
        ("schedules", Question::Schedules { name: None, plan: false, at: None }),
        ("schedules NAME", Question::Schedules { name: Some(schedule.clone()), plan: false, at: None }),
        ("schedules NAME --plan", Question::Schedules { name: Some(schedule), plan: true, at: None }),
        ("orphans", Question::Orphans { delete: None, planes: false }),
        ("glance", Question::Glance { from: 0 }),
        ("drains", Question::Drains),
        ("diagnose", Question::Diagnose { name: None }),
        ("diagnose NAME", Question::Diagnose { name: Some(name()) }),
        ("diagnose, planes", Question::DiagnosePlanes { name: None, after: String::new() }),
        ("check", Question::Check { name: None }),
        ("log-level", Question::LogLevel { filter: None }),
    ]
}

/// How long until the whole answer is here.
async fn asked(console: &AdminConnection, question: &Question) -> anyhow::Result<Duration> {
    let body = Bytes::from(serde_json::to_vec(question)?);
    let begun = Instant::now();
    let answering = async {
        let mut responses = console.request(body).await?;
        anyhow::Ok(responses.next().await.context("no answer")??)
    };
    let answer = timeout(LIMIT, answering).await??;
    let took = begun.elapsed();
    match serde_json::from_slice(&answer)? {
        Answered::Ok(_) => Ok(took),
        other => bail!("{other:?}"),
    }
}

/// The same on a real API server, where there is one.
#[cfg(feature = "servers")]
async fn real(
    args: &FleetArgs,
    folder: &Path,
    backups: u32,
    pattern: &Pattern,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    if std::env::var_os("ISOCHRON_KUBE").is_none() {
        eprintln!("no real API server: ISOCHRON_KUBE is not set (`set -a; . <(tests/servers/provide)`)");
        return Ok(());
    }
    let api = tests::servers::kube::KubeApi::start().await?;
    api.apply(&coordinator::edge::kube::crds()).await?;
    let kinds = ["crd/volumebackups.federation.pingcap.com", "crd/volumebackupschedules.federation.pingcap.com"];
    api.kubectl(&[&["wait", "--for=condition=Established", "--timeout=60s"], &kinds[..]].concat()).await?;
    let client = coordinator::edge::kube::client_of(&api.kubeconfig).await?;
    eprintln!("storing {backups} backups at a real API server");
    stored::store(&client, pattern, backups, stored::NAMESPACE).await?;
    let start = Start { backups, kubeconfig: Some(&api.kubeconfig), ..Start::default() };
    measure(args, folder, &start, "real API server", figures).await
}

#[cfg(not(feature = "servers"))]
async fn real(_: &FleetArgs, _: &Path, _: u32, _: &Pattern, _: &mut Figures) -> anyhow::Result<()> {
    eprintln!("no real API server: build with --features servers");
    std::future::ready(Ok(())).await
}
