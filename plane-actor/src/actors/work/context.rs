//! What a piece of work takes with it.

use super::{beside::beside, discovery::Discovery, volumes::Calls};
use crate::{
    actors::{
        holds::{HoldEvent, Opening},
        plane_context::PlaneContext,
    },
    ports::{Hold, PdPause},
};
use shared::{
    ids::{Attempt, StoreId},
    member::safe_times::PlaneTimes,
    reason::{Reason, Refusal},
    wire::{PlanePhase, Progress},
};
use std::{collections::BTreeMap, rc::Rc, sync::Arc};
use tokio::sync::mpsc;

/// Stores asked at the same time: a plane's stores are few hundred at most, and each is asked on its own connection.
pub(super) const STORES_AT_ONCE: usize = 32;

/// The actor's, as they stand when it begins.
pub(crate) struct WorkContext {
    pub(crate) env: Rc<PlaneContext>,
    pub(crate) attempt: Attempt,
    pub(crate) number: u64,
    pub(crate) discovery: Option<Arc<Discovery>>,
    pub(crate) pause: Option<PdPause>,
    pub(crate) safe: Arc<PlaneTimes>,
    pub(crate) holds: BTreeMap<StoreId, Arc<dyn Hold>>,
    pub(crate) opening: Opening,
    pub(crate) hold_events: Option<mpsc::Sender<HoldEvent>>,
    pub(crate) progress: Option<mpsc::Sender<(u64, Progress)>>,
    /// One CreateSnapshots per instance, as instances were at the last look.
    pub(crate) calls: Arc<Calls>,
    /// What this process has written to S3 as clustermeta.
    pub(crate) clustermeta: Option<Arc<Vec<u8>>>,
}

impl WorkContext {
    /// Of no member: nothing was prepared, nothing is held, and nobody hears how far it is.
    pub(super) fn alone(env: Rc<PlaneContext>, attempt: Attempt) -> Self {
        Self {
            env,
            attempt,
            number: 0,
            discovery: None,
            pause: None,
            safe: Arc::default(),
            holds: BTreeMap::new(),
            opening: Opening::default(),
            hold_events: None,
            progress: None,
            calls: Arc::default(),
            clustermeta: None,
        }
    }

    /// What `Prepare` found. The machine orders nothing that needs it before.
    pub(super) fn discovery(&self) -> Result<Arc<Discovery>, Refusal> {
        self.discovery
            .clone()
            .ok_or_else(|| Refusal::new(Reason::NotPrepared, "this plane has lost what it had prepared"))
    }

    pub(super) fn progress(&self, phase: PlanePhase, done: usize, total: usize, text: impl Into<String>) {
        self.reporter(phase).progress(done, total, text);
    }

    /// For work that runs elsewhere.
    pub(super) fn reporter(&self, phase: PlanePhase) -> Reporter {
        Reporter { progress: self.progress.clone(), number: self.number, phase }
    }

    /// Work that computes, away from the actors' thread.
    pub(super) async fn beside<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        beside(self.env.config.work_runtime.as_ref(), work).await
    }
}

/// Reports how far a piece of work has come.
#[derive(Clone)]
pub(super) struct Reporter {
    progress: Option<mpsc::Sender<(u64, Progress)>>,
    number: u64,
    phase: PlanePhase,
}

impl Reporter {
    /// Overflow rule: a report that finds no room is replaced by the next.
    pub(super) fn progress(&self, done: usize, total: usize, text: impl Into<String>) {
        if let Some(progress) = &self.progress {
            let said = Progress { phase: self.phase, done: done as u64, total: total as u64, text: text.into() };
            let _ = progress.try_send((self.number, said));
        }
    }
}
