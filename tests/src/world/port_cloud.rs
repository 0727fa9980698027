//! The EC2 double behind [`Ec2`]: one attempt per call, AWS's refusals, lost answers, lagging describes.

use super::{
    World,
    cloud::{Role, Snapshot, Volume},
    config::Span,
    engine::State,
    faults::Ec2Faults,
    port_s3::Bucket,
};
use async_trait::async_trait;
use plane_actor::ports::{
    Cloud, CloudConnect, CloudError, CloudIdentity, CreateSnapshots, Ec2, Find, Found, InstanceVolumes, PortError,
    SnapshotInfo, SnapshotState, VolumeAt,
};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
    reason::Reason,
    request::S3Target,
};
use std::sync::Arc;

/// Keys that the world's secrets hold.
pub(crate) const ACCESS_KEY: &str = "AKIAEXAMPLEEXAMPLE00";
pub(crate) const SECRET_KEY: &str = "example-secret-key";
/// Most tags of one resource, exclusions of one call (`facts/aws.md` A1).
const MAX_TAGS: usize = 50;
const MAX_EXCLUDED: usize = 40;
/// Rows of one page of DescribeSnapshots.
const PAGE: usize = 1000;

pub(crate) struct CloudDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
}

#[async_trait]
impl CloudConnect for CloudDouble {
    async fn connect(&self, identity: &CloudIdentity, storage: &S3Target) -> Result<Cloud, PortError> {
        self.world.pause(self.world.with(|state| state.config.s3)).await;
        if let CloudIdentity::Keys { access_key, secret_key } = identity
            && (access_key != ACCESS_KEY || secret_key != SECRET_KEY)
        {
            return Err(PortError::refused(
                Reason::CredentialsRefused,
                format!("sts:GetCallerIdentity in plane {}: InvalidClientTokenId", self.plane),
            ));
        }
        let (account, region) = self.world.with(|state| state.account_of(&self.plane));
        let region = if storage.region.is_empty() { region } else { storage.region.clone() };
        let ec2 = Ec2Double { world: self.world.clone(), plane: self.plane.clone() };
        let objects = Bucket { world: self.world.clone(), bucket: storage.bucket.clone() };
        Ok(Cloud { account, region, region_guessed: false, ec2: Arc::new(ec2), objects: Arc::new(objects) })
    }
}

struct Ec2Double {
    world: World,
    plane: String,
}

impl State {
    pub(crate) fn account_of(&self, plane: &str) -> (String, String) {
        let kept = self.config.planes.iter().find(|kept| kept.name == plane);
        kept.map(|kept| (kept.account.clone(), kept.region.clone())).unwrap_or_default()
    }

    fn zone_of(&self, plane: &str) -> String {
        self.config.planes.iter().find(|kept| kept.name == plane).map(|kept| kept.zone.clone()).unwrap_or_default()
    }

    fn ec2_faults(&mut self, plane: &str) -> &mut Ec2Faults {
        self.faults.ec2.entry(plane.to_owned()).or_default()
    }

    fn admit(&mut self, plane: &str, action: &'static str, limit: (u32, u32)) -> Result<(), CloudError> {
        let faults = self.ec2_faults(plane);
        if faults.denied {
            return Err(CloudError::Denied(format!("ec2:{action}")));
        }
        if faults.throttle > 0 {
            faults.throttle -= 1;
            return Err(CloudError::Throttled(format!("{action}: RequestLimitExceeded")));
        }
        let (account, region) = self.account_of(plane);
        let now = self.now;
        if self.cloud.admit((account, region, action), limit, now) {
            Ok(())
        } else {
            Err(CloudError::Throttled(format!("{action}: RequestLimitExceeded")))
        }
    }

    /// Every snapshot that a describe of this plane's account shows now.
    fn described(&self, plane: &str) -> Vec<SnapshotInfo> {
        let owner = self.account_of(plane);
        self.cloud
            .snapshots
            .iter()
            .filter(|(_, kept)| self.account_of(&kept.plane) == owner)
            .filter(|(_, kept)| kept.visible <= self.now && kept.exists(self.now))
            .filter(|(_, kept)| !self.faults.ec2.get(&kept.plane).is_some_and(|faults| faults.never_shown))
            .map(|(id, kept)| kept.info(id, self.now))
            .collect()
    }

    /// Where EC2 says that a volume is.
    fn home_of(&self, kept: &Volume) -> InstanceId {
        let moved = matches!(kept.role, Role::Data(store) if self.faults.moved_volume.contains(&store));
        if moved { InstanceId("i-0ffffffffffffffff".to_owned()) } else { kept.instance.clone() }
    }

    fn volume_at(&self, id: &VolumeId) -> Option<VolumeAt> {
        let kept = self.cloud.volumes.get(id)?;
        if matches!(kept.role, Role::Data(store) if self.faults.gone_volume.contains(&store)) {
            return None;
        }
        Some(VolumeAt {
            volume: id.clone(),
            instance: Some(self.home_of(kept)),
            zone: self.zone_of(&kept.plane),
            tags: vec![("CSIVolumeName".to_owned(), format!("pvc-{id}"))],
        })
    }

    fn create(&mut self, plane: &str, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        let limit = self.config.ec2.create_bucket;
        self.admit(plane, "CreateSnapshots", limit)?;
        let refused = |code: &str, message: String| CloudError::Refused { code: code.to_owned(), message };
        if call.tags.len() > MAX_TAGS {
            return Err(refused("TagLimitExceeded", format!("{} tags, at most {MAX_TAGS}", call.tags.len())));
        }
        if call.exclude.len() > MAX_EXCLUDED {
            return Err(refused("InvalidParameterValue", format!("{} exclusions, at most 40", call.exclude.len())));
        }
        let here = |id: &VolumeId| self.cloud.volumes.get(id).is_some_and(|kept| self.home_of(kept) == call.instance);
        if let Some(gone) = call.exclude.iter().find(|id| !here(id)) {
            return Err(refused("InvalidParameterValue", format!("{gone} is not attached to {}", call.instance)));
        }
        let mut volumes = Vec::new();
        for (id, kept) in self.cloud.volumes.iter().filter(|(_, kept)| self.home_of(kept) == call.instance) {
            if call.exclude.contains(id) {
                if kept.role == Role::Root {
                    return Err(refused("InvalidParameterValue", format!("{id} is the root volume")));
                }
            } else if kept.role != Role::Root {
                volumes.push(id.clone());
            }
        }
        if volumes.is_empty() {
            return Err(refused("InvalidInstanceID.NotFound", format!("{} has no such volumes", call.instance)));
        }
        let again = volumes.iter().any(|id| self.cloud.volumes.get(id).is_some_and(|kept| kept.snapshotted.is_some()));
        let faults = self.ec2_faults(plane);
        let left = if again { &mut faults.invalid_again } else { &mut faults.invalid_states };
        if *left > 0 {
            *left -= 1;
            return Err(CloudError::InvalidState(format!("CreateSnapshots: InvalidState: {}", call.instance)));
        }
        for volume in &volumes {
            match self.volume_refusal(volume) {
                Some(code @ "SnapshotCreationPerVolumeRateExceeded") => {
                    return Err(CloudError::PerVolumeRate(format!("{code}: {volume}")));
                }
                Some(code) => return Err(CloudError::Quota(format!("{code}: {volume}"))),
                None => {}
            }
        }
        let faults = self.ec2_faults(plane);
        let fails = faults.error_sets > 0;
        faults.error_sets = faults.error_sets.saturating_sub(1);
        let lost = faults.lose_replies > 0;
        faults.lose_replies = faults.lose_replies.saturating_sub(1);
        let partial = faults.partial_sets > 0;
        faults.partial_sets = faults.partial_sets.saturating_sub(1);
        if partial {
            volumes.truncate(1);
        }
        let made = self.snapshot_volumes(plane, &volumes, &call.tags, fails);
        if lost || partial {
            return Err(CloudError::OutcomeUnknown("CreateSnapshots: connection reset before the reply".to_owned()));
        }
        let accepted = made.into_iter().map(|(volume, snapshot, start_time)| AcceptedSnapshot {
            volume,
            snapshot,
            instance: call.instance.clone(),
            start_time,
        });
        Ok(accepted.collect())
    }
}

impl Ec2Double {
    async fn describe<T: Send>(
        &self,
        action: &'static str,
        look: impl FnOnce(&mut State) -> Result<T, CloudError> + Send,
    ) -> Result<T, CloudError> {
        self.world.pause(self.world.with(|state| state.config.ec2.describe)).await;
        self.world.with(|state| {
            let limit = state.config.ec2.describe_bucket;
            state.admit(&self.plane, action, limit)?;
            look(state)
        })
    }
}

#[async_trait]
impl Ec2 for Ec2Double {
    async fn volumes(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeAt>, CloudError> {
        self.describe("DescribeVolumes", |state| Ok(volumes.iter().filter_map(|id| state.volume_at(id)).collect()))
            .await
    }

    async fn instances(&self, instances: &[InstanceId]) -> Result<Vec<InstanceVolumes>, CloudError> {
        self.describe("DescribeInstances", |state| {
            let of = |instance: &InstanceId| {
                let mine: Vec<_> =
                    state.cloud.volumes.iter().filter(|(_, kept)| &state.home_of(kept) == instance).collect();
                let with = |root: bool| {
                    let kept = mine.iter().filter(move |(_, kept)| (kept.role == Role::Root) == root);
                    kept.map(|(id, _)| (*id).clone()).collect::<Vec<_>>()
                };
                if mine.is_empty() {
                    return None;
                }
                Some(InstanceVolumes {
                    instance: instance.clone(),
                    state: "running".to_owned(),
                    root: with(true).into_iter().next(),
                    data: with(false),
                })
            };
            Ok(instances.iter().filter_map(of).collect())
        })
        .await
    }

    async fn create_snapshots(&self, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        let (way, back, slow) = self.world.with(|state| {
            let span = state.config.ec2.create;
            let slow = state.ec2_faults(&self.plane).slow_create;
            let whole = state.draw_call(span);
            let way = state.draw_call(Span(0, whole));
            (way, whole - way, slow)
        });
        self.world.sleep_ms(way).await;
        tokio::time::sleep(slow).await;
        let answer = self.world.with(|state| state.create(&self.plane, call));
        self.world.sleep_ms(back).await;
        answer
    }

    async fn may_create_snapshots(&self, _: &CreateSnapshots) -> Result<(), CloudError> {
        self.world.with(|state| {
            if state.ec2_faults(&self.plane).denied {
                return Err(CloudError::Denied("ec2:CreateSnapshots".to_owned()));
            }
            Ok(())
        })
    }

    async fn find_snapshots(&self, find: &Find, page: Option<String>) -> Result<Found, CloudError> {
        if find.tags.is_empty() {
            return Err(CloudError::Refused {
                code: "InvalidParameterValue".to_owned(),
                message: "no tag given: that would be every snapshot of the account".to_owned(),
            });
        }
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or_default();
        self.describe("DescribeSnapshots", |state| {
            state.counters.ec2_looks += 1;
            // The volumes choose before pages are cut, the tags after it, as with EC2's own index.
            let of = |info: &SnapshotInfo| find.volumes.is_empty() || find.volumes.contains(&info.volume);
            let all: Vec<_> = state.described(&self.plane).into_iter().filter(of).collect();
            let old = state.cloud.old.get(&self.plane).copied().filter(|_| find.volumes.is_empty()).unwrap_or_default();
            let next = (from + PAGE < old + all.len()).then(|| (from + PAGE).to_string());
            let page = all.into_iter().skip(from.saturating_sub(old)).take((from + PAGE).saturating_sub(old.max(from)));
            let snapshots = page.filter(|info| find.tags.iter().all(|tag| info.tags.contains(tag))).collect();
            Ok(Found { snapshots, next })
        })
        .await
    }

    async fn snapshots(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotInfo>, CloudError> {
        if ids.is_empty() {
            return Err(CloudError::Refused {
                code: "InvalidParameterValue".to_owned(),
                message: "empty id list: that would be every snapshot there is".to_owned(),
            });
        }
        self.describe("DescribeSnapshots", |state| {
            Ok(state.described(&self.plane).into_iter().filter(|info| ids.contains(&info.snapshot)).collect())
        })
        .await
    }

    async fn unfinished_snapshots(&self, volumes: &[VolumeId]) -> Result<Vec<SnapshotInfo>, CloudError> {
        self.describe("DescribeSnapshots", |state| {
            let all = state.described(&self.plane).into_iter();
            let open = |info: &SnapshotInfo| matches!(info.state, SnapshotState::Pending | SnapshotState::Error);
            Ok(all.filter(|info| volumes.contains(&info.volume) && open(info)).collect())
        })
        .await
    }

    async fn delete_snapshot(&self, id: &SnapshotId) -> Result<bool, CloudError> {
        self.world.pause(self.world.with(|state| state.config.ec2.delete)).await;
        self.world.with(|state| {
            let limit = state.config.ec2.delete_bucket;
            state.admit(&self.plane, "DeleteSnapshot", limit)?;
            if let Some((code, message)) = state.ec2_faults(&self.plane).undeletable {
                return Err(CloudError::Refused { code: code.to_owned(), message: message.to_owned() });
            }
            let now = state.now;
            let never_shown = state.ec2_faults(&self.plane).never_shown;
            let known = |kept: &&mut Snapshot| !kept.deleted && (kept.visible <= now || never_shown);
            let Some(kept) = state.cloud.snapshots.get_mut(id).filter(known) else { return Ok(false) };
            kept.deleted = true;
            kept.content = None;
            state.counters.ec2_deletes += 1;
            Ok(true)
        })
    }

    async fn in_recycle_bin(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotId>, CloudError> {
        self.describe("ListSnapshotsInRecycleBin", |state| {
            Ok(if state.ec2_faults(&self.plane).recycles { ids.to_vec() } else { Vec::new() })
        })
        .await
    }
}
