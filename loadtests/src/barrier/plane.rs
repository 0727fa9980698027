//! The plane's process: a plane actor with its real TiKV edge, ordered by hand. Prints its figures as JSON.

use crate::{
    figures::{Figure, Figures},
    process::{cpu_seconds, peak_mebibytes},
};
use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use clap::Args;
use plane_actor::{
    config::PlaneConfig,
    edge::tikv::{StatusAddresses, TikvConnector},
    ports::{ClusterTls, PlaneView, PortError, Tikv, TikvConnect},
};
use shared::{
    epoch::Epoch,
    ids::{Attempt, BackupUid, ClusterId},
    reason::Reason,
    request::{Limits, MemberSpec, SizeLevel},
    wire::{self, Abort, Answer, Cover, Down, Order, Prepare, Renew, Settle, Settled, Up},
};
use shell::link::Link;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};
use tests::{
    by_order::{Door, member_spec},
    world::{World, WorldConfig},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
    task::LocalSet,
    time::Instant,
};

/// Of the child process.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlaneArgs {
    /// Addresses of the stores: JSON, `[[grpc, status], …]`.
    #[arg(long)]
    stores: PathBuf,
    /// Log filter.
    #[arg(long)]
    log: String,
}

/// Between two renewals of the plane's lease, as a coordinator renews it.
const RENEW: Duration = Duration::from_secs(3);

const EPOCH: Epoch = Epoch(3);

pub(crate) fn main(args: &PlaneArgs) -> anyhow::Result<bool> {
    shell::telemetry::init(shell::telemetry::Format::Text, &args.log)?;
    let stores: Vec<(String, String)> = serde_json::from_slice(&std::fs::read(&args.stores)?)?;
    // As the plane actor's own main has it on one core.
    let (leases, work) = (runtime("leases")?, runtime("work")?);
    let actors = Builder::new_current_thread().enable_all().build()?;
    let figures = LocalSet::new().block_on(&actors, run(&stores, &leases, &work))?;
    leases.shutdown_background();
    work.shutdown_background();
    println!("{}", figures.json()?);
    Ok(true)
}

fn runtime(name: &str) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()
}

async fn run(stores: &[(String, String)], leases: &Runtime, work: &Runtime) -> anyhow::Result<Figures> {
    let world = World::new(world_config(stores.len())?);
    let living = world.clone();
    tokio::spawn(async move { living.run().await });
    let plane = world.config().planes.first().context("a plane")?.name.clone();
    let (door, mut links) = mpsc::channel(4);
    let mut ports =
        world.plane_ports(&plane, Arc::new(Door { links: door, name: plane.clone(), outdated: Arc::default() }));
    let listed = world.stores().len();
    ensure!(listed == stores.len(), "{listed} stores in the world, {} servers", stores.len());
    ports.tikv = Arc::new(Servers::new(&world, stores));
    let views = ports.views.subscribe();
    let mut config = PlaneConfig { new_ledger: format!("ledger-{plane}"), ..PlaneConfig::new(plane.clone()) };
    config.lease_runtime = Some(leases.handle().clone());
    config.work_runtime = Some(work.handle().clone());
    tokio::task::spawn_local(async move {
        if let Err(error) = plane_actor::run(config, ports, std::future::pending()).await {
            tracing::error!(%error, "the plane ended");
        }
    });
    let left = tokio::task::spawn_local(least_left(views));
    let link = links.recv().await.context("the plane dials")?;
    let mut hand = Hand { link, renewals: 0, renewed: Instant::now(), figures: Figures::default() };
    hand.barrier(spec(&world, &plane)).await?;
    let mut figures = hand.figures;
    left.abort();
    // What it has seen so far is in the last value; a task that was ended says nothing.
    let percent = LEAST.load(std::sync::atomic::Ordering::Relaxed) as f64 / 100.0;
    figures.add(Figure::at_least("smallest lease left, as the plane knew it", percent, "%", 60.0));
    figures.add(Figure::at_most("peak memory", peak_mebibytes()?, "MiB", 256.0));
    Ok(figures)
}

/// Hundredths of a percent of a store lease.
static LEAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(10_000);

/// Between two views time goes on: the least is what was left at the one before, less the time since.
async fn least_left(mut views: watch::Receiver<PlaneView>) {
    let lease = Limits::default().store_lease.0 as f64;
    let mut before: Option<(f64, Instant)> = None;
    while views.changed().await.is_ok() {
        let now = Instant::now();
        let left =
            views.borrow().members.iter().filter_map(|view| view.store_lease_left).min().map(|left| left.0 as f64);
        if let (Some((held, at)), Some(_)) = (before, left) {
            let least = (held - (now - at).as_millis() as f64).max(0.0) / lease * 10_000.0;
            LEAST.fetch_min(least as u64, std::sync::atomic::Ordering::Relaxed);
        }
        before = left.map(|left| (left, now));
    }
}

fn world_config(stores: usize) -> anyhow::Result<WorldConfig> {
    let mut config = WorldConfig::seeded(1);
    config.planes.truncate(1);
    config.stores_per_plane = u32::try_from(stores)?;
    (config.regions, config.accounts, config.transfers_per_second) = (8, 8, 1);
    (config.scheduler_every, config.unruly_every) = (None, None);
    Ok(config)
}

/// The servers in place of the world's stores.
struct Servers {
    inner: TikvConnector,
    addresses: BTreeMap<String, String>,
}

impl Servers {
    fn new(world: &World, stores: &[(String, String)]) -> Self {
        let status = StatusAddresses::default();
        status.note(ClusterId(1), stores.iter().cloned().collect());
        let addresses = world.addresses().into_iter().zip(stores).map(|(own, (grpc, _))| (own, grpc.clone())).collect();
        Self { inner: TikvConnector::new(status), addresses }
    }
}

#[async_trait]
impl TikvConnect for Servers {
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Tikv>, PortError> {
        let unknown = || PortError::Unavailable(format!("no server for {address}"));
        self.inner.connect(self.addresses.get(address).ok_or_else(unknown)?, tls).await
    }
}

/// What a coordinator would order, and what it costs.
struct Hand {
    link: Link,
    renewals: u64,
    renewed: Instant,
    figures: Figures,
}

impl Hand {
    async fn barrier(&mut self, spec: MemberSpec) -> anyhow::Result<()> {
        let settle = spec.limits.settle;
        let prepared = self.step("Preparing", Order::Prepare(Prepare { round: 1, spec }), None).await?;
        let Answer::Prepared(_) = prepared else { bail!("{prepared:?}") };
        self.step("Reserve", Order::Reserve, None).await?;
        let held = self.step("PD held", Order::Settle(Settle::HoldPd), None).await?;
        let Answer::Settled(Settled::PdHeld { gc_hold, .. }) = held else { bail!("{held:?}") };
        tracing::info!(settle = settle.0, "settling");
        let settled = self.step("Settle", Order::Settle(Settle::Leaders { gc_hold }), Some(("time", 5.0))).await?;
        let Answer::Settled(Settled::Leaders { regions, .. }) = settled else { bail!("{settled:?}") };
        self.figures.add(Figure::shown("regions", regions as f64, ""));
        let suspended = self.step("Suspend", Order::Suspend, None).await?;
        let Answer::Suspended(_) = suspended else { bail!("{suspended:?}") };
        let cover = Order::Cover(Cover { round: 1, name_missing: false });
        let covered = self.step("Cover", cover, Some(("CPU", 6.0))).await?;
        let Answer::Covered(covered) = covered else { bail!("{covered:?}") };
        ensure!(covered.digest.tiling.is_whole(), "the regions do not tile the key space");
        ensure!(covered.digest.regions == regions, "{} regions covered, {regions} led", covered.digest.regions);
        self.step("let go", Order::Abort(Abort { reason: Reason::Cancelled }), None).await?;
        Ok(())
    }

    /// Orders, hears, and notes the time and the processor's time that it took. `bound`: of one of both, in seconds.
    async fn step(&mut self, name: &str, order: Order, bound: Option<(&str, f64)>) -> anyhow::Result<Answer> {
        let (begun, used) = (Instant::now(), cpu_seconds()?);
        self.say(order).await?;
        let answer = self.hear().await?;
        let took = [("time", begun.elapsed().as_secs_f64()), ("CPU", cpu_seconds()? - used)];
        for (what, seconds) in took {
            let name = format!("{name}: {what}");
            self.figures.add(match bound {
                Some((bounded, bound)) if bounded == what => Figure::at_most(&name, seconds, "s", bound),
                _ => Figure::shown(&name, seconds, "s"),
            });
        }
        Ok(answer)
    }

    async fn say(&mut self, order: Order) -> anyhow::Result<()> {
        let epoch = if matches!(order, Order::Prepare(_)) { Epoch::NONE } else { EPOCH };
        let attempt = Attempt { backup: BackupUid::new("uid-1"), number: 1 };
        let frame = Bytes::from(wire::encode(&Down::Order { attempt, epoch, order })?);
        self.link.tx.send(frame).await.map_err(|_| anyhow::anyhow!("the link ended"))
    }

    /// The next answer that is no progress; renews meanwhile.
    async fn hear(&mut self) -> anyhow::Result<Answer> {
        loop {
            if self.renewed.elapsed() >= RENEW {
                self.renewed = Instant::now();
                self.renewals += 1;
                self.say(Order::Renew(Renew { number: self.renewals })).await?;
            }
            let Ok(frame) = tokio::time::timeout(RENEW / 4, self.link.rx.recv()).await else { continue };
            match wire::decode(&frame.context("the link ended")?)? {
                Up::Answer { answer: Answer::Progress(_) | Answer::Renewed(_), .. }
                | Up::Preflighted(_)
                | Up::Verified(_)
                | Up::Scanned(_)
                | Up::Diagnosed(_)
                | Up::Inspected(_)
                | Up::Restored(_) => {}
                Up::Answer { answer: Answer::Refused(refusal), .. } => bail!("refused: {refusal}"),
                Up::Answer { answer, .. } => return Ok(answer),
            }
        }
    }
}

fn spec(world: &World, plane: &str) -> MemberSpec {
    let limits = Limits { store_uptime: shared::time::Millis(0), ..Limits::default() };
    MemberSpec { size_level: SizeLevel::None, limits, ..member_spec(world, plane) }
}
