//! The world is honest: the bank's sum holds live, a proper cut restores, and cuts with one step left out do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod by_hand;

use by_hand::{Skip, cut_by_hand, dialer};
use plane_actor::ports::{CloudError, CloudIdentity, CreateSnapshots, Find, HoldError};
use shared::{
    ids::{InstanceId, StoreId},
    request::S3Target,
    time::Millis,
    ts::Ts,
};
use std::{future::Future, time::Duration};
use tests::{
    listed::listed,
    world::{Control, Span, World, WorldConfig},
};

/// Seeds that a search may look at before it gives up.
const SEEDS: std::ops::Range<u64> = 1..41;

/// Runs a scenario in one paused current-thread runtime with a living world.
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

fn busy(seed: u64) -> WorldConfig {
    WorldConfig {
        scheduler_every: Some(Duration::from_millis(200)),
        unruly_every: Some(Duration::from_millis(150)),
        ..WorldConfig::seeded(seed)
    }
}

#[test]
fn the_sum_holds_while_everything_moves() {
    scenario(busy(7), |world| async move {
        let mut seen = 0;
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if let Some((sum, expected)) = world.live_sum() {
                assert_eq!(sum, expected);
                seen += 1;
            }
        }
        assert!(seen > 40, "only {seen} looks found every region with a leader");
        assert!(world.committed() > 1_500, "{} transfers", world.committed());
        let (_, activity) = world.activity();
        for kind in ["split", "merge", "change peer", "transfer leader", "ingest"] {
            assert!(activity.get(kind).is_some_and(|count| *count > 0), "no {kind}: {activity:?}");
        }
    });
}

/// Admin commands are under way for half a second and more, and cuts begin at once.
fn slow(seed: u64) -> WorldConfig {
    let mut config =
        WorldConfig { regions: 60, unruly_every: Some(Duration::from_millis(30)), ..busy(seed) }.without_latency();
    (config.apply, config.net) = (Span(1, 600), Span(1, 300));
    (config.pd, config.tikv, config.ec2.create) = (Span(1, 5), Span(1, 4), Span(1, 150));
    config
}

#[test]
fn a_proper_cut_restores_on_every_seed() {
    let instant = |seed| busy(seed).without_latency();
    for (name, config) in [("busy", busy as fn(u64) -> WorldConfig), ("instant", instant), ("slow", slow)] {
        for seed in 1..9 {
            scenario(config(seed), |world| async move {
                tokio::time::sleep(Duration::from_secs(4)).await;
                let cut = cut_by_hand(&world, Skip::Nothing).await.unwrap();
                let restored = world.restore_cut(&cut);
                assert!(restored.sound(), "{name}, seed {seed}: {restored:#?}");
                assert_eq!(world.judge(&cut), [], "{name}, seed {seed}");
            });
        }
    }
}

/// The first seed on which leaving out a step is found, with what was found.
fn found(skip: Skip, config: impl Fn(u64) -> WorldConfig) -> Option<(u64, String)> {
    SEEDS.into_iter().find_map(|seed| {
        scenario(config(seed), |world| async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let cut = cut_by_hand(&world, skip).await.unwrap();
            let restored = world.restore_cut(&cut);
            let findings = world.judge(&cut);
            (!restored.sound() || !findings.is_empty()).then(|| (seed, format!("{restored:?} {findings:?}")))
        })
    })
}

#[test]
fn a_cut_without_wait_apply_is_found() {
    let (seed, what) = found(Skip::WaitApply, slow).unwrap();
    assert!(what.contains("rule: 'a'") || what.contains("rule: 'b'"), "seed {seed}: {what}");
}

#[test]
fn a_commit_ts_read_late_is_found() {
    let (seed, what) = found(Skip::EarlyTs, busy).unwrap();
    assert!(what.contains("rule: 'e'"), "seed {seed}: {what}");
}

#[test]
fn a_gap_in_the_leases_is_found() {
    let (seed, what) = found(Skip::Lease, busy).unwrap();
    assert!(["'a'", "'b'", "'c'"].iter().any(|rule| what.contains(rule)), "seed {seed}: {what}");
}

#[test]
fn a_plane_cut_later_without_a_barrier_tears_transfers() {
    for seed in 1..6 {
        scenario(WorldConfig::seeded(seed), |world| async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let control = Control { late_plane: "az3".to_owned(), by: Duration::from_secs(1) };
            let cut = world.snapshot_without_barrier(&control).await;
            let restored = world.restore_cut(&cut);
            assert!(!restored.sum_ok, "seed {seed}");
            let torn = &restored.torn[0];
            assert_ne!(torn.present.cut_at_ms, torn.absent.cut_at_ms, "seed {seed}: {torn:?}");
            assert!(world.judge(&cut).iter().any(|finding| finding.rule == 'd'), "seed {seed}");
            assert_eq!((world.mutations().total(), world.left_over().total()), (0, 0), "a control touches nothing");
        });
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let run = |seed| {
        scenario(busy(seed), |world| async move {
            tokio::time::sleep(Duration::from_secs(4)).await;
            let cut = cut_by_hand(&world, Skip::Nothing).await.unwrap();
            (world.history_hash(), world.committed(), cut.commit_ts, format!("{:?}", world.restore_cut(&cut)))
        })
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn gc_drops_versions_and_stands_still_under_a_hold() {
    let config = WorldConfig { gc_life: Duration::from_secs(5), ..WorldConfig::seeded(5) };
    scenario(config, |world| async move {
        let ports = world.plane_ports("az1", dialer());
        let located = ports.topology.locate("tidb", "shop-az1").await.unwrap();
        let pd = ports.pd.connect(&located.endpoint).await.unwrap();
        tokio::time::sleep(Duration::from_secs(25)).await;
        let early = pd.now().await.unwrap();
        let at = pd.min_service_safe_point().await.unwrap();
        assert!(pd.hold_gc("isochron-1", Millis::secs(30), at).await.unwrap() <= at, "accepted");
        assert!(pd.hold_gc("other", Millis::secs(30), Ts(at.0 - 1)).await.unwrap() > Ts(at.0 - 1), "refused, silently");
        let held = world.versions();
        tokio::time::sleep(Duration::from_secs(28)).await;
        assert_eq!(pd.gc_safe_point().await.unwrap(), at, "stands still");
        let grown = world.versions();
        assert!(grown > held, "{held} then {grown}");
        assert_eq!(world.left_over().safe_points, 1);
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert!(pd.gc_safe_point().await.unwrap() > at, "the hold ended by itself");
        assert_eq!(world.left_over().safe_points, 0);
        assert!(world.versions() < grown, "dropped");
        assert_eq!(world.live_sum().map(|(sum, expected)| sum - expected), Some(0), "nothing that is needed");
        let control = Control { late_plane: "az3".to_owned(), by: Duration::ZERO };
        let mut cut = world.snapshot_without_barrier(&control).await;
        cut.commit_ts = early;
        assert!(!world.restore_cut(&cut).sum_ok, "versions at {early} are gone");
        assert!(world.judge(&cut).iter().any(|finding| finding.rule == 'f'));
    });
}

#[test]
fn a_prepare_stream_has_the_habits_of_tikv() {
    scenario(WorldConfig::seeded(2), |world| async move {
        let ports = world.plane_ports("az1", dialer());
        let located = ports.topology.locate("tidb", "shop-az1").await.unwrap();
        let stores = ports.pd.connect(&located.endpoint).await.unwrap().stores().await.unwrap();
        let tikv = ports.tikv.connect(&stores[0].address, None).await.unwrap();
        let first = tikv.open_hold().await.unwrap();
        let led = listed(tikv.as_ref()).await.unwrap()[0].at;
        assert_eq!(first.wait_apply(vec![led]).await, Err(HoldError::Expired));
        assert_eq!(first.lease(Millis::secs(10)).await, Ok(false), "free before");
        assert_eq!(first.lease(Millis::secs(10)).await, Ok(true));
        let second = tikv.open_hold().await.unwrap();
        assert_eq!(first.lease(Millis::secs(10)).await, Err(HoldError::TakenOver));
        assert_eq!(second.lease(Millis::secs(10)).await, Ok(true), "the lease outlives its stream");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(second.lease(Millis::secs(10)).await, Ok(false), "a gap is told");
        world.restart_store(StoreId(1), Duration::from_millis(100));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(matches!(second.lease(Millis::secs(10)).await, Err(HoldError::Broken(_))));
        assert_eq!(world.left_over().leases, 0);
    });
}

#[test]
fn ec2_has_the_habits_of_ec2() {
    scenario(WorldConfig::seeded(2), |world| async move {
        let ports = world.plane_ports("az1", dialer());
        let cloud = ports.cloud.connect(&CloudIdentity::Default, &by_hand::storage()).await.unwrap();
        let elsewhere = S3Target { bucket: "missing".into(), ..by_hand::storage() };
        let wrong = ports.cloud.connect(&CloudIdentity::Default, &elsewhere).await.unwrap();
        assert!(matches!(wrong.objects.list("", 1).await, Err(CloudError::NotFound(_))));
        let instance = InstanceId("i-00000000000000001".into());
        let volumes = cloud.ec2.instances(std::slice::from_ref(&instance)).await.unwrap().remove(0);
        assert_eq!((volumes.data.len(), volumes.root.is_some()), (3, true), "two of TiKV, one of somebody else");
        let tags = vec![("attempt".to_owned(), "1".to_owned())];
        let call = |exclude| CreateSnapshots {
            instance: instance.clone(),
            exclude,
            tags: tags.clone(),
            copy_tags: false,
            description: String::new(),
        };
        assert!(matches!(
            cloud.ec2.create_snapshots(&call(volumes.root.clone().into_iter().collect())).await,
            Err(CloudError::Refused { .. })
        ));
        assert_eq!(world.mutations().total(), 0, "refusals change nothing");
        world.faults(|faults| faults.ec2.entry("az1".into()).or_default().lose_replies = 1);
        let lost = cloud.ec2.create_snapshots(&call(vec![volumes.data[2].clone()])).await;
        assert!(matches!(lost, Err(CloudError::OutcomeUnknown(_))));
        let blind = cloud.ec2.create_snapshots(&call(vec![])).await;
        assert!(matches!(blind, Err(CloudError::PerVolumeRate(_))), "{blind:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let find = Find { tags: tags.clone(), volumes: Vec::new() };
        let made = cloud.ec2.find_snapshots(&find, None).await.unwrap().snapshots;
        assert_eq!(made.len(), 2, "found by tag");
        assert_eq!(made[0].start_time, made[1].start_time, "one call");
        tokio::time::sleep(Duration::from_secs(10)).await;
        for info in &made {
            cloud.ec2.delete_snapshot(&info.snapshot).await.unwrap();
        }
        assert_eq!(world.left_over().total(), 0);
        assert!(cloud.objects.put_if_absent("lock", vec![1]).await.unwrap());
        assert!(!cloud.objects.put_if_absent("lock", vec![2]).await.unwrap());
    });
}

#[test]
fn a_plane_sees_its_own_stores_and_pd_forgets_pauses_with_its_leader() {
    scenario(WorldConfig::seeded(2), |world| async move {
        let ports = world.plane_ports("az2", dialer());
        assert!(ports.topology.locate("tidb", "shop-az1").await.is_err(), "another plane's TidbCluster");
        let located = ports.topology.locate("tidb", "shop-az2").await.unwrap();
        let pd = ports.pd.connect(&located.endpoint).await.unwrap();
        let listed = pd.stores().await.unwrap();
        let local = ports.topology.local_stores("tidb", "shop-az2", &listed).await.unwrap();
        assert_eq!((listed.len(), local.len(), local[0].volumes.len()), (9, 3, 2));
        let (pvc, pv) = (&local[0].volumes[0].pvc, &local[0].volumes[0].pv);
        assert_eq!(pvc["spec"]["volumeName"], pv["metadata"]["name"]);
        assert_eq!(pv["spec"]["claimRef"]["name"], pvc["metadata"]["name"]);
        assert_eq!(pv["metadata"]["annotations"]["temporary/volume-id"], local[0].volumes[0].volume.as_str());
        assert_eq!(world.mutations().total(), 0, "looking touches nothing");

        let pause = pd.pause_schedulers(Millis::secs(15), None).await.unwrap();
        assert_eq!((pause.schedulers.len(), pause.originals.len()), (4, 8));
        assert_eq!(world.left_over().paused_schedulers, 12);
        world.change_pd_leader(Duration::from_secs(3));
        let again = pd.pause_schedulers(Millis::secs(15), Some(&pause)).await.unwrap();
        assert!(again.schedulers.is_empty(), "the new leader has no schedulers yet");
        assert_eq!(again.originals, pause.originals, "never the pause's own values");
        pd.resume_schedulers(&again).await.unwrap();
        assert_eq!(world.left_over().total(), 0);
        pd.pause_schedulers(Millis::secs(15), None).await.unwrap();
        tokio::time::sleep(Duration::from_secs(16)).await;
        assert_eq!(world.left_over().total(), 0, "pauses end by themselves");
    });
}
