//! A restore by hand: the calls of its steps through the ports, in their order. Of the product only the plan of recovery is used.

use plane_actor::ports::{
    BoundVolume, Flashback, FlashedBack, Gate, Leading, Marked, Owner, Pd, Piece, PortError, Ports, Put, Recovery,
    TikvConnect,
};
use serde_json::{Value, json};
use shared::{
    barrier::Certificate,
    ids::{SnapshotId, StoreId},
    recovery::{Elected, Meta, plan},
    time::Millis,
    ts::Ts,
};
use std::{collections::BTreeMap, rc::Rc, sync::Arc, time::Duration};
use tests::{
    rig::Rig,
    world::{Restored, TargetCluster, World, WorldConfig},
};

/// No step takes longer in virtual time.
const LIMIT: Duration = Duration::from_secs(600);
/// A call of RecoverRegion; the shortest one takes twenty.
pub(crate) const LEAD: Duration = Duration::from_secs(45);
/// More than a region has copies.
const ROUNDS: usize = 6;

pub(crate) const NAMESPACE: &str = "tidb";
pub(crate) const NAME: &str = "back";
const RESTORE: &str = "uid-restore-1";

/// A restore under way.
pub(crate) struct Hand {
    pub(crate) world: World,
    pub(crate) certificate: Certificate,
    pub(crate) marked: Arc<dyn Marked>,
    pub(crate) pd: Arc<dyn Pd>,
    ports: Ports,
    _rig: Rc<Rig>,
}

/// One volume as it is placed: plane, pod, its name there, and of what it is made.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) plane: String,
    pub(crate) ordinal: usize,
    pub(crate) volume: &'static str,
    pub(crate) snapshot: SnapshotId,
}

pub(crate) fn world(seed: u64) -> WorldConfig {
    WorldConfig {
        stores_per_plane: 2,
        regions: 12,
        accounts: 60,
        transfers_per_second: 40,
        ..WorldConfig::seeded(seed)
    }
}

/// A backup, and behind it whatever becomes of a restore into this target.
pub(crate) fn story<F: Future<Output = ()>>(config: WorldConfig, target: TargetCluster, play: impl FnOnce(Hand) -> F) {
    tests::rig::run(config, async |rig: Rc<Rig>| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        tokio::time::sleep(Duration::from_secs(20)).await;
        rig.world.set_target(target);
        play(Hand::new(rig).await).await;
    });
}

pub(crate) fn fresh() -> TargetCluster {
    TargetCluster::fresh(NAMESPACE, NAME)
}

pub(crate) fn owner() -> Owner {
    Owner { restore: RESTORE.to_owned(), namespace: NAMESPACE.to_owned(), cluster: NAME.to_owned() }
}

/// Looks every half second until it is so.
pub(crate) async fn soon<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let seen = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(LIMIT, seen).await.unwrap_or_else(|_| panic!("never: {what}"))
}

impl Hand {
    async fn new(rig: Rc<Rig>) -> Self {
        let world = rig.world.clone();
        let ports = world.plane_ports("az1", Arc::new(NoDialer));
        let located = ports.topology.locate(NAMESPACE, NAME).await.unwrap();
        let marked = world.marked("az1").connect(&located.endpoint).await.unwrap();
        let pd = ports.pd.connect(&located.endpoint).await.unwrap();
        let certificate = rig.record().unwrap().certificate.unwrap();
        Self { world, certificate, marked, pd, ports, _rig: rig }
    }

    pub(crate) fn planes(&self) -> Vec<String> {
        self.world.config().planes.into_iter().map(|plane| plane.name).collect()
    }

    pub(crate) fn ceiling(&self) -> Ts {
        self.certificate.ts_ceiling.unwrap()
    }

    /// What the certificate names, store by store: data first, then the raft log.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for (plane, of) in &self.certificate.planes {
            let mut stores: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for accepted in &of.evidence.snapshots {
                stores.entry(&accepted.instance).or_default().push((&accepted.volume, &accepted.snapshot));
            }
            for (ordinal, mut volumes) in stores.into_values().enumerate() {
                volumes.sort();
                for ((_, snapshot), volume) in volumes.into_iter().zip(["tikv", "tikv-raft"]) {
                    parts.push(Part { plane: plane.to_string(), ordinal, volume, snapshot: snapshot.clone() });
                }
            }
        }
        parts
    }

    pub(crate) async fn mark(&self) {
        assert!(!self.marked.is_marked().await.unwrap());
        self.marked.mark().await.unwrap();
        self.marked.reset_ts(self.ceiling()).await.unwrap();
        assert!(self.marked.now().await.unwrap() > self.ceiling());
    }

    /// The objects of one volume, which is made for it; `claim`: its name, and who makes it.
    pub(crate) fn object(&self, part: &Part, claim: &str, class: Option<&str>) -> BoundVolume {
        let zone = self.world.config().planes.into_iter().find(|plane| plane.name == part.plane).unwrap().zone;
        let handle = self.world.volume_by_hand(&part.snapshot, &zone).unwrap();
        bound(&format!("isochron-{}-{claim}", part.plane), &handle.0, claim, &zone, class)
    }

    /// Volumes and objects of everything, and the gate opened.
    pub(crate) async fn place(&self) {
        self.place_parts(&self.parts()).await;
        self.open().await;
    }

    pub(crate) async fn open(&self) {
        for plane in self.planes() {
            let placement = self.world.placement(&plane);
            let gate = placement.gate(&owner()).await.unwrap();
            placement.open_gate(&owner(), &gate.unwrap_or(Gate::RecoveryMode)).await.unwrap();
        }
    }

    pub(crate) async fn place_parts(&self, parts: &[Part]) {
        // Under a static class the first volume opens its part of the gate.
        let mut gates = BTreeMap::new();
        for plane in self.planes() {
            let gate = self.world.placement(&plane).gate(&owner()).await.unwrap();
            gates.insert(plane, gate);
        }
        for part in parts {
            let placement = self.world.placement(&part.plane);
            let volume = match &gates[&part.plane] {
                Ok(Gate::StaticClass(class)) => {
                    let claims = placement.claims(&owner()).await.unwrap();
                    let claim = claims.iter().filter(|claim| claim.volume == part.volume).nth(part.ordinal).unwrap();
                    self.object(part, &claim.name, Some(class))
                }
                _ => self.object(part, &format!("{}-{NAME}-tikv-{}", part.volume, part.ordinal), None),
            };
            assert_eq!(placement.put(&owner(), &volume).await.unwrap(), Put::Made, "{volume:?}");
        }
    }

    /// Every store that PD knows, once there are so many, with who calls it.
    pub(crate) async fn stores(&self) -> BTreeMap<StoreId, Arc<dyn Recovery>> {
        let expected: usize = self.certificate.planes.values().map(|plane| plane.evidence.stores.len()).sum();
        soon("all stores met", async || {
            let listed = self.pd.stores().await.ok()?;
            let mut all = BTreeMap::new();
            for store in listed {
                let recovery = self.world.recovery().connect(&store.address, None).await.ok()?;
                all.insert(store.store, recovery);
            }
            (all.len() == expected).then_some(all)
        })
        .await
    }

    pub(crate) async fn meet(&self) -> BTreeMap<StoreId, Arc<dyn Recovery>> {
        let all = self.stores().await;
        for (store, recovery) in &all {
            assert!(recovery.is_recovering().await.unwrap(), "store {store}");
        }
        all
    }

    async fn told(
        &self,
        stores: &BTreeMap<StoreId, Arc<dyn Recovery>>,
    ) -> Result<BTreeMap<StoreId, Vec<Meta>>, PortError> {
        let mut told = BTreeMap::new();
        for (store, recovery) in stores {
            told.insert(*store, recovery.region_metas().await?);
        }
        Ok(told)
    }

    /// Metas, plan, ids, elections, until every region that is planned is led and applied. Errors are the plan's.
    pub(crate) async fn lead(&self) -> Result<(), String> {
        let mut elected = Elected::default();
        for _ in 0..ROUNDS {
            let stores = self.meet().await;
            let Ok(told) = self.told(&stores).await else { continue };
            let plan = plan(&told, &elected).map_err(|faults| format!("{faults:?}"))?;
            if self.marked.alloc_id().await.unwrap() < plan.largest_id {
                self.marked.set_base_alloc_id(plan.largest_id).await.unwrap();
            }
            let leaders = plan.leaders(stores.keys().copied());
            let calls = leaders.iter().map(|(store, regions)| stores[store].lead(regions, LEAD));
            let ended = futures::future::join_all(calls).await;
            let Ok(led) = self.led().await else { continue };
            let broken: Vec<StoreId> =
                leaders.keys().zip(&ended).filter(|(_, ended)| ended.is_err()).map(|(store, _)| *store).collect();
            for (region, planned) in &plan.regions {
                if let Some((store, _)) = led.iter().find(|(_, led)| led.piece.region == *region) {
                    elected.leads.insert(*region, *store);
                } else {
                    elected.leads.remove(region);
                    if !broken.contains(&planned.leader) {
                        elected.failed.entry(*region).or_default().insert(planned.leader);
                    }
                }
            }
            if plan.regions.keys().all(|region| elected.leads.contains_key(region)) {
                self.wait_apply().await;
                return Ok(());
            }
        }
        Err("no leaders".to_owned())
    }

    /// What every store leads.
    pub(crate) async fn led(&self) -> Result<Vec<(StoreId, Leading)>, PortError> {
        let mut all = Vec::new();
        for (store, recovery) in self.stores().await {
            all.extend(recovery.led(store).await?.into_iter().map(|led| (store, led)));
        }
        Ok(all)
    }

    async fn wait_apply(&self) {
        for store in self.pd.stores().await.unwrap() {
            let tikv = self.ports.tikv.connect(&store.address, None).await.unwrap();
            let hold = tikv.open_hold().await.unwrap();
            assert!(!hold.lease(Millis::secs(60)).await.unwrap());
            let led = tests::listed::listed(tikv.as_ref()).await.unwrap();
            let applied = hold.wait_apply(led.iter().map(|led| led.at).collect()).await.unwrap();
            assert!(applied.again.is_empty(), "{applied:?}");
            hold.finish().await.unwrap();
        }
    }

    /// S and C, chosen once.
    pub(crate) async fn times(&self) -> Flashback {
        let start_ts = self.marked.now().await.unwrap();
        let commit_ts = self.marked.now().await.unwrap();
        Flashback { version: self.certificate.commit_ts, start_ts, commit_ts }
    }

    /// Everything is prepared, then flashed back. A store that restarts is led again, and goes on with the same times.
    pub(crate) async fn roll_back(&self, flashback: Flashback) {
        for is_prepared in [false, true] {
            let mut done = Vec::new();
            soon("all regions rolled back", async || {
                let stores = self.stores().await;
                let Ok(led) = self.led().await else { return None };
                for (store, led) in led {
                    if done.contains(&led.piece.region) {
                        continue;
                    }
                    let of = &stores[&store];
                    let answer = if is_prepared {
                        of.flashback(&led.piece, flashback).await
                    } else {
                        of.prepare_flashback(&led.piece, flashback).await
                    };
                    match answer {
                        Ok(FlashedBack::Done) => done.push(led.piece.region),
                        Ok(FlashedBack::NotPrepared) => panic!("{:?} was not prepared", led.piece),
                        Ok(_) | Err(_) => {}
                    }
                }
                let whole = self.world.alter_target(NAMESPACE, NAME, |cluster| cluster.is_whole()).unwrap();
                if !whole {
                    self.lead().await.unwrap();
                    return None;
                }
                let led = self.led().await.ok()?;
                led.iter().all(|(_, led)| done.contains(&led.piece.region)).then_some(())
            })
            .await;
        }
    }

    /// Regions whose content now is not that of the backup's moment.
    pub(crate) async fn differing(&self, flashback: Flashback) -> Vec<Piece> {
        let stores = self.stores().await;
        let mut differing = Vec::new();
        for (store, led) in self.led().await.unwrap() {
            assert!(!led.in_flashback, "{led:?}");
            let sums = [flashback.version, flashback.commit_ts];
            let [then, now] = sums.map(|at| stores[&store].checksum(&led.piece, at));
            if then.await.unwrap() != now.await.unwrap() {
                differing.push(led.piece);
            }
        }
        differing
    }

    /// The mark goes, every TiKV is started again, and whoever waits for it comes.
    pub(crate) async fn finish(&self) {
        self.marked.unmark().await.unwrap();
        let before = self.world.wall().0.div_euclid(1_000) + 1;
        for plane in self.planes() {
            let restarted = self.world.placement(&plane).restart_stores(&owner(), before).await.unwrap();
            assert_eq!(restarted, 2, "{plane}");
        }
        self.serves().await;
        for plane in self.planes() {
            self.world.placement(&plane).end_recovery_mode(&owner(), &Gate::RecoveryMode).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    pub(crate) async fn serves(&self) {
        soon("it serves by itself", async || {
            self.world.alter_target(NAMESPACE, NAME, |cluster| cluster.serves()).unwrap().then_some(())
        })
        .await;
    }

    pub(crate) fn tikv(&self) -> Arc<dyn TikvConnect> {
        Arc::clone(&self.ports.tikv)
    }

    pub(crate) fn audit(&self) -> Restored {
        self.world.audit(NAMESPACE, NAME, self.certificate.commit_ts).unwrap()
    }

    /// All of it.
    pub(crate) async fn restore(&self) -> Flashback {
        self.mark().await;
        self.place().await;
        self.lead().await.unwrap();
        let flashback = self.times().await;
        self.roll_back(flashback).await;
        flashback
    }
}

pub(crate) fn bound(name: &str, handle: &str, claim: &str, zone: &str, class: Option<&str>) -> BoundVolume {
    let labels = json!({"isochron.pingcap.com/restore": RESTORE});
    let rule = |key: &str| json!({"key": key, "operator": "In", "values": [zone]});
    let zones: [Value; 2] = [rule("topology.ebs.csi.aws.com/zone"), rule("topology.kubernetes.io/zone")];
    let storage = class.unwrap_or("gp3");
    let pv = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "500Gi"}, "storageClassName": storage,
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": claim},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": handle},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": zones}]}},
        },
    });
    let pvc = json!({
        "metadata": {"name": claim, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500Gi"}},
            "storageClassName": storage, "volumeName": name,
        },
    });
    BoundVolume { pv, pvc: class.is_none().then_some(pvc) }
}

pub(crate) struct NoDialer;

#[async_trait::async_trait]
impl plane_actor::ports::Dialer for NoDialer {
    async fn dial(&self) -> Result<shell::link::Link, PortError> {
        Err(PortError::Unavailable("no coordinator here".into()))
    }
}
