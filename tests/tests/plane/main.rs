//! Real plane actors over the simulated world, ordered by hand: what the coordinator would say, and nothing of its code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod buckets;
mod cleaning;
mod lost;
mod metadata;
mod metrics;
mod old_backup;
mod quotas;
mod regions;
mod renewed;
mod scripted;
mod skew;
mod threads;
mod truth;
mod volumes;

use scripted::{EPOCH, ScriptedCoordinator};
use shared::{
    epoch::Epoch,
    ids::StoreId,
    reason::Reason,
    wire::{Abort, Aborted, Answer, CleanScope, Order, Recovered},
};
use std::{future::Future, time::Duration};
use tests::world::{World, WorldConfig};

fn scenario<F: Future>(config: WorldConfig, play: impl FnOnce(World) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async move {
        let world = World::new(config);
        let living = world.clone();
        let life = tokio::spawn(async move { living.run().await });
        let result = play(world).await;
        life.abort();
        result
    })
}

#[test]
fn a_backup_restores_and_its_deletion_leaves_nothing() {
    scenario(WorldConfig::seeded(11), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        let answers = hand.prepare().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Prepared(_))), "{answers:?}");
        assert_eq!(world.mutations().total(), 0, "Prepare touches nothing");
        hand.settle().await;
        hand.suspend().await;
        hand.cover().await;
        hand.snapshot().await;
        hand.confirm().await;
        let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
        assert_eq!(world.judge(&cut), Vec::new());
        assert!(world.restore_cut(&cut).sound());
        let answers = hand.all(|_| Order::Release).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Released(_))), "{answers:?}");
        let left = world.left_over();
        assert_eq!((left.leases, left.safe_points, left.paused_schedulers), (0, 0, 0), "{:?}", left.names);
        let answers = hand.complete().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Completed(_))), "{answers:?}");
        let objects = world.objects();
        for name in ["backupmeta", "clustermeta", "backup.lock", "isochron-certificate.json"] {
            assert!(objects.contains_key(&format!("nightly-az2/{name}")), "{name}: {:?}", objects.keys());
        }
        let meta: serde_json::Value = serde_json::from_slice(&objects["nightly-az2/backupmeta"]).unwrap();
        assert_eq!(meta["cluster_info"]["resolved_ts"], hand.commit_ts.0);
        hand.clean(CleanScope::Backup).await;
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
    });
}

#[test]
fn a_silent_coordinator_holds_nobody() {
    scenario(WorldConfig::seeded(12), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.settle().await;
        hand.suspend().await;
        assert!(world.left_over().leases > 0);
        let silent = hand.planes.iter_mut().map(|plane| plane.hear(false));
        let answers = futures::future::join_all(silent).await;
        for answer in answers {
            let Answer::Aborted(Aborted { cause: Some(cause) }) = answer else { panic!("{answer:?}") };
            assert_eq!(cause.reason, Reason::PlaneLeaseExpired);
        }
        hand.wait(Duration::from_secs(2)).await;
        let left = world.left_over();
        assert_eq!((left.leases, left.safe_points, left.paused_schedulers), (0, 0, 0), "{:?}", left.names);
        let answers = hand.all(|_| Order::Confirm).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Aborted(_))), "never again: {answers:?}");
    });
}

#[test]
fn another_client_on_one_store_ends_the_attempt_there() {
    for (seed, lease) in [(13, None), (14, Some(60))] {
        scenario(WorldConfig::seeded(seed), |world| async move {
            let mut hand = ScriptedCoordinator::covered(&world).await;
            let store = world.stores().into_iter().find(|(_, plane)| plane == "az1").unwrap().0;
            world.take_over_hold(store, lease);
            let answer = hand.hear_first().await;
            let Answer::Aborted(Aborted { cause: Some(cause) }) = answer else { panic!("{answer:?}") };
            assert_eq!(cause.reason, Reason::StoreHeldByOther, "{cause}");
        });
    }
}

#[test]
fn a_restarted_plane_tells_its_evidence_and_never_reenters() {
    scenario(WorldConfig::seeded(15), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.up_to_confirmed().await;
        let before = hand.evidence.clone();
        hand.planes[1].start(&world);
        let answers = hand.all(|_| Order::Recover).await;
        for (plane, answer) in hand.planes.iter().zip(answers) {
            let Answer::Recovered(Recovered::Evidence(evidence)) = answer else { panic!("{answer:?}") };
            assert_eq!(evidence, before[&plane.name]);
        }
        hand.planes[1].say(Order::Confirm).await;
        let (_, rest) = hand.planes.split_first_mut().unwrap();
        let Answer::Refused(refusal) = rest[0].hear(false).await else { panic!() };
        assert_eq!(refusal.reason, Reason::PlaneRestarted);
    });
    scenario(WorldConfig::seeded(16), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.settle().await;
        hand.suspend().await;
        hand.planes[1].start(&world);
        hand.planes[1].say(Order::Recover).await;
        let (_, rest) = hand.planes.split_first_mut().unwrap();
        let answer = rest[0].hear(false).await;
        assert!(matches!(answer, Answer::Recovered(Recovered::Aborted)), "{answer:?}");
        hand.wait(Duration::from_secs(40)).await;
        assert_eq!(world.left_over().leases, 0, "everybody has let go by himself");
    });
}

#[test]
fn a_lost_answer_of_create_snapshots_is_looked_up_and_leaves_nothing() {
    for lost in [1, 2] {
        scenario(WorldConfig::seeded(17), |world| async move {
            let mut hand = ScriptedCoordinator::covered(&world).await;
            world.faults(|faults| faults.ec2.entry("az1".into()).or_default().lose_replies = lost);
            let answers = hand.snapshot().await;
            assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
            hand.confirm().await;
            let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
            assert_eq!(world.judge(&cut), Vec::new());
            hand.all(|_| Order::Abort(Abort { reason: Reason::Cancelled })).await;
            hand.clean(CleanScope::Attempt).await;
            assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
        });
    }
}

/// A region that is new at `Cover` says no `safe_ts` until TiKV's next advance, 20 s by default.
#[test]
fn a_region_whose_safe_ts_comes_late_is_waited_for() {
    scenario(WorldConfig::seeded(21), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.settle().await;
        hand.split_in_silence();
        hand.wait(Duration::from_millis(500)).await;
        hand.suspend().await;
        hand.silence_ends_in(Duration::from_secs(20));
        hand.cover().await;
        hand.snapshot().await;
        hand.confirm().await;
        let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
        assert_eq!(world.judge(&cut), Vec::new());
    });
}

#[test]
fn a_late_clean_of_an_attempt_leaves_the_next_ones_backup_alone() {
    scenario(WorldConfig::seeded(18), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        hand.settle().await;
        hand.all(|_| Order::Abort(Abort { reason: Reason::Cancelled })).await;
        // Nobody cleans: as when a plane was given up. The next attempt takes over the prefix.
        hand.turn_to(2, Epoch(EPOCH.0 + 1));
        hand.up_to_confirmed().await;
        hand.all(|_| Order::Release).await;
        let answers = hand.complete().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Completed(_))), "{answers:?}");
        let before = world.objects();
        // A coordinator that was deposed still wants the first attempt cleaned; the planes restarted meanwhile.
        for plane in &mut hand.planes {
            plane.start(&world);
        }
        hand.turn_to(1, EPOCH);
        hand.clean(CleanScope::Attempt).await;
        assert_eq!(world.objects(), before);
        let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
        assert!(world.restore_cut(&cut).sound());
        hand.turn_to(2, Epoch(EPOCH.0 + 1));
        hand.clean(CleanScope::Backup).await;
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
    });
}

#[test]
fn a_world_that_is_not_ready_is_refused_by_name_and_untouched() {
    type Spoil = fn(&mut tests::world::Faults);
    let table: [(Spoil, Reason); 12] = [
        (|f| f.recovering = true, Reason::ClusterRecovering),
        (|f| f.min_resolved_off = true, Reason::ResolvedTsDisabled),
        (|f| assert!(f.resolved_ts_off.insert(StoreId(1))), Reason::ResolvedTsDisabled),
        (|f| assert!(f.raft_v2.insert(StoreId(1))), Reason::EngineUnsupported),
        (|f| assert!(f.unreachable.insert(StoreId(1))), Reason::StoreUnavailable),
        (|f| assert!(f.pd_down.insert("az1".into())), Reason::PdUnavailable),
        (|f| assert!(f.moved_volume.insert(StoreId(1))), Reason::VolumeMoved),
        (|f| assert!(f.gone_volume.insert(StoreId(1))), Reason::VolumeMoved),
        (|f| assert!(f.not_ebs.insert(StoreId(1))), Reason::VolumeUnsupported),
        (|f| assert!(f.no_tidb_cluster.insert("az1".into())), Reason::TidbClusterNotFound),
        (|f| f.no_bucket = true, Reason::BucketMissing),
        (|f| f.s3_down = true, Reason::StorageUnavailable),
    ];
    for (spoil, reason) in table {
        scenario(WorldConfig::seeded(18), |world| async move {
            world.faults(spoil);
            let mut hand = ScriptedCoordinator::new(&world);
            let answers = hand.prepare().await;
            let Answer::Refused(refusal) = &answers[0] else { panic!("{reason}: {:?}", answers[0]) };
            assert_eq!(refusal.reason, reason, "{refusal}");
            assert_eq!(world.mutations().total(), 0, "{reason}");
        });
    }
    scenario(WorldConfig::seeded(19), |world| async move {
        world.put_object("nightly-az1/backup.lock", b"DO NOT DELETE\nx");
        let mut hand = ScriptedCoordinator::new(&world);
        let answers = hand.prepare().await;
        let Answer::Refused(refusal) = &answers[0] else { panic!("{:?}", answers[0]) };
        assert_eq!(refusal.reason, Reason::PrefixInUse);
        assert!(refusal.message.contains("nightly-az1/backup.lock"), "{refusal}");
    });
}

#[test]
fn what_cannot_be_saved_is_not_said() {
    scenario(WorldConfig::seeded(20), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        hand.snapshot().await;
        world.faults(|faults| assert!(faults.ledger_down.insert("az1".into())));
        let (held, here) = (world.left_over().leases, hand.prepared["az1"].stores.len() as u64);
        hand.planes[0].say(Order::Confirm).await;
        let answer = hand.hear_first().await;
        let Answer::Refused(refusal) = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.reason, Reason::LedgerLost, "{refusal}");
        assert_eq!(world.left_over().leases, held - here, "said once this plane has let go");
        hand.planes[0].renew().await;
        let answer = hand.hear_first().await;
        let Answer::Refused(refusal) = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.reason, Reason::PlaneRestarted, "made anew from what the ledger holds");
        world.faults(|faults| assert!(faults.ledger_down.remove("az1")));
        hand.planes[0].say(Order::Recover).await;
        let answer = hand.hear_first().await;
        assert!(matches!(answer, Answer::Recovered(Recovered::Aborted)), "{answer:?}");
        hand.wait(Duration::from_secs(40)).await;
        assert_eq!(world.left_over().leases, 0);
    });
}
