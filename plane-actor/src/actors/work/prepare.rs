//! Discovery and checks: everything slow or likely to fail, before anything is held. Nothing is touched, no prepare
//! stream is opened (`facts/pd-tikv.md` §2.3.5: opening one cuts off another client's).

use super::{
    Kept, STORES_AT_ONCE, Share, cloud,
    cloud::{Service, cloud_tried},
    refusal_of,
    snapshot::CREATE,
    storage, tried, versions,
};
use crate::{
    actors::env::Env,
    ports::{Cloud, CreateSnapshots, InstanceVolumes, LocalStore, Located, Pd, PdCluster, Tikv, VolumeAt},
};
use futures::{StreamExt, TryFutureExt, TryStreamExt, stream};
use shared::{
    evidence::{ClusterStore, PreparedStore, PreparedVolume},
    ids::{BackupUid, InstanceId, StoreId, VolumeId},
    limiter::Budget,
    member::Done,
    reason::{Reason, Refusal},
    request::MemberSpec,
    wire::{Phase, PreflightCheck, Prepare, Prepared},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// CreateSnapshots takes at most this many exclusions (`facts/aws.md` A1).
const MAX_EXCLUDED: usize = 40;
/// Snapshots of one volume that may be unfinished at a time (`facts/aws.md` A3; volumes of TiKV are SSDs).
const MAX_UNFINISHED: usize = 5;

/// What was found; shared by all later work of the attempt.
pub(crate) struct Site {
    pub(crate) spec: MemberSpec,
    pub(crate) located: Located,
    pub(crate) pd: Arc<dyn Pd>,
    pub(crate) cloud: Cloud,
    pub(crate) tikv: BTreeMap<StoreId, Arc<dyn Tikv>>,
    pub(crate) local: Vec<LocalStore>,
    pub(crate) stores: Vec<PreparedStore>,
    pub(crate) cluster: PdCluster,
    pub(crate) cluster_stores: Vec<ClusterStore>,
    /// Per instance: its volumes that are snapshotted, and those that are left out.
    pub(crate) calls: BTreeMap<InstanceId, (BTreeSet<VolumeId>, Vec<VolumeId>)>,
}

impl Site {
    /// All volumes to be snapshotted.
    pub(crate) fn volumes(&self) -> Vec<VolumeId> {
        self.stores.iter().flat_map(|store| store.volumes.iter().map(|volume| volume.volume.clone())).collect()
    }
}

/// Makes one check after the other and notes each with the time it took.
pub(super) struct Checks<'a> {
    env: &'a Env,
    share: Option<&'a Share>,
    list: Vec<PreflightCheck>,
}

/// Steps of a survey, for progress.
const STEPS: usize = 10;

impl Checks<'_> {
    async fn step<T>(
        &mut self,
        what: &str,
        check: impl Future<Output = Result<(T, String), Refusal>>,
    ) -> Result<T, Refusal> {
        if let Some(share) = self.share {
            share.progress(Phase::Preparing, self.list.len(), STEPS, what);
        }
        let begun = self.env.clock.at();
        let (value, result) = match check.await {
            Ok((value, text)) => (Ok(value), Ok(text)),
            Err(refusal) => (Err(refusal.clone()), Err(refusal)),
        };
        self.list.push(PreflightCheck { what: what.to_owned(), took: self.env.clock.at().since(begun), result });
        value
    }
}

/// What a backup would need, checked, as far as the first thing that stands in its way.
pub(crate) async fn preflight(env: &Env, spec: &MemberSpec) -> Vec<PreflightCheck> {
    let mut checks = Checks { env, share: None, list: Vec::new() };
    // The list tells the outcome.
    let _ = survey(env, spec, None, &mut checks).await;
    checks.list
}

pub(super) async fn prepare(share: &Share, prepare: Prepare) -> Result<(Done, Kept), Refusal> {
    let env = &share.env;
    let mut checks = Checks { env, share: Some(share), list: Vec::new() };
    let site = survey(env, &prepare.spec, Some(&share.attempt.backup), &mut checks).await?;
    let prepared = Prepared {
        round: prepare.round,
        cluster: site.cluster.id,
        cluster_version: site.cluster.version.clone(),
        stores: site.stores.clone(),
        cluster_stores: site.cluster_stores.clone(),
        account: site.cloud.account.clone(),
        region: site.cloud.region.clone(),
        highest_epoch: env.book.highest(site.cluster.id),
    };
    Ok((Done::Prepared(prepared), Kept::Site(Arc::new(site))))
}

async fn survey(
    env: &Env,
    spec: &MemberSpec,
    ours: Option<&BackupUid>,
    checks: &mut Checks<'_>,
) -> Result<Site, Refusal> {
    let located = checks.step("TidbCluster and PD's address", locate(env, spec)).await?;
    let pd = checks.step("PD answers", connect_pd(env, &located)).await?;
    let cluster = checks.step("PD's settings", check_pd(pd.as_ref())).await?;
    let cluster_stores = checks.step("TiKV versions", list_stores(pd.as_ref(), spec.allow_weaker_holds)).await?;
    let local = checks.step("TiKV pods, claims and volumes", find_local(env, spec, &cluster_stores)).await?;
    let tikv = checks.step("TiKV answers", connect_tikv(env, &located, &cluster_stores, &local)).await?;
    let cloud = checks
        .step("credentials", async {
            let cloud = cloud::connect(env, spec).await?;
            let text = format!("account {}, region {}", cloud.account, cloud.region);
            Ok((cloud, text))
        })
        .await?;
    let named = |refusal| cloud::named(spec, refusal);
    let (stores, calls) =
        checks.step("volumes in EC2", find_volumes(&cloud, &cluster_stores, &local).map_err(named)).await?;
    checks.step("right to take snapshots", check_right(env, &cloud, &calls).map_err(named)).await?;
    checks.step("target in S3", storage::check_prefix(&cloud, spec, ours).map_err(named)).await?;
    let spec = spec.clone();
    Ok(Site { spec, located, pd, cloud, tikv, local, stores, cluster, cluster_stores, calls })
}

async fn locate(env: &Env, spec: &MemberSpec) -> Result<(Located, String), Refusal> {
    let locating = || env.ports.topology.locate(&spec.tc_namespace, &spec.tc_name);
    let located = tried(Reason::TidbClusterNotFound, locating).await?;
    let text = located.endpoint.urls.join(", ");
    Ok((located, text))
}

async fn connect_pd(env: &Env, located: &Located) -> Result<(Arc<dyn Pd>, String), Refusal> {
    let pd = tried(Reason::PdUnavailable, || env.ports.pd.connect(&located.endpoint)).await?;
    Ok((pd, located.endpoint.urls.join(", ")))
}

/// After a restart nobody here remembers where PD was, so the safe point would stand until its ttl is over. Best effort:
/// it still ends by itself.
pub(super) async fn drop_forgotten_gc_hold(share: &Share, spec: &MemberSpec, service: &str) {
    let dropping = async {
        let (located, _) = locate(&share.env, spec).await?;
        let (pd, _) = connect_pd(&share.env, &located).await?;
        tried(Reason::PdUnavailable, || pd.drop_gc_hold(service)).await
    };
    if let Err(refusal) = dropping.await {
        tracing::warn!(%refusal, service, "service safe point was not dropped; it ends by itself");
    }
}

async fn check_pd(pd: &dyn Pd) -> Result<(PdCluster, String), Refusal> {
    let cluster = tried(Reason::PdUnavailable, || pd.cluster()).await?;
    if cluster.recovering {
        let text = format!("PD of TiDB cluster {} is marked as being restored from snapshots", cluster.id);
        return Err(Refusal::new(Reason::ClusterRecovering, text));
    }
    if !cluster.min_resolved_ts_enabled {
        let text = "pd-server.min-resolved-ts-persistence-interval is 0s in PD";
        return Err(Refusal::new(Reason::ResolvedTsDisabled, text));
    }
    let text = format!("TiDB cluster {}, version {}", cluster.id, cluster.version);
    Ok((cluster, text))
}

async fn list_stores(pd: &dyn Pd, allow_weaker: bool) -> Result<(Vec<ClusterStore>, String), Refusal> {
    let stores = tried(Reason::PdUnavailable, || pd.stores()).await?;
    for store in &stores {
        let weaker = versions::lacking_weaker(&store.version);
        if let Some(why) = versions::lacking(&store.version)
            && !(allow_weaker && weaker.is_none())
        {
            let why = match weaker {
                None => format!("{why}; spec.barrier.allowWeakerHolds allows a backup that is not proved consistent"),
                Some(weaker) if allow_weaker => format!("{why}; for a weaker hold: {weaker}"),
                Some(_) => why.to_owned(),
            };
            let text = format!("store {} ({}) runs TiKV {}: {why}", store.store, store.address, store.version);
            return Err(Refusal::new(Reason::VersionUnsupported, text));
        }
    }
    let versions: BTreeSet<_> = stores.iter().map(|store| store.version.as_str()).collect();
    let text = format!("{} stores, TiKV {}", stores.len(), versions.into_iter().collect::<Vec<_>>().join(", "));
    Ok((stores, text))
}

async fn find_local(
    env: &Env,
    spec: &MemberSpec,
    stores: &[ClusterStore],
) -> Result<(Vec<LocalStore>, String), Refusal> {
    let finding = || env.ports.topology.local_stores(&spec.tc_namespace, &spec.tc_name, stores);
    let local = tried(Reason::TidbClusterNotFound, finding).await?;
    if local.is_empty() {
        let text = format!(
            "none of the {} stores of {}/{} runs in this Kubernetes cluster",
            stores.len(),
            spec.tc_namespace,
            spec.tc_name
        );
        return Err(Refusal::new(Reason::NoStores, text));
    }
    if let Some(bare) = local.iter().find(|store| store.volumes.is_empty()) {
        let text = format!("pod {} of store {} has no EBS volume", bare.pod, bare.store);
        return Err(Refusal::new(Reason::VolumeUnsupported, text));
    }
    let volumes: usize = local.iter().map(|store| store.volumes.len()).sum();
    let text = format!("{} stores with {volumes} volumes", local.len());
    Ok((local, text))
}

async fn connect_tikv(
    env: &Env,
    located: &Located,
    stores: &[ClusterStore],
    local: &[LocalStore],
) -> Result<(BTreeMap<StoreId, Arc<dyn Tikv>>, String), Refusal> {
    let connected: BTreeMap<StoreId, Arc<dyn Tikv>> = stream::iter(local)
        .map(|store| async move {
            let address = address_of(stores, store.store)?;
            let tls = located.endpoint.tls.as_ref();
            let tikv = tried(Reason::StoreUnavailable, || env.ports.tikv.connect(address, tls)).await?;
            check_settings(store.store, tikv.as_ref()).await?;
            Ok::<_, Refusal>((store.store, tikv))
        })
        .buffer_unordered(STORES_AT_ONCE)
        .try_collect()
        .await?;
    let text = format!("{} stores, settings as needed", connected.len());
    Ok((connected, text))
}

fn address_of(stores: &[ClusterStore], store: StoreId) -> Result<&str, Refusal> {
    let known = stores.iter().find(|known| known.store == store);
    known
        .map(|known| known.address.as_str())
        .ok_or_else(|| Refusal::new(Reason::Internal, format!("store {store} was found locally, PD does not list it")))
}

async fn check_settings(store: StoreId, tikv: &dyn Tikv) -> Result<(), Refusal> {
    let settings = tried(Reason::StoreUnavailable, || tikv.settings()).await?;
    if !settings.raft_kv {
        let text = format!("store {store} runs storage.engine partitioned-raft-kv");
        return Err(Refusal::new(Reason::EngineUnsupported, text));
    }
    if !settings.resolved_ts_enabled {
        return Err(Refusal::new(Reason::ResolvedTsDisabled, format!("resolved-ts.enable is false on store {store}")));
    }
    if !settings.report_enabled {
        let text = format!("raftstore.[pd-]report-min-resolved-ts-interval is 0s on store {store}");
        return Err(Refusal::new(Reason::ResolvedTsDisabled, text));
    }
    Ok(())
}

type Calls = BTreeMap<InstanceId, (BTreeSet<VolumeId>, Vec<VolumeId>)>;

async fn find_volumes(
    cloud: &Cloud,
    cluster: &[ClusterStore],
    local: &[LocalStore],
) -> Result<((Vec<PreparedStore>, Calls), String), Refusal> {
    let ids: Vec<VolumeId> = local.iter().flat_map(|store| store.volumes.iter().map(|v| v.volume.clone())).collect();
    let at = cloud_tried(Service::Ec2, "DescribeVolumes", || cloud.ec2.volumes(&ids)).await?;
    let at: BTreeMap<VolumeId, VolumeAt> = at.into_iter().map(|at| (at.volume.clone(), at)).collect();
    let stores = local.iter().map(|store| place(store, cluster, &at)).collect::<Result<Vec<_>, _>>()?;
    let mut wanted: BTreeMap<InstanceId, BTreeSet<VolumeId>> = BTreeMap::new();
    for store in &stores {
        let volumes = store.volumes.iter().map(|volume| volume.volume.clone());
        wanted.entry(store.instance.clone()).or_default().extend(volumes);
    }
    let instances: Vec<InstanceId> = wanted.keys().cloned().collect();
    let described = cloud_tried(Service::Ec2, "DescribeInstances", || cloud.ec2.instances(&instances)).await?;
    let mut calls = Calls::new();
    for (instance, volumes) in wanted {
        let found = described.iter().find(|found| found.instance == instance);
        let exclude = exclusions(&instance, &volumes, found)?;
        calls.insert(instance, (volumes, exclude));
    }
    check_room(cloud, &ids).await?;
    let text = format!("{} volumes on {} instances", ids.len(), calls.len());
    Ok(((stores, calls), text))
}

/// A store's volumes with their zones, all on one instance.
fn place(
    store: &LocalStore,
    cluster: &[ClusterStore],
    at: &BTreeMap<VolumeId, VolumeAt>,
) -> Result<PreparedStore, Refusal> {
    let listed = cluster.iter().find(|listed| listed.store == store.store);
    let listed =
        listed.ok_or_else(|| Refusal::new(Reason::Internal, format!("store {} is not listed", store.store)))?;
    let moved = |text: String| Refusal::new(Reason::VolumeMoved, text);
    let mut instance: Option<InstanceId> = None;
    let mut volumes = Vec::new();
    for volume in &store.volumes {
        let id = &volume.volume;
        let found = at.get(id).ok_or_else(|| moved(format!("EC2 does not know volume {id} of pod {}", store.pod)))?;
        let here =
            found.instance.clone().ok_or_else(|| moved(format!("volume {id} of pod {} is not attached", store.pod)))?;
        if instance.as_ref().is_some_and(|instance| *instance != here) {
            return Err(moved(format!("volumes of pod {} are attached to more than one instance", store.pod)));
        }
        instance = Some(here);
        volumes.push(PreparedVolume {
            volume: id.clone(),
            mount_path: volume.mount_path.clone(),
            kind: volume.kind.clone(),
            zone: found.zone.clone(),
        });
    }
    let instance = instance.ok_or_else(|| moved(format!("pod {} has no volume", store.pod)))?;
    Ok(PreparedStore {
        store: store.store,
        address: listed.address.clone(),
        start_timestamp: listed.start_timestamp,
        instance,
        volumes,
    })
}

fn exclusions(
    instance: &InstanceId,
    wanted: &BTreeSet<VolumeId>,
    found: Option<&InstanceVolumes>,
) -> Result<Vec<VolumeId>, Refusal> {
    let moved = |text: String| Refusal::new(Reason::VolumeMoved, text);
    let found = found.ok_or_else(|| moved(format!("EC2 does not know instance {instance}")))?;
    if found.state != "running" {
        return Err(moved(format!("instance {instance} is {}", found.state)));
    }
    if let Some(missing) = wanted.iter().find(|volume| !found.data.contains(volume)) {
        return Err(moved(format!("volume {missing} is not among the data volumes of instance {instance}")));
    }
    let exclude: Vec<VolumeId> = found.data.iter().filter(|volume| !wanted.contains(volume)).cloned().collect();
    if exclude.len() > MAX_EXCLUDED {
        let text = format!("instance {instance} has {} data volumes that are not TiKV's", exclude.len());
        return Err(Refusal::new(Reason::ExclusionsTooMany, text));
    }
    Ok(exclude)
}

/// Asks EC2 for one instance of many: rights go by role, and each question takes a token from the bucket that the barrier
/// needs.
async fn check_right(env: &Env, cloud: &Cloud, calls: &Calls) -> Result<((), String), Refusal> {
    let Some((instance, (_, exclude))) = calls.first_key_value() else { return Ok(((), String::new())) };
    let call = CreateSnapshots {
        instance: instance.clone(),
        exclude: exclude.clone(),
        tags: vec![("isochron/plane".to_owned(), env.config.plane.to_string())],
        description: "a dry run".to_owned(),
    };
    env.permit(&cloud.account, &cloud.region, CREATE, Budget::EC2_CREATE_SNAPSHOTS).await;
    let what = format!("{CREATE} of {instance}, dry run");
    cloud_tried(Service::Ec2, &what, || cloud.ec2.may_create_snapshots(&call)).await?;
    Ok(((), format!("{CREATE} is allowed")))
}

async fn check_room(cloud: &Cloud, volumes: &[VolumeId]) -> Result<(), Refusal> {
    let what = "DescribeSnapshots";
    let unfinished = cloud_tried(Service::Ec2, what, || cloud.ec2.unfinished_snapshots(volumes)).await?;
    let mut taken: BTreeMap<&VolumeId, Vec<String>> = BTreeMap::new();
    for snapshot in &unfinished {
        taken.entry(&snapshot.volume).or_default().push(format!("{} ({:?})", snapshot.snapshot, snapshot.state));
    }
    match taken.iter().find(|(_, snapshots)| snapshots.len() >= MAX_UNFINISHED) {
        None => Ok(()),
        Some((volume, snapshots)) => {
            let text =
                format!("volume {volume} has {} unfinished snapshots: {}", snapshots.len(), snapshots.join(", "));
            Err(Refusal::new(Reason::SnapshotQuota, text))
        }
    }
}

/// PD's stores, as they are now.
pub(super) async fn stores_now(pd: &dyn Pd) -> Result<Vec<ClusterStore>, Refusal> {
    pd.stores().await.map_err(|error| refusal_of(error, Reason::PdUnavailable))
}
