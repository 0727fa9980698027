//! What a plane actor needs of the world, as traits. Actors know these and nothing behind them; `main.rs` joins them to
//! the edges, the simulation and the demo join them to doubles.

mod block;
mod cloud;
mod cloud_error;
mod error;
mod levels;
mod pd;
mod placement;
mod recovery;
mod storage;
mod tikv;
mod topology;
mod view;
mod volume;

use async_trait::async_trait;
use shared::{member::MemberLedger, time::Timestamp};
use shell::link::Link;
use std::sync::Arc;
use tokio::sync::watch;

pub use block::{BlockAt, BlockPage, BlockRead, SomeBlocks};
pub use cloud::{
    Blocks, Cloud, CloudConnect, CloudIdentity, Counted, CreateSnapshot, CreateSnapshots, Ec2, Find, Found,
    InstanceVolumes, Objects, SnapshotInfo, SnapshotState, VolumeAt, WebIdentity, WebIdentitySource,
};
pub use cloud_error::CloudError;
pub use error::PortError;
pub use levels::{Level, Levels};
pub use pd::{Pd, PdCluster, PdConnect, PdPause, PdRegion};
pub use placement::{BoundVolume, Gate, Owner, Placement, Put, WaitingClaim};
pub use recovery::{
    Asked, Flashback, FlashedBack, Leading, Marked, MarkedConnect, Piece, Recovery, RecoveryConnect, Summed,
};
pub use shared::member::coverage::{Applied, LedRegion, RegionAt};
pub use storage::{Storage, Tier};
pub use tikv::{EachRegion, Hold, HoldError, Tikv, TikvConnect, TikvSettings};
pub use topology::{
    ClusterTls, LocalStore, LocalVolume, Located, Manifest, Manifests, Mount, MountedOn, PdEndpoint, Topology,
};
pub use view::PlaneView;
pub use volume::{
    CreateVolume, Initialized, NewVolume, VolumeInfo, VolumeState, VolumeSum, Volumes, VolumesFound, Zone,
};

/// Everything a plane actor is joined to.
#[derive(Clone)]
pub struct Ports {
    /// This plane's API server (or a stand-alone description of it).
    pub topology: Arc<dyn Topology>,
    /// Finds PD.
    pub pd: Arc<dyn PdConnect>,
    /// Finds TiKV.
    pub tikv: Arc<dyn TikvConnect>,
    /// Finds EC2 and S3.
    pub cloud: Arc<dyn CloudConnect>,
    /// This plane's one small object.
    pub ledger: Arc<dyn PlaneLedger>,
    /// The way to the coordinator.
    pub dialer: Arc<dyn Dialer>,
    /// Where the plane's view is published.
    pub views: watch::Sender<PlaneView>,
    /// Where it is shown what is left of budgets.
    pub levels: Levels,
    /// The last lines that this process has logged, oldest first; bounded.
    pub logs: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// What `/metrics` shows now, as text.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What restores write with; `None`: this plane makes none.
    pub restore: Option<RestorePorts>,
    /// Wall clock; goes into reports only.
    pub wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What a restore is joined to.
#[derive(Clone)]
pub struct RestorePorts {
    /// Finds PD.
    pub marked: Arc<dyn MarkedConnect>,
    /// Finds TiKV.
    pub recovery: Arc<dyn RecoveryConnect>,
    /// This plane's API server, written to.
    pub placement: Arc<dyn Placement>,
}

/// This plane's one small object: epochs obeyed and evidence. Written by one process only; a lost compare-and-set means
/// that another plane actor of the same name runs, and is final.
#[async_trait]
pub trait PlaneLedger: Send + Sync {
    /// Empty at first.
    async fn load(&self) -> Result<MemberLedger, PortError>;
    /// Durable when it returns.
    async fn save(&self, ledger: &MemberLedger) -> Result<(), PortError>;
}

/// The way to the coordinator: frames, not QUIC.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// One dial; the caller backs off. Bounded in time.
    async fn dial(&self) -> Result<Link, PortError>;

    /// Ends when a new dial would show, or be shown, a newer certificate than the link that is open, or would find a better way.
    async fn outdated(&self) {
        std::future::pending().await
    }

    /// The process ends: what was said on links that were dropped is sent first. Bounded in time.
    async fn close(&self) {}
}
