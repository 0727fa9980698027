//! A restored cluster behind one lock, in real time; the lock is never held across an await.

use crate::models::restored::{Beneath, Cluster, Pod};
use shared::time::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tonic::Status;

/// The model and what lies beneath it.
pub(super) struct Kept {
    cluster: Mutex<Cluster>,
    beneath: Box<dyn Beneath + Send + Sync>,
}

impl Kept {
    pub(super) fn new(cluster: Cluster, beneath: Box<dyn Beneath + Send + Sync>) -> Self {
        Self { cluster: Mutex::new(cluster), beneath }
    }

    /// Lets happen what is due, then looks or acts. Never call it from inside itself.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Cluster, Timestamp) -> T) -> T {
        let now = Timestamp(jiff::Timestamp::now().as_millisecond());
        let mut cluster: MutexGuard<'_, Cluster> = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.advance(now, self.beneath.as_ref());
        act(&mut cluster, now)
    }
}

/// One process, as its services see it.
#[derive(Clone)]
pub(super) struct Served {
    pub(super) kept: Arc<Kept>,
    pub(super) pod: Pod,
    /// Counts processes.
    pub(super) number: u64,
}

impl Served {
    /// Looks or acts, unless the process has ended meanwhile: its connections are about to be cut.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Cluster, &Pod, Timestamp) -> T) -> Result<T, Status> {
        self.kept.with(|cluster, now| {
            let own = cluster.processes.get(&self.pod).filter(|process| process.number == self.number);
            if own.is_none_or(|process| !process.is_up()) {
                return Err(Status::unavailable("connection reset by peer"));
            }
            Ok(act(cluster, &self.pod, now))
        })
    }
}
