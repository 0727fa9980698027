//! Our own EC2: the query protocol over HTTP as both SDKs speak it (`facts/ec2-wire.md`), with the rules of
//! [`crate::models::ec2`], which moto lacks and a backup coordinator falls over, and with replies that are lost after the
//! deed. Every mutation is counted and every call is logged.

mod blocks;
mod create;
mod fault;
mod filter;
pub(crate) mod form;
mod http;
mod inventory;
mod later;
mod snapshots;
mod state;
mod tags;
#[cfg(test)]
mod tests;
mod time;
mod volumes;
mod world;
mod xml;

pub use fault::Fault;
pub use http::Ec2Server;
pub use state::Ec2State;
pub use world::Call;

use crate::models::ec2::{Rules, Snapshot, Volume};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use world::{Capture, World};

/// The knobs and the windows of a running server.
#[derive(Debug, Clone)]
pub struct Ec2Handle {
    world: Arc<Mutex<World>>,
    started: Instant,
}

impl Ec2Handle {
    fn new(state: Ec2State) -> Self {
        let wall_ms = jiff::Timestamp::now().as_millisecond();
        let world = World::new(state, wall_ms);
        Self { world: Arc::new(Mutex::new(world)), started: Instant::now() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked with the lock held has failed anyway.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the server's start: the clock of [`Call::at`] and of [`Snapshot`].
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// From now on `capture` is called with the volume and the id of each snapshot at the moment at which it is made, while no other
    /// call of EC2 is carried out. It must not call this server.
    pub fn on_snapshot(&self, capture: impl Fn(&str, &str) + Send + Sync + 'static) {
        self.world().capture = Some(Capture(Arc::new(capture)));
    }

    /// Changes rules while the server runs.
    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.world().state.ec2.rules);
    }

    /// Changes instances, volumes or keys while the server runs.
    pub fn state(&self, change: impl FnOnce(&mut Ec2State)) {
        change(&mut self.world().state);
    }

    /// The next `times` calls of `action` have this fault, after those planned before.
    pub fn plan(&self, action: &str, fault: Fault, times: usize) {
        let mut world = self.world();
        world.faults.entry(action.to_owned()).or_default().extend(std::iter::repeat_n(fault, times));
    }

    /// From now on `action` is refused with UnauthorizedOperation (or no longer).
    pub fn deny(&self, action: &str, denied: bool) {
        let mut world = self.world();
        if denied {
            world.denied.insert(action.to_owned());
        } else {
            world.denied.remove(action);
        }
    }

    /// The next snapshot of this volume, and with it its whole set, ends in `error`.
    pub fn fail_snapshot_of(&self, volume: &str, message: &str) {
        self.world().failing.insert(volume.to_owned(), message.to_owned());
    }

    /// Ends the pending time of every snapshot there is.
    pub fn complete_all(&self) {
        let now = self.now();
        for snapshot in self.world().state.ec2.snapshots.values_mut() {
            snapshot.done = snapshot.done.min(now);
        }
    }

    /// Every snapshot that exists, visible to calls or not, by id.
    #[must_use]
    pub fn snapshots(&self) -> BTreeMap<String, Snapshot> {
        let (now, mut world) = (self.now(), self.world());
        // A pending one that was deleted goes when its time is over, whether anybody calls or not.
        world.state.ec2.forget_deleted(now);
        world.state.ec2.snapshots.clone()
    }

    /// Every volume that exists and was made of a snapshot, visible to calls or not, by id.
    #[must_use]
    pub fn made_volumes(&self) -> BTreeMap<String, Volume> {
        let (now, mut world) = (self.now(), self.world());
        world.state.ec2.forget_deleted(now);
        let made = world.state.ec2.volumes.iter().filter(|(_, volume)| volume.made.is_some());
        made.map(|(id, volume)| (id.clone(), volume.clone())).collect()
    }

    /// Everything that ever changed: one for each snapshot or volume made, each deletion accepted and each resource tagged.
    #[must_use]
    pub fn mutations(&self) -> u64 {
        self.world().mutations
    }

    /// The latest 20,000 calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world().log.iter().cloned().collect()
    }

    /// The latest calls of one action, oldest first.
    #[must_use]
    pub fn calls_of(&self, action: &str) -> Vec<Call> {
        self.world().log.iter().filter(|call| call.action == action).cloned().collect()
    }

    /// How often an action was called, refused calls included.
    #[must_use]
    pub fn count(&self, action: &str) -> u64 {
        self.world().counts.get(action).copied().unwrap_or_default()
    }
}
