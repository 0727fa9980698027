//! One plane's AWS account as its calls meet it: what is refused, what is attached where, what a create makes.

use super::{cloud::info, engine::State, faults::Ec2Faults};
use crate::models::ec2::{Call, Home, Refusal, Wanted};
use plane_actor::ports::{CloudError, CreateSnapshot, CreateSnapshots, SnapshotInfo, VolumeAt};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
    time::Timestamp,
    wire::VolumeKind,
};
use std::time::Duration;

impl State {
    /// The model's clock.
    pub(crate) fn moment(&self) -> Duration {
        Duration::from_millis(self.now)
    }

    pub(crate) fn home_of(&self, plane: &str) -> Home {
        let kept = self.config.planes.iter().find(|kept| kept.name == plane);
        kept.map_or(Home::new("", ""), |kept| Home::new(&kept.account, &kept.region))
    }

    pub(super) fn ec2_faults(&mut self, plane: &str) -> &mut Ec2Faults {
        self.faults.ec2.entry(plane.to_owned()).or_default()
    }

    pub(super) fn admit(&mut self, plane: &str, action: &'static str) -> Result<(), CloudError> {
        let faults = self.ec2_faults(plane);
        if faults.denied {
            return Err(CloudError::Denied(format!("ec2:{action}")));
        }
        if faults.throttle > 0 {
            faults.throttle -= 1;
            return Err(CloudError::Throttled(format!("{action}: RequestLimitExceeded")));
        }
        self.attach_volumes();
        let (now, home) = (self.moment(), self.home_of(plane));
        self.cloud.ec2.draw(now, &home, action).map_err(|refusal| {
            self.counters.ec2_throttles += 1;
            refused(refusal)
        })
    }

    /// What only verifications ask.
    pub(super) fn may(&mut self, action: &str, plane: &str) -> Result<(), CloudError> {
        if self.ec2_faults(plane).no_looks {
            return Err(CloudError::Denied(format!("ec2:{action}: UnauthorizedOperation")));
        }
        Ok(())
    }

    /// Data volumes are where the switches say.
    fn attach_volumes(&mut self) {
        for (id, (role, instance)) in &self.cloud.tikv {
            let moved = role.data_of().is_some_and(|store| self.faults.moved_volume.contains(&store));
            let at = self.cloud.ec2.volumes.get_mut(&id.0).and_then(|volume| volume.attachment.as_mut());
            if let Some(at) = at {
                at.instance = if moved { "i-0ffffffffffffffff".to_owned() } else { instance.0.clone() };
            }
        }
    }

    /// Every snapshot that a describe of this plane's account shows now.
    pub(super) fn described(&self, plane: &str) -> Vec<SnapshotInfo> {
        let (now, home) = (self.moment(), self.home_of(plane));
        let hidden = |id: &SnapshotId| {
            let made_by = self.cloud.captures.get(id).map(|made| &made.plane);
            made_by.and_then(|plane| self.faults.ec2.get(plane)).is_some_and(|faults| faults.never_shown)
        };
        let seen = self.cloud.ec2.seen(now, &home).map(|(id, kept)| (SnapshotId(id.clone()), kept));
        let sized = self.faults.ec2.get(plane).is_none_or(|faults| !faults.no_full_size);
        let shown = seen.filter(|(id, _)| !hidden(id)).map(|(id, kept)| info(&id, kept, now));
        shown.map(|info| SnapshotInfo { full_bytes: info.full_bytes.filter(|_| sized), ..info }).collect()
    }

    pub(super) fn volume_at(&self, plane: &str, id: &VolumeId) -> Option<VolumeAt> {
        let (now, home) = (self.moment(), self.home_of(plane));
        let kept = self.cloud.ec2.volumes.get(&id.0).filter(|kept| kept.made.is_none() || kept.seen_by(now, &home))?;
        let store = self.cloud.tikv.get(id).and_then(|(role, _)| role.data_of());
        if store.is_some_and(|store| self.faults.gone_volume.contains(&store)) {
            return None;
        }
        Some(VolumeAt {
            volume: id.clone(),
            instance: kept.attachment.as_ref().map(|at| InstanceId(at.instance.clone())),
            zone: match &kept.made {
                Some(made) => made.zone.clone(),
                None => self.config.planes.iter().find(|kept| kept.name == plane)?.zone.clone(),
            },
            tags: kept.tags.clone().into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect(),
            kind: VolumeKind { name: kept.kind.clone(), iops: Some(3_000), throughput: Some(125) },
        })
    }

    pub(super) fn create(&mut self, plane: &str, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        self.admit(plane, "CreateSnapshots")?;
        let (now, home) = (self.moment(), self.home_of(plane));
        let excluded: Vec<String> = call.exclude.iter().map(|id| id.0.clone()).collect();
        let asked = Call {
            instance: &call.instance.0,
            without_root: true,
            excluded: &excluded,
            tags: &call.tags,
            copy_tags: call.copy_tags,
        };
        let wanted = self.cloud.ec2.chosen(now, &home, &asked).map_err(refused)?;
        self.take(plane, &call.instance, wanted, &call.tags)
    }

    pub(super) fn create_one(
        &mut self,
        plane: &str,
        call: &CreateSnapshot,
    ) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        self.admit(plane, "CreateSnapshot")?;
        let (now, home) = (self.moment(), self.home_of(plane));
        let wanted = self.cloud.ec2.chosen_one(now, &home, &call.volume.0, &call.tags).map_err(refused)?;
        let made = self.take(plane, &call.instance, wanted, &call.tags)?;
        self.counters.ec2_creates_of_one += 1;
        Ok(made)
    }

    /// Makes what was asked for, unless a fault has another mind.
    fn take(
        &mut self,
        plane: &str,
        instance: &InstanceId,
        mut wanted: Vec<Wanted>,
        tags: &[(String, String)],
    ) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        let (now, home) = (self.moment(), self.home_of(plane));
        let again = wanted.iter().any(|one| self.cloud.ec2.was_snapshotted(&one.volume));
        let faults = self.ec2_faults(plane);
        let left = if again { &mut faults.invalid_again } else { &mut faults.invalid_states };
        if *left > 0 {
            *left -= 1;
            return Err(CloudError::InvalidState(format!("CreateSnapshots: InvalidState: {instance}")));
        }
        self.cloud.ec2.check_room(now, &home, &wanted).map_err(refused)?;
        let faults = self.ec2_faults(plane);
        let [fails, lost, partial] = [&mut faults.error_sets, &mut faults.lose_replies, &mut faults.partial_sets]
            .map(|left| std::mem::replace(left, left.saturating_sub(1)) > 0);
        if partial {
            wanted.truncate(1);
        }
        let made = self.snapshot_volumes(plane, wanted, tags, fails);
        if lost || partial {
            return Err(CloudError::OutcomeUnknown("CreateSnapshots: connection reset before the reply".to_owned()));
        }
        let accepted = made.into_iter().filter_map(|snapshot| {
            let kept = self.cloud.ec2.snapshots.get(&snapshot.0)?;
            Some(AcceptedSnapshot {
                volume: VolumeId(kept.volume.clone()),
                snapshot,
                instance: instance.clone(),
                start_time: Timestamp(kept.start_ms),
            })
        });
        Ok(accepted.collect())
    }
}

/// As the edge reads EC2's codes.
pub(super) fn refused(refusal: Refusal) -> CloudError {
    let text = format!("{}: {}", refusal.code, refusal.message);
    match refusal.code {
        "RequestLimitExceeded" => CloudError::Throttled(text),
        "SnapshotCreationPerVolumeRateExceeded" => CloudError::PerVolumeRate(text),
        code if code.ends_with(".NotFound") => CloudError::NotFound(text),
        "VolumeInUse" => CloudError::InvalidState(text),
        "ConcurrentSnapshotLimitExceeded"
        | "PendingSnapshotLimitExceeded"
        | "SnapshotLimitExceeded"
        | "VolumeLimitExceeded" => CloudError::Quota(text),
        code => CloudError::Refused { code: code.to_owned(), message: refusal.message },
    }
}
