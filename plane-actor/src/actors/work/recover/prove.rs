//! That leaders are there, and have applied all of their logs: what they lead before and after wait-apply is the same, and is what was
//! planned (`facts/restore.md` §3.8).

use super::{
    super::context::STORES_AT_ONCE,
    cluster::{Dialled, RestoredCluster, named, numbers},
    look::Look,
    progress::count,
};
use crate::{
    actors::holds::hold_refusal,
    ports::{Hold, HoldError, Piece, RegionAt},
};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{ids::StoreId, recovery::Plan, tiling::Tiling, time::Millis};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::sleep;

/// Wait-apply is asked under a lease, and takes 40 s at most; nobody renews it here.
const LEASE: Millis = Millis::secs(60);

/// A leader that was just elected applies what it has not: a few looks, and then another round of elections.
const TRIES: u32 = 4;
const WAIT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Proved {
    pub(super) regions: u64,
    pub(super) tiling: Tiling,
    pub(super) stores: BTreeMap<StoreId, u64>,
    pub(super) unwaited: BTreeSet<StoreId>,
}

pub(super) async fn prove(cluster: &RestoredCluster, stores: &[Dialled], plan: &Plan) -> Result<Proved, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match once(cluster, stores, plan).await {
            Ok(proved) => return Ok(proved),
            Err(text) => last = text,
        }
        sleep(WAIT).await;
    }
    Err(last)
}

async fn once(cluster: &RestoredCluster, stores: &[Dialled], plan: &Plan) -> Result<Proved, String> {
    let before = Look::at(stores).await.map_err(|refusal| refusal.message)?;
    let tiling = before.whole(&numbers(stores))?;
    as_planned(&before, tiling, plan)?;
    let mut led: BTreeMap<StoreId, Vec<RegionAt>> = BTreeMap::new();
    for piece in before.pieces() {
        led.entry(piece.store).or_default().push(at(piece));
    }
    let unwaited = wait_apply(cluster, stores, &led).await?;
    if Look::at(stores).await.map_err(|refusal| refusal.message)? != before {
        return Err("regions or their leaders changed while they were waited for".to_owned());
    }
    let stores = led.into_iter().map(|(store, led)| (store, count(led.len()))).collect();
    Ok(Proved { regions: count(before.led.len()), tiling, stores, unwaited })
}

fn at(piece: &Piece) -> RegionAt {
    RegionAt { region: piece.region, conf_ver: piece.conf_ver, version: piece.version }
}

/// A split or a merge that was in a log and is applied now makes other regions than were planned.
fn as_planned(look: &Look, tiling: Tiling, plan: &Plan) -> Result<(), String> {
    let led = look.leads();
    let unplanned = led.keys().find(|region| !plan.regions.contains_key(region));
    let unled = plan.regions.keys().find(|region| !led.contains_key(region));
    match unplanned.or(unled) {
        Some(region) => Err(format!("region {region} was changed by what its leader applied")),
        None if tiling != plan.tiling() => Err("regions have other ends than were planned".to_owned()),
        None => Ok(()),
    }
}

/// Stores that do not know the call.
async fn wait_apply(
    cluster: &RestoredCluster,
    stores: &[Dialled],
    led: &BTreeMap<StoreId, Vec<RegionAt>>,
) -> Result<BTreeSet<StoreId>, String> {
    let waiting = stores.iter().filter_map(|store| Some((store, led.get(&store.met.store)?)));
    let unwaited: Vec<Option<StoreId>> = stream::iter(waiting)
        .map(|(store, regions)| one_store(cluster, store, regions))
        .buffer_unordered(STORES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(unwaited.into_iter().flatten().collect())
}

async fn one_store(
    cluster: &RestoredCluster,
    store: &Dialled,
    regions: &[RegionAt],
) -> Result<Option<StoreId>, String> {
    let number = store.met.store;
    let tikv = cluster.tikv.connect(&store.met.address, cluster.tls.as_ref()).await;
    let tikv = tikv.map_err(|error| format!("{}: {error}", named(&store.met)))?;
    let said = async {
        let hold = tikv.open_hold().await?;
        let said = applied(hold.as_ref(), regions).await;
        // It ends by itself as well.
        let _ = hold.finish().await;
        said
    };
    match said.await {
        Ok(Ok(())) => Ok(None),
        Ok(Err(text)) => Err(format!("{}: {text}", named(&store.met))),
        Err(HoldError::Unimplemented) => Ok(Some(number)),
        Err(error) => Err(hold_refusal(number, &error).message),
    }
}

/// A lease that was there is left over from an earlier try, and will do.
async fn applied(hold: &dyn Hold, regions: &[RegionAt]) -> Result<Result<(), String>, HoldError> {
    hold.lease(LEASE).await?;
    let said = hold.wait_apply(regions.to_vec()).await?;
    Ok(match said.again.first_key_value() {
        Some((region, why)) => Err(format!("region {region} has not applied its log: {why}")),
        None if said.done == regions.len() => Ok(()),
        None => Err(format!("{} of {} regions have said that they applied their logs", said.done, regions.len())),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::Fake, *};
    use shared::{
        ids::RegionId,
        recovery::{Elected, Meta, plan},
    };

    async fn proved(fake: &Fake) -> Result<Proved, String> {
        proved_as(fake, fake.told()).await
    }

    async fn proved_as(fake: &Fake, told: BTreeMap<StoreId, Vec<Meta>>) -> Result<Proved, String> {
        let plan = plan(&told, &Elected::default()).unwrap();
        let cluster = fake.cluster();
        let stores = cluster.dial(&cluster.up().await.unwrap()).await.unwrap();
        prove(&cluster, &stores, &plan).await
    }

    #[tokio::test(start_paused = true)]
    async fn what_leaders_say_is_what_was_planned() {
        let proved = proved(&Fake::whole()).await.unwrap();
        assert_eq!((proved.regions, proved.tiling), (3, Tiling::whole()));
        assert_eq!(proved.stores.values().sum::<u64>(), 3);
    }

    /// All regions are led, and the last one does not reach the end of the key space.
    #[tokio::test(start_paused = true)]
    async fn the_last_key_counts() {
        let fake = Fake::whole();
        fake.region(30, |region| region.led_end = Some(b"z".to_vec()));
        assert!(proved(&fake).await.unwrap_err().contains("from 7a to the end of the key space"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_not_applied_proves_nothing() {
        let fake = Fake::whole();
        fake.state().not_applied.insert(RegionId(20));
        assert!(proved(&fake).await.unwrap_err().contains("region 20 has not applied its log"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_split_that_was_in_a_log_is_planned_anew() {
        let fake = Fake::whole();
        let told = fake.told();
        fake.state().split(RegionId(20), RegionId(25), b"k");
        assert!(proved_as(&fake, told).await.unwrap_err().contains("region 25 was changed"));
    }
}
