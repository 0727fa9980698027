//! Whom a fault hits, and what took place.

use crate::{rig::Rig, world::Faults};
use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};
use shared::ids::StoreId;
use std::collections::BTreeSet;

/// Ends a fault.
pub(in crate::sim) type Undo = Box<dyn FnOnce(&Rig)>;

/// What took place.
pub(in crate::sim) struct Injected {
    /// For the trace.
    pub(in crate::sim) text: String,
    /// What ends it, or comes of it, and after how many milliseconds.
    pub(in crate::sim) undo: Vec<(u64, Undo)>,
    /// Processes that are down on purpose until the first of these; "" is the coordinator.
    pub(in crate::sim) down: Vec<String>,
    /// A process that was told to end; "" is the coordinator.
    pub(in crate::sim) told: Option<String>,
}

/// Whom a fault may hit.
pub(super) struct Aim<'a> {
    pub(super) rig: &'a Rig,
    pub(super) rng: SmallRng,
    pub(super) planes: Vec<String>,
}

impl Injected {
    /// Something more that comes of it later.
    pub(super) fn and_then(mut self, ms: u64, then: impl FnOnce(&Rig) + 'static) -> Self {
        self.undo.push((ms, Box::new(then)));
        self
    }
}

impl Aim<'_> {
    pub(super) fn plane(&mut self) -> String {
        self.planes.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    pub(super) fn store(&mut self) -> StoreId {
        self.rig.world.stores().choose(&mut self.rng).map_or(StoreId(1), |(store, _)| *store)
    }

    pub(super) fn ms(&mut self, from: u64, to: u64) -> u64 {
        self.rng.random_range(from..=to)
    }
}

pub(super) fn once(text: impl Into<String>) -> Option<Injected> {
    Some(Injected { text: text.into(), undo: Vec::new(), down: Vec::new(), told: None })
}

pub(super) fn until(text: impl Into<String>, ms: u64, undo: impl FnOnce(&Rig) + 'static) -> Option<Injected> {
    Some(Injected {
        text: format!("{} for {ms} ms", text.into()),
        undo: vec![(ms, Box::new(undo))],
        down: Vec::new(),
        told: None,
    })
}

pub(super) fn switch(
    aim: &Aim<'_>,
    text: impl Into<String>,
    ms: u64,
    on: impl FnOnce(&mut Faults),
    off: impl FnOnce(&mut Faults) + 'static,
) -> Option<Injected> {
    aim.rig.world.faults(on);
    until(text, ms, move |rig| rig.world.faults(off))
}

pub(super) fn set_switch(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    of: impl Fn(&mut Faults) -> &mut BTreeSet<StoreId> + 'static,
) -> Option<Injected> {
    let (store, ms) = (aim.store(), aim.ms(from, to));
    among(aim, format!("{text} of store {store}"), ms, store, of)
}

pub(super) fn plane_switch(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    of: impl Fn(&mut Faults) -> &mut BTreeSet<String> + 'static,
) -> Option<Injected> {
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    among(aim, format!("{text} of {plane}"), ms, plane, of)
}

/// It is among those of a fault for so many milliseconds.
fn among<K: Ord + Clone + 'static>(
    aim: &Aim<'_>,
    text: String,
    ms: u64,
    one: K,
    of: impl Fn(&mut Faults) -> &mut BTreeSet<K> + 'static,
) -> Option<Injected> {
    aim.rig.world.faults(|faults| of(faults).insert(one.clone()));
    until(text, ms, move |rig| {
        rig.world.faults(|faults| of(faults).remove(&one));
    })
}
