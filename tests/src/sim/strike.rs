//! What each kind of fault does, and what undoes it. Switches go back by themselves after a while; whatever is left when
//! the faults stop is healed all at once.

mod aws;
mod cluster;
mod disasters;
mod hosts;
mod old_manager;
mod people;

use super::plan::Strike;
use crate::{stage::Stage, world::Faults};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use shared::ids::StoreId;
use std::collections::BTreeSet;

/// Ends a fault.
pub(super) type Undo = Box<dyn FnOnce(&Stage)>;

/// What took place.
pub(super) struct Struck {
    /// For the trace.
    pub(super) text: String,
    /// What ends it, or comes of it, and after how many milliseconds.
    pub(super) undo: Vec<(u64, Undo)>,
    /// Processes that are down on purpose until the first of these; "" is the coordinator.
    pub(super) down: Vec<String>,
    /// A process that was told to end; "" is the coordinator.
    pub(super) told: Option<String>,
}

/// Whom a fault may hit.
struct Aim<'a> {
    stage: &'a Stage,
    rng: SmallRng,
    planes: Vec<String>,
}

impl Struck {
    /// Something more that comes of it later.
    fn and_then(mut self, ms: u64, then: impl FnOnce(&Stage) + 'static) -> Self {
        self.undo.push((ms, Box::new(then)));
        self
    }
}

impl Aim<'_> {
    fn plane(&mut self) -> String {
        self.planes.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    fn store(&mut self) -> StoreId {
        self.stage.world.stores().choose(&mut self.rng).map_or(StoreId(1), |(store, _)| *store)
    }

    fn ms(&mut self, from: u64, to: u64) -> u64 {
        self.rng.random_range(from..=to)
    }
}

fn once(text: impl Into<String>) -> Option<Struck> {
    Some(Struck { text: text.into(), undo: Vec::new(), down: Vec::new(), told: None })
}

fn until(text: impl Into<String>, ms: u64, undo: impl FnOnce(&Stage) + 'static) -> Option<Struck> {
    Some(Struck {
        text: format!("{} for {ms} ms", text.into()),
        undo: vec![(ms, Box::new(undo))],
        down: Vec::new(),
        told: None,
    })
}

fn switch(
    aim: &Aim<'_>,
    text: impl Into<String>,
    ms: u64,
    on: impl FnOnce(&mut Faults),
    off: impl FnOnce(&mut Faults) + 'static,
) -> Option<Struck> {
    aim.stage.world.faults(on);
    until(text, ms, move |stage| stage.world.faults(off))
}

fn set_switch(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    of: impl Fn(&mut Faults) -> &mut BTreeSet<StoreId> + 'static,
) -> Option<Struck> {
    let (store, ms) = (aim.store(), aim.ms(from, to));
    aim.stage.world.faults(|faults| of(faults).insert(store));
    until(format!("{text} of store {store}"), ms, move |stage| {
        stage.world.faults(|faults| of(faults).remove(&store));
    })
}

fn plane_switch(
    aim: &mut Aim<'_>,
    text: &str,
    (from, to): (u64, u64),
    of: impl Fn(&mut Faults) -> &mut BTreeSet<String> + 'static,
) -> Option<Struck> {
    let (plane, ms) = (aim.plane(), aim.ms(from, to));
    aim.stage.world.faults(|faults| of(faults).insert(plane.clone()));
    until(format!("{text} of {plane}"), ms, move |stage| {
        stage.world.faults(|faults| of(faults).remove(&plane));
    })
}

/// Lets a fault take place. `None`: it cannot now (nothing to kill, nothing to split).
pub(super) fn strike(stage: &Stage, strike: &Strike) -> Option<Struck> {
    let planes = stage.world.config().planes.into_iter().map(|plane| plane.name).collect();
    let mut aim = Aim { stage, rng: SmallRng::seed_from_u64(strike.seed), planes };
    cluster::tikv(&mut aim, strike.kind)
        .or_else(|| cluster::pd(&mut aim, strike.kind))
        .or_else(|| aws::aws(&mut aim, strike.kind))
        .or_else(|| hosts::network(&mut aim, strike.kind))
        .or_else(|| hosts::processes(&mut aim, strike.kind))
        .or_else(|| people::people(&mut aim, strike.kind))
        .or_else(|| people::editors(&mut aim, strike.kind))
        .or_else(|| disasters::disasters(&mut aim, strike.kind))
}
