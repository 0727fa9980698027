//! Volumes of a restore in the simulated EC2: the rules are the model's, what stands on a volume is what its snapshot held.

use super::{
    World,
    account::refused,
    engine::State,
    image::{Cut, VolumeImage},
    port_cloud::Ec2Double,
};
use crate::models::ec2::{AskedVolume, Volume, WantedVolume};
use async_trait::async_trait;
use plane_actor::ports::{CloudError, Initialized, NewVolume, VolumeInfo, VolumeState, Volumes, VolumesFound};
use shared::{
    ids::{InstanceId, SnapshotId, VolumeId},
    time::Timestamp,
    ts::Ts,
    wire::VolumeKind,
};

/// Rows of one page of DescribeVolumes.
const PAGE: usize = 500;

impl World {
    /// The cut that these volumes are, which were made of snapshots; whatever became of those.
    pub fn cut_of_volumes(&self, volumes: &[VolumeId], commit_ts: Ts) -> Result<Cut, String> {
        self.with(|state| {
            let image = |id: &VolumeId| {
                state.cloud.restored.get(id).cloned().ok_or_else(|| format!("{id} was never made of a TiKV volume"))
            };
            Ok(Cut { commit_ts, volumes: volumes.iter().map(image).collect::<Result<_, _>>()? })
        })
    }

    /// A node takes a volume, as for a pod that needs it.
    pub fn attach_volume(&self, volume: &VolumeId, instance: &str) -> Result<(), String> {
        self.with(|state| {
            let now = state.moment();
            state.cloud.ec2.attach(now, &volume.0, instance, "/dev/xvdba").map_err(|refusal| refusal.message)
        })
    }
}

impl State {
    /// Volumes that were made of snapshots and not deleted, by name.
    pub(super) fn made_volumes(&self) -> Vec<String> {
        let now = self.moment();
        let left = |volume: &Volume| volume.made.as_ref().is_some_and(|made| made.gone.is_none()) && volume.exists(now);
        let all = self.cloud.ec2.volumes.iter().filter(|(_, volume)| left(volume));
        all.map(|(id, volume)| format!("{id} ({})", volume.state(now))).collect()
    }

    fn make_volume(&mut self, plane: &str, new: &NewVolume) -> Result<VolumeInfo, CloudError> {
        self.admit(plane, "CreateVolume")?;
        self.may("CreateVolume", plane)?;
        let (now, home, call) = (self.moment(), self.home_of(plane), &new.call);
        let wanted = WantedVolume {
            snapshot: &call.snapshot.0,
            zone: &call.zone,
            kind: &call.kind.name,
            iops: call.kind.iops,
            throughput: call.kind.throughput,
            rate: call.rate,
        };
        let asked = AskedVolume { wanted, token: Some(&new.token), tags: &new.tags };
        let known = self.cloud.ec2.asked_before(now, &home, &asked).map_err(refused)?.is_some();
        let (id, volume) = self.cloud.ec2.create_volume(now, &home, &asked).map_err(refused)?;
        let id = VolumeId(id);
        if !known {
            self.counters.ec2_volumes += 1;
            let content = self.cloud.captures.get(&call.snapshot).and_then(|made| made.content.clone());
            if let Some((half, image)) = content {
                let snapshot = Some(call.snapshot.clone());
                self.cloud.restored.insert(id.clone(), VolumeImage { snapshot, half, image });
            }
            self.note(&[31, self.counters.ec2_volumes]);
        }
        let faults = self.ec2_faults(plane);
        if faults.lose_volume_replies > 0 {
            faults.lose_volume_replies -= 1;
            return Err(CloudError::OutcomeUnknown("CreateVolume: connection reset before the reply".to_owned()));
        }
        Ok(self.info_of(&id, &volume))
    }

    fn info_of(&self, id: &VolumeId, volume: &Volume) -> VolumeInfo {
        let made = volume.made.as_ref();
        VolumeInfo {
            volume: id.clone(),
            snapshot: made.map(|made| SnapshotId(made.snapshot.clone())),
            zone: volume.zone(),
            state: match volume.state(self.moment()) {
                "creating" => VolumeState::Creating,
                "available" => VolumeState::Available,
                "in-use" => VolumeState::InUse,
                "deleting" => VolumeState::Deleting,
                _ => VolumeState::Error,
            },
            created: made.map(|made| {
                let age = self.moment().saturating_sub(made.created).as_millis();
                Timestamp(self.wall().0.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)))
            }),
            gib: volume.size.into(),
            kind: VolumeKind {
                name: volume.kind.clone(),
                iops: made.and_then(|made| made.iops).or(Some(3_000)),
                throughput: made.and_then(|made| made.throughput).or(Some(125)),
            },
            instance: volume.attachment.as_ref().map(|at| InstanceId(at.instance.clone())),
            tags: volume.tags.clone().into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect(),
        }
    }

    fn described_volumes(&self, plane: &str, wanted: impl Fn(&VolumeInfo) -> bool) -> Vec<VolumeInfo> {
        let (now, home) = (self.moment(), self.home_of(plane));
        let seen = self.cloud.ec2.seen_volumes(now, &home);
        seen.map(|(id, volume)| self.info_of(&VolumeId(id.clone()), volume)).filter(wanted).collect()
    }
}

#[async_trait]
impl Volumes for Ec2Double {
    async fn create_volume(&self, new: &NewVolume) -> Result<VolumeInfo, CloudError> {
        self.creating("CreateVolume", |state| state.make_volume(&self.plane, new)).await
    }

    async fn find_volumes(&self, tags: &[(String, String)], page: Option<String>) -> Result<VolumesFound, CloudError> {
        if tags.is_empty() {
            return Err(CloudError::Refused {
                code: "InvalidParameterValue".to_owned(),
                message: "no tag given: that would be every volume of the account".to_owned(),
            });
        }
        let from: usize = page.and_then(|page| page.parse().ok()).unwrap_or_default();
        self.describe("DescribeVolumes", |state| {
            // Pages are cut before tags choose, as with EC2's own index.
            let all = state.described_volumes(&self.plane, |_| true);
            let next = (from + PAGE < all.len()).then(|| (from + PAGE).to_string());
            let page = all.into_iter().skip(from).take(PAGE);
            let volumes = page.filter(|info| tags.iter().all(|tag| info.tags.contains(tag))).collect();
            Ok(VolumesFound { volumes, next })
        })
        .await
    }

    async fn described(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeInfo>, CloudError> {
        self.describe("DescribeVolumes", |state| {
            Ok(state.described_volumes(&self.plane, |info| volumes.contains(&info.volume)))
        })
        .await
    }

    async fn initialized(&self, volumes: &[VolumeId]) -> Result<Vec<Initialized>, CloudError> {
        self.describe("DescribeVolumeStatus", |state| {
            let (now, home, lag) = (state.moment(), state.home_of(&self.plane), state.cloud.ec2.rules.progress_lag);
            let seen = state.cloud.ec2.seen_volumes(now, &home).map(|(id, volume)| Initialized {
                volume: VolumeId(id.clone()),
                percent: volume.initialized(now, lag),
            });
            Ok(seen.filter(|told| volumes.contains(&told.volume)).collect())
        })
        .await
    }

    async fn delete_volume(&self, volume: &VolumeId) -> Result<bool, CloudError> {
        let number = self.world.with(|state| state.calls.called(&self.plane, "DeleteVolume"));
        self.world.pause(self.world.with(|state| state.config.ec2.delete)).await;
        let deleted = self.world.with(|state| {
            state.admit(&self.plane, "DeleteVolume")?;
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            if state.ec2_faults(&self.plane).no_deletes {
                let why = "UnauthorizedOperation: You are not authorized to perform this operation.";
                return Err(CloudError::Denied(format!("ec2:DeleteVolume: {why}")));
            }
            match state.cloud.ec2.delete_volume(now, &home, &volume.0) {
                Ok(()) => {
                    state.counters.ec2_volume_deletes += 1;
                    Ok(true)
                }
                Err(refusal) if refusal.code == "IncorrectState" => Err(CloudError::InvalidState(refusal.message)),
                Err(refusal) => match refused(refusal) {
                    CloudError::NotFound(_) => Ok(false),
                    error => Err(error),
                },
            }
        });
        self.world.with(|state| state.calls.replied(&self.plane, number, deleted))
    }
}
