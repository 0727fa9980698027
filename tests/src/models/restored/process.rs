//! One process of TiKV, what it runs on, and how it ended.

use super::disk::Disk;
use shared::{
    ids::{RegionId, StoreId},
    time::Timestamp,
    ts::Ts,
};
use std::collections::BTreeMap;

/// Plane and name.
pub type Pod = (String, String);

/// A region that this process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Led {
    /// Its whole log is applied from then on.
    pub(crate) applied_at: Timestamp,
    pub(crate) applied: bool,
}

/// How it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Decided by PD's mark at its start: it elects nobody by itself, and knows RecoverData.
    Recovery,
    /// As ever.
    Normal,
}

/// What a pod runs.
#[derive(Clone, Debug)]
pub struct Process {
    /// Plane and pod.
    pub pod: Pod,
    /// gRPC.
    pub address: String,
    /// Handles of what is mounted.
    pub volumes: Vec<String>,
    /// `None`: it has not come up yet; the text says why.
    pub mode: Result<Mode, String>,
    /// The store on its disk, once it is up.
    pub store: StoreId,
    /// When it came up, or tries again.
    pub at: Timestamp,
    /// Counts processes of this cluster.
    pub number: u64,
    pub(crate) engine: usize,
    pub(crate) leads: BTreeMap<RegionId, Led>,
    pub(crate) keeper: Option<Keeper>,
}

/// A set of volumes that a TiKV has run on.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) volumes: Vec<String>,
    pub(crate) disk: Disk,
}

impl Process {
    /// Is it there to be called?
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.mode.is_ok()
    }

    /// In recovery mode?
    #[must_use]
    pub fn recovers(&self) -> bool {
        self.mode == Ok(Mode::Recovery)
    }
}

/// RecoverRegion under way in one process.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    pub(crate) call: u64,
    pub(crate) regions: Vec<RegionId>,
    /// The next round.
    pub(crate) next: Timestamp,
    /// The last round found them all led.
    pub(crate) all_led: bool,
    pub(crate) answered: bool,
}

/// A TiKV that ended by its own assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Died {
    /// When.
    pub at: Timestamp,
    /// Which store.
    pub store: StoreId,
    /// In whose flashback.
    pub region: RegionId,
    /// The version that it found.
    pub newest: Ts,
    /// The flashback's own commit_ts, below it.
    pub commit_ts: Ts,
}
