//! What is written to Kubernetes, and what answers get lost.

use crate::hand::{NAME, NAMESPACE, bound, fresh, owner, soon, story, world};
use plane_actor::ports::{Gate, Put};
use shared::ids::StoreId;
use tests::world::TargetCluster;

/// Why each pod of a plane does not run.
fn waits(hand: &crate::hand::Hand, plane: &str) -> Vec<String> {
    let of = |cluster: &mut tests::models::restored::Cluster| {
        cluster.planes[plane].pods.values().map(|pod| pod.waits_for.clone()).collect()
    };
    hand.world.alter_target(NAMESPACE, NAME, of).unwrap()
}

#[test]
fn writing_again_is_the_same_and_what_no_pod_has_mounted_goes() {
    story(world(920), fresh(), async |hand| {
        let placement = hand.world.placement("az1");
        let parts: Vec<_> = hand.parts().into_iter().filter(|part| part.plane == "az1").collect();
        let volume = hand.object(&parts[0], "tikv-back-tikv-0", None);
        assert_eq!(placement.put(&owner(), &volume).await.unwrap(), Put::Made);
        assert_eq!(placement.put(&owner(), &volume).await.unwrap(), Put::There);
        let other = hand.object(&parts[0], "tikv-back-tikv-0", None);
        let Put::InTheWay(why) = placement.put(&owner(), &other).await.unwrap() else { panic!("another volume") };
        assert!(why.contains("PersistentVolume isochron-az1-tikv-back-tikv-0"), "{why}");
        hand.world.faults(|faults| faults.lost_replies.insert("put".to_owned(), 1));
        let second = hand.object(&parts[1], "tikv-raft-back-tikv-0", None);
        assert!(placement.put(&owner(), &second).await.is_err());
        assert_eq!(placement.put(&owner(), &second).await.unwrap(), Put::There, "its answer was lost");
        assert_eq!(placement.take_away(&owner()).await.unwrap(), Vec::<String>::new());
        assert_eq!(placement.put(&owner(), &second).await.unwrap(), Put::Made, "it was gone");
        assert_eq!(placement.take_away(&owner()).await.unwrap(), Vec::<String>::new());
        hand.mark().await;
        hand.place().await;
        hand.meet().await;
        let stay = placement.take_away(&owner()).await.unwrap();
        assert_eq!(stay.len(), 8, "two volumes of two pods, and their claims: {stay:?}");
        hand.meet().await;
    });
}

#[test]
fn a_gate_says_whether_it_is_closed() {
    story(world(921), fresh(), async |hand| {
        let placement = hand.world.placement("az2");
        assert_eq!(placement.gate(&owner()).await.unwrap(), Ok(Gate::RecoveryMode));
        assert_eq!(placement.claims(&owner()).await.unwrap(), [], "no pod before the gate is open");
        placement.open_gate(&owner(), &Gate::RecoveryMode).await.unwrap();
        let why = placement.gate(&owner()).await.unwrap().unwrap_err();
        assert!(why.contains("tikv-volumes-ready"), "{why}");
        hand.world.faults(|faults| faults.no_rights.insert("az2".to_owned()));
        assert_eq!(placement.may_place(&owner(), &Gate::RecoveryMode).await.unwrap().len(), 2);
        assert!(placement.open_gate(&owner(), &Gate::RecoveryMode).await.unwrap_err().to_string().contains("403"));
        hand.world.faults(|faults| faults.kube_down.insert("az1".to_owned()));
        assert!(hand.world.placement("az1").gate(&owner()).await.is_err());
    });
}

#[test]
fn a_pod_waits_for_volumes_that_its_node_reaches() {
    story(world(922), TargetCluster::with_static_class(NAMESPACE, NAME, "restored"), async |hand| {
        hand.mark().await;
        let placement = hand.world.placement("az1");
        let claims = placement.claims(&owner()).await.unwrap();
        assert!(claims.iter().all(|claim| claim.bound_to.is_empty() && claim.zone == "eu-west-1a"), "{claims:?}");
        assert_eq!(claims.len(), 4);
        let snapshot = hand.parts()[0].snapshot.clone();
        let elsewhere = hand.world.volume_by_hand(&snapshot, "eu-west-1b").unwrap().0;
        let here = hand.world.volume_by_hand(&snapshot, "eu-west-1a").unwrap().0;
        let pod: Vec<_> = claims.iter().filter(|claim| claim.pod == claims[0].pod).map(|claim| &claim.name).collect();
        let wrong_class = bound("p1", &here, pod[0], "eu-west-1a", Some("gp3"));
        placement.put(&owner(), &wrong_class).await.unwrap();
        let says = async |word: &str| {
            soon(word, async || waits(&hand, "az1").iter().any(|why| why.contains(word)).then_some(())).await;
        };
        says("is not bound").await;
        placement.take_away(&owner()).await.unwrap();
        let other_zone = bound("p2", &here, pod[0], "eu-west-1b", Some("restored"));
        placement.put(&owner(), &other_zone).await.unwrap();
        placement.put(&owner(), &bound("p3", &elsewhere, pod[1], "eu-west-1a", Some("restored"))).await.unwrap();
        says("no node satisfies").await;
    });
    story(world(923), TargetCluster::with_static_class(NAMESPACE, NAME, "restored"), async |hand| {
        let placement = hand.world.placement("az1");
        let claims = placement.claims(&owner()).await.unwrap();
        let snapshot = hand.parts()[0].snapshot.clone();
        let elsewhere = hand.world.volume_by_hand(&snapshot, "eu-west-1b").unwrap().0;
        for claim in claims.iter().filter(|claim| claim.pod == claims[0].pod) {
            let volume = bound(&claim.name, &elsewhere, &claim.name, "eu-west-1a", Some("restored"));
            placement.put(&owner(), &volume).await.unwrap();
        }
        soon("it is not attached", async || {
            let waits = waits(&hand, "az1");
            waits.iter().any(|why| why.contains("attached") || why.contains("is in eu-west-1b")).then_some(())
        })
        .await;
    });
}

#[test]
fn what_pd_was_asked_for_happens_also_where_the_answer_is_lost() {
    story(world(924), fresh(), async |hand| {
        hand.world.faults(|faults| {
            for call in ["mark", "unmark", "base-alloc-id", "reset-ts"] {
                faults.lost_replies.insert(call.to_owned(), 1);
            }
            faults.pd_errors.insert("az1".to_owned(), 1);
        });
        assert!(hand.marked.is_marked().await.unwrap_err().to_string().contains("503"));
        assert!(hand.marked.mark().await.is_err());
        assert!(hand.marked.is_marked().await.unwrap());
        assert!(hand.marked.reset_ts(hand.ceiling()).await.is_err());
        assert!(hand.marked.now().await.unwrap() > hand.ceiling());
        assert!(hand.marked.set_base_alloc_id(500).await.is_err());
        assert_eq!(hand.marked.alloc_id().await.unwrap(), 501);
        assert!(hand.marked.unmark().await.is_err());
        assert!(!hand.marked.is_marked().await.unwrap());
        assert!(hand.marked.set_base_alloc_id(1).await.unwrap_err().to_string().contains("403"));
        let before = hand.pd.regions(b"").await.unwrap_err().to_string();
        assert!(before.contains("NOT_BOOTSTRAPPED"), "{before}");
        assert_eq!(hand.pd.stores().await.unwrap(), []);
    });
}

/// The chain from a store's pod to its volumes is read back as from any cluster.
#[test]
fn a_restored_store_is_found_with_its_volumes() {
    story(world(925), fresh(), async |hand| {
        hand.mark().await;
        hand.place().await;
        hand.meet().await;
        let stores = hand.pd.stores().await.unwrap();
        let ports = hand.world.plane_ports("az1", std::sync::Arc::new(crate::hand::NoDialer));
        let local = ports.topology.local_stores(NAMESPACE, NAME, &stores).await.unwrap();
        assert_eq!(local.iter().map(|store| store.store).collect::<Vec<_>>(), [StoreId(1), StoreId(2)]);
        for store in &local {
            assert_eq!(store.volumes.len(), 2);
            let claim = store.volumes[0].pvc["metadata"]["name"].as_str().unwrap();
            assert_eq!(claim, format!("tikv-{}", store.pod), "{store:?}");
            assert_eq!(store.volumes[0].pv["spec"]["csi"]["volumeHandle"], store.volumes[0].volume.0);
        }
        let regions = hand.pd.regions(b"").await.unwrap();
        assert_eq!((regions.len(), regions[0].leader), (1, None), "one that is made up: {regions:?}");
        assert!(regions[0].start.is_empty() && regions[0].end.is_empty());
    });
}
