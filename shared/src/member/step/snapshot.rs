//! Snapshots, once every plane has covered.

use crate::{
    epoch::Epoch,
    evidence::{AcceptedSnapshot, PreparedStore},
    ids::{InstanceId, SnapshotId, VolumeId},
    member::{
        effect::{Step, Work},
        machine::Member,
        phase::Phase,
    },
    reason::{Reason, Refusal},
    time::Timestamp,
    wire::{Answer, Order, Snapshot, Snapshotted},
};
use std::collections::{BTreeMap, BTreeSet};

impl Member {
    pub(in crate::member) fn snapshot(&mut self, epoch: Epoch, snapshot: Snapshot, step: &mut Step) {
        if self.takes(Phase::Covered, epoch, Order::Snapshot(snapshot.clone()), step) {
            self.phase = Phase::Snapshotting;
            self.commit_ts = Some(snapshot.commit_ts);
            let Snapshot { commit_ts, share, one_volume } = snapshot;
            let number = self.begin(Work::Snapshot { commit_ts, share, one_volume }, step);
            self.calls.begin(number);
        }
    }

    pub(super) fn snapshotted(&mut self, snapshotted: Snapshotted, step: &mut Step) {
        let stores = self.ready.as_ref().map(|ready| ready.prepared.stores.as_slice()).unwrap_or_default();
        if let Err(refusal) = check_snapshots(stores, &snapshotted.snapshots) {
            self.abort_locally(refusal, step);
            return;
        }
        self.snapshots.clone_from(&snapshotted.snapshots);
        self.phase = Phase::Snapshotted;
        self.answer(Answer::Snapshotted(snapshotted), step);
    }
}

/// E4: one snapshot per volume prepared, each id once, those of an instance from one call (EC2 gives all snapshots of a
/// call one StartTime, `facts/aws.md` A1), on the instance that was prepared.
pub(super) fn check_snapshots(prepared: &[PreparedStore], snapshots: &[AcceptedSnapshot]) -> Result<(), Refusal> {
    let at: BTreeMap<&VolumeId, &InstanceId> =
        prepared.iter().flat_map(|store| store.volumes.iter().map(|v| (&v.volume, &store.instance))).collect();
    let volumes: BTreeSet<&VolumeId> = snapshots.iter().map(|snapshot| &snapshot.volume).collect();
    let ids: BTreeSet<&SnapshotId> = snapshots.iter().map(|snapshot| &snapshot.snapshot).collect();
    let bad = |text: String| Err(Refusal::new(Reason::SnapshotFailed, text));
    if let Some(volume) = at.keys().find(|volume| !volumes.contains(*volume)) {
        return bad(format!("volume {volume} has no snapshot"));
    }
    if volumes.len() != at.len() || snapshots.len() != at.len() || ids.len() != at.len() {
        return bad(format!("{} snapshots for {} volumes", snapshots.len(), at.len()));
    }
    let mut calls: BTreeMap<&InstanceId, Timestamp> = BTreeMap::new();
    for snapshot in snapshots {
        if at.get(&snapshot.volume) != Some(&&snapshot.instance) {
            return bad(format!("volume {} was snapshotted on {}", snapshot.volume, snapshot.instance));
        }
        if *calls.entry(&snapshot.instance).or_insert(snapshot.start_time) != snapshot.start_time {
            return bad(format!("snapshots of instance {} came from more than one call", snapshot.instance));
        }
    }
    Ok(())
}
