//! The simulated world: one TiDB cluster over several planes, its cloud, and the ports that a plane actor is joined to.
//!
//! ```text
//!   clients of the bank ──► regions (raft, Percolator) on stores ──► volumes ──► snapshots ──► restore, oracle
//!                               ▲            ▲                          ▲
//!   PD schedulers, GC, others ──┘   ports: Tikv, Pd                ports: Ec2, Objects
//! ```
//!
//! One [`World`] is one seed. All its time is tokio's, so paused time drives it; all its randomness comes from the seed;
//! in virtual time on one thread the same calls give the same bytes ([`World::history_hash`]). Let [`World::run`] run
//! beside the programs under test: it lets events happen when they are due. Every port call does so as well, so a world
//! that is only looked at is up to date too.
//!
//! Every double has the real system's odd habits; the facts they come from are cited where they live.

mod account;
mod admin;
mod bank;
mod beneath;
mod calls;
mod capture;
mod cloud;
mod config;
mod control;
mod counters;
mod earlier;
mod engine;
mod events;
mod faults;
mod found;
mod image;
mod k8s;
mod kept;
mod kind;
mod lead;
mod live;
mod margins;
mod oracle;
mod pd_calls;
mod pd_state;
mod port_blocks;
mod port_cloud;
mod port_connect;
mod port_kube;
mod port_marked;
mod port_pd;
mod port_placement;
mod port_recovery;
mod port_s3;
mod port_target_pd;
mod port_target_tikv;
mod port_tikv;
mod port_volumes;
mod ports;
mod process;
mod raft;
mod resolved;
mod restore;
mod restored;
mod scheduler;
mod seen;
mod setup;
mod store;
mod target;
mod targets;
mod txn;
mod waiting;

pub use bank::Transfer;
pub use config::{Ec2Config, PlaneConfig, Span, WorldConfig};
pub use control::Control;
pub use counters::{Counters, LeftOver};
pub use faults::{Ec2Faults, Faults};
pub use image::Cut;
pub use oracle::Finding;
pub use restore::{Restored, Torn, TornHalf};
pub use seen::{Facts, SnapshotFact};
pub use target::TargetCluster;

use crate::models::regions::{apply, kv, peer};
use engine::{State, millis};
use shared::{ids::SnapshotId, time::Timestamp, ts::Ts};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Longest sleep of [`World::run`] between two looks at the queue. Every call from outside lets happen what is due, so
/// nothing waits for this; it only keeps what is due at one look few.
const LOOK: Duration = Duration::from_millis(100);

/// A handle; clones are the same world.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    begun: Instant,
    waiting: waiting::Waiting,
}

impl World {
    /// Builds the cluster; time begins now. Call it inside the runtime whose clock is to drive it.
    pub fn new(config: WorldConfig) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(config))),
            begun: Instant::now(),
            waiting: waiting::Waiting::default(),
        }
    }

    /// Lets the world live. Never ends; drop it (or abort its task) to stop the world.
    pub async fn run(&self) {
        loop {
            let wait = self.with(|state| state.next_due().map(|due| due.saturating_sub(state.now)));
            let wait = wait.map_or(LOOK, Duration::from_millis).max(LOOK);
            tokio::time::sleep(wait).await;
        }
    }

    /// What the world was made of.
    pub fn config(&self) -> WorldConfig {
        self.with(|state| state.config.clone())
    }

    /// The wall clock of a plane's host; "" is the coordinator's.
    pub fn wall_of(&self, host: &str) -> Timestamp {
        self.with(|state| {
            let skew = state.faults.wall_skew.get(host).copied().unwrap_or(0);
            Timestamp(state.wall().0.saturating_add(skew))
        })
    }

    /// The world's wall clock.
    pub fn wall(&self) -> Timestamp {
        self.with(|state| state.wall())
    }

    /// What callers have changed so far.
    pub fn mutations(&self) -> Counters {
        self.with(|state| state.counters)
    }

    /// What still exists of what callers created.
    pub fn left_over(&self) -> LeftOver {
        self.with(State::left_over)
    }

    /// So many transfers begin every second from now on.
    pub fn set_transfers(&self, per_second: u32) {
        self.with(|state| state.set_transfers(per_second));
    }

    /// Transfers committed since the beginning.
    pub fn committed(&self) -> u64 {
        self.with(|state| state.bank.committed)
    }

    /// Transfers committed, by second of the world: before, during and after a hold.
    pub fn throughput(&self) -> Vec<(u64, u64)> {
        self.with(|state| state.bank.per_second.iter().map(|(second, count)| (*second, *count)).collect())
    }

    /// Milliseconds since the world began: the clock of [`Self::throughput`].
    pub fn elapsed_ms(&self) -> u64 {
        self.with(|state| state.now)
    }

    /// Milliseconds between two moments of the world in which somebody waited for a simulated call.
    pub fn waited_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        self.waiting.within(from_ms, to_ms)
    }

    /// The bank's sum now, read through the leaders, and what it must be. `None` while some region is between leaders.
    pub fn live_sum(&self) -> Option<(i64, i64)> {
        self.with(|state| Some((state.live_sum()?, state.expected_sum())))
    }

    /// Regions now, and admin commands applied and rejected so far, by kind.
    pub fn activity(&self) -> (usize, BTreeMap<&'static str, u64>) {
        self.with(|state| (state.regions.len(), state.admin.clone()))
    }

    /// Hash over everything that happened, in order. Equal for equal seeds and calls in virtual time.
    pub fn history_hash(&self) -> u64 {
        self.with(|state| state.hash())
    }

    /// Rolls these snapshots back to `commit_ts` and audits the bank. Errors name a snapshot that does not exist.
    pub fn restore(&self, snapshots: &[SnapshotId], commit_ts: Ts) -> Result<Restored, String> {
        let cut = self.cut(snapshots, commit_ts)?;
        Ok(self.restore_cut(&cut))
    }

    /// The same for a cut at hand.
    pub fn restore_cut(&self, cut: &Cut) -> Restored {
        self.with(|state| state.restore(cut))
    }

    /// The cut that these snapshots are.
    pub fn cut(&self, snapshots: &[SnapshotId], commit_ts: Ts) -> Result<Cut, String> {
        self.with(|state| state.cut_of(snapshots, commit_ts))
    }

    /// Judges a cut by the world's memory, without any knowledge of the protocol. Empty: consistent.
    pub fn judge(&self, cut: &Cut) -> Vec<Finding> {
        self.with(|state| state.judge(cut))
    }

    /// Versions in a cut above what a certificate says is above all of them.
    pub fn above(&self, cut: &Cut, ceiling: Ts) -> Vec<Finding> {
        oracle::above(cut, ceiling)
    }

    /// Every object in the bucket.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.with(|state| state.objects.clone())
    }

    /// Lets everything happen that is due, then looks or acts. Never call it from inside itself.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let now = millis(self.begun.elapsed());
        let mut state: MutexGuard<'_, State> = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance_to(now);
        act(&mut state)
    }

    /// Takes as long as a call takes.
    pub(crate) async fn pause(&self, span: Span) {
        let length = self.with(|state| state.draw_call(span));
        self.sleep_ms(length).await;
    }

    pub(crate) async fn sleep_ms(&self, length: u64) {
        if length > 0 {
            self.waiting.begin(self.elapsed_ms());
            tokio::time::sleep(Duration::from_millis(length)).await;
            self.waiting.end(self.elapsed_ms());
        }
    }
}
