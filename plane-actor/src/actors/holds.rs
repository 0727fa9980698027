//! Open holds and their renewal tasks. A task renews only when the machine says so; nothing here has a clock of its own.

use super::plane_context::length;
use crate::{
    config::PlaneConfig,
    ports::{Hold, HoldError, Pd, PdPause},
};
use futures::future::join_all;
use shared::{
    evidence::HoldKind,
    ids::StoreId,
    reason::{Reason, Refusal},
    time::{Instant, Millis},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// Renewals that may wait for one store. The machine asks a store again only after its answer, so one is enough; the
/// second place is for the confirmation that follows an answer at once.
const RENEWALS: usize = 2;

/// Each part of letting go. Every hold also ends by itself, so waiting longer gains nothing.
const LET_GO_LIMIT: Duration = Duration::from_secs(3);

/// What renewal tasks and `OpenHolds` report.
pub(crate) enum HoldEvent {
    Open { work: u64, store: StoreId, hold: Arc<dyn Hold>, kind: HoldKind, asked_at: Instant },
    Leased { store: StoreId, number: u64, valid: bool },
    Broken { store: StoreId, refusal: Refusal },
}

/// One open hold. Dropping it ends its task and its stream, not the lease.
pub(crate) struct Held {
    pub(crate) hold: Arc<dyn Hold>,
    renewals: mpsc::Sender<u64>,
}

impl Held {
    /// Starts the renewal task, on the runtime that is kept for it if there is one.
    pub(crate) fn start(
        config: &PlaneConfig,
        store: StoreId,
        lease: Millis,
        hold: Arc<dyn Hold>,
        events: mpsc::Sender<HoldEvent>,
    ) -> Self {
        let (renewals, numbers) = mpsc::channel(RENEWALS);
        let task = renew(store, lease, hold.clone(), numbers, events);
        match &config.lease_runtime {
            Some(runtime) => drop(runtime.spawn(task)),
            None => drop(tokio::task::spawn_local(task)),
        }
        Self { hold, renewals }
    }

    /// Overflow rule: a renewal that finds no place is not sent; the machine waits for it in vain and ends the hold.
    pub(crate) fn renew(&self, number: u64) {
        if self.renewals.try_send(number).is_err() {
            tracing::warn!(number, "renewal not sent: the one before it is still unanswered");
        }
    }
}

async fn renew(
    store: StoreId,
    lease: Millis,
    hold: Arc<dyn Hold>,
    mut numbers: mpsc::Receiver<u64>,
    events: mpsc::Sender<HoldEvent>,
) {
    while let Some(number) = numbers.recv().await {
        let answer = timeout(length(lease), hold.lease(lease)).await;
        let broken = |error: HoldError| HoldEvent::Broken { store, refusal: hold_refusal(store, &error) };
        let (event, over) = match answer {
            Ok(Ok(valid)) => (HoldEvent::Leased { store, number, valid }, !valid),
            Ok(Err(error)) => (broken(error), true),
            Err(_) => (broken(HoldError::Broken(format!("no answer within {} ms", lease.0))), true),
        };
        if events.send(event).await.is_err() || over {
            return;
        }
    }
}

/// A broken hold in words for the coordinator.
pub(crate) fn hold_refusal(store: StoreId, error: &HoldError) -> Refusal {
    let reason = match error {
        HoldError::Unimplemented => Reason::VersionUnsupported,
        HoldError::TakenOver => Reason::StoreHeldByOther,
        HoldError::NotReady(_) | HoldError::Expired | HoldError::Broken(_) => Reason::StoreHoldLost,
    };
    Refusal::new(reason, format!("store {store}: {error}"))
}

type OnTheWay = BTreeMap<(u64, StoreId), Arc<dyn Hold>>;

/// Holds whose first lease is asked for and may stand, until the member has them; by work and store. Work that is
/// cancelled leaves its own here, and whoever lets go ends them too. A probe is not here: it ends within its second, and
/// whose lease it finds is not known yet.
#[derive(Clone, Default)]
pub(crate) struct Opening(Arc<Mutex<OnTheWay>>);

impl Opening {
    fn lock(&self) -> MutexGuard<'_, OnTheWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, work: u64, store: StoreId, hold: Arc<dyn Hold>) {
        self.lock().insert((work, store), hold);
    }

    /// The member takes it, or it is somebody else's. False: it was let go meanwhile.
    pub(crate) fn over(&self, work: u64, store: StoreId) -> bool {
        self.lock().remove(&(work, store)).is_some()
    }

    pub(crate) fn take(&self) -> Vec<(StoreId, Arc<dyn Hold>)> {
        std::mem::take(&mut *self.lock()).into_iter().map(|((_, store), hold)| (store, hold)).collect()
    }
}

/// Everything of one attempt that can be let go.
pub(crate) struct OpenHolds {
    pub(crate) stores: Vec<(StoreId, Held)>,
    pub(crate) opening: Vec<(StoreId, Arc<dyn Hold>)>,
    pub(crate) pd: Option<Arc<dyn Pd>>,
    pub(crate) pause: Option<PdPause>,
    /// Service id of the safe point, if one was asked for.
    pub(crate) service: Option<String>,
}

impl OpenHolds {
    /// Ends all at once, each part bounded; what fails ends by itself and is only logged.
    pub(crate) async fn drop_holds(self, confirmed: bool) {
        let held = self.stores.iter().map(|(store, held)| (store, &held.hold));
        let all = held.chain(self.opening.iter().map(|(store, hold)| (store, hold)));
        let finishing = join_all(all.map(|(store, hold)| async move {
            match timeout(LET_GO_LIMIT, hold.finish()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%store, %error, "Finish failed; the lease ends by itself"),
                Err(_) => tracing::warn!(%store, "Finish was not answered; the lease ends by itself"),
            }
        }));
        let resuming = async {
            let (Some(pd), Some(pause)) = (&self.pd, &self.pause) else { return };
            match timeout(LET_GO_LIMIT, pd.resume_schedulers(pause)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "schedulers not resumed; the pause ends by itself"),
                Err(_) => tracing::warn!("schedulers not resumed in time; the pause ends by itself"),
            }
        };
        let dropping = async {
            let (Some(pd), Some(service)) = (&self.pd, &self.service) else { return };
            match timeout(LET_GO_LIMIT, pd.drop_gc_hold(service)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, service, "safe point not dropped; it ends by itself"),
                Err(_) => tracing::warn!(service, "safe point not dropped in time; it ends by itself"),
            }
        };
        tracing::info!(stores = self.stores.len(), opening = self.opening.len(), confirmed, "letting go");
        futures::join!(finishing, resuming, dropping);
    }
}
