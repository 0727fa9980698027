//! The EC2 double behind [`Ec2`]: one attempt per call, AWS's refusals, lost answers, lagging describes.

use super::{World, account::refused, cloud::CloudState, config::Span, engine::State};
use crate::models::ec2::WantedVolume;
use async_trait::async_trait;
use plane_actor::ports::{
    CloudError, Counted, CreateSnapshot, CreateSnapshots, CreateVolume, Ec2, Find, Found, InstanceVolumes,
    SnapshotInfo, SnapshotState, VolumeAt, VolumeSum, Zone,
};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
};

/// Rows of one page of DescribeSnapshots.
const PAGE: usize = 1000;

pub(super) struct Ec2Double {
    pub(super) world: World,
    pub(super) plane: String,
}

impl Ec2Double {
    /// What is made is made somewhere inside the call.
    pub(super) async fn creating<T: Send>(
        &self,
        action: &'static str,
        create: impl FnOnce(&mut State) -> Result<T, CloudError> + Send,
    ) -> Result<T, CloudError> {
        let (number, way, back, slow) = self.world.with(|state| {
            let number = state.calls.called(&self.plane, action);
            let span = state.config.ec2.create;
            let slow = state.ec2_faults(&self.plane).slow_create;
            let whole = state.draw_call(span);
            let way = state.draw_call(Span(0, whole));
            (number, way, whole - way, slow)
        });
        self.world.sleep_ms(way).await;
        tokio::time::sleep(slow).await;
        let answer = self.world.with(create);
        self.world.sleep_ms(back).await;
        self.world.with(|state| state.calls.replied(&self.plane, number, answer))
    }

    pub(super) async fn describe<T: Send>(
        &self,
        action: &'static str,
        look: impl FnOnce(&mut State) -> Result<T, CloudError> + Send,
    ) -> Result<T, CloudError> {
        let number = self.world.with(|state| state.calls.called(&self.plane, action));
        self.world.pause(self.world.with(|state| state.config.ec2.describe)).await;
        self.world.with(|state| {
            let answer = state.admit(&self.plane, action).and_then(|()| look(state));
            state.calls.replied(&self.plane, number, answer)
        })
    }
}

#[async_trait]
impl Ec2 for Ec2Double {
    async fn volumes(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeAt>, CloudError> {
        self.describe("DescribeVolumes", |state| {
            Ok(volumes.iter().filter_map(|id| state.volume_at(&self.plane, id)).collect())
        })
        .await
    }

    async fn instances(&self, instances: &[InstanceId]) -> Result<Vec<InstanceVolumes>, CloudError> {
        self.describe("DescribeInstances", |state| {
            let of = |instance: &InstanceId| {
                let kept = state.cloud.ec2.instances.get(&instance.0)?;
                let (root, data): (Vec<_>, Vec<_>) =
                    state.cloud.ec2.attached(&instance.0).partition(|(_, device)| *device == kept.root_device);
                Some(InstanceVolumes {
                    instance: instance.clone(),
                    state: kept.state.clone(),
                    root: root.first().map(|(id, _)| VolumeId((*id).clone())),
                    data: data.into_iter().map(|(id, _)| VolumeId(id.clone())).collect(),
                })
            };
            Ok(instances.iter().filter_map(of).collect())
        })
        .await
    }

    async fn create_snapshots(&self, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        self.creating("CreateSnapshots", |state| state.create(&self.plane, call)).await
    }

    async fn create_snapshot(&self, call: &CreateSnapshot) -> Result<AcceptedSnapshot, CloudError> {
        let made = self.creating("CreateSnapshot", |state| state.create_one(&self.plane, call)).await?;
        made.into_iter().next().ok_or_else(|| CloudError::OutcomeUnknown("CreateSnapshot made nothing".to_owned()))
    }

    async fn may_create_snapshot(&self, _: &CreateSnapshot) -> Result<(), CloudError> {
        self.world.with(|state| match state.ec2_faults(&self.plane) {
            faults if faults.denied || faults.only_sets => Err(CloudError::Denied("ec2:CreateSnapshot".to_owned())),
            _ => Ok(()),
        })
    }

    async fn may_create_snapshots(&self, call: &CreateSnapshots) -> Result<(), CloudError> {
        self.world.with(|state| {
            let faults = state.ec2_faults(&self.plane);
            let others = call.copy_tags || call.tags.iter().any(|(key, _)| !key.starts_with("isochron/"));
            if faults.denied || faults.only_our_tags && others {
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

    async fn count_snapshots(&self, page: Option<String>) -> Result<Counted, CloudError> {
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or_default();
        self.describe("DescribeSnapshots", |state| {
            let old = state.cloud.old.get(&self.plane).copied().unwrap_or_default();
            let all = state.described(&self.plane);
            let open = all.iter().filter(|info| info.state == SnapshotState::Pending).count();
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let here = (old + all.len()).saturating_sub(from).min(PAGE);
            let next = (from + PAGE < old + all.len()).then(|| (from + PAGE).to_string());
            // The old ones come first and are completed.
            let pending = if next.is_none() { count(open) } else { 0 };
            Ok(Counted { snapshots: count(here), pending, next })
        })
        .await
    }

    async fn unfinished_snapshots(&self, volumes: &[VolumeId], _: Option<String>) -> Result<Found, CloudError> {
        self.describe("DescribeSnapshots", |state| {
            let all = state.described(&self.plane).into_iter();
            let open = |info: &SnapshotInfo| matches!(info.state, SnapshotState::Pending | SnapshotState::Error);
            let snapshots = all.filter(|info| volumes.contains(&info.volume) && open(info)).collect();
            Ok(Found { snapshots, next: None })
        })
        .await
    }

    async fn completed_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError> {
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or_default();
        self.describe("DescribeSnapshots", |state| {
            let all: Vec<_> =
                state.described(&self.plane).into_iter().filter(|info| volumes.contains(&info.volume)).collect();
            let next = (from + PAGE < all.len()).then(|| (from + PAGE).to_string());
            let page = all.into_iter().skip(from).take(PAGE);
            Ok(Found { snapshots: page.filter(|info| info.state == SnapshotState::Completed).collect(), next })
        })
        .await
    }

    async fn delete_snapshot(&self, id: &SnapshotId) -> Result<bool, CloudError> {
        let number = self.world.with(|state| state.calls.called(&self.plane, "DeleteSnapshot"));
        self.world.pause(self.world.with(|state| state.config.ec2.delete)).await;
        let deleted = self.world.with(|state| {
            state.counters.ec2_delete_calls += 1;
            state.admit(&self.plane, "DeleteSnapshot")?;
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            let faults = state.ec2_faults(&self.plane);
            if faults.no_deletes {
                let why = "UnauthorizedOperation: You are not authorized to perform this operation.";
                return Err(CloudError::Denied(format!("ec2:DeleteSnapshot: {why}")));
            }
            if faults.throttled_deletes {
                state.counters.ec2_throttles += 1;
                return Err(CloudError::Throttled("DeleteSnapshot: RequestLimitExceeded".to_owned()));
            }
            let never_shown = faults.never_shown;
            let CloudState { ec2, captures, .. } = &mut state.cloud;
            let hidden = never_shown && ec2.snapshots.get(&id.0).is_some_and(|kept| kept.exists(now));
            if !hidden && ec2.visible(now, &home, &id.0).is_err() {
                return Ok(false);
            }
            ec2.delete(&id.0).map_err(refused)?;
            if let Some(made) = captures.get_mut(id) {
                made.content = None;
            }
            state.counters.ec2_deletes += 1;
            Ok(true)
        });
        self.world.with(|state| state.calls.replied(&self.plane, number, deleted))
    }

    async fn in_recycle_bin(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotId>, CloudError> {
        self.describe("ListSnapshotsInRecycleBin", |state| {
            if state.ec2_faults(&self.plane).recycles {
                return Ok(ids.to_vec());
            }
            let (home, ids) = (state.home_of(&self.plane), ids.iter().map(|id| id.0.clone()).collect::<Vec<_>>());
            Ok(state.cloud.ec2.binned(&home, &ids).map(SnapshotId::new).collect())
        })
        .await
    }

    async fn shared_with(&self, id: &SnapshotId) -> Result<Vec<String>, CloudError> {
        self.describe("DescribeSnapshotAttribute", |state| {
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            state.may("DescribeSnapshotAttribute", &self.plane)?;
            state.cloud.ec2.shared_with(now, &home, &id.0).map_err(refused)
        })
        .await
    }

    async fn may_create_volume(&self, call: &CreateVolume) -> Result<(), CloudError> {
        self.describe("CreateVolume", |state| {
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            state.may("CreateVolume", &self.plane)?;
            let wanted = WantedVolume {
                snapshot: &call.snapshot.0,
                zone: &call.zone,
                kind: &call.kind.name,
                iops: call.kind.iops,
                throughput: call.kind.throughput,
                rate: call.rate,
            };
            state.cloud.ec2.may_create_volume(now, &home, &wanted).map_err(refused)
        })
        .await
    }

    async fn zones(&self) -> Result<Vec<Zone>, CloudError> {
        self.describe("DescribeAvailabilityZones", |state| {
            let home = state.home_of(&self.plane);
            state.may("DescribeAvailabilityZones", &self.plane)?;
            Ok(state.cloud.ec2.zones(&home).into_iter().map(|(name, state)| Zone { name, state }).collect())
        })
        .await
    }

    async fn sum_volumes(&self, kind: &str, page: Option<String>) -> Result<VolumeSum, CloudError> {
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or_default();
        self.describe("DescribeVolumes", |state| {
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            let all: Vec<u64> =
                state.cloud.ec2.of_type(now, &home, kind).map(|volume| u64::from(volume.size)).collect();
            let next = (from + PAGE < all.len()).then(|| (from + PAGE).to_string());
            Ok(VolumeSum { gib: all.into_iter().skip(from).take(PAGE).sum(), next })
        })
        .await
    }
}
