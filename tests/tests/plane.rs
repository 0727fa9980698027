//! Real plane actors over the simulated world, ordered by hand: what the coordinator would say, and nothing of its code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use async_trait::async_trait;
use bytes::Bytes;
use plane_actor::{
    config::PlaneConfig,
    ports::{Dialer, PortError},
};
use shared::{
    epoch::Epoch,
    evidence::Evidence,
    ids::{Attempt, BackupUid, SnapshotId, StoreId},
    reason::Reason,
    request::{Credentials, Limits, MemberSpec, SizeLevel, Storage},
    tiling::Tiling,
    ts::Ts,
    wire::{
        self, Abort, Aborted, Answer, Clean, CleanScope, Complete, Cover, Down, Order, Prepare, Prepared, Recovered,
        Renew, Settle, Settled, Snapshot, Up,
    },
};
use shell::link::{Identity, Link, pair};
use std::{collections::BTreeMap, future::Future, time::Duration};
use tests::world::{World, WorldConfig};
use tokio::{
    sync::mpsc,
    task::LocalSet,
    time::{sleep, timeout},
};

const EPOCH: Epoch = Epoch(3);

struct Door {
    links: mpsc::Sender<Link>,
    name: String,
}

#[async_trait]
impl Dialer for Door {
    async fn dial(&self) -> Result<Link, PortError> {
        let (ours, theirs) = pair(Identity::Coordinator("hand".into()), Identity::Plane(self.name.clone()));
        self.links.send(theirs).await.map_err(|_| PortError::Unavailable("closed".into()))?;
        Ok(ours)
    }
}

/// One plane, and the hand's end of its link.
struct Plane {
    name: String,
    life: LocalSet,
    links: mpsc::Receiver<Link>,
    door: mpsc::Sender<Link>,
    link: Option<Link>,
    renewals: u64,
    attempt: u32,
    epoch: Epoch,
}

impl Plane {
    fn new(world: &World, name: &str) -> Self {
        let (door, links) = mpsc::channel(4);
        let mut plane = Self {
            name: name.into(),
            life: LocalSet::new(),
            links,
            door,
            link: None,
            renewals: 0,
            attempt: 1,
            epoch: EPOCH,
        };
        plane.start(world);
        plane
    }

    /// A process starts; the one before it, if any, is killed with everything that it was doing.
    fn start(&mut self, world: &World) {
        self.life = LocalSet::new();
        self.link = None;
        let dialer = Door { links: self.door.clone(), name: self.name.clone() };
        let ports = world.plane_ports(&self.name, std::sync::Arc::new(dialer));
        let config = PlaneConfig::new(self.name.clone());
        self.life.spawn_local(async move {
            if let Err(error) = plane_actor::run(config, ports, std::future::pending()).await {
                eprintln!("plane ended: {error:#}");
            }
        });
    }

    async fn say(&mut self, order: Order) {
        let epoch = if matches!(order, Order::Prepare(_)) { Epoch::NONE } else { self.epoch };
        let down = Down::Order { attempt: attempt(self.attempt), epoch, order };
        let frame = Bytes::from(wire::encode(&down).unwrap());
        loop {
            if let Some(link) = &self.link
                && link.tx.send(frame.clone()).await.is_ok()
            {
                return;
            }
            self.link = Some(self.life.run_until(self.links.recv()).await.unwrap());
        }
    }

    /// The next answer that is no progress; renews meanwhile, unless told not to.
    async fn hear(&mut self, renewing: bool) -> Answer {
        for _ in 0..10_000 {
            let link = self.link.as_mut().unwrap();
            let frame = self.life.run_until(timeout(Duration::from_secs(3), link.rx.recv())).await;
            match frame {
                Ok(Some(frame)) => match wire::decode(&frame).unwrap() {
                    Up::Answer { answer: Answer::Progress(_) | Answer::Renewed(_), .. } => {}
                    Up::Answer { answer, .. } => return answer,
                    Up::Preflighted(_) => {}
                },
                Ok(None) => panic!("link of {} ended", self.name),
                Err(_) if renewing && self.link.is_some() => self.renew().await,
                Err(_) => {}
            }
        }
        panic!("{} never answered", self.name)
    }

    async fn renew(&mut self) {
        self.renewals += 1;
        let number = self.renewals;
        self.say(Order::Renew(Renew { number })).await;
    }
}

fn attempt(number: u32) -> Attempt {
    Attempt { backup: BackupUid::new("uid-1"), number }
}

fn spec(world: &World, plane: &str) -> MemberSpec {
    let planes = world.config().planes;
    let here = planes.iter().find(|p| p.name == plane).unwrap();
    MemberSpec {
        backup_name: "nightly".into(),
        backup_namespace: "admin".into(),
        tc_name: here.tc_name.clone(),
        tc_namespace: here.tc_namespace.clone(),
        init: planes[0].name == plane,
        storage: Storage {
            provider: "aws".into(),
            region: String::new(),
            bucket: world.config().bucket,
            prefix: format!("nightly-{plane}"),
            endpoint: String::new(),
            force_path_style: true,
            acl: String::new(),
            sse: String::new(),
            storage_class: String::new(),
        },
        credentials: Credentials::Default,
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}

/// The coordinator's part, by hand.
struct Hand {
    world: World,
    planes: Vec<Plane>,
    prepared: BTreeMap<String, Prepared>,
    evidence: BTreeMap<String, Evidence>,
    commit_ts: Ts,
}

impl Hand {
    fn new(world: &World) -> Self {
        let planes = world.config().planes.iter().map(|plane| Plane::new(world, &plane.name)).collect();
        let (prepared, evidence) = Default::default();
        Self { world: world.clone(), planes, prepared, evidence, commit_ts: Ts::ZERO }
    }

    /// Orders all planes, hears all. While one is heard the others live on: their LocalSets are driven in turn.
    async fn all(&mut self, order: impl Fn(&Plane) -> Order) -> Vec<Answer> {
        // What has ended is not renewed.
        let mut renewing = true;
        for plane in &mut self.planes {
            let order = order(plane);
            renewing &= !matches!(order, Order::Clean(_) | Order::Abort(_));
            plane.say(order).await;
        }
        self.heard(renewing).await
    }

    async fn heard(&mut self, renewing: bool) -> Vec<Answer> {
        futures::future::join_all(self.planes.iter_mut().map(|plane| plane.hear(renewing))).await
    }

    async fn prepare(&mut self) -> Vec<Answer> {
        let world = self.world.clone();
        let answers = self.all(|plane| Order::Prepare(Prepare { round: 1, spec: spec(&world, &plane.name) })).await;
        for (plane, answer) in self.planes.iter().zip(&answers) {
            if let Answer::Prepared(prepared) = answer {
                self.prepared.insert(plane.name.clone(), prepared.clone());
            }
        }
        answers
    }

    async fn settle(&mut self) {
        let answers = self.all(|_| Order::Reserve).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Reserved(_))), "{answers:?}");
        self.planes[0].say(Order::Settle(Settle::HoldPd)).await;
        // The others have to live meanwhile.
        let first = self.hear_first().await;
        let Answer::Settled(Settled::PdHeld { gc_hold, .. }) = first else { panic!("{first:?}") };
        let answers = self.all(|_| Order::Settle(Settle::Leaders { gc_hold })).await;
        assert!(answers.iter().all(|a| matches!(a, Answer::Settled(Settled::Leaders { .. }))), "{answers:?}");
    }

    async fn hear_first(&mut self) -> Answer {
        let (first, rest) = self.planes.split_first_mut().unwrap();
        let living =
            futures::future::join_all(rest.iter().map(|plane| plane.life.run_until(std::future::pending::<()>())));
        tokio::select! {
            answer = first.hear(true) => answer,
            _ = living => unreachable!(),
        }
    }

    async fn suspend(&mut self) {
        let answers = self.all(|_| Order::Suspend).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Suspended(_))), "{answers:?}");
    }

    async fn cover(&mut self) {
        for round in 1..=2 {
            let answers = self.all(|_| Order::Cover(Cover { round, name_missing: false })).await;
            let digests: Vec<_> = answers
                .iter()
                .map(|answer| match answer {
                    Answer::Covered(covered) => covered.digest.clone(),
                    other => panic!("{other:?}"),
                })
                .collect();
            let tiling: Tiling = digests.iter().map(|digest| digest.tiling).sum();
            if tiling.is_whole() {
                self.commit_ts = digests.iter().map(|digest| digest.least_safe_ts).min().unwrap();
                return;
            }
        }
        panic!("regions do not tile the key space");
    }

    async fn snapshot(&mut self) -> Vec<Answer> {
        let commit_ts = self.commit_ts;
        self.all(|_| Order::Snapshot(Snapshot { commit_ts })).await
    }

    async fn confirm(&mut self) {
        let answers = self.all(|_| Order::Confirm).await;
        for (plane, answer) in self.planes.iter().zip(answers) {
            let Answer::Confirmed(confirmed) = answer else { panic!("{answer:?}") };
            self.evidence.insert(plane.name.clone(), confirmed.evidence);
        }
    }

    async fn up_to_confirmed(&mut self) {
        self.prepare().await;
        self.settle().await;
        self.suspend().await;
        self.cover().await;
        let answers = self.snapshot().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
        self.confirm().await;
    }

    fn snapshots(&self) -> Vec<SnapshotId> {
        self.evidence.values().flat_map(|seen| seen.snapshots.iter().map(|s| s.snapshot.clone())).collect()
    }

    async fn complete(&mut self) -> Vec<Answer> {
        let (prepared, evidence, commit_ts) = (self.prepared.clone(), self.evidence.clone(), self.commit_ts);
        let world = self.world.clone();
        self.all(|plane| {
            let known = &prepared[&plane.name];
            Order::Complete(Complete {
                spec: spec(&world, &plane.name),
                cluster: known.cluster,
                cluster_version: known.cluster_version.clone(),
                commit_ts,
                cluster_stores: known.cluster_stores.len() as u32,
                stores: known.stores.clone(),
                snapshots: evidence[&plane.name].snapshots.clone(),
                certificate: "{\"certificate\":1}".into(),
            })
        })
        .await
    }

    async fn clean(&mut self, scope: CleanScope) {
        let world = self.world.clone();
        let answers = self
            .all(|plane| Order::Clean(Clean { spec: spec(&world, &plane.name), scope, snapshots: Vec::new() }))
            .await;
        for answer in answers {
            let Answer::Cleaned(cleaned) = answer else { panic!("{answer:?}") };
            assert_eq!(cleaned.report.left, Vec::<String>::new());
        }
    }

    /// From here on orders are those of this attempt.
    fn turn_to(&mut self, number: u32, epoch: Epoch) {
        for plane in &mut self.planes {
            (plane.attempt, plane.epoch) = (number, epoch);
        }
    }

    /// Lets time pass for the planes.
    async fn wait(&mut self, length: Duration) {
        let living = futures::future::join_all(
            self.planes.iter().map(|plane| plane.life.run_until(std::future::pending::<()>())),
        );
        tokio::select! {
            () = sleep(length) => {}
            _ = living => unreachable!(),
        }
    }
}

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
        let mut hand = Hand::new(&world);
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
        let mut hand = Hand::new(&world);
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
            let mut hand = Hand::new(&world);
            hand.prepare().await;
            hand.settle().await;
            hand.suspend().await;
            hand.cover().await;
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
        let mut hand = Hand::new(&world);
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
        let mut hand = Hand::new(&world);
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
            let mut hand = Hand::new(&world);
            hand.prepare().await;
            hand.settle().await;
            hand.suspend().await;
            hand.cover().await;
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

#[test]
fn a_late_clean_of_an_attempt_leaves_the_next_ones_backup_alone() {
    scenario(WorldConfig::seeded(18), |world| async move {
        let mut hand = Hand::new(&world);
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
    let table: [(Spoil, Reason); 11] = [
        (|f| f.recovering = true, Reason::ClusterRecovering),
        (|f| f.min_resolved_off = true, Reason::ResolvedTsDisabled),
        (|f| assert!(f.resolved_ts_off.insert(StoreId(1))), Reason::ResolvedTsDisabled),
        (|f| assert!(f.raft_v2.insert(StoreId(1))), Reason::EngineUnsupported),
        (|f| assert!(f.unreachable.insert(StoreId(1))), Reason::StoreUnavailable),
        (|f| assert!(f.pd_down.insert("az1".into())), Reason::PdUnavailable),
        (|f| assert!(f.moved_volume.insert(StoreId(1))), Reason::VolumeMoved),
        (|f| assert!(f.not_ebs.insert(StoreId(1))), Reason::VolumeUnsupported),
        (|f| assert!(f.no_tidb_cluster.insert("az1".into())), Reason::TidbClusterNotFound),
        (|f| f.no_bucket = true, Reason::BucketMissing),
        (|f| f.s3_down = true, Reason::StorageUnavailable),
    ];
    for (spoil, reason) in table {
        scenario(WorldConfig::seeded(18), |world| async move {
            world.faults(spoil);
            let mut hand = Hand::new(&world);
            let answers = hand.prepare().await;
            let Answer::Refused(refusal) = &answers[0] else { panic!("{reason}: {:?}", answers[0]) };
            assert_eq!(refusal.reason, reason, "{refusal}");
            assert_eq!(world.mutations().total(), 0, "{reason}");
        });
    }
    scenario(WorldConfig::seeded(19), |world| async move {
        world.put_object("nightly-az1/backup.lock", b"DO NOT DELETE\nx");
        let mut hand = Hand::new(&world);
        let answers = hand.prepare().await;
        let Answer::Refused(refusal) = &answers[0] else { panic!("{:?}", answers[0]) };
        assert_eq!(refusal.reason, Reason::PrefixInUse);
        assert!(refusal.message.contains("nightly-az1/backup.lock"), "{refusal}");
    });
}

#[test]
fn what_cannot_be_saved_is_not_said() {
    scenario(WorldConfig::seeded(20), |world| async move {
        let mut hand = Hand::new(&world);
        hand.prepare().await;
        hand.settle().await;
        hand.suspend().await;
        hand.cover().await;
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
