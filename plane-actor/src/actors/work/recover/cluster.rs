//! Whom the data phase speaks to: PD, and every store that PD knows.

use super::super::{
    context::STORES_AT_ONCE,
    retry::{refusal_of, tried},
};
use crate::ports::{ClusterTls, Marked, Pd, Recovery, RecoveryConnect, TikvConnect};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::StoreId,
    reason::{Reason, Refusal},
    recovery::MetStore,
};
use std::{collections::BTreeSet, sync::Arc};

/// The cluster that is restored into.
#[derive(Clone)]
pub struct RestoredCluster {
    /// What only a restore asks of its PD.
    pub marked: Arc<dyn Marked>,
    /// What everybody asks of it.
    pub pd: Arc<dyn Pd>,
    /// Finds its TiKV.
    pub recovery: Arc<dyn RecoveryConnect>,
    /// Finds it for wait-apply.
    pub tikv: Arc<dyn TikvConnect>,
    /// Its TLS.
    pub tls: Option<ClusterTls>,
}

/// A store on its own connection.
#[derive(Clone)]
pub(super) struct Dialled {
    pub(super) met: MetStore,
    pub(super) recovery: Arc<dyn Recovery>,
}

impl RestoredCluster {
    /// Every store that PD knows, by number.
    pub(super) async fn known(&self) -> Result<Vec<ClusterStore>, Refusal> {
        let mut stores = tried(Reason::PdUnavailable, || self.pd.stores()).await?;
        stores.sort_by_key(|store| store.store);
        Ok(stores)
    }

    /// The same, each of them up.
    pub(super) async fn up(&self) -> Result<Vec<MetStore>, Refusal> {
        let stores = self.known().await?;
        if stores.is_empty() {
            return Err(Refusal::new(Reason::NoStores, "PD of the restored cluster knows no store"));
        }
        match stores.iter().find_map(not_up) {
            Some(text) => Err(Refusal::new(Reason::StoreNotUp, text)),
            None => Ok(stores.into_iter().map(met).collect()),
        }
    }

    pub(super) async fn dial(&self, stores: &[MetStore]) -> Result<Vec<Dialled>, Refusal> {
        let mut dialled: Vec<Dialled> =
            stream::iter(stores).map(|met| self.dial_one(met)).buffer_unordered(STORES_AT_ONCE).try_collect().await?;
        dialled.sort_by_key(|store| store.met.store);
        Ok(dialled)
    }

    pub(super) async fn dial_one(&self, met: &MetStore) -> Result<Dialled, Refusal> {
        let connecting = || self.recovery.connect(&met.address, self.tls.as_ref());
        let recovery = tried(Reason::StoreUnavailable, connecting).await.map_err(|refusal| of(met, &refusal))?;
        Ok(Dialled { met: met.clone(), recovery })
    }

    /// All stores are the processes that they were: in recovery mode a store that restarted has lost its leaders (`facts/restore.md` §3.5).
    pub(super) async fn same(&self, before: &[MetStore]) -> Result<(), Refusal> {
        let now: Vec<MetStore> = self.known().await?.into_iter().map(met).collect();
        let refused = |text: String| Err(Refusal::new(Reason::StoresChanged, text));
        for was in before {
            match now.iter().find(|is| is.store == was.store) {
                None => return refused(format!("{} is gone from PD", named(was))),
                Some(is) if is.start_timestamp != was.start_timestamp => {
                    return refused(format!("{} has restarted: its leaders must be elected anew", named(was)));
                }
                Some(_) => {}
            }
        }
        match now.iter().find(|is| before.iter().all(|was| was.store != is.store)) {
            Some(new) => refused(format!("{} came to PD meanwhile", named(new))),
            None => Ok(()),
        }
    }
}

/// As evidence.
pub(super) fn met(store: ClusterStore) -> MetStore {
    MetStore { store: store.store, address: store.address, start_timestamp: store.start_timestamp }
}

pub(super) fn not_up(store: &ClusterStore) -> Option<String> {
    (store.state != StoreState::Up).then(|| format!("store {} at {} is {:?}", store.store, store.address, store.state))
}

pub(super) fn numbers(stores: &[Dialled]) -> BTreeSet<StoreId> {
    stores.iter().map(|store| store.met.store).collect()
}

pub(super) fn named(met: &MetStore) -> String {
    format!("store {} at {}", met.store, met.address)
}

/// What was refused, and by whom.
pub(super) fn of(met: &MetStore, refusal: &Refusal) -> Refusal {
    Refusal::new(refusal.reason, format!("{}: {}", named(met), refusal.message))
}

/// One question to every store, a few of them at a time.
pub(super) async fn each<T, F>(stores: &[Dialled], ask: impl Fn(Dialled) -> F) -> Result<Vec<(StoreId, T)>, Refusal>
where
    F: Future<Output = Result<T, crate::ports::PortError>>,
{
    let ask = &ask;
    let asking = |store: &Dialled| {
        let store = store.clone();
        async move {
            let met = store.met.clone();
            match tried(Reason::StoreUnavailable, || ask(store.clone())).await {
                Ok(answer) => Ok((met.store, answer)),
                Err(refusal) => Err(of(&met, &refusal)),
            }
        }
    };
    stream::iter(stores).map(asking).buffer_unordered(STORES_AT_ONCE).try_collect().await
}

/// A refusal of PD.
pub(super) fn pd_refusal(error: crate::ports::PortError) -> Refusal {
    refusal_of(error, Reason::PdUnavailable)
}
