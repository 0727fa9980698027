//! Instances with one volume alone have a second call, and its bucket, where the coordinator has divided that.

use super::{scenario, scripted::ScriptedCoordinator};
use shared::{
    limiter::Budget,
    reason::Reason,
    wire::{AccountPart, Answer, CallBudgets, CallShare, Divided, Division, Down},
};
use std::time::Duration;
use tests::world::{Ec2Config, Span, World, WorldConfig};

const WHOLE: CallShare = CallShare { calls: 1, of: 1 };

/// Two of the three stores of a plane have one volume, the third has two; each plane has an account of its own.
fn config(seed: u64) -> WorldConfig {
    let mut planes = WorldConfig::named_planes(3);
    for (at, plane) in planes.iter_mut().enumerate() {
        plane.account = format!("11112222333{at}");
    }
    WorldConfig { planes, one_volume_stores: 2, ..WorldConfig::seeded(seed) }
}

/// From the order to the last call that EC2 accepted, of each plane.
async fn snapshots(world: &World, hand: &mut ScriptedCoordinator, one_volume: Option<CallShare>) -> Vec<Duration> {
    let answers = hand.snapshot_within(one_volume).await;
    hand.confirm().await;
    let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
    assert_eq!(world.judge(&cut), Vec::new());
    assert!(world.restore_cut(&cut).sound());
    let last = |answer: &Answer| match answer {
        Answer::Snapshotted(taken) => {
            Duration::from_millis(taken.accepted.iter().map(|call| call.after.0).max().unwrap())
        }
        other => panic!("{other:?}"),
    };
    answers.iter().map(last).collect()
}

#[test]
fn one_volume_goes_alone_only_where_the_coordinator_says_so() {
    for (one_volume, alone) in [(None, 0), (Some(WHOLE), 6)] {
        scenario(config(31), |world| async move {
            let mut hand = ScriptedCoordinator::covered(&world).await;
            snapshots(&world, &mut hand, one_volume).await;
            let made = world.mutations();
            assert_eq!((made.ec2_creates, made.ec2_creates_of_one), (9, alone), "{one_volume:?}");
        });
    }
}

/// Four calls, and one token a second: through one bucket they take three seconds, through both one.
#[test]
fn both_buckets_are_through_at_the_same_time() {
    for (one_volume, seconds) in [(None, 3), (Some(WHOLE), 1)] {
        let ec2 = Ec2Config { create_bucket: (1, 1), create: Span(0, 0), ..Ec2Config::default() };
        scenario(WorldConfig { ec2, stores_per_plane: 4, one_volume_stores: 4, ..config(32) }, |world| async move {
            let mut hand = ScriptedCoordinator::covered(&world).await;
            for took in snapshots(&world, &mut hand, one_volume).await {
                let least = Duration::from_secs(seconds);
                assert!((least..least + Duration::from_millis(500)).contains(&took), "{one_volume:?}: {took:?}");
            }
            assert_eq!(world.mutations().ec2_throttles, 0);
        });
    }
}

/// An answer that was lost is looked up, whichever call it was.
#[test]
fn a_lost_answer_of_create_snapshot_is_looked_up_and_leaves_nothing() {
    scenario(config(33), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        world.faults(|faults| faults.ec2.entry("az1".into()).or_default().lose_replies = 3);
        snapshots(&world, &mut hand, Some(WHOLE)).await;
        assert_eq!(world.mutations().ec2_creates, 9, "nothing twice");
    });
}

#[test]
fn what_the_role_allows_is_told_when_prepared() {
    scenario(config(34), |world| async move {
        world.faults(|faults| faults.ec2.entry("az2".into()).or_default().only_sets = true);
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        for (plane, one_volume) in
            [("az1", Some(Budget::EC2_CREATE_SNAPSHOT)), ("az2", None), ("az3", Some(Budget::EC2_CREATE_SNAPSHOT))]
        {
            let told = CallBudgets { sets: Budget::EC2_CREATE_SNAPSHOTS, one_volume };
            assert_eq!(hand.prepared[plane].budgets, Some(told), "{plane}");
        }
    });
}

/// Four calls, and one token a second: half of it, beside somebody else's backup, takes twice as long.
#[test]
fn what_is_divided_over_all_backups_counts_beside_what_the_order_says() {
    for (calls, seconds) in [(None, 3), (Some(1), 6)] {
        let ec2 = Ec2Config { create_bucket: (1, 1), create: Span(0, 0), ..Ec2Config::default() };
        scenario(WorldConfig { ec2, stores_per_plane: 4, one_volume_stores: 0, ..config(35) }, |world| async move {
            let mut hand = ScriptedCoordinator::covered(&world).await;
            for (at, plane) in hand.planes.iter_mut().enumerate() {
                let part = |calls| AccountPart {
                    account: format!("11112222333{at}"),
                    region: hand.prepared[&plane.name].region.clone(),
                    action: Divided::CreateSnapshots,
                    share: CallShare { calls, of: 2 },
                };
                plane.send(&Down::Divide(Division { parts: calls.map(part).into_iter().collect() })).await;
            }
            for took in snapshots(&world, &mut hand, None).await {
                let least = Duration::from_secs(seconds);
                assert!((least..least + Duration::from_millis(500)).contains(&took), "{calls:?}: {took:?}");
            }
            assert_eq!(world.mutations().ec2_throttles, 0);
        });
    }
}

/// 41 volumes of others on its node: CreateSnapshots could leave out 40 of them, CreateSnapshot leaves out all.
#[test]
fn one_volume_among_too_many_others_goes_alone() {
    scenario(config(36), |world| async move {
        let (one, _) = world.stores().into_iter().find(|(_, plane)| plane == "az1").unwrap();
        world.attach_foreigners(one, 40);
        let mut hand = ScriptedCoordinator::covered(&world).await;
        snapshots(&world, &mut hand, None).await;
        let made = world.mutations();
        assert_eq!((made.ec2_creates, made.ec2_creates_of_one), (9, 1));
    });
    scenario(config(37), |world| async move {
        let (one, _) = world.stores().into_iter().find(|(_, plane)| plane == "az1").unwrap();
        world.attach_foreigners(one, 40);
        world.faults(|faults| faults.ec2.entry("az1".into()).or_default().only_sets = true);
        let mut hand = ScriptedCoordinator::new(&world);
        let answers = hand.prepare().await;
        let [Answer::Refused(refusal), ..] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!(refusal.reason, Reason::ExclusionsTooMany, "{refusal}");
        assert!(
            refusal.message.contains("41 data volumes") && refusal.message.contains("CreateSnapshot,"),
            "{refusal}"
        );
    });
}
