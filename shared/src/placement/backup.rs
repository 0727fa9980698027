//! What backupmeta holds of volumes: found as v1.6 finds it (`facts/restore.md` §2.4).

use super::objects::IN_BACKUP;
use crate::ids::VolumeId;
use serde_json::Value;
use std::collections::BTreeMap;

/// The objects of a volume as they were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kept<'a> {
    /// The PersistentVolume.
    pub pv: &'a Value,
    /// The claim that it was bound to.
    pub pvc: &'a Value,
}

/// By the volume that was backed up.
///
/// # Errors
/// In words: a volume has two PersistentVolumes, or one has no claim.
pub fn of_backup(meta: &Value) -> Result<BTreeMap<VolumeId, Kept<'_>>, String> {
    let list = |field: &str| meta["kubernetes"][field].as_array().map(Vec::as_slice).unwrap_or_default();
    let place = |namespace: &Value, name: &Value| Some((namespace.as_str()?.to_owned(), name.as_str()?.to_owned()));
    let claims: BTreeMap<(String, String), &Value> = list("pvcs")
        .iter()
        .filter_map(|pvc| Some((place(&pvc["metadata"]["namespace"], &pvc["metadata"]["name"])?, pvc)))
        .collect();
    let mut kept = BTreeMap::new();
    for pv in list("pvs") {
        // One without it is of something else, and no restore looks at it.
        let Some(volume) = pv["metadata"]["annotations"][IN_BACKUP].as_str().map(VolumeId::new) else { continue };
        let (name, claim) = (&pv["metadata"]["name"], &pv["spec"]["claimRef"]);
        let pvc = place(&claim["namespace"], &claim["name"]).and_then(|place| claims.get(&place));
        let Some(pvc) = pvc else {
            return Err(format!("backupmeta has PV {name} of {volume}, and not the claim that it names, {claim}"));
        };
        if kept.insert(volume.clone(), Kept { pv, pvc }).is_some() {
            return Err(format!("backupmeta has two PVs of {volume}; the second is {name}"));
        }
    }
    Ok(kept)
}
