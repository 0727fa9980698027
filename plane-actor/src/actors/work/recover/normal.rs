//! Normal: after their restart all stores run as they always will, and every region has a leader that nobody appointed.

use super::{
    cluster::{RestoredCluster, each, met, named, not_up, numbers},
    look::Look,
    progress::{LOOK_AGAIN, Progress, count},
};
use shared::{
    reason::{Reason, Refusal},
    recovery::{MetStore, Normal},
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Whom to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    /// The processes that were ended.
    pub before: Vec<MetStore>,
    /// How long.
    pub limit: Duration,
}

/// Waits until each of them is another process, up and out of recovery mode, and leaders are everywhere.
///
/// # Errors
/// At the limit, who is waited for.
pub async fn normal(cluster: &RestoredCluster, order: &Settle, progress: Progress<'_>) -> Result<Normal, Refusal> {
    let end = Instant::now() + order.limit;
    loop {
        let waits = match settled(cluster, &order.before).await {
            Ok(normal) => return Ok(normal),
            Err(refusal) if refusal.reason.is_passing() => refusal.message,
            Err(refusal) => return Err(refusal),
        };
        progress(0, count(order.before.len()), &waits);
        if Instant::now() >= end {
            return Err(Refusal::new(Reason::StoreNotUp, waits));
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn settled(cluster: &RestoredCluster, before: &[MetStore]) -> Result<Normal, Refusal> {
    let waits = |text: String| Err(Refusal::new(Reason::StoreNotUp, text));
    let known = cluster.known().await?;
    for was in before {
        let Some(is) = known.iter().find(|is| is.store == was.store) else {
            return waits(format!("{} is not there", named(was)));
        };
        if is.start_timestamp <= was.start_timestamp {
            return waits(format!("{} has not restarted", named(was)));
        }
    }
    if let Some(text) = known.iter().find_map(not_up) {
        return waits(text);
    }
    let stores: Vec<MetStore> = known.into_iter().map(met).collect();
    let dialled = cluster.dial(&stores).await?;
    let recovering = each(&dialled, |store| async move { store.recovery.is_recovering().await }).await?;
    if let Some((store, _)) = recovering.iter().find(|(_, recovers)| *recovers) {
        return waits(format!("store {store} is still in recovery mode"));
    }
    let look = Look::at(&dialled).await?;
    match look.whole(&numbers(&dialled)) {
        Ok(tiling) => Ok(Normal { stores, regions: count(look.led.len()), tiling }),
        Err(text) => waits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{Fake, silent},
        *,
    };
    use shared::ids::{RegionId, StoreId};

    async fn settle(fake: &Fake, started: i64) -> Result<Normal, Refusal> {
        let of = |number| MetStore { store: StoreId(number), address: format!("s{number}"), start_timestamp: started };
        let order = Settle { before: [1, 2, 3].map(of).to_vec(), limit: Duration::from_secs(30) };
        normal(&fake.cluster(), &order, &silent).await
    }

    fn settled() -> Fake {
        let fake = Fake::whole();
        for store in 1..=3 {
            fake.store(store, |store| store.recovering = false);
        }
        fake
    }

    #[tokio::test(start_paused = true)]
    async fn other_processes_lead_everything_by_themselves() {
        let normal = settle(&settled(), 900).await.unwrap();
        assert!(normal.tiling.is_whole() && normal.regions == 3 && normal.stores.len() == 3, "{normal:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_waited_for_is_named() {
        let of = async |fake: &Fake, started| settle(fake, started).await.unwrap_err().message;
        assert!(of(&settled(), 1000).await.contains("store 1 at s1 has not restarted"));
        assert!(of(&Fake::whole(), 900).await.contains("still in recovery mode"));
        let fake = settled();
        fake.state().leaders.remove(&RegionId(20));
        assert!(of(&fake, 900).await.contains("no region holds the keys"));
        fake.store(2, |store| store.up = false);
        assert!(of(&fake, 900).await.contains("store 2 at s2 is Disconnected"));
    }
}
