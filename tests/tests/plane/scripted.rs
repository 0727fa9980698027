//! The hand: what a coordinator would order, spoken over real links to real plane actors, step by step.

use crate::threads::Apart;
use bytes::Bytes;
use futures::future::{Either, join_all, select};
use plane_actor::{config::PlaneConfig, metrics::PlaneMetrics, ports::PlaneView};
use prometheus_client::registry::Registry;
use serde::Serialize;
use shared::{
    epoch::Epoch,
    evidence::Evidence,
    ids::{Attempt, BackupUid, SnapshotId},
    tiling::Tiling,
    ts::Ts,
    wire::{
        self, Answer, CallShare, Clean, CleanReport, CleanScope, Complete, Cover, Down, OldBackup, Order, Prepare,
        Prepared, Renew, Settle, Settled, Snapshot, Up,
    },
};
use shell::link::Link;
use std::{cell::Cell, collections::BTreeMap, pin::pin, sync::Arc, time::Duration};
use tests::{
    by_order::{Door, member_spec},
    world::{PlaneConfig as PlaneOfWorld, World},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::LocalSet,
    time::{Instant, sleep, timeout},
};

pub(crate) const EPOCH: Epoch = Epoch(3);

pub(crate) fn attempt(number: u32) -> Attempt {
    Attempt { backup: BackupUid::new("uid-1"), number }
}

/// One plane, and the hand's end of its link.
pub(crate) struct Plane {
    pub(crate) name: String,
    /// A certificate was renewed.
    pub(crate) outdated: Arc<Notify>,
    life: LocalSet,
    links: mpsc::Receiver<Link>,
    door: mpsc::Sender<Link>,
    link: Option<Link>,
    /// What it tells, and the view behind it.
    pub(crate) told: Option<(Registry, PlaneMetrics, watch::Receiver<PlaneView>)>,
    /// Its runtimes are as in production.
    apart: Option<Arc<Apart>>,
    renewals: u64,
    attempt: u32,
    epoch: Epoch,
}

impl Plane {
    pub(crate) fn new(world: &World, name: &str, apart: Option<Arc<Apart>>) -> Self {
        let (door, links) = mpsc::channel(4);
        let mut plane = Self {
            name: name.into(),
            outdated: Arc::default(),
            life: LocalSet::new(),
            links,
            door,
            link: None,
            told: None,
            apart,
            renewals: 0,
            attempt: 1,
            epoch: EPOCH,
        };
        plane.start(world);
        plane
    }

    /// A process starts; the one before it, if any, is killed with everything that it was doing.
    pub(crate) fn start(&mut self, world: &World) {
        self.life = LocalSet::new();
        self.link = None;
        let dialer = Door { links: self.door.clone(), name: self.name.clone(), outdated: self.outdated.clone() };
        let mut ports = world.plane_ports(&self.name, Arc::new(dialer));
        let budgets = world.config().ec2.budgets();
        let new_ledger = format!("ledger-{}", self.name);
        let mut config = PlaneConfig { budgets, new_ledger, ..PlaneConfig::new(self.name.clone()) };
        if let Some(apart) = &self.apart {
            let (leases, work) = apart.handles();
            (config.lease_runtime, config.work_runtime) = (Some(leases), Some(work));
            ports.tikv = apart.watch(ports.tikv);
        }
        let mut registry = Registry::default();
        let metrics = PlaneMetrics::register(&mut registry);
        let ports = metrics.counted(ports);
        self.told = Some((registry, metrics, ports.views.subscribe()));
        self.life.spawn_local(async move {
            if let Err(error) = plane_actor::run(config, ports, std::future::pending()).await {
                eprintln!("plane ended: {error:#}");
            }
        });
    }

    pub(crate) async fn say(&mut self, order: Order) {
        let epoch = if matches!(order, Order::Prepare(_)) { Epoch::NONE } else { self.epoch };
        self.send(&Down::Order { attempt: attempt(self.attempt), epoch, order }).await;
    }

    /// Also what is no message of ours.
    pub(crate) async fn send(&mut self, down: &impl Serialize) {
        let frame = Bytes::from(wire::encode(down).unwrap());
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
    pub(crate) async fn hear(&mut self, renewing: bool) -> Answer {
        let mut renewed = Instant::now();
        for _ in 0..10_000 {
            if renewing && renewed.elapsed() >= Duration::from_secs(3) {
                renewed = Instant::now();
                self.renew().await;
            }
            let link = self.link.as_mut().unwrap();
            let frame = self.life.run_until(timeout(Duration::from_secs(3), link.rx.recv())).await;
            match frame {
                Ok(Some(frame)) => match wire::decode(&frame).unwrap() {
                    Up::Answer { answer: Answer::Progress(_) | Answer::Renewed(_), .. } => {}
                    Up::Answer { answer, .. } => return answer,
                    Up::Preflighted(_)
                    | Up::Verified(_)
                    | Up::Scanned(_)
                    | Up::Diagnosed(_)
                    | Up::Inspected(_)
                    | Up::Restored(_) => {}
                },
                Ok(None) => panic!("link of {} ended", self.name),
                Err(_) => {}
            }
        }
        panic!("{} never answered", self.name)
    }

    /// Dials anew within this time; the hand then speaks on the new link.
    pub(crate) async fn dials_within(&mut self, limit: Duration) -> bool {
        let link = self.life.run_until(timeout(limit, self.links.recv())).await;
        link.is_ok_and(|link| {
            self.link = link;
            true
        })
    }

    pub(crate) async fn renew(&mut self) {
        self.renewals += 1;
        let number = self.renewals;
        self.say(Order::Renew(Renew { number })).await;
    }
}

/// The coordinator's part, by hand.
pub(crate) struct ScriptedCoordinator {
    pub(crate) world: World,
    pub(crate) planes: Vec<Plane>,
    pub(crate) prepared: BTreeMap<String, Prepared>,
    pub(crate) evidence: BTreeMap<String, Evidence>,
    pub(crate) commit_ts: Ts,
    /// Regions of the last tiling.
    pub(crate) regions: u64,
}

impl ScriptedCoordinator {
    pub(crate) fn new(world: &World) -> Self {
        Self::with(world, None)
    }

    /// Planes whose runtimes are as in production.
    pub(crate) fn apart(world: &World, apart: &Arc<Apart>) -> Self {
        Self::with(world, Some(apart))
    }

    fn with(world: &World, apart: Option<&Arc<Apart>>) -> Self {
        let plane = |plane: &PlaneOfWorld| Plane::new(world, &plane.name, apart.cloned());
        let planes = world.config().planes.iter().map(plane).collect();
        let (prepared, evidence) = Default::default();
        Self { world: world.clone(), planes, prepared, evidence, commit_ts: Ts::ZERO, regions: 0 }
    }

    /// Every store is held and covered.
    pub(crate) async fn covered(world: &World) -> Self {
        let mut hand = Self::new(world);
        hand.prepare().await;
        hand.settle().await;
        hand.suspend().await;
        hand.cover().await;
        hand
    }

    /// Orders all planes, hears all. While one is heard the others live on: their LocalSets are driven in turn.
    pub(crate) async fn all(&mut self, order: impl Fn(&Plane) -> Order) -> Vec<Answer> {
        // What has ended is not renewed.
        let mut renewing = true;
        for plane in &mut self.planes {
            let order = order(plane);
            renewing &= !matches!(order, Order::Complete(_) | Order::Clean(_) | Order::Abort(_));
            plane.say(order).await;
        }
        self.heard(renewing).await
    }

    pub(crate) async fn heard(&mut self, renewing: bool) -> Vec<Answer> {
        // Who has answered lives on, and is renewed, until all have.
        let (all, heard) = (self.planes.len(), Cell::new(0));
        let hearing = self.planes.iter_mut().map(|plane| {
            let heard = &heard;
            async move {
                let answer = plane.hear(renewing).await;
                heard.set(heard.get() + 1);
                for tick in 1_u64.. {
                    if heard.get() == all {
                        break;
                    }
                    plane.life.run_until(sleep(Duration::from_millis(100))).await;
                    if renewing && tick.is_multiple_of(30) {
                        plane.renew().await;
                    }
                }
                answer
            }
        });
        futures::future::join_all(hearing).await
    }

    pub(crate) async fn prepare(&mut self) -> Vec<Answer> {
        self.prepare_round(1).await
    }

    pub(crate) async fn prepare_round(&mut self, round: u32) -> Vec<Answer> {
        let world = self.world.clone();
        let answers = self.all(|plane| Order::Prepare(Prepare { round, spec: member_spec(&world, &plane.name) })).await;
        for (plane, answer) in self.planes.iter().zip(&answers) {
            if let Answer::Prepared(prepared) = answer {
                self.prepared.insert(plane.name.clone(), prepared.clone());
            }
        }
        answers
    }

    pub(crate) async fn settle(&mut self) {
        let answers = self.all(|_| Order::Reserve).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Reserved(_))), "{answers:?}");
        self.planes[0].say(Order::Settle(Settle::HoldPd)).await;
        // The others have to live meanwhile.
        let first = self.hear_first().await;
        let Answer::Settled(Settled::PdHeld { gc_hold, .. }) = first else { panic!("{first:?}") };
        let answers = self.all(|_| Order::Settle(Settle::Leaders { gc_hold })).await;
        assert!(answers.iter().all(|a| matches!(a, Answer::Settled(Settled::Leaders { .. }))), "{answers:?}");
    }

    pub(crate) async fn hear_first(&mut self) -> Answer {
        let (first, rest) = self.planes.split_first_mut().unwrap();
        let living = rest.iter().map(|plane| plane.life.run_until(std::future::pending::<()>()));
        match select(pin!(first.hear(true)), pin!(join_all(living))).await {
            Either::Left((answer, _)) => answer,
            Either::Right((_, heard)) => heard.await,
        }
    }

    pub(crate) async fn suspend(&mut self) {
        let answers = self.all(|_| Order::Suspend).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Suspended(_))), "{answers:?}");
    }

    pub(crate) async fn cover(&mut self) {
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
                self.regions = digests.iter().map(|digest| digest.regions).sum();
                return;
            }
        }
        panic!("regions do not tile the key space");
    }

    pub(crate) async fn snapshot(&mut self) -> Vec<Answer> {
        self.snapshot_within(None).await
    }

    /// `one_volume`: each plane's part of CreateSnapshot.
    pub(crate) async fn snapshot_within(&mut self, one_volume: Option<CallShare>) -> Vec<Answer> {
        let commit_ts = self.commit_ts;
        self.all(|_| Order::Snapshot(Snapshot { commit_ts, share: None, one_volume })).await
    }

    pub(crate) async fn confirm(&mut self) {
        let answers = self.all(|_| Order::Confirm).await;
        for (plane, answer) in self.planes.iter().zip(answers) {
            let Answer::Confirmed(confirmed) = answer else { panic!("{answer:?}") };
            self.evidence.insert(plane.name.clone(), confirmed.evidence);
        }
    }

    pub(crate) async fn up_to_confirmed(&mut self) {
        self.prepare().await;
        self.settle().await;
        self.suspend().await;
        self.cover().await;
        let answers = self.snapshot().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
        self.confirm().await;
    }

    pub(crate) fn snapshots(&self) -> Vec<SnapshotId> {
        self.evidence.values().flat_map(|seen| seen.snapshots.iter().map(|s| s.snapshot.clone())).collect()
    }

    pub(crate) async fn complete(&mut self) -> Vec<Answer> {
        let (prepared, evidence, commit_ts) = (self.prepared.clone(), self.evidence.clone(), self.commit_ts);
        let world = self.world.clone();
        self.all(|plane| {
            let known = &prepared[&plane.name];
            Order::Complete(Complete {
                spec: member_spec(&world, &plane.name),
                cluster: known.cluster,
                cluster_version: known.cluster_version.clone(),
                commit_ts,
                cluster_stores: known.cluster_stores.len() as u32,
                stores: known.stores.clone(),
                snapshots: evidence[&plane.name].snapshots.clone(),
                certificate: "{\"certificate\":1}".into(),
                packed: None,
            })
        })
        .await
    }

    pub(crate) async fn clean(&mut self, scope: CleanScope) -> Vec<CleanReport> {
        let world = self.world.clone();
        let answers = self.all(|plane| Order::Clean(Clean::of(member_spec(&world, &plane.name), scope))).await;
        let reports = answers.into_iter().map(|answer| {
            let Answer::Cleaned(cleaned) = answer else { panic!("{answer:?}") };
            assert_eq!(cleaned.report.left, Vec::<String>::new());
            cleaned.report
        });
        reports.collect()
    }

    /// The same prefix, as a backup of the old manager. What each plane has left.
    pub(crate) async fn clean_old(&mut self, old: &OldBackup) -> Vec<Vec<String>> {
        let world = self.world.clone();
        let order = |plane: &str| Clean {
            old_backup: Some(old.clone()),
            ..Clean::of(member_spec(&world, plane), CleanScope::Backup)
        };
        let answers = self.all(|plane| Order::Clean(order(&plane.name))).await;
        let report = |answer| match answer {
            Answer::Cleaned(cleaned) if cleaned.report.old_backup => cleaned.report.left,
            answer => panic!("{answer:?}"),
        };
        answers.into_iter().map(report).collect()
    }

    /// From here on orders are those of this attempt.
    pub(crate) fn turn_to(&mut self, number: u32, epoch: Epoch) {
        for plane in &mut self.planes {
            (plane.attempt, plane.epoch) = (number, epoch);
        }
    }

    /// Lets time pass for the planes.
    /// A region is split, and whatever is new says no `safe_ts`.
    pub(crate) fn split_in_silence(&self) {
        self.world.faults(|faults| faults.zero_safe_ts = true);
        assert!(self.world.fresh_split().is_some());
    }

    pub(crate) fn silence_ends_in(&self, length: Duration) {
        let world = self.world.clone();
        tokio::spawn(async move {
            sleep(length).await;
            world.faults(|faults| faults.zero_safe_ts = false);
        });
    }

    pub(crate) async fn wait(&mut self, length: Duration) {
        let living = futures::future::join_all(
            self.planes.iter().map(|plane| plane.life.run_until(std::future::pending::<()>())),
        );
        tokio::select! {
            () = sleep(length) => {}
            _ = living => unreachable!(),
        }
    }
}
