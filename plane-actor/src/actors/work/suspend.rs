//! One lease stream per local store: probe, then the first lease. Where the user allows it, a store that is too old for
//! one gets a weaker hold.

use super::{
    beside::beside,
    context::{STORES_AT_ONCE, WorkContext},
    versions,
};
use crate::{
    actors::{
        holds::{HoldEvent, hold_refusal},
        plane_context::length,
    },
    ports::{Hold, HoldError, Tikv},
};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    evidence::HoldKind,
    ids::StoreId,
    member::Done,
    reason::{Reason, Refusal},
    request::Limits,
    time::{Instant, Millis},
    wire::PlanePhase,
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A store that is starting is asked again; one that runs raftstore v2 stays "not ready" (`facts/pd-tikv.md` §2.4).
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_secs(1);
/// A lease ends up to a second late (`facts/pd-tikv.md` §2.1, whole seconds of a coarse clock), and one more for the way.
const LEASE_SLACK: Millis = Millis::secs(2);

pub(super) async fn open(context: &WorkContext, stores: &BTreeSet<StoreId>) -> Result<Done, Refusal> {
    let (opened, total) = (AtomicUsize::new(0), stores.len());
    stream::iter(stores)
        .map(|store| async {
            open_one(context, *store).await?;
            let count = opened.fetch_add(1, Ordering::Relaxed) + 1;
            context.progress(PlanePhase::Suspending, count, total, format!("{count} of {total} stores held"));
            Ok::<_, Refusal>(())
        })
        .buffer_unordered(STORES_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(Done::HoldsOpen)
}

async fn open_one(context: &WorkContext, store: StoreId) -> Result<(), Refusal> {
    let discovery = context.discovery()?;
    let lease = discovery.spec.limits.store_lease;
    let tikv = discovery
        .leases
        .get(&store)
        .ok_or_else(|| Refusal::new(Reason::Internal, format!("store {store} was not prepared")))?;
    let (hold, taken) = match probe(context, store, tikv).await {
        Err(refusal) if refusal.reason == Reason::VersionUnsupported && discovery.spec.allow_weaker_holds => {
            return open_weaker(context, store, tikv.as_ref(), &discovery.spec.limits).await;
        }
        probed => probed?,
    };
    if taken {
        // It may be what we left behind: a lease ends by itself. Anybody else renews it.
        context.progress(
            PlanePhase::Suspending,
            0,
            0,
            format!("store {store} is still leased; waiting for that lease to end"),
        );
        tokio::time::sleep(length(lease.plus(LEASE_SLACK))).await;
        let again = hold.lease(Millis(0)).await.map_err(|error| hold_refusal(store, &error))?;
        if again {
            return Err(by_other(store, "its lease outlived the longest that could be ours"));
        }
    }
    let asked_at = context.env.clock.at();
    context.opening.begin(context.number, store, hold.clone());
    if hold.lease(lease).await.map_err(|error| hold_refusal(store, &error))? {
        context.opening.over(context.number, store);
        return Err(by_other(store, "somebody took a lease between our probe and our lease"));
    }
    let listed = discovery.cluster_stores.iter().find(|listed| listed.store == store);
    let kind = versions::kind_of_lease(listed.map_or("", |listed| &listed.version));
    opened(context, store, (hold, kind), asked_at).await
}

/// Imports are suspended instead. A call replaces what stands there, so nothing can be probed first: a suspension that
/// outlives ours is somebody else's. And PD must have been held for a whole refresh, because nothing on the store stops
/// what PD had begun (`facts/pd-tikv.md` §1.13, §7).
async fn open_weaker(context: &WorkContext, store: StoreId, tikv: &dyn Tikv, limits: &Limits) -> Result<(), Refusal> {
    let lease = limits.store_lease;
    let hold = tikv.open_weaker_hold().await.map_err(|error| hold_refusal(store, &error))?;
    context.progress(
        PlanePhase::Suspending,
        0,
        0,
        format!("store {store} is too old for a full hold; suspending its imports"),
    );
    tokio::time::sleep(length(limits.pd_ttl.quarter())).await;
    let mut asked_at = context.env.clock.at();
    context.opening.begin(context.number, store, hold.clone());
    if hold.lease(lease).await.map_err(|error| hold_refusal(store, &error))? {
        tokio::time::sleep(length(lease.plus(LEASE_SLACK))).await;
        asked_at = context.env.clock.at();
        if hold.lease(lease).await.map_err(|error| hold_refusal(store, &error))? {
            context.opening.over(context.number, store);
            let text = format!("imports of store {store} are suspended by another client, which goes on renewing");
            return Err(Refusal::new(Reason::StoreHeldByOther, text));
        }
    }
    opened(context, store, (hold, HoldKind::Weaker), asked_at).await
}

async fn opened(
    context: &WorkContext,
    store: StoreId,
    (hold, kind): (Arc<dyn Hold>, HoldKind),
    asked_at: Instant,
) -> Result<(), Refusal> {
    let Some(events) = &context.hold_events else { return Err(Refusal::new(Reason::Internal, "no place for holds")) };
    let event = HoldEvent::Open { work: context.number, store, hold, kind, asked_at };
    events.send(event).await.map_err(|_| Refusal::new(Reason::Internal, "the member is gone"))
}

fn by_other(store: StoreId, why: &str) -> Refusal {
    Refusal::new(Reason::StoreHeldByOther, format!("store {store} is leased by another client: {why}"))
}

/// The stream's own task belongs where leases are renewed.
async fn open_stream(context: &WorkContext, tikv: &Arc<dyn Tikv>) -> Result<Arc<dyn Hold>, HoldError> {
    let tikv = tikv.clone();
    let opened = beside(context.env.config.lease_runtime.as_ref(), async move { Ok(tikv.open_hold().await) });
    opened.await.unwrap_or_else(|ending| Err(HoldError::Broken(ending.message)))
}

/// UpdateLease of 0 seconds: suspends for the rest of a second, never shortens a lease, and tells whether one lives
/// (`facts/pd-tikv.md` §2.3).
async fn probe(context: &WorkContext, store: StoreId, tikv: &Arc<dyn Tikv>) -> Result<(Arc<dyn Hold>, bool), Refusal> {
    let mut tries = 1;
    loop {
        let outcome = async {
            let hold = open_stream(context, tikv).await?;
            let taken = hold.lease(Millis(0)).await?;
            Ok::<_, HoldError>((hold, taken))
        };
        match outcome.await {
            Ok(opened) => return Ok(opened),
            Err(HoldError::NotReady(_) | HoldError::Broken(_)) if tries < TRIES => tries += 1,
            Err(HoldError::NotReady(text)) => {
                let text = format!("store {store} is not ready for prepare: {text}");
                return Err(Refusal::new(Reason::EngineUnsupported, text));
            }
            Err(HoldError::Broken(text)) => {
                return Err(Refusal::new(Reason::StoreUnavailable, format!("store {store}: {text}")));
            }
            Err(error) => return Err(hold_refusal(store, &error)),
        }
        tokio::time::sleep(WAIT).await;
    }
}
