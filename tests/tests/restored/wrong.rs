//! What is left out or done wrong shows.

use crate::hand::{Hand, LEAD, NAME, NAMESPACE, fresh, story, world};
use plane_actor::ports::{Asked, Flashback, FlashedBack};
use shared::{ids::StoreId, ts::Ts};
use std::time::Duration;
use tests::models::restored::Cluster;

fn look<T>(hand: &Hand, look: impl FnOnce(&mut Cluster) -> T) -> T {
    hand.world.alter_target(NAMESPACE, NAME, look).unwrap()
}

#[test]
fn without_a_flashback_the_bank_is_not_what_it_was() {
    story(world(930), fresh(), async |hand| {
        hand.mark().await;
        hand.place().await;
        hand.lead().await.unwrap();
        let faults = hand.audit().faults;
        assert!(faults.iter().any(|fault| fault.contains("is not what it was at")), "{faults:?}");
    });
}

/// PD's clock is behind the versions, and nobody has reset it.
#[test]
fn a_commit_ts_below_what_lies_on_the_volumes_kills_tikv() {
    story(world(931), fresh(), async |hand| {
        hand.mark().await;
        hand.place().await;
        hand.lead().await.unwrap();
        let version = hand.certificate.commit_ts;
        let newest = look(&hand, |cluster| cluster.newest_version()).unwrap();
        assert!(newest > version && newest <= hand.ceiling());
        let low = Flashback { version, start_ts: Ts(version.0 + 1), commit_ts: Ts(version.0 + 2) };
        for is_prepared in [false, true] {
            for (store, led) in hand.led().await.unwrap() {
                let of = std::sync::Arc::clone(&hand.stores().await[&store]);
                let _ = match is_prepared {
                    false => of.prepare_flashback(&led.piece, low).await,
                    true => of.flashback(&led.piece, low).await,
                };
            }
        }
        let deaths = hand.world.deaths(NAMESPACE, NAME);
        assert!(deaths.first().is_some_and(|died| died.newest > died.commit_ts), "{deaths:?}");
        assert!(!hand.audit().sound());
    });
}

/// Once users write, a flashback kills by its old times and takes back by new ones.
#[test]
fn a_flashback_after_users_came_is_fatal() {
    story(world(932), fresh(), async |hand| {
        let old = hand.restore().await;
        hand.finish().await;
        assert!(hand.audit().sound(), "{:#?}", hand.audit());
        let mut killed = 0;
        for (store, led) in hand.led().await.unwrap() {
            let at = address(&hand, store).await;
            let Ok(of) = hand.world.recovery().connect(&at, None).await else { continue };
            let prepared = of.prepare_flashback(&led.piece, old).await;
            if matches!(prepared, Ok(FlashedBack::Done)) && of.flashback(&led.piece, old).await.is_err() {
                killed += 1;
            }
        }
        assert!(killed > 0 && hand.world.deaths(NAMESPACE, NAME).len() == killed, "{killed}");
    });
    story(world(933), fresh(), async |hand| {
        hand.restore().await;
        hand.finish().await;
        let new = hand.times().await;
        let (store, led) = hand.led().await.unwrap().remove(0);
        let at = address(&hand, store).await;
        let of = hand.world.recovery().connect(&at, None).await.unwrap();
        assert_eq!(of.prepare_flashback(&led.piece, new).await.unwrap(), FlashedBack::Done);
        assert_eq!(of.flashback(&led.piece, new).await.unwrap(), FlashedBack::Done);
        let faults = hand.audit().faults;
        assert!(faults.iter().any(|fault| fault.contains("took back what users wrote")), "{faults:?}");
    });
}

async fn address(hand: &Hand, store: StoreId) -> String {
    let stores = hand.pd.stores().await.unwrap();
    stores.into_iter().find(|listed| listed.store == store).unwrap().address
}

#[test]
fn without_the_mark_no_store_of_the_backup_starts() {
    story(world(934), fresh(), async |hand| {
        hand.place().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let why = look(&hand, |cluster| cluster.processes.values().next().unwrap().mode.clone());
        assert!(why.unwrap_err().contains("cluster ID mismatch"));
        hand.mark().await;
        hand.meet().await;
        assert_eq!(look(&hand, |cluster| cluster.faults.clone()), Vec::<String>::new(), "nothing was damaged");
    });
}

#[test]
fn volumes_of_two_stores_in_one_pod_start_nothing() {
    story(world(935), fresh(), async |hand| {
        hand.mark().await;
        let mut parts = hand.parts();
        let (first, second) = (parts[1].snapshot.clone(), parts[3].snapshot.clone());
        (parts[1].snapshot, parts[3].snapshot) = (second, first);
        hand.place_parts(&parts).await;
        hand.open().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let faults = look(&hand, |cluster| cluster.faults.clone());
        assert!(faults.iter().any(|fault| fault.contains("volumes of the stores 1 and 2")), "{faults:?}");
    });
}

#[test]
fn one_store_twice_is_a_fault() {
    story(world(936), fresh(), async |hand| {
        hand.mark().await;
        let mut parts = hand.parts();
        (parts[2].snapshot, parts[3].snapshot) = (parts[0].snapshot.clone(), parts[1].snapshot.clone());
        hand.place_parts(&parts).await;
        hand.open().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let faults = look(&hand, |cluster| cluster.faults.clone());
        assert!(faults.iter().any(|fault| fault.contains("store 1 runs twice")), "{faults:?}");
    });
}

/// A base that is too small is taken without a word, and ids come back that regions have.
#[test]
fn a_base_of_ids_that_is_too_small_shows_when_regions_split() {
    story(world(937), fresh(), async |hand| {
        let flashback = hand.restore().await;
        assert_eq!(hand.differing(flashback).await, []);
        hand.marked.set_base_alloc_id(1).await.unwrap();
        hand.finish().await;
        let faults = hand.audit().faults;
        assert!(
            faults.iter().any(|fault| fault.contains("PD gave out the id") && fault.contains("which region")),
            "{faults:?}"
        );
    });
}

/// Nobody votes in one region: its call has no end, and the next one ends it.
#[test]
fn a_region_without_a_quorum_keeps_its_call_open() {
    story(world(938), fresh(), async |hand| {
        hand.mark().await;
        hand.place().await;
        let stores = hand.meet().await;
        let told = stores[&StoreId(1)].region_metas().await.unwrap();
        let region = told.first().unwrap().region;
        look(&hand, |cluster| cluster.deaf.insert(region));
        let of = &stores[&StoreId(1)];
        assert_eq!(of.lead(&[region], LEAD).await.unwrap(), Asked::Cut);
        let one = [region];
        let twice = futures::future::join(of.lead(&one, LEAD), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            of.region_metas().await
        });
        let (first, metas) = twice.await;
        assert_eq!(first.unwrap(), Asked::Aborted);
        let term = |metas: &[shared::recovery::Meta]| metas.iter().find(|meta| meta.region == region).unwrap().term;
        assert!(term(&metas.unwrap()) > term(&told), "who loses an election has its term all the same");
        let why = hand.lead().await.unwrap_err();
        assert!(why.contains("Leaderless"), "{why}");
    });
}
