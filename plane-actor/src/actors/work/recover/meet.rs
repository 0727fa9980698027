//! Meet: the stores of the backup are there, each in recovery mode, and nobody else is.

use super::{
    super::{context::STORES_AT_ONCE, retry::tried},
    cluster::{RestoredCluster, met, named, not_up},
    keep::{Keep, keep},
    progress::{LOOK_AGAIN, Progress, count},
};
use crate::ports::{PdPause, PortError};
use futures::{StreamExt, stream};
use shared::{
    evidence::ClusterStore,
    ids::StoreId,
    reason::{Reason, Refusal},
    recovery::{Met, MetStore},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::{Instant, sleep};

/// Whom to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meet {
    /// The store numbers of the backup.
    pub stores: BTreeSet<StoreId>,
    /// How long.
    pub limit: Duration,
    /// How PD is kept still once they are there.
    pub keep: Keep,
}

/// Waits for them, then pauses schedulers and holds GC.
///
/// # Errors
/// A store that nobody expects, one that runs outside of recovery mode, and at the limit whoever is missing, by name.
pub async fn meet(cluster: &RestoredCluster, order: &Meet, progress: Progress<'_>) -> Result<(Met, PdPause), Refusal> {
    let end = Instant::now() + order.limit;
    let id = tried(Reason::PdUnavailable, || cluster.marked.cluster()).await?;
    let mut recovering = BTreeSet::new();
    let stores = loop {
        let missing = match gathered(cluster, order, &mut recovering).await? {
            Ok(stores) => break stores,
            Err(missing) => missing,
        };
        progress(count(recovering.len()), count(order.stores.len()), &missing);
        if Instant::now() >= end {
            return Err(Refusal::new(Reason::StoreNotUp, missing));
        }
        sleep(LOOK_AGAIN).await;
    };
    progress(count(stores.len()), count(stores.len()), "all stores of the backup are there");
    let pause = keep(cluster.pd.as_ref(), &order.keep, None).await?;
    cluster.same(&stores).await?;
    Ok((Met { cluster: id, stores }, pause))
}

/// All of them, or who is waited for. `recovering`: who has said so, because being asked costs a store a look at all of its regions.
async fn gathered(
    cluster: &RestoredCluster,
    order: &Meet,
    recovering: &mut BTreeSet<MetStore>,
) -> Result<Result<Vec<MetStore>, String>, Refusal> {
    if !tried(Reason::PdUnavailable, || cluster.marked.is_bootstrapped()).await? {
        return Ok(Err("no TiKV has started yet: PD is not bootstrapped".to_owned()));
    }
    let known = cluster.known().await?;
    if let Some(missing) = missing(&known, &order.stores)? {
        return Ok(Err(missing));
    }
    let stores: Vec<MetStore> = known.into_iter().map(met).collect();
    recovering.retain(|store| stores.contains(store));
    let open: Vec<&MetStore> = stores.iter().filter(|store| !recovering.contains(store)).collect();
    let mut asking = stream::iter(open)
        .map(|store| async move { (store, recovers(cluster, store).await) })
        .buffer_unordered(STORES_AT_ONCE);
    let mut waits = None;
    while let Some((store, answer)) = asking.next().await {
        match answer? {
            Some(text) => waits = Some(text),
            None => recovering.extend([store.clone()]),
        }
    }
    drop(asking);
    Ok(waits.map_or(Ok(stores), Err))
}

/// Who is not there or not up; a store that is none of them is refused.
fn missing(known: &[ClusterStore], expected: &BTreeSet<StoreId>) -> Result<Option<String>, Refusal> {
    if let Some(stranger) = known.iter().find(|store| !expected.contains(&store.store)) {
        let text = format!(
            "store {} at {} is none of the backup: it was there before, or started on an empty volume",
            stranger.store, stranger.address
        );
        return Err(Refusal::new(Reason::StoresChanged, text));
    }
    let there: BTreeSet<StoreId> = known.iter().map(|store| store.store).collect();
    let absent: Vec<String> = expected.difference(&there).take(10).map(ToString::to_string).collect();
    if !absent.is_empty() {
        let (missing, all) = (expected.len() - there.len(), expected.len());
        return Ok(Some(format!("{missing} of {all} stores are not there: {}", absent.join(", "))));
    }
    Ok(known.iter().find_map(not_up))
}

/// `None`: it does. Otherwise it may yet.
async fn recovers(cluster: &RestoredCluster, store: &MetStore) -> Result<Option<String>, Refusal> {
    let asked = async {
        let dialled = cluster.recovery.connect(&store.address, cluster.tls.as_ref()).await?;
        dialled.is_recovering().await
    };
    match asked.await {
        Ok(true) => Ok(None),
        Ok(false) => {
            let text =
                format!("{} runs outside of recovery mode: it must be started anew under PD's mark", named(store));
            Err(Refusal::new(Reason::StoresChanged, text))
        }
        Err(PortError::Unavailable(text)) => Ok(Some(format!("{}: {text}", named(store)))),
        Err(PortError::Refused(refusal)) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{Fake, silent},
        *,
    };
    use shared::{time::Millis, ts::Ts};

    fn order(stores: &[u64]) -> Meet {
        let keep = Keep { service: "r".to_owned(), gc_ttl: Millis::secs(60), at: Ts(50), pause_ttl: Millis::secs(60) };
        Meet { stores: stores.iter().copied().map(StoreId).collect(), limit: Duration::from_secs(60), keep }
    }

    async fn refused(fake: &Fake, stores: &[u64]) -> String {
        meet(&fake.cluster(), &order(stores), &silent).await.unwrap_err().message
    }

    #[tokio::test(start_paused = true)]
    async fn exactly_the_stores_of_the_backup_are_met() {
        let fake = Fake::whole();
        let (met, pause) = meet(&fake.cluster(), &order(&[1, 2, 3]), &silent).await.unwrap();
        assert_eq!(met.stores.iter().map(|met| met.store.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((met.cluster.0, pause.schedulers.len()), (7, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_missing_is_named_at_the_limit() {
        let fake = Fake::whole();
        assert_eq!(refused(&fake, &[1, 2, 3, 4]).await, "1 of 4 stores are not there: 4");
        fake.store(2, |store| store.up = false);
        assert!(refused(&fake, &[1, 2, 3]).await.contains("store 2 at"), "it is known and not up");
        fake.state().bootstrapped = false;
        assert!(refused(&fake, &[1, 2, 3]).await.contains("not bootstrapped"));
    }

    /// As many as were expected, and not the same.
    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_refused_at_once() {
        let fake = Fake::whole();
        assert!(refused(&fake, &[1, 2, 4]).await.contains("store 3 at"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_started_as_usual_is_refused() {
        let fake = Fake::whole();
        fake.store(3, |store| store.recovering = false);
        assert!(refused(&fake, &[1, 2, 3]).await.contains("store 3 at s3 runs outside of recovery mode"));
    }
}
