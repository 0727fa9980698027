//! State that all stores of the server share, behind one lock that is never held across an await.

use super::{
    restored::Content,
    table::{Region, SafeTs},
};
use crate::models::tikv::{self, Imports, Lease};
use shared::{time::Millis, ts::Ts};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// What kind of TiKV a store plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One that can be backed up.
    #[default]
    Normal,
    /// Too old to be held in full: the prepare call is UNIMPLEMENTED.
    Old,
    /// Too old for either hold: imports cannot be suspended either.
    Older,
    /// partitioned-raft-kv: UNAVAILABLE for ever.
    V2,
    /// Not fully started: UNAVAILABLE for now.
    Starting,
}

/// How a store behaves; may be changed at any time.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// What kind of TiKV it is.
    pub mode: Mode,
    /// As PD and the status port show it; without a leading v.
    pub version: String,
    /// `resolved-ts.enable`
    pub resolved_ts_enable: bool,
    /// `raftstore.[pd-]report-min-resolved-ts-interval`
    pub report_interval: String,
    /// `raft-engine.dir`; `None`: as TiKV chooses it.
    pub raft_dir: Option<String>,
    /// UpdateLease requests are read and obeyed, and never answered.
    pub mute_renewals: bool,
    /// The answer to an UpdateLease leaves this late; the stream stands still meanwhile.
    pub renewal_delay: Duration,
    /// GetRegionReadProgress answers this as its error.
    pub safe_ts_error: Option<String>,
    /// GetRegionReadProgress takes this long.
    pub safe_ts_delay: Duration,
    /// Heartbeats and reports go to PD.
    pub heartbeats: bool,
}

/// Mutations that clients caused on a store, and what else they asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Prepare streams opened; each cut off the one before.
    pub streams: u64,
    /// UpdateLease of 0 s.
    pub probes: u64,
    /// UpdateLease of more than 0 s.
    pub leases: u64,
    /// Regions named in WaitApply.
    pub wait_applies: u64,
    /// Finish.
    pub finishes: u64,
    /// SuspendImportRPC that suspended.
    pub import_stops: u64,
    /// SuspendImportRPC that let imports go on.
    pub import_starts: u64,
}

/// One store.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) address: SocketAddr,
    pub(super) status: SocketAddr,
    pub(super) start_timestamp: i64,
    pub(super) running: bool,
    pub(super) lease: Lease,
    /// When it was last asked for.
    pub(super) leased_at: Option<Instant>,
    /// The longest time between two requests for it, or between one and Finish.
    pub(super) longest_gap: Duration,
    /// By Unix milliseconds.
    pub(super) imports: Imports,
    pub(super) knobs: Knobs,
    pub(super) counters: Counters,
    /// Number of the newest prepare stream.
    pub(super) newest: watch::Sender<u64>,
}

/// Everything behind the lock.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) stores: BTreeMap<u64, Store>,
    pub(super) regions: BTreeMap<u64, Region>,
    /// Regions by leader, as of the last list; empty since one changed.
    pub(super) led: BTreeMap<u64, Vec<u64>>,
    /// How far safe_ts lies behind the clock.
    pub(super) lag: Millis,
    /// What is kept of keys, by raw key, in whatever region they are.
    pub(super) contents: BTreeMap<Vec<u8>, Content>,
}

impl Store {
    /// A lease was asked for, or ended.
    pub(super) fn note_lease(&mut self, taken: bool) {
        let now = Instant::now();
        if let Some(before) = self.leased_at {
            self.longest_gap = self.longest_gap.max(now - before);
        }
        self.leased_at = taken.then_some(now).or(self.leased_at);
    }
}

impl State {
    /// What a store leads. A cluster may have millions of regions, so this is sorted out once for all stores.
    pub(super) fn led_by(&mut self, store: u64) -> impl Iterator<Item = &Region> {
        let Self { led, regions, .. } = self;
        if led.is_empty() {
            for (id, region) in &*regions {
                if let Some(leader) = region.leader {
                    led.entry(leader).or_default().push(*id);
                }
            }
        }
        let regions = &*regions;
        led.get(&store).into_iter().flatten().filter_map(move |id| regions.get(id))
    }

    /// safe_ts of a region now.
    pub(super) fn safe_ts(&self, region: &Region) -> Ts {
        match region.safe_ts {
            SafeTs::Fixed(ts) => ts,
            SafeTs::Advancing => Ts::compose(unix_ms().saturating_sub(self.lag.0), 0),
        }
    }

    /// What TiKV reports to PD.
    pub(super) fn min_resolved_ts(&self, store: u64) -> Ts {
        let local = self.regions.values().filter(|region| region.peers.contains_key(&store));
        tikv::min_resolved(local.map(|region| self.safe_ts(region))).unwrap_or(Ts::ZERO)
    }
}

/// The lock, the clock of the leases, and the bell that wakes the heartbeats.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    base: Instant,
    pub(super) changed: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), base: Instant::now(), changed: watch::Sender::new(0) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whole monotonic seconds, like TiKV's coarse clock; never 0, which would read as "no lease".
    pub(super) fn seconds(&self) -> u64 {
        1_000 + self.base.elapsed().as_secs()
    }

    /// Tells the heartbeats that regions or stores changed.
    pub(super) fn ring(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
