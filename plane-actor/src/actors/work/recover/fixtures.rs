//! A small cluster that is being restored, behind all ports of the data phase: three stores, three regions, and what can go wrong.

use super::cluster::RestoredCluster;
use crate::ports::{FlashedBack, PortError};
use shared::{
    ids::{RegionId, StoreId},
    recovery::Meta,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

mod pd;
mod store;

/// Hears no progress.
pub(super) fn silent(_: u64, _: u64, _: &str) {}

pub(super) struct FakeStore {
    pub(super) start: i64,
    pub(super) up: bool,
    pub(super) recovering: bool,
    pub(super) knows_wait_apply: bool,
    pub(super) restarts_after_lead: bool,
    pub(super) cannot_lead: BTreeSet<RegionId>,
}

pub(super) struct FakeRegion {
    pub(super) start: Vec<u8>,
    pub(super) end: Vec<u8>,
    /// What its leader says instead.
    pub(super) led_end: Option<Vec<u8>>,
    pub(super) version: u64,
    pub(super) in_flashback: bool,
    pub(super) finished: Option<(u64, u64)>,
    /// Its checksum for a reader of today.
    pub(super) now: u64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) marked: bool,
    pub(super) mark_is_lost: bool,
    pub(super) unmark_is_lost: bool,
    pub(super) bootstrapped: bool,
    pub(super) clock: u64,
    /// 403, in these words.
    pub(super) reset_refused: Option<String>,
    pub(super) reset_is_lost: bool,
    pub(super) gc_minimum: u64,
    pub(super) id: u64,
    pub(super) bases: Vec<u64>,
    pub(super) base_reply_is_lost: bool,
    pub(super) stores: BTreeMap<StoreId, FakeStore>,
    pub(super) regions: BTreeMap<RegionId, FakeRegion>,
    pub(super) leaders: BTreeMap<RegionId, StoreId>,
    /// Every RecoverRegion.
    pub(super) asked: Vec<(StoreId, Vec<RegionId>)>,
    /// So many of them are ended by somebody else.
    pub(super) aborts: u32,
    /// So many streams of metas end before their last one.
    pub(super) metas_cut: u32,
    pub(super) not_applied: BTreeSet<RegionId>,
    /// Calls of a flashback that came, and their timestamps.
    pub(super) calls: Vec<(&'static str, RegionId)>,
    pub(super) flashbacks: Vec<(u64, u64)>,
    pub(super) scripted: BTreeMap<(&'static str, RegionId), VecDeque<FlashedBack>>,
    /// Regions that lose their first preparation.
    pub(super) forgets_preparation: BTreeSet<RegionId>,
    /// Regions that are finished without anybody hearing of it.
    pub(super) answer_is_lost: BTreeSet<RegionId>,
    pub(super) splits_after_prepare: Option<(RegionId, RegionId, Vec<u8>)>,
    pub(super) restarts_after_prepare: Option<StoreId>,
    /// So many checksums fail.
    pub(super) unreadable: u32,
}

impl State {
    pub(super) fn restart(&mut self, store: StoreId) {
        if let Some(restarted) = self.stores.get_mut(&store) {
            restarted.start += 1;
        }
        self.leaders.retain(|_, leader| *leader != store);
    }

    pub(super) fn split(&mut self, region: RegionId, into: RegionId, key: &[u8]) {
        let Some(right) = self.regions.get_mut(&region) else { return };
        right.version += 1;
        let left = FakeRegion {
            start: std::mem::replace(&mut right.start, key.to_vec()),
            end: key.to_vec(),
            led_end: None,
            version: right.version,
            in_flashback: right.in_flashback,
            finished: right.finished,
            now: right.now,
        };
        self.regions.insert(into, left);
        if let Some(leader) = self.leaders.get(&region).copied() {
            self.leaders.insert(into, leader);
        }
    }

    pub(super) fn metas(&self) -> Vec<Meta> {
        let meta = |(region, of): (&RegionId, &FakeRegion)| Meta {
            region: *region,
            peer: region.0 * 10 + 10,
            term: 6,
            last_index: 20,
            version: of.version,
            start: of.start.clone(),
            end: of.end.clone(),
        };
        self.regions.iter().map(meta).collect()
    }
}

#[derive(Clone)]
pub(super) struct Fake(Arc<Mutex<State>>);

impl Fake {
    /// PD alone.
    pub(super) fn fresh() -> Self {
        let state = State { clock: 100, id: 5, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Marked, stores in recovery mode, no region led.
    pub(super) fn unled() -> Self {
        let fake = Self::fresh();
        let mut state = fake.state();
        (state.marked, state.bootstrapped) = (true, true);
        for number in 1..=3 {
            let store = FakeStore {
                start: 1000,
                up: true,
                recovering: true,
                knows_wait_apply: true,
                restarts_after_lead: false,
                cannot_lead: BTreeSet::new(),
            };
            state.stores.insert(StoreId(number), store);
        }
        for (number, start, end) in [(10, "", "g"), (20, "g", "p"), (30, "p", "")] {
            let region = FakeRegion {
                start: start.as_bytes().to_vec(),
                end: end.as_bytes().to_vec(),
                led_end: None,
                version: 5,
                in_flashback: false,
                finished: None,
                now: number,
            };
            state.regions.insert(RegionId(number), region);
        }
        drop(state);
        fake
    }

    /// Each region led by a store of its own.
    pub(super) fn whole() -> Self {
        let fake = Self::unled();
        fake.state().leaders = [(10, 1), (20, 2), (30, 3)].map(|(r, s)| (RegionId(r), StoreId(s))).into();
        fake
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn store(&self, number: u64, change: impl FnOnce(&mut FakeStore)) {
        change(self.state().stores.get_mut(&StoreId(number)).unwrap());
    }

    pub(super) fn region(&self, number: u64, change: impl FnOnce(&mut FakeRegion)) {
        change(self.state().regions.get_mut(&RegionId(number)).unwrap());
    }

    /// What a call about a region answers first.
    pub(super) fn answers(&self, call: &'static str, region: u64, of: impl IntoIterator<Item = FlashedBack>) {
        self.state().scripted.insert((call, RegionId(region)), of.into_iter().collect());
    }

    /// What the stores tell of their copies.
    pub(super) fn told(&self) -> BTreeMap<StoreId, Vec<Meta>> {
        let state = self.state();
        state.stores.keys().map(|store| (*store, state.metas())).collect()
    }

    pub(super) fn cluster(&self) -> RestoredCluster {
        let all = Arc::new(self.clone());
        RestoredCluster { marked: all.clone(), pd: all.clone(), recovery: all.clone(), tikv: all, tls: None }
    }
}

fn unavailable(text: &str) -> PortError {
    PortError::Unavailable(text.to_owned())
}
