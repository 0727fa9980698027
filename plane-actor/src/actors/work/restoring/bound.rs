//! From volumes that are there to what Kubernetes is told of them: which pod gets which, and the objects for it.

use super::super::build::Built;
use crate::ports::{BoundVolume, Gate, Owner, WaitingClaim};
use serde_json::Value;
use shared::{
    ids::{PlaneId, SnapshotId, StoreId, VolumeId},
    placement::{Bound, Goes, Group, Rewriting, assign, of_backup},
    reason::{Reason, Refusal},
    restore::mapping,
    wire::Source,
};
use std::collections::BTreeMap;

/// One volume, its objects, and whose it is.
pub(super) struct Object {
    pub(super) bound: BoundVolume,
    pub(super) claim: String,
    pub(super) store: StoreId,
    pub(super) snapshot: SnapshotId,
    pub(super) volume: VolumeId,
}

fn refused(text: String) -> Refusal {
    Refusal::new(Reason::NotRestorable, text)
}

/// Pod by pod, by the volume's name.
pub(super) fn objects(
    plane: &PlaneId,
    owner: &Owner,
    meta: &Value,
    sources: &[Source],
    made: &[Built],
    gate: &Gate,
    claims: &[WaitingClaim],
) -> Result<Vec<Object>, Refusal> {
    let rewriting = Rewriting {
        restore: &owner.restore,
        plane,
        namespace: &owner.namespace,
        cluster: &owner.cluster,
        reclaim: None,
    };
    let (kept, mapped) = (of_backup(meta).map_err(refused)?, mapping(sources));
    let made: BTreeMap<&SnapshotId, &Built> = made.iter().map(|built| (&built.snapshot, built)).collect();
    let mut goes = Vec::with_capacity(mapped.placed.len());
    for placed in &mapped.placed {
        let source = placed.source;
        let told = || format!("snapshot {} of {}", source.snapshot, source.volume);
        let built = made.get(&source.snapshot).ok_or_else(|| refused(format!("{} has no volume", told())))?;
        let (Some(pod), Some(place), Some(store)) = (placed.pod, &source.place, source.store) else {
            return Err(refused(format!("backupmeta does not say which pod and store {} belongs to", told())));
        };
        let objects = kept.get(&source.volume);
        let objects =
            objects.ok_or_else(|| refused(format!("backupmeta has no PersistentVolume of {}", source.volume)))?;
        let to = Goes { volume: &built.volume, zone: &built.zone, pod, name: &place.name };
        goes.push((to, objects, source, store));
    }
    let waiting = match gate {
        Gate::RecoveryMode => BTreeMap::new(),
        Gate::StaticClass(_) => {
            let mut groups: BTreeMap<u32, Group> = BTreeMap::new();
            for (to, ..) in &goes {
                let group = groups.entry(to.pod).or_insert_with(|| Group {
                    pod: to.pod,
                    zone: to.zone.to_owned(),
                    volumes: BTreeMap::new(),
                });
                group.volumes.insert(to.name.to_owned(), rewriting.pv_name(to));
            }
            let groups: Vec<Group> = groups.into_values().collect();
            assign(&groups, claims).map_err(|text| Refusal::new(Reason::NotRestorable, text))?
        }
    };
    goes.into_iter()
        .map(|(to, objects, source, store)| {
            let (bound, claim) = match waiting.get(&rewriting.pv_name(&to)) {
                Some(claim) => {
                    let pv = rewriting.for_claim(objects.pv, &to, &claim.name, &claim.class).map_err(refused)?;
                    (BoundVolume { pv, pvc: None }, claim.name.clone())
                }
                None => {
                    let Bound { pv, pvc } = rewriting.bound(objects.pv, objects.pvc, &to).map_err(refused)?;
                    (BoundVolume { pv, pvc: Some(pvc) }, rewriting.claim_name(&to))
                }
            };
            let (snapshot, volume) = (source.snapshot.clone(), to.volume.clone());
            Ok(Object { bound, claim, store, snapshot, volume })
        })
        .collect()
}
