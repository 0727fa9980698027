//! Where things run in production: leases on a thread of their own, what computes on another, and neither on the actors'.

use crate::scripted::ScriptedCoordinator;
use async_trait::async_trait;
use plane_actor::ports::{ClusterTls, EachRegion, Hold, HoldError, PortError, Tikv, TikvConnect, TikvSettings};
use shared::{ids::RegionId, ts::Ts};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread,
};
use tests::world::{World, WorldConfig};
use tokio::runtime::{Builder, Handle, Runtime};

/// The two runtimes beside the actors', and which calls were made on whose thread.
pub(crate) struct Apart {
    leases: Runtime,
    work: Runtime,
    seen: Mutex<BTreeMap<(&'static str, String), u64>>,
}

impl Apart {
    fn start() -> Arc<Self> {
        let runtime =
            |name| Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().unwrap();
        Arc::new(Self { leases: runtime("leases"), work: runtime("work"), seen: Mutex::default() })
    }

    pub(crate) fn handles(&self) -> (Handle, Handle) {
        (self.leases.handle().clone(), self.work.handle().clone())
    }

    pub(crate) fn watch(self: &Arc<Self>, inner: Arc<dyn TikvConnect>) -> Arc<dyn TikvConnect> {
        Arc::new(Watched { inner, apart: self.clone() })
    }

    fn note(&self, call: &'static str) {
        let thread = thread::current().name().unwrap_or_default().to_owned();
        *self.seen.lock().unwrap().entry((call, thread)).or_default() += 1;
    }

    fn threads(&self, call: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.keys().filter(|(seen, _)| *seen == call).map(|(_, thread)| thread.clone()).collect()
    }
}

struct Watched<T> {
    inner: T,
    apart: Arc<Apart>,
}

#[async_trait]
impl TikvConnect for Watched<Arc<dyn TikvConnect>> {
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Tikv>, PortError> {
        self.apart.note("connect");
        let inner = self.inner.connect(address, tls).await?;
        Ok(Arc::new(Watched { inner, apart: self.apart.clone() }))
    }
}

#[async_trait]
impl Tikv for Watched<Arc<dyn Tikv>> {
    async fn settings(&self) -> Result<TikvSettings, PortError> {
        self.inner.settings().await
    }

    async fn open_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        self.apart.note("open_hold");
        self.inner.open_hold().await
    }

    async fn open_weaker_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        self.inner.open_weaker_hold().await
    }

    async fn led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError> {
        self.apart.note("led_regions");
        let apart = &self.apart;
        self.inner
            .led_regions(&mut |led| {
                apart.note("a region is judged");
                each(led);
            })
            .await
    }

    async fn safe_ts(&self, region: RegionId) -> Result<Ts, PortError> {
        self.apart.note("safe_ts");
        self.inner.safe_ts(region).await
    }
}

#[test]
fn neither_leases_nor_regions_are_on_the_actors_thread() {
    let apart = Apart::start();
    let actors = Builder::new_current_thread().enable_all().build().unwrap();
    actors.block_on(async {
        let mut config = WorldConfig::seeded(41);
        config.planes.truncate(1);
        let world = World::new(config);
        let living = world.clone();
        let life = tokio::spawn(async move { living.run().await });
        let mut hand = ScriptedCoordinator::apart(&world, &apart);
        hand.prepare().await;
        hand.settle().await;
        hand.suspend().await;
        hand.cover().await;
        life.abort();
    });
    assert_eq!(apart.threads("connect"), ["leases", "work"], "a connection is served where it was dialled");
    assert_eq!(apart.threads("open_hold"), ["leases"]);
    for call in ["led_regions", "a region is judged", "safe_ts"] {
        assert_eq!(apart.threads(call), ["work"], "{call}");
    }
    // Runtimes do not end within another's task.
    drop(actors);
}
