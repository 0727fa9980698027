//! TiKV servers of a cluster that is being restored: [`crate::models::restored`] behind gRPC, in real time. Each process has an
//! address and a runtime of its own, so that its end cuts its connections; what lies on volumes comes from [`Images`]. With a
//! PD each start asks it for the mark, the first one bootstraps it, and all keep themselves alive there.

mod backup;
mod errors;
mod images;
mod kept;
mod keys;
mod kv;
mod recover;
mod told;

pub use images::{Content, CopyImage, Half, Image, Images, Version};

use super::{
    launch::{Life, listen, runtime, serve},
    pd::Leader,
    proto::{
        backup::backup_server::BackupServer, recover_data::recover_data_server::RecoverDataServer,
        tikvpb::tikv_server::TikvServer,
    },
};
use crate::models::{
    restored::{Beneath, Cluster, Disk, Ebs, Pd, Pod, Unfit},
    tikv::Lease,
};
use anyhow::{Context, Result};
use backup::BackupService;
use kept::{Kept, Served};
use kv::KvService;
use recover::RecoverService;
use shared::{
    ids::{ClusterId, SnapshotId, StoreId},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use tonic::transport::Server;

/// Between two looks at everything.
const TICK: Duration = Duration::from_millis(50);

/// Which snapshot a volume was made of.
pub type SnapshotOf = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Volumes by what they were made of.
struct OfImages {
    images: Images,
    snapshot_of: Box<SnapshotOf>,
}

impl Beneath for OfImages {
    fn volume(&self, handle: &str) -> Option<Ebs> {
        let snapshot = Some(SnapshotId((self.snapshot_of)(handle)?));
        Some(Ebs { snapshot, state: "available".to_owned(), zone: String::new() })
    }

    fn disk(&self, handles: &[String]) -> Result<Disk, Unfit> {
        let mut held = Vec::new();
        for handle in handles {
            let snapshot = (self.snapshot_of)(handle).ok_or(Unfit::Empty)?;
            let image = self.images.load(&snapshot).map_err(|error| Unfit::Misfit(format!("{error:#}")))?;
            held.push(image.ok_or(Unfit::Empty)?);
        }
        let data = held.first().ok_or(Unfit::Empty)?;
        if data.half != Half::Data {
            return Err(Unfit::Misfit("the data directory holds no StoreIdent".to_owned()));
        }
        let stores: BTreeSet<StoreId> = held.iter().map(|image| image.store).collect();
        if stores.len() > 1 {
            return Err(Unfit::Misfit(format!("volumes of the stores {stores:?} are mounted together")));
        }
        Ok(data.disk())
    }
}

/// How fast it is; what TiKV takes ten seconds for may be a tenth of one here.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two rounds of elections.
    pub round: Duration,
    /// From a start to TiKV's question for the mark.
    pub start: Duration,
    /// From a start without the mark to elections.
    pub election: Duration,
}

impl Default for Pace {
    /// As TiKV has them, but for the start.
    fn default() -> Self {
        Self { round: Duration::from_secs(10), start: Duration::from_secs(1), election: Duration::from_secs(10) }
    }
}

/// A running cluster. Dropping it ends every process.
pub struct RestoredTikv {
    kept: Arc<Kept>,
    ticker: Option<Runtime>,
}

impl Drop for RestoredTikv {
    fn drop(&mut self) {
        if let Some(runtime) = self.ticker.take() {
            runtime.shutdown_background();
        }
    }
}

impl RestoredTikv {
    /// Beside the PD at these URLs; none: a PD of the model alone, marked and with this cluster id.
    ///
    /// # Errors
    /// PD does not answer.
    pub async fn start(
        urls: Vec<String>,
        alone: ClusterId,
        pace: Pace,
        images: Images,
        snapshot_of: Box<SnapshotOf>,
    ) -> Result<Self> {
        let id = if urls.is_empty() { alone } else { ClusterId(Leader::find(&urls).await?.cluster()) };
        let mut pd = Pd::new(id);
        pd.marked = urls.is_empty();
        let mut cluster = Cluster::new(pd, Vec::new(), Timestamp(jiff::Timestamp::now().as_millisecond()));
        let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        (cluster.round_ms, cluster.start_ms) = (millis(pace.round), millis(pace.start));
        cluster.election_ms = millis(pace.election);
        let kept = Arc::new(Kept::new(cluster, Box::new(OfImages { images, snapshot_of })));
        let ticker = runtime("restored-tikv")?;
        ticker.spawn(live(Arc::clone(&kept), urls));
        Ok(Self { kept, ticker: Some(ticker) })
    }

    /// A pod starts on these volumes, the data volume first. Its address is `host:port`.
    pub fn run_pod(&self, pod: Pod, address: SocketAddr, volumes: Vec<String>) {
        self.kept.with(|cluster, now| {
            let at = Timestamp(now.0 + cluster.start_ms);
            cluster.launch(pod, address.to_string(), volumes, at);
        });
    }

    /// The pod is deleted and made anew: another process on the same volumes.
    pub fn restart(&self, pod: &Pod) {
        self.kept.with(|cluster, now| cluster.restart(pod, now));
    }

    /// Looks at it, or does something to it.
    pub fn alter<T>(&self, act: impl FnOnce(&mut Cluster) -> T) -> T {
        self.kept.with(|cluster, _| act(cluster))
    }
}

/// Lets time pass, and has each process that is up served where it listens.
async fn live(kept: Arc<Kept>, urls: Vec<String>) {
    let mut lives: BTreeMap<Pod, (u64, Life)> = BTreeMap::new();
    loop {
        let starting = kept.with(|cluster, _| cluster.processes.values().any(|process| !process.is_up()));
        if starting && !urls.is_empty() {
            ask_for_mark(&kept, &urls).await;
        }
        let up: BTreeMap<Pod, (u64, String, bool)> = kept.with(|cluster, _| {
            let up = cluster.processes.iter().filter(|(_, process)| process.is_up());
            up.map(|(pod, of)| (pod.clone(), (of.number, of.address.clone(), of.recovers()))).collect()
        });
        lives.retain(|pod, (number, _)| up.get(pod).is_some_and(|(other, ..)| other == number));
        for (pod, (number, address, recovers)) in up {
            if lives.contains_key(&pod) {
                continue;
            }
            match serve_pod(&kept, &pod, (number, &address, recovers), &urls) {
                Ok(life) => drop(lives.insert(pod, (number, life))),
                Err(error) => tracing::warn!(?pod, error = format!("{error:#}"), "a TiKV cannot be served"),
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// What each start asks; a question that fails is "not marked".
async fn ask_for_mark(kept: &Kept, urls: &[String]) {
    let asked = async { Leader::find(urls).await?.is_marked().await };
    let marked = asked.await.unwrap_or(false);
    kept.with(|cluster, _| cluster.pd.marked = marked);
}

fn serve_pod(
    kept: &Arc<Kept>,
    pod: &Pod,
    (number, address, recovers): (u64, &str, bool),
    urls: &[String],
) -> Result<Life> {
    let listener = listen(address.parse().context("an address is host:port")?)?;
    let runtime = runtime(&pod.1)?;
    let (kept, pod) = (Arc::clone(kept), pod.clone());
    let process = Served { kept: Arc::clone(&kept), pod: pod.clone(), number };
    let recover = RecoverService { process: process.clone() };
    let lease = Arc::new(Mutex::new(Lease::default()));
    let backup = BackupService { process: process.clone(), lease, born: Instant::now() };
    let kv = KvService { process };
    let router = Server::builder()
        .add_service(BackupServer::new(backup))
        .add_service(TikvServer::new(kv))
        // Registered in recovery mode only.
        .add_optional_service(recovers.then(|| RecoverDataServer::new(recover)));
    serve(&runtime, router, listener, &pod.1)?;
    if !urls.is_empty() {
        let store = kept.with(|cluster, _| cluster.store_in(&pod));
        runtime.spawn(told::keep(kept, store, urls.to_vec()));
    }
    Ok(Life::of(runtime))
}
