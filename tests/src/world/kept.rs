//! What people and other services of AWS do to snapshots, and what people make ready.

use super::{
    World,
    calls::Calls,
    cloud::Capture,
    target::{Target, TargetCluster},
};
use crate::models::ec2::{Ec2, Guard, Snapshot};
use shared::ids::SnapshotId;

impl World {
    /// Something keeps every snapshot that this plane made, or nothing does any more.
    pub fn guard_snapshots(&self, plane: &str, guard: Option<Guard>) {
        self.with(|state| {
            let made = state.cloud.captures.iter().filter(|(_, made)| made.plane == plane);
            for (id, _) in made {
                if let Some(snapshot) = state.cloud.ec2.snapshots.get_mut(&id.0) {
                    snapshot.guard.clone_from(&guard);
                }
            }
        });
    }

    /// Forgets what is past: deleted snapshots with all that was on them, calls, who waited when, and transfers. What was cut so far
    /// can no longer be judged by those.
    pub fn forget_past(&self) {
        self.with(|state| {
            let now = state.moment();
            state.cloud.ec2.forget_deleted(now);
            let (captures, snapshots) = (&mut state.cloud.captures, &state.cloud.ec2.snapshots);
            captures.retain(|id, _| snapshots.contains_key(&id.0));
            let (restored, volumes) = (&mut state.cloud.restored, &state.cloud.ec2.volumes);
            restored.retain(|id, _| volumes.contains_key(&id.0));
            state.calls = Calls::default();
            state.bank.history.clear();
            state.bank.per_second.clear();
        });
        self.waiting.forget();
    }

    /// So many more of each snapshot, found by their tags alone: as many as of a larger cluster.
    pub fn multiply_snapshots(&self, times: usize) {
        self.with(|state| {
            for (of, id) in state.cloud.ec2.multiply(times) {
                let Some(made) = state.cloud.captures.get(&SnapshotId(of)) else { continue };
                let copy = Capture { plane: made.plane.clone(), tags: made.tags.clone(), content: None };
                state.cloud.captures.insert(SnapshotId(id), copy);
            }
        });
    }

    /// Somebody does something with one of the snapshots that this plane made: the first. Answers its id.
    pub fn alter_snapshot(&self, plane: &str, change: impl FnOnce(&mut Snapshot)) -> Option<SnapshotId> {
        self.with(|state| {
            let first = state.cloud.captures.iter().find(|(_, made)| made.plane == plane)?.0.clone();
            change(state.cloud.ec2.snapshots.get_mut(&first.0)?);
            Some(first)
        })
    }

    /// Somebody does something with the account as a whole.
    pub fn alter_ec2<T>(&self, change: impl FnOnce(&mut Ec2) -> T) -> T {
        self.with(|state| change(&mut state.cloud.ec2))
    }

    /// Somebody has made a TiDB cluster to restore into; one of that name is replaced.
    pub fn set_target(&self, target: TargetCluster) {
        self.with(|state| {
            state.targets.retain(|other| other.spec.url() != target.url());
            let target = Target::new(target, &state.config, state.wall());
            state.targets.push(target);
        });
    }

    /// Every call of AWS that this plane has begun, in their order.
    pub fn calls(&self, plane: &str) -> Vec<&'static str> {
        self.with(|state| state.calls.of(plane))
    }

    /// The answer to this call of the plane, counted from 0, is lost; what it asked for happens.
    pub fn lose_answer(&self, plane: &str, number: usize) {
        self.with(|state| state.calls.lose(plane, number));
    }
}
