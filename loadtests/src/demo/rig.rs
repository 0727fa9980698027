//! The rig: a world, a coordinator and its planes in one process, over real QUIC with mutual TLS.

use super::{
    args::DemoArgs,
    progress::Progress,
    report::Shown,
    search::{Found, config, snapshots_of},
};
use crate::embedded::{credentials, make_certificates, manifest, start_plane};
use anyhow::{Context, bail};
use bytes::Bytes;
use coordinator::{
    actors::Stored,
    config::CoordinatorConfig,
    console::{Answered, Question},
    edge,
    metrics::Metrics,
    pages::{report, timeline_svg},
    ports::{Inbound, LedgerKey},
};
use serde_json::Value;
use shared::{barrier::Record, request::Limits};
use shell::{
    clock::Clock,
    pki::Kind,
    quic::{self, AdminConnection, Client, Server},
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tests::{control::Control, world::World};
use tokio::sync::{mpsc, watch};

const NAMESPACE: &str = "br-admin";
const NAME: &str = "demo";
/// In the folder of `--keep`.
const REPORT: &str = "report.html";
/// A backup of the simulated cluster takes about 15 s; the whole may take this long.
const LIMIT: Duration = Duration::from_secs(150);
/// Between two looks at the console.
const LOOK: Duration = Duration::from_millis(150);
/// How long the bank runs before and after, to compare its throughput.
const BESIDE: Duration = Duration::from_secs(3);

pub(crate) async fn show(args: &DemoArgs, found: Found, progress: &Progress) -> anyhow::Result<Shown> {
    let folder = tempfile::tempdir().context("no folder for throw-away certificates")?;
    make_certificates(folder.path(), args.planes)?;
    let world_config = config(args, found.seed);
    let world = World::new(world_config.clone());
    let living = world.clone();
    let life = tokio::spawn(async move { living.run().await });

    let wall = {
        let world = world.clone();
        Arc::new(move || world.wall())
    };
    let limits = Limits { store_uptime: shared::time::Millis(0), ..Limits::default() };
    let control = Control::new(limits, wall.clone());
    let address = start_coordinator(folder.path(), &world_config, &control, Clock::with_wall(wall))?;
    for plane in &world_config.planes {
        start_plane(folder.path(), &world, &plane.name, address)?;
    }
    let admin = Client::new(credentials(folder.path(), Kind::Admin, "demo")?)?;
    let console = admin.dial_admin(&[address.to_string()], None, Duration::from_secs(10)).await?;

    tokio::time::sleep(BESIDE).await;
    progress
        .say(&format!("Applying VolumeBackup {NAMESPACE}/{NAME} for {} planes x {} stores", args.planes, args.stores));
    control.apply(&manifest(&world_config, NAMESPACE, NAME))?;
    let key = format!("{NAMESPACE}/{NAME}");
    tokio::time::timeout(LIMIT, follow(&console, &control, &key, progress))
        .await
        .with_context(|| format!("the backup did not end within {} s", LIMIT.as_secs()))??;
    tokio::time::sleep(BESIDE).await;

    let object = control.get(&key).context("the object is gone")?;
    let record = record(&control)?;
    let restored = match record.commit_ts.filter(|_| record.certificate.is_some()) {
        Some(commit_ts) => Some(world.restore(&snapshots_of(&record), commit_ts).map_err(anyhow::Error::msg)?),
        None => None,
    };
    let shown = Shown::new(object, record, restored, found, &world);
    if let Some(keep) = &args.keep {
        keep_objects(keep, &world)?;
        keep_pages(keep, &console).await?;
        progress.say(&format!("The report of the backup is {}", keep.join(REPORT).display()));
    }
    progress.say("Deleting the VolumeBackup (cleanPolicy: Delete)");
    control.delete(&key);
    let gone = tokio::time::timeout(LIMIT, control.wait(&key, |object| object.is_none())).await;
    if gone.is_err() {
        bail!(
            "the deletion did not end within {} s: {}",
            LIMIT.as_secs(),
            ask(&console, &Question::Why { name: NAME.to_owned() }).await?
        );
    }
    life.abort();
    Ok(shown.after_deletion(world.left_over()))
}

fn start_coordinator(
    folder: &Path,
    world: &tests::world::WorldConfig,
    control: &Control,
    clock: Clock,
) -> anyhow::Result<SocketAddr> {
    let server = Server::bind(
        SocketAddr::from(([127, 0, 0, 1], 0)),
        &credentials(folder, Kind::Coordinator, "demo")?,
        quic::Limits::default(),
    )?;
    let address = server.local_addr()?;
    let (planes_tx, planes) = mpsc::channel(edge::quic::GATE_QUEUE);
    let (admins_tx, admins) = mpsc::channel(edge::quic::GATE_QUEUE);
    tokio::spawn(edge::quic::serve(server, planes_tx, admins_tx));
    let (decision, leading) = watch::channel(true);
    let config = CoordinatorConfig {
        planes: world.planes.iter().map(|plane| plane.name.clone()).collect(),
        ..CoordinatorConfig::default()
    };
    let never = mpsc::channel(1).1;
    let known = watch::channel(config.planes.clone()).1;
    let (ports, inbound) =
        (control.ports(), Inbound { planes, admins, leading, standing: Arc::default(), known, stops: never });
    tokio::task::spawn_local(async move {
        let _decision = decision;
        if let Err(error) = coordinator::run(config, ports, clock, Arc::new(Metrics::new()), inbound).await {
            tracing::error!(%error, "coordinator ended");
        }
    });
    Ok(address)
}

async fn ask(console: &AdminConnection, question: &Question) -> anyhow::Result<Value> {
    let mut responses = console.request(Bytes::from(serde_json::to_vec(question)?)).await?;
    let answer = responses.next().await.context("the coordinator did not answer")??;
    match serde_json::from_slice(&answer)? {
        Answered::Ok(value) => Ok(value),
        Answered::Error(error) => bail!("console: {error}"),
        Answered::NotLeading { .. } => bail!("console: the only coordinator does not lead"),
    }
}

/// Shows progress until the backup has ended, well or badly.
async fn follow(console: &AdminConnection, control: &Control, key: &str, progress: &Progress) -> anyhow::Result<()> {
    loop {
        if let Ok(why) = ask(console, &Question::Why { name: NAME.to_owned() }).await {
            progress.show(&why);
        }
        if matches!(control.phase(key).as_str(), "Complete" | "Failed" | "Invalid") {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn record(control: &Control) -> anyhow::Result<Record> {
    let ledger = control.ledger();
    let text = ledger
        .iter()
        .find_map(|(key, body)| matches!(key, LedgerKey::Record(_)).then_some(body))
        .context("the ledger holds no record")?;
    Ok(Stored::<Record>::parse(text).map_err(anyhow::Error::msg)?.body)
}

/// What `coordinator console report` and `timeline -o svg` print.
async fn keep_pages(folder: &Path, console: &AdminConnection) -> anyhow::Result<()> {
    let name = || NAME.to_owned();
    let report = report(&ask(console, &Question::Show { name: name() }).await?).map_err(anyhow::Error::msg)?;
    let picture = timeline_svg(&ask(console, &Question::Timeline { name: name() }).await?);
    std::fs::create_dir_all(folder)?;
    for (file, text) in [(REPORT, report), ("timeline.svg", picture)] {
        let path = folder.join(file);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Before the deletion, so that anyone can open a backupmeta afterwards.
fn keep_objects(folder: &Path, world: &World) -> anyhow::Result<()> {
    for (key, body) in world.objects() {
        let path = folder.join(key);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, body).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
