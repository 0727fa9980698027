//! What there is to restore: the certificate says which snapshots, backupmeta whose volumes they are and which pod's, EC2 how
//! large they are and what they hold.

use super::{super::verify::Shown, types::Types};
use serde_json::Value;
use shared::{
    ids::StoreId,
    restore::pod_place,
    wire::{PodPlace, Source, Verify},
};
use std::collections::BTreeMap;

/// What backupmeta says of one volume.
#[derive(Debug, Default, PartialEq, Eq)]
struct OfMeta {
    store: Option<StoreId>,
    kind: String,
    claim: String,
    place: Option<PodPlace>,
}

/// One for each snapshot of the question.
pub(super) fn sources(ask: &Verify, meta: Option<&[u8]>, shown: &Shown, types: &Types) -> Vec<Source> {
    let mut of_meta = meta.and_then(read).unwrap_or_default();
    let of = |one: &shared::wire::CertifiedSnapshot| {
        let OfMeta { store, kind, claim, place } = of_meta.remove(one.volume.as_str()).unwrap_or_default();
        let info = shown.here.get(&one.snapshot);
        Source {
            volume: one.volume.clone(),
            snapshot: one.snapshot.clone(),
            store,
            claim,
            place,
            kind,
            zone: one.zone.clone(),
            gib: info.map_or(0, |info| info.storage.gib),
            bytes: info.and_then(|info| info.full_bytes),
            encrypted: info.is_some_and(|info| info.storage.encrypted),
            key: info.map(|info| info.storage.key.clone()).unwrap_or_default(),
            today: types.get(&one.volume).cloned(),
        }
    };
    ask.snapshots.iter().map(of).collect()
}

/// By volume; `None`: it is no backupmeta.
fn read(body: &[u8]) -> Option<BTreeMap<String, OfMeta>> {
    let meta: Value = serde_json::from_slice(body).ok()?;
    let mut volumes: BTreeMap<String, OfMeta> = BTreeMap::new();
    for store in meta.pointer("/tikv/stores")?.as_array()? {
        let id = store.get("store_id").and_then(Value::as_u64).map(StoreId);
        for volume in store.get("volumes").and_then(Value::as_array).into_iter().flatten() {
            let text = |field: &str| volume.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            let of = volumes.entry(text("volume_id")).or_default();
            (of.store, of.kind) = (id, text("type"));
        }
    }
    let cluster =
        meta.pointer("/kubernetes/crd_tidb_cluster/metadata/name").and_then(Value::as_str).unwrap_or_default();
    for pv in meta.pointer("/kubernetes/pvs").and_then(Value::as_array).into_iter().flatten() {
        // As a restore finds them (`facts/restore.md` §2.4).
        let volume = pv.pointer("/metadata/annotations/temporary~1volume-id").and_then(Value::as_str);
        let claim = pv.pointer("/spec/claimRef/name").and_then(Value::as_str);
        if let (Some(volume), Some(claim)) = (volume, claim) {
            let of = volumes.entry(volume.to_owned()).or_default();
            (of.claim, of.place) = (claim.to_owned(), pod_place(claim, cluster));
        }
    }
    Some(volumes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_found_by_the_volume_that_a_pv_names() {
        let pv = |volume: &str, claim: &str| json!({"metadata": {"annotations": {"temporary/volume-id": volume}}, "spec": {"claimRef": {"name": claim}}});
        let meta = json!({
            "tikv": {"stores": [{"store_id": 7, "volumes": [{"volume_id": "vol-a", "type": "storage.data-dir"}, {"volume_id": "vol-b"}]}]},
            "kubernetes": {
                "crd_tidb_cluster": {"metadata": {"name": "shop"}},
                "pvs": [pv("vol-b", "tikv-raft-shop-tikv-3"), pv("vol-a", "tikv-shop-tikv-3"), pv("vol-c", "pd-shop-pd-0"), {}],
            },
        });
        let read = read(meta.to_string().as_bytes()).expect("a backupmeta");
        let of = |volume: &str| {
            let of = &read[volume];
            let place = of.place.as_ref().map(|place| format!("{} {}", place.name, place.ordinal)).unwrap_or_default();
            (of.store, of.kind.as_str(), of.claim.as_str(), place)
        };
        assert_eq!(of("vol-a"), (Some(StoreId(7)), "storage.data-dir", "tikv-shop-tikv-3", "tikv 3".to_owned()));
        assert_eq!(of("vol-b"), (Some(StoreId(7)), "", "tikv-raft-shop-tikv-3", "tikv-raft 3".to_owned()));
        assert_eq!(of("vol-c"), (None, "", "pd-shop-pd-0", String::new()));
        assert_eq!(super::read(b"{}"), None);
    }
}
