//! Volumes of a restore: made once whatever is lost on the way, made again where EC2 made a bad one, and taken away whole.

use crate::{scenario, scripted::ScriptedCoordinator};
use plane_actor::{
    actors::{
        PlaneContext,
        build::{BuildProgress, Built, TakenAway, Wish, WishedVolume, initialized, make, take_away},
    },
    config::PlaneConfig,
    ports::{Cloud, CloudIdentity, CreateVolume, NewVolume},
};
use shared::{
    ids::{PlaneId, SnapshotId, VolumeId},
    reason::{Reason, Refusal},
    request::S3Target,
    restore::tags::{VolumesOf, numbered},
    time::Millis,
    ts::Ts,
    wire::{Order, VolumeWish},
};
use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};
use tests::{
    by_order::Door,
    models::ec2::{Ec2, Spoil},
    world::{Ec2Faults, World, WorldConfig},
};
use tokio::{sync::mpsc, time::timeout};

const RESTORE: &str = "0b2e8f4a-6f0e-4f2b-9a7e-0d8f3a1c5b6d";
const HOUR: Duration = Duration::from_secs(3_600);

/// Nothing goes on in the cluster by itself: hours pass here.
fn config(seed: u64) -> WorldConfig {
    WorldConfig { scheduler_every: None, unruly_every: None, ..WorldConfig::seeded(seed) }
}

/// A Complete backup of the whole world, whose snapshots are completed.
async fn backup(world: &World) -> Ts {
    let mut hand = ScriptedCoordinator::new(world);
    hand.up_to_confirmed().await;
    hand.all(|_| Order::Release).await;
    hand.complete().await;
    world.set_transfers(0);
    hand.commit_ts
}

/// A process of a plane, and what it wishes for: a volume of each snapshot that the plane has made.
struct Restorer {
    env: Rc<PlaneContext>,
    cloud: Cloud,
    volumes: Vec<WishedVolume>,
    told: Cell<(usize, usize)>,
}

impl Restorer {
    async fn new(world: &World, plane: &str) -> Self {
        let door = Door { links: mpsc::channel(1).0, name: plane.into(), outdated: Arc::default() };
        let ports = world.plane_ports(plane, Arc::new(door));
        let storage = S3Target::example(&world.config().bucket, "p");
        let cloud = ports.cloud.connect(&CloudIdentity::Default, &storage).await.unwrap();
        let config = PlaneConfig { new_ledger: "l-1".to_owned(), ..PlaneConfig::new(plane) };
        let env = PlaneContext::open(config, ports).await.unwrap();
        let of = snapshots_of(world, plane).into_iter();
        let volumes = of.map(|snapshot| wished(RESTORE, plane, snapshot)).collect();
        Self { env, cloud, volumes, told: Cell::default() }
    }

    fn wish<'a>(&'a self, limit: Duration) -> Wish<'a> {
        Wish { restore: RESTORE, attempt: 1, volumes: &self.volumes, limit }
    }

    async fn make(&self) -> Result<Vec<Built>, Refusal> {
        let report = |told: BuildProgress| self.told.set((told.done, told.of));
        make(&self.env, &self.cloud, &self.wish(HOUR), &report).await
    }

    async fn take_away(&self) -> TakenAway {
        take_away(&self.env, &self.cloud, RESTORE, Millis::secs(300), HOUR).await.unwrap()
    }
}

fn snapshots_of(world: &World, plane: &str) -> Vec<SnapshotId> {
    let made = world.facts().snapshots.into_iter().filter(|(_, fact)| fact.plane == plane);
    made.map(|(id, _)| id).collect()
}

fn wished(restore: &str, plane: &str, snapshot: SnapshotId) -> WishedVolume {
    let plane = PlaneId::new(plane);
    let of = VolumesOf { restore, name: "shop-back", namespace: "br-fed", plane: &plane, ledger: "l-1" };
    let tags = of.tags(&snapshot, None, None, &[]);
    let zone = "eu-west-1b".to_owned();
    WishedVolume { call: CreateVolume { snapshot, zone, kind: VolumeWish::plain().kind, rate: None }, tags }
}

fn ec2(world: &World, change: impl FnOnce(&mut Ec2)) {
    world.alter_ec2(change);
}

fn faults(world: &World, change: impl FnOnce(&mut Ec2Faults)) {
    world.faults(|faults| change(faults.ec2.entry("az1".to_owned()).or_default()));
}

fn ids(built: &[Built]) -> Vec<VolumeId> {
    built.iter().map(|one| one.volume.clone()).collect()
}

#[test]
fn volumes_hold_what_was_backed_up_and_go_without_a_trace() {
    scenario(config(71), |world| async move {
        let commit_ts = backup(&world).await;
        let before = world.left_over();
        let mut all = Vec::new();
        let planes: Vec<String> = world.config().planes.into_iter().map(|plane| plane.name).collect();
        for name in &planes {
            let plane = Restorer::new(&world, name).await;
            let built = plane.make().await.unwrap();
            assert_eq!(plane.told.get(), (plane.volumes.len(), plane.volumes.len()));
            let wished: Vec<&SnapshotId> = plane.volumes.iter().map(|one| &one.call.snapshot).collect();
            assert_eq!(built.iter().map(|one| &one.snapshot).collect::<Vec<_>>(), wished, "in the order of the wish");
            assert!(built.iter().all(|one| one.nth == 1 && one.gib == 500 && one.zone == "eu-west-1b"), "{built:?}");
            let again = Restorer::new(&world, name).await;
            assert_eq!(again.make().await.unwrap(), built, "another process finds them");
            all.extend(ids(&built));
        }
        let cut = world.cut_of_volumes(&all, commit_ts).unwrap();
        assert_eq!(world.judge(&cut), Vec::new());
        assert!(world.restore_cut(&cut).sound());
        assert_eq!((world.left_over().volumes, world.mutations().ec2_volumes), (all.len() as u64, all.len() as u64));
        for plane in &planes {
            let taken = Restorer::new(&world, plane).await.take_away().await;
            assert_eq!((taken.stays.len(), taken.gib), (0, 500 * taken.deleted.len() as u64));
        }
        assert_eq!(world.left_over(), before);
    });
}

/// Neither a reply that is lost nor a process that dies makes a volume twice, although no describe shows the first.
#[test]
fn whatever_is_lost_on_the_way_each_snapshot_has_one_volume() {
    scenario(config(72), |world| async move {
        backup(&world).await;
        ec2(&world, |ec2| ec2.rules.visible_after = Duration::from_secs(60));
        faults(&world, |faults| faults.lose_volume_replies = 4);
        let first = Restorer::new(&world, "az1").await;
        let killed = timeout(Duration::from_secs(2), first.make()).await;
        assert!(killed.is_err() && world.mutations().ec2_volumes > 0, "it dies after it has asked");
        let second = Restorer::new(&world, "az1").await;
        let built = second.make().await.unwrap();
        assert_eq!(built.len(), second.volumes.len());
        assert_eq!(world.mutations().ec2_volumes, built.len() as u64);
        assert_eq!(world.left_over().volumes, built.len() as u64, "{:?}", world.left_over().names);
    });
}

#[test]
fn a_volume_in_error_is_deleted_and_made_once_more_and_no_more() {
    scenario(config(73), |world| async move {
        backup(&world).await;
        let plane = Restorer::new(&world, "az1").await;
        let [bad, worse, ..] = &snapshots_of(&world, "az1")[..] else { panic!("two snapshots") };
        ec2(&world, |ec2| drop(ec2.spoiling.insert(bad.0.clone(), [Spoil::Error].into())));
        let built = plane.make().await.unwrap();
        let of = |built: &[Built]| built.iter().map(|one| (one.snapshot.clone(), one.nth)).collect::<BTreeMap<_, _>>();
        assert_eq!((of(&built)[bad], of(&built)[worse]), (2, 1));
        assert_eq!(world.left_over().volumes, built.len() as u64, "the one in error is gone");
        assert_eq!(Restorer::new(&world, "az1").await.make().await.unwrap(), built);
        plane.take_away().await;

        let other = Restorer { volumes: vec![wished("u-2", "az1", worse.clone())], ..plane };
        ec2(&world, |ec2| drop(ec2.spoiling.insert(worse.0.clone(), [Spoil::Error, Spoil::Error].into())));
        let wish = Wish { restore: "u-2", ..other.wish(HOUR) };
        let refusal = make(&other.env, &other.cloud, &wish, &|_| ()).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::VolumeFailed);
        for word in [worse.as_str(), "eu-west-1b", "state error"] {
            assert!(refusal.message.contains(word), "{refusal}");
        }
    });
}

/// A key that may not be used may show so; and the token goes on naming a volume that is not there.
#[test]
fn a_volume_that_vanishes_is_made_once_more_after_a_quiet_time() {
    scenario(config(74), |world| async move {
        backup(&world).await;
        let plane = Restorer::new(&world, "az1").await;
        let bad = snapshots_of(&world, "az1").remove(0);
        ec2(&world, |ec2| drop(ec2.spoiling.insert(bad.0.clone(), [Spoil::Vanishes].into())));
        let begun = world.elapsed_ms();
        let built = plane.make().await.unwrap();
        assert!(world.elapsed_ms() - begun >= 300_000, "EC2 might not show it yet");
        assert_eq!(built.iter().find(|one| one.snapshot == bad).map(|one| one.nth), Some(2));
        assert_eq!(world.left_over().volumes, built.len() as u64);
    });
}

#[test]
fn what_ec2_refuses_is_told_with_snapshot_and_zone() {
    scenario(config(75), |world| async move {
        backup(&world).await;
        let plane = Restorer::new(&world, "az1").await;
        let refused = async || {
            let refusal = plane.make().await.unwrap_err();
            assert!(refusal.message.contains("snap-") && refusal.message.contains("eu-west-1b"), "{refusal}");
            refusal
        };
        ec2(&world, |ec2| ec2.rules.volume_gib = BTreeMap::from([("gp3".to_owned(), 1)]));
        assert_eq!(refused().await.reason, Reason::VolumeQuota);
        ec2(&world, |ec2| ec2.rules.volume_gib.clear());
        faults(&world, |faults| faults.no_looks = true);
        assert_eq!(refused().await.reason, Reason::AccessDenied);
        faults(&world, |faults| faults.no_looks = false);
        ec2(&world, |ec2| ec2.snapshots.values_mut().for_each(|one| one.later.archived = true));
        let refusal = refused().await;
        assert!(refusal.reason == Reason::VolumeFailed && refusal.message.contains("archive"), "{refusal}");
        ec2(&world, |ec2| ec2.snapshots.values_mut().for_each(|one| one.later.archived = false));
        ec2(&world, |ec2| ec2.rules.creating_for = HOUR);
        let late = make(&plane.env, &plane.cloud, &plane.wish(Duration::from_secs(600)), &|_| ()).await.unwrap_err();
        assert!(late.reason == Reason::VolumeFailed && late.message.contains("within 600 s: vol-"), "{late}");
    });
}

/// The plane's own tags were changed in its configuration: EC2 refuses the token, and the volume is there.
#[test]
fn a_volume_that_was_asked_for_in_other_words_is_found() {
    scenario(config(76), |world| async move {
        backup(&world).await;
        ec2(&world, |ec2| ec2.rules.visible_after = Duration::from_secs(10));
        let first = Restorer::new(&world, "az1").await;
        assert!(timeout(Duration::from_secs(2), first.make()).await.is_err());
        let made = world.mutations().ec2_volumes;
        let mut second = Restorer::new(&world, "az1").await;
        second.volumes.iter_mut().for_each(|one| one.tags.push(("team".to_owned(), "dba".to_owned())));
        let built = second.make().await.unwrap();
        assert_eq!((built.len() as u64, world.mutations().ec2_volumes), (made, made));
    });
}

#[test]
fn only_what_is_the_restores_and_attached_to_nothing_is_taken_away() {
    scenario(config(77), |world| async move {
        backup(&world).await;
        let plane = Restorer::new(&world, "az1").await;
        let built = plane.make().await.unwrap();
        world.attach_volume(&built[0].volume, "i-0000000000000000a").unwrap();
        let snapshot = plane.volumes[0].call.snapshot.clone();
        let neighbour = [wished("u-2", "az1", snapshot)];
        let wish = Wish { restore: "u-2", attempt: 1, volumes: &neighbour, limit: HOUR };
        let neighbour = make(&plane.env, &plane.cloud, &wish, &|_| ()).await.unwrap();
        // What was asked for at the last moment shows late.
        ec2(&world, |ec2| ec2.rules.visible_after = Duration::from_secs(200));
        let late = numbered(&plane.volumes[1].tags, 1, 2);
        let new = NewVolume { call: plane.volumes[1].call.clone(), token: "t".to_owned(), tags: late };
        let late = plane.cloud.volumes.create_volume(&new).await.unwrap().volume;
        let taken = plane.take_away().await;
        assert_eq!(taken.stays.iter().map(|one| &one.volume).collect::<Vec<_>>(), [&built[0].volume]);
        assert!(taken.stays[0].why.contains("i-0000000000000000a"), "{taken:?}");
        assert_eq!(taken.deleted.len(), built.len(), "all others, and the late one");
        assert!(taken.deleted.contains(&late), "{taken:?}");
        assert!(!taken.deleted.contains(&neighbour[0].volume), "another restore's");
        assert_eq!(world.left_over().volumes, 2);
    });
}

#[test]
fn what_may_not_be_deleted_is_told() {
    scenario(config(78), |world| async move {
        backup(&world).await;
        let plane = Restorer::new(&world, "az1").await;
        let built = plane.make().await.unwrap();
        faults(&world, |faults| faults.no_deletes = true);
        let taken = plane.take_away().await;
        assert_eq!((taken.deleted.len(), taken.stays.len()), (0, built.len()));
        assert!(taken.stays.iter().all(|one| one.why.contains("ec2:DeleteVolume")), "{taken:?}");
        let asked = world.calls("az1").iter().filter(|action| **action == "DeleteVolume").count();
        assert_eq!(asked, built.len(), "what is denied is asked for once");
    });
}

#[test]
fn progress_is_that_of_the_last_volume() {
    scenario(config(79), |world| async move {
        backup(&world).await;
        // 64 MiB and more on each.
        ec2(&world, |ec2| ec2.rules.lazily = 1);
        let plane = Restorer::new(&world, "az1").await;
        let mut volumes = ids(&plane.make().await.unwrap());
        let all = volumes.len();
        volumes.push(VolumeId::new("vol-0ffffffffffffffff"));
        let now = initialized(&plane.env, &plane.cloud, &volumes).await.unwrap();
        assert!(now.least.is_some_and(|least| least < 50), "{now:?}");
        assert_eq!((now.done, now.untold, now.of), (0, 1, all + 1));
        tokio::time::sleep(Duration::from_secs(600)).await;
        let then = initialized(&plane.env, &plane.cloud, &volumes).await.unwrap();
        assert_eq!((then.least, then.done, then.untold), (Some(100), all, 1));
    });
}

/// Three pages of the account, and CreateVolume at EC2's rate.
#[test]
fn hundreds_of_volumes_are_made_within_the_budget_and_all_pages_are_read() {
    scenario(config(80), |world| async move {
        backup(&world).await;
        world.multiply_snapshots(69);
        let plane = Restorer::new(&world, "az1").await;
        assert_eq!(plane.volumes.len(), 420);
        let throttles = world.mutations().ec2_throttles;
        let built = plane.make().await.unwrap();
        // Calls that were sent one after the other may arrive together.
        assert!(world.mutations().ec2_throttles - throttles < 10, "{:?}", world.mutations());
        let again = Restorer::new(&world, "az1").await.make().await.unwrap();
        assert_eq!((again, world.mutations().ec2_volumes), (built, 420));
        let elsewhere = Restorer::new(&world, "az2").await;
        elsewhere.make().await.unwrap();
        assert_eq!(plane.take_away().await.deleted.len(), 420);
        assert_eq!(world.left_over().volumes, 420, "those of the other plane");
    });
}
