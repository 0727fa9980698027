//! Connections to every store of a plane, and what its TiKV says of itself.

use super::{
    beside::beside,
    checks::{Checked, together},
    context::STORES_AT_ONCE,
    directories::{Placed, placed},
    retry::tried,
};
use crate::{
    actors::plane_context::PlaneContext,
    ports::{ClusterTls, LocalStore, Located, Tikv, TikvSettings},
};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    evidence::ClusterStore,
    ids::StoreId,
    reason::{Reason, Refusal},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio::runtime::Handle;

/// Connections by store.
#[derive(Default)]
pub(super) struct Dialled {
    pub(super) tikv: BTreeMap<StoreId, Arc<dyn Tikv>>,
    /// For leases alone.
    pub(super) leases: BTreeMap<StoreId, Arc<dyn Tikv>>,
}

/// And what TiKV keeps on which volume.
pub(super) type Connected = (Dialled, Placed);

struct OneStore {
    store: StoreId,
    tikv: Arc<dyn Tikv>,
    lease: Arc<dyn Tikv>,
    placed: Placed,
}

/// `every`: each store is looked at, and all that are refused are named; otherwise the first that is ends it.
pub(super) async fn connect_tikv(
    env: &PlaneContext,
    located: &Located,
    stores: &[ClusterStore],
    local: &[LocalStore],
    every: bool,
) -> Checked<Connected> {
    let tls = located.endpoint.tls.as_ref();
    let dialling = stream::iter(local)
        .map(|store| async move {
            let address = address_of(stores, store.store)?;
            let tikv = dial(env, env.config.work_runtime.as_ref(), address, tls).await?;
            let settings = check_settings(store.store, tikv.as_ref()).await?;
            // Renewals must not queue behind lists, so they have a connection of their own where they have a thread.
            let lease = match &env.config.lease_runtime {
                None => tikv.clone(),
                runtime => dial(env, runtime.as_ref(), address, tls).await?,
            };
            let placed = placed(store, &settings.directories)?;
            Ok::<_, Refusal>(OneStore { store: store.store, tikv, lease, placed })
        })
        .buffer_unordered(STORES_AT_ONCE);
    let connected: Vec<OneStore> = match every {
        true => together(dialling.collect().await)?,
        false => dialling.try_collect().await?,
    };
    let (mut dialled, mut directories) = (Dialled::default(), Placed::new());
    for one in connected {
        dialled.tikv.insert(one.store, one.tikv);
        dialled.leases.insert(one.store, one.lease);
        // No two stores share a volume.
        directories.extend(one.placed);
    }
    let text = format!("{} stores, settings as needed, every directory on a volume of theirs", local.len());
    Ok(((dialled, directories), text))
}

/// The connection is served on that runtime.
async fn dial(
    env: &PlaneContext,
    runtime: Option<&Handle>,
    address: &str,
    tls: Option<&ClusterTls>,
) -> Result<Arc<dyn Tikv>, Refusal> {
    let (connect, address, tls) = (env.ports.tikv.clone(), address.to_owned(), tls.cloned());
    let dialling = async move { tried(Reason::StoreUnavailable, || connect.connect(&address, tls.as_ref())).await };
    beside(runtime, dialling).await
}

fn address_of(stores: &[ClusterStore], store: StoreId) -> Result<&str, Refusal> {
    let known = stores.iter().find(|known| known.store == store);
    known
        .map(|known| known.address.as_str())
        .ok_or_else(|| Refusal::new(Reason::Internal, format!("store {store} was found locally, PD does not list it")))
}

async fn check_settings(store: StoreId, tikv: &dyn Tikv) -> Result<TikvSettings, Refusal> {
    let settings = tried(Reason::StoreUnavailable, || tikv.settings()).await?;
    if !settings.raft_kv {
        let text = format!("store {store} runs storage.engine partitioned-raft-kv");
        return Err(Refusal::new(Reason::EngineUnsupported, text));
    }
    if !settings.resolved_ts_enabled {
        return Err(Refusal::new(Reason::ResolvedTsDisabled, format!("resolved-ts.enable is false on store {store}")));
    }
    Ok(settings)
}
