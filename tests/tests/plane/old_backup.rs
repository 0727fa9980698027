//! What br-federation-manager made: no tags of ours, no name in its lock. Only its `backupmeta` names its snapshots.

use crate::{scenario, scripted::ScriptedCoordinator};
use shared::{ts::Ts, wire::OldBackup};
use tests::world::{World, WorldConfig};

const BRS_LOCK: &[u8] = b"DO NOT DELETE\nThis file exists to remind other backup jobs won't use this path";

/// A whole backup in S3 and EC2, as the old manager would have left it.
async fn made(world: &World) -> ScriptedCoordinator {
    let mut hand = ScriptedCoordinator::new(world);
    hand.up_to_confirmed().await;
    hand.all(|_| shared::wire::Order::Release).await;
    hand.complete().await;
    for plane in world.config().planes.iter().map(|plane| plane.name.as_str()) {
        world.put_object(&format!("nightly-{plane}/backup.lock"), BRS_LOCK);
        world.put_object(&format!("nightly-{plane}/manifests/tidb/TidbCluster/shop.yaml"), b"kind: TidbCluster");
        world.drop_object(&format!("nightly-{plane}/isochron-certificate.json"));
    }
    hand.turn_to(2, crate::EPOCH);
    hand
}

#[test]
fn its_deletion_leaves_nothing() {
    scenario(WorldConfig::seeded(21), |world| async move {
        let mut hand = made(&world).await;
        let old = OldBackup { commit_ts: Some(hand.commit_ts), complete: true };
        assert!(hand.clean_old(&old).await.iter().all(Vec::is_empty));
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
        assert_eq!(world.objects().into_keys().collect::<Vec<_>>(), Vec::<String>::new());
    });
}

#[test]
fn what_is_not_surely_its_own_stays() {
    scenario(WorldConfig::seeded(22), |world| async move {
        let mut hand = made(&world).await;
        let before = (world.left_over().total(), world.objects());
        let another = OldBackup { commit_ts: Some(Ts(hand.commit_ts.0 + 1)), complete: true };
        for left in hand.clean_old(&another).await {
            assert!(left[0].contains("another backup"), "{left:?}");
        }
        assert_eq!((world.left_over().total(), world.objects()), before);
    });
    scenario(WorldConfig::seeded(23), |world| async move {
        let mut hand = made(&world).await;
        let ours = b"DO NOT DELETE\nThis file\nuid-1\n1";
        world.config().planes.iter().for_each(|p| world.put_object(&format!("nightly-{}/backup.lock", p.name), ours));
        let before = (world.left_over().total(), world.objects());
        let old = OldBackup { commit_ts: Some(hand.commit_ts), complete: true };
        assert!(hand.clean_old(&old).await.iter().all(|left| left[0].contains("not the old manager's")));
        assert_eq!((world.left_over().total(), world.objects()), before);
    });
}

#[test]
fn a_backup_that_is_said_to_be_complete_needs_its_list() {
    scenario(WorldConfig::seeded(24), |world| async move {
        let mut hand = made(&world).await;
        world.config().planes.iter().for_each(|p| world.drop_object(&format!("nightly-{}/backupmeta", p.name)));
        let complete = OldBackup { commit_ts: None, complete: true };
        assert!(hand.clean_old(&complete).await.iter().all(|left| left[0].contains("is missing")));
    });
}
