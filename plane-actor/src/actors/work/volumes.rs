//! Where the volumes of this plane are in EC2, and what each CreateSnapshots call takes and leaves out.

use super::{
    cloud::{Service, cloud_tried},
    directories::Placed,
    looking,
    tags::VolumeTags,
};
use crate::{
    actors::plane_context::PlaneContext,
    ports::{Cloud, InstanceVolumes, LocalStore, VolumeAt},
};
use shared::{
    evidence::{ClusterStore, PreparedStore, PreparedVolume},
    ids::{InstanceId, VolumeId},
    reason::{Reason, Refusal},
    time::Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};

/// CreateSnapshots takes at most this many exclusions (`facts/aws.md` A1). An instance that would need more and has one volume of
/// ours goes through CreateSnapshot, which leaves everything else out by itself.
pub(super) const MAX_EXCLUDED: usize = 40;
/// Snapshots of one volume that may be unfinished at a time (`facts/aws.md` A3; volumes of TiKV are SSDs).
const MAX_UNFINISHED: usize = 5;

/// Per instance: its volumes that are snapshotted, and those that are left out.
pub(crate) type Calls = BTreeMap<InstanceId, (BTreeSet<VolumeId>, Vec<VolumeId>)>;

/// The volumes of this plane's stores.
pub(super) struct Volumes {
    pub(super) stores: Vec<PreparedStore>,
    pub(super) calls: Calls,
    pub(super) tags: VolumeTags,
    /// When the youngest of their unfinished snapshots was started.
    pub(super) youngest: Option<Timestamp>,
}

pub(super) async fn find_volumes(
    env: &PlaneContext,
    cloud: &Cloud,
    cluster: &[ClusterStore],
    local: &[LocalStore],
    directories: &Placed,
) -> Result<(Volumes, String), Refusal> {
    let ids: Vec<VolumeId> = local.iter().flat_map(|store| store.volumes.iter().map(|v| v.volume.clone())).collect();
    let at = cloud_tried(Service::Ec2, "DescribeVolumes", || cloud.ec2.volumes(&ids)).await?;
    let at: BTreeMap<VolumeId, VolumeAt> = at.into_iter().map(|at| (at.volume.clone(), at)).collect();
    let stores = local.iter().map(|store| place(store, cluster, &at, directories)).collect::<Result<Vec<_>, _>>()?;
    let calls = calls_now(cloud, &stores).await?;
    let (youngest, slots) = check_slots(env, cloud, &ids).await?;
    let text = format!("{} volumes on {} instances; {slots}", ids.len(), calls.len());
    let tags = at.into_values().filter(|_| env.config.copy_volume_tags).map(|at| (at.volume, at.tags)).collect();
    Ok((Volumes { stores, calls, tags, youngest }, text))
}

/// The calls as instances are now: a pod of somebody else's may have come or gone with its volume since the last look.
/// Refuses `VolumeMoved` when a volume of ours is no longer on its store's instance.
pub(super) async fn calls_now(cloud: &Cloud, stores: &[PreparedStore]) -> Result<Calls, Refusal> {
    let mut wanted: BTreeMap<InstanceId, BTreeSet<VolumeId>> = BTreeMap::new();
    for store in stores {
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
    Ok(calls)
}

/// What one call has to leave out now.
pub(super) async fn exclusions_now(
    cloud: &Cloud,
    instance: &InstanceId,
    wanted: &BTreeSet<VolumeId>,
) -> Result<Vec<VolumeId>, Refusal> {
    let asking = || cloud.ec2.instances(std::slice::from_ref(instance));
    let described = cloud_tried(Service::Ec2, "DescribeInstances", asking).await?;
    exclusions(instance, wanted, described.first())
}

/// A store's volumes with their zones, all on one instance.
fn place(
    store: &LocalStore,
    cluster: &[ClusterStore],
    at: &BTreeMap<VolumeId, VolumeAt>,
    directories: &Placed,
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
            directories: directories.get(id).cloned().unwrap_or_default(),
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
    if exclude.len() > MAX_EXCLUDED && wanted.len() > 1 {
        let text = format!(
            "instance {instance} has {} volumes of TiKV, which need one CreateSnapshots call, and {} data volumes that are not \
             TiKV's: that call can leave out {MAX_EXCLUDED}",
            wanted.len(),
            exclude.len()
        );
        return Err(Refusal::new(Reason::ExclusionsTooMany, text));
    }
    Ok(exclude)
}

/// When the youngest unfinished snapshot was started, and which room is left in words.
async fn check_slots(
    env: &PlaneContext,
    cloud: &Cloud,
    volumes: &[VolumeId],
) -> Result<(Option<Timestamp>, String), Refusal> {
    let what = "DescribeSnapshots";
    let unfinished = cloud_tried(Service::Ec2, what, || looking::unfinished(env, cloud, volumes)).await?;
    let mut taken: BTreeMap<&VolumeId, Vec<String>> = BTreeMap::new();
    for snapshot in &unfinished {
        taken.entry(&snapshot.volume).or_default().push(format!("{} ({:?})", snapshot.snapshot, snapshot.state));
    }
    let fullest = taken.into_iter().max_by_key(|(_, snapshots)| snapshots.len());
    match fullest {
        None => Ok((None, format!("none has an unfinished snapshot, {MAX_UNFINISHED} are allowed"))),
        Some((volume, snapshots)) if snapshots.len() >= MAX_UNFINISHED => {
            let text = format!(
                "volume {volume} has {} unfinished snapshots, and EC2 allows {MAX_UNFINISHED}: {}",
                snapshots.len(),
                snapshots.join(", ")
            );
            Err(Refusal::new(Reason::SnapshotQuota, text))
        }
        Some((volume, snapshots)) => {
            let youngest = unfinished.iter().map(|snapshot| snapshot.start_time).max();
            Ok((youngest, format!("{volume} has {} of {MAX_UNFINISHED} unfinished snapshots", snapshots.len())))
        }
    }
}
