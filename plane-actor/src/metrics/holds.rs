//! TiKV stores, with what was left of each lease when it was renewed.

use crate::ports::{
    Applied, ClusterTls, EachRegion, Hold, HoldError, PortError, RegionAt, Tikv, TikvConnect, TikvSettings,
};
use async_trait::async_trait;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use shared::{evidence::HoldKind, ids::RegionId, time::Millis, ts::Ts};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Seconds that were left: a lease is 30 s by default and renewed from half of it on; below 5 it was close.
const BUCKETS: [f64; 9] = [0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];

/// What came of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Renewed,
    /// The lease before it had ended: whatever it held was free for a moment.
    Lapsed,
    /// Another client took the store.
    TakenOver,
    /// No answer, or none that counts.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

/// Instruments of all stores together.
#[derive(Clone, Debug)]
pub(super) struct Leases {
    left: Histogram,
    renewals: Family<Labels, Counter>,
}

impl Leases {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self { left: Histogram::new(BUCKETS), renewals: Family::default() };
        registry.register_with_unit(
            "isochron_plane_lease_left",
            "What was left of a store's lease when its renewal was answered",
            Unit::Seconds,
            all.left.clone(),
        );
        registry.register(
            "isochron_plane_lease_renewals",
            "Renewals of stores' leases by what came of them",
            all.renewals.clone(),
        );
        for outcome in [Outcome::Renewed, Outcome::Lapsed, Outcome::TakenOver, Outcome::Broken] {
            drop(all.renewals.get_or_create(&Labels { outcome }));
        }
        all
    }

    /// `ends`: when the lease before it ended at the latest.
    fn renewed(&self, ends: Instant, answer: &Result<bool, HoldError>) {
        let outcome = match answer {
            Ok(true) => Outcome::Renewed,
            Ok(false) | Err(HoldError::Expired) => Outcome::Lapsed,
            Err(HoldError::TakenOver) => Outcome::TakenOver,
            Err(HoldError::Unimplemented | HoldError::NotReady(_) | HoldError::Broken(_)) => Outcome::Broken,
        };
        self.renewals.get_or_create(&Labels { outcome }).inc();
        if outcome == Outcome::Renewed {
            self.left.observe(ends.saturating_duration_since(Instant::now()).as_secs_f64());
        }
    }
}

/// Makes clients whose leases are counted.
pub(super) struct Metered {
    inner: Arc<dyn TikvConnect>,
    leases: Leases,
}

impl Metered {
    pub(super) fn new(inner: Arc<dyn TikvConnect>, leases: Leases) -> Self {
        Self { inner, leases }
    }
}

#[async_trait]
impl TikvConnect for Metered {
    async fn connect(&self, address: &str, tls: Option<&ClusterTls>) -> Result<Arc<dyn Tikv>, PortError> {
        let inner = self.inner.connect(address, tls).await?;
        Ok(Arc::new(MeteredStore { inner, leases: self.leases.clone() }))
    }
}

struct MeteredStore {
    inner: Arc<dyn Tikv>,
    leases: Leases,
}

impl MeteredStore {
    fn hold(&self, inner: Arc<dyn Hold>) -> Arc<dyn Hold> {
        Arc::new(MeteredHold { inner, leases: self.leases.clone(), ends: Mutex::new(None) })
    }
}

#[async_trait]
impl Tikv for MeteredStore {
    async fn settings(&self) -> Result<TikvSettings, PortError> {
        self.inner.settings().await
    }

    async fn open_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        Ok(self.hold(self.inner.open_hold().await?))
    }

    async fn open_weaker_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        Ok(self.hold(self.inner.open_weaker_hold().await?))
    }

    async fn led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError> {
        self.inner.led_regions(each).await
    }

    async fn safe_ts(&self, region: RegionId) -> Result<Ts, PortError> {
        self.inner.safe_ts(region).await
    }
}

struct MeteredHold {
    inner: Arc<dyn Hold>,
    leases: Leases,
    /// When the lease that stands ends at the latest, counted from when it was asked for; `None`: there is none yet.
    ends: Mutex<Option<Instant>>,
}

#[async_trait]
impl Hold for MeteredHold {
    fn kind(&self) -> HoldKind {
        self.inner.kind()
    }

    async fn lease(&self, length: Millis) -> Result<bool, HoldError> {
        let asked = Instant::now();
        let answer = self.inner.lease(length).await;
        // A probe takes no lease, and the first one renews nothing.
        let ends = (answer.is_ok() && length.0 > 0).then(|| asked + Duration::from_millis(length.0));
        let before = std::mem::replace(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner), ends);
        if let Some(before) = before {
            self.leases.renewed(before, &answer);
        }
        answer
    }

    async fn wait_apply(&self, regions: Vec<RegionAt>) -> Result<Applied, HoldError> {
        self.inner.wait_apply(regions).await
    }

    async fn finish(&self) -> Result<bool, HoldError> {
        self.inner.finish().await
    }
}
