//! The world's one queue of events and its clock. Everything that happens by itself is an event with a due time; every
//! look from outside first lets all events happen that are due. So paused time drives the world exactly, and the same
//! seed and the same calls give the same history.

use super::{
    bank::{Bank, Job, Waiter},
    calls::Calls,
    cloud::CloudState,
    config::{Span, WorldConfig},
    counters::Counters,
    faults::Faults,
    kv::Key,
    margins::Margins,
    pd_state::PdState,
    peer::{Peer, Region},
    store::Store,
    target::Target,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use shared::{
    ids::{RegionId, StoreId},
    member::MemberLedger,
    time::Timestamp,
    ts::Ts,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What happens by itself.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Append(RegionId, StoreId),
    Apply(RegionId, StoreId),
    SendSnapshot(RegionId, StoreId),
    /// The learner becomes a member in place of another.
    Promote(RegionId, StoreId),
    Destroy(RegionId, StoreId),
    ResolverReady(RegionId, StoreId),
    /// The source of a prepared merge.
    Merge(RegionId),
    /// File to a store.
    Upload(StoreId, u64),
    Ingest(RegionId, u64),
    BeginTransfer,
    CommitPrimary(u64),
    Job(Job),
    ResolvedTs,
    Scheduler,
    Unruly,
    Gc,
    CollectGarbage(StoreId, Ts),
}

/// All of the world. Ports and tests reach it through [`super::World`] only.
pub(crate) struct State {
    pub(crate) config: WorldConfig,
    /// Milliseconds since the world began.
    pub(crate) now: u64,
    /// Counts events and calls from outside: an order of causes for the oracle.
    pub(crate) mark: u64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    /// Fixes what the cluster does.
    pub(crate) rng: SmallRng,
    /// Fixes what the bank's clients do.
    pub(crate) bank_rng: SmallRng,
    /// Fixes how long calls from outside take.
    pub(crate) call_rng: SmallRng,
    hash: u64,
    pub(crate) stores: BTreeMap<StoreId, Store>,
    pub(crate) regions: BTreeMap<RegionId, Region>,
    /// Start key to region, as leaders have applied it.
    pub(crate) routes: BTreeMap<Key, RegionId>,
    /// Members that a learner is about to replace.
    pub(crate) leaving: BTreeMap<RegionId, StoreId>,
    pub(crate) next_region: u64,
    pub(crate) next_file: u64,
    /// Commands under way: who waits, and what came of it where it was first applied.
    pub(crate) waiters: BTreeMap<(RegionId, u64), (Waiter, Option<bool>)>,
    pub(crate) latches: BTreeSet<Key>,
    pub(crate) bank: Bank,
    pub(crate) pd: PdState,
    pub(crate) cloud: CloudState,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) ledgers: BTreeMap<String, MemberLedger>,
    pub(crate) faults: Faults,
    pub(crate) counters: Counters,
    pub(crate) calls: Calls,
    /// Nothing new is begun any more.
    pub(crate) calm: bool,
    /// Admin commands applied and refused, by kind.
    pub(crate) admin: BTreeMap<&'static str, u64>,
    /// Applied ingests: mark of the proposal, by file.
    pub(crate) ingests: BTreeMap<u64, u64>,
    pub(crate) margins: Margins,
    /// TiDB clusters to restore into.
    pub(crate) targets: Vec<Target>,
}

impl State {
    pub(crate) fn new(config: WorldConfig) -> Self {
        let rng = |salt: u64| SmallRng::seed_from_u64(config.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt);
        let mut state = Self {
            now: 0,
            mark: 0,
            queue: BTreeMap::new(),
            queued: 0,
            rng: rng(1),
            bank_rng: rng(2),
            call_rng: rng(3),
            hash: 0xcbf2_9ce4_8422_2325,
            stores: BTreeMap::new(),
            regions: BTreeMap::new(),
            routes: BTreeMap::new(),
            leaving: BTreeMap::new(),
            next_region: 1,
            next_file: 1,
            waiters: BTreeMap::new(),
            latches: BTreeSet::new(),
            bank: Bank::default(),
            pd: PdState::default(),
            cloud: CloudState::new(&config.ec2),
            objects: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            faults: Faults::default(),
            counters: Counters::default(),
            calls: Calls::default(),
            calm: false,
            admin: BTreeMap::new(),
            ingests: BTreeMap::new(),
            margins: Margins::default(),
            targets: Vec::new(),
            config,
        };
        state.build();
        state.start();
        state
    }

    fn start(&mut self) {
        let every = [
            (Some(self.config.resolved_ts_every), Event::ResolvedTs),
            (self.config.scheduler_every, Event::Scheduler),
            (self.config.unruly_every, Event::Unruly),
            (Some(self.config.gc_every), Event::Gc),
        ];
        for (period, event) in every {
            if let Some(period) = period {
                self.after(millis(period), event);
            }
        }
        if self.config.transfers_per_second > 0 && self.config.accounts > 1 {
            self.after(1, Event::BeginTransfer);
        }
        self.advance_resolved_ts();
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now + delay, self.queued), event);
    }

    /// When the next event is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.queue.keys().next().map(|(due, _)| *due)
    }

    /// Lets everything happen that is due at `now`, in order.
    pub(crate) fn advance_to(&mut self, now: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((due, _), event) = entry.remove_entry();
            self.now = self.now.max(due);
            self.mark += 1;
            self.happen(event);
        }
        self.now = self.now.max(now);
        self.mark += 1;
        self.advance_targets();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Append(region, store) => self.append(region, store),
            Event::Apply(region, store) => self.apply(region, store),
            Event::SendSnapshot(region, store) => self.send_snapshot(region, store),
            Event::Promote(region, store) => self.promote(region, store),
            Event::Destroy(region, store) => self.destroy(region, store),
            Event::ResolverReady(region, store) => self.resolver_ready(region, store),
            Event::Merge(source) => self.commit_merge(source),
            Event::Upload(store, file) => self.upload(store, file),
            Event::Ingest(region, file) => self.ingest(region, file),
            Event::BeginTransfer | Event::Scheduler | Event::Unruly if self.calm => {}
            Event::BeginTransfer => self.begin_transfer(),
            Event::CommitPrimary(txn) => self.commit_primary(txn),
            Event::Job(job) => self.run_job(job),
            Event::CollectGarbage(store, safe_point) => self.collect_garbage(store, safe_point),
            Event::ResolvedTs => {
                self.advance_resolved_ts();
                self.after(millis(self.config.resolved_ts_every), Event::ResolvedTs);
            }
            Event::Scheduler => {
                self.scheduler_turn();
                self.again(self.config.scheduler_every, Event::Scheduler);
            }
            Event::Unruly => {
                self.unruly_turn();
                self.again(self.config.unruly_every, Event::Unruly);
            }
            Event::Gc => {
                self.gc_turn();
                self.after(millis(self.config.gc_every), Event::Gc);
            }
        }
    }

    fn again(&mut self, period: Option<Duration>, event: Event) {
        if let Some(period) = period {
            let most = millis(period).max(1) * 2 - 1;
            let delay = self.rng.random_range(1..=most);
            self.after(delay, event);
        }
    }

    /// A delay of the cluster's own.
    pub(crate) fn draw(&mut self, span: Span) -> u64 {
        self.rng.random_range(span.0..=span.1.max(span.0))
    }

    /// A delay of a call from outside.
    pub(crate) fn draw_call(&mut self, span: Span) -> u64 {
        self.call_rng.random_range(span.0..=span.1.max(span.0))
    }

    /// Folds something that happened into the history's hash (FNV-1a; only equality matters).
    pub(crate) fn note(&mut self, words: &[u64]) {
        for word in [self.now].iter().chain(words) {
            for byte in word.to_le_bytes() {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// Wall clock of this world.
    pub(crate) fn wall(&self) -> Timestamp {
        Timestamp(self.config.wall.0 + i64::try_from(self.now).unwrap_or(i64::MAX))
    }

    /// PD's next timestamp: unique and growing.
    pub(crate) fn tso(&mut self) -> Ts {
        let floor = Ts::compose(self.wall().0.unsigned_abs(), 0);
        self.pd.last_tso = Ts(self.pd.last_tso.0 + 1).max(floor);
        self.pd.last_tso
    }

    pub(crate) fn count_admin(&mut self, what: &'static str) {
        *self.admin.entry(what).or_default() += 1;
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = (StoreId, RegionId, &Peer)> {
        self.stores
            .iter()
            .flat_map(|(store, held)| held.peers.iter().map(move |(region, peer)| (*store, *region, peer)))
    }
}

pub(crate) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
