//! Which PersistentVolume a claim gets: Kubernetes' own binder, without WaitForFirstConsumer (`facts/restore.md` §4.2).

use super::object::{bytes, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Binds the claim if a volume is for it. One that is meant for it and does not fit keeps it waiting.
pub(crate) fn bind(namespace: &str, name: &str, claim: &mut Value, pvs: &mut BTreeMap<String, Value>) {
    let wanted = text(claim, "/spec/volumeName").to_owned();
    let is_meant =
        |pv: &Value| text(pv, "/spec/claimRef/name") == name && text(pv, "/spec/claimRef/namespace") == namespace;
    let is_free = |pv: &Value| pv.pointer("/spec/claimRef").is_none_or(Value::is_null);
    let chosen = if wanted.is_empty() {
        // A volume without a claimRef goes to whichever claim it fits.
        let meant = pvs.iter().find(|(_, pv)| is_meant(pv));
        meant.or_else(|| pvs.iter().find(|(_, pv)| is_free(pv) && misfit(claim, pv).is_none()))
    } else {
        pvs.iter().find(|(of, pv)| **of == wanted && (is_meant(pv) || is_free(pv)))
    };
    let Some((pv, found)) = chosen.map(|(of, pv)| (of.clone(), pv)) else { return };
    if misfit(claim, found).is_some() {
        return;
    }
    claim["spec"]["volumeName"] = json!(pv);
    claim["status"] = json!({"phase": "Bound"});
    if let Some(found) = pvs.get_mut(&pv) {
        found["spec"]["claimRef"] = json!({"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": format!("uid-{name}")});
        found["status"] = json!({"phase": "Bound"});
    }
}

/// Why a volume is not for a claim: class, size, access.
fn misfit(claim: &Value, pv: &Value) -> Option<&'static str> {
    if text(claim, "/spec/storageClassName") != text(pv, "/spec/storageClassName") {
        return Some("storageClassName does not match");
    }
    if bytes(text(pv, "/spec/capacity/storage")) < bytes(text(claim, "/spec/resources/requests/storage")) {
        return Some("requested size is larger than that of the volume");
    }
    let modes =
        |object: &Value| object.pointer("/spec/accessModes").and_then(Value::as_array).cloned().unwrap_or_default();
    let has = modes(pv);
    (!modes(claim).iter().all(|mode| has.contains(mode))).then_some("access modes do not match")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(class: &str, volume: Option<&str>) -> Value {
        json!({
            "spec": {"storageClassName": class, "volumeName": volume, "accessModes": ["ReadWriteOnce"],
                     "resources": {"requests": {"storage": "10Gi"}}},
        })
    }

    fn pv(class: &str, size: &str, claim: Value) -> Value {
        json!({
            "spec": {"storageClassName": class, "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
                     "claimRef": claim},
        })
    }

    fn bound(mut claim: Value, pv: Value) -> bool {
        let mut pvs = BTreeMap::from([("pv".to_owned(), pv)]);
        bind("ns", "c", &mut claim, &mut pvs);
        claim["status"]["phase"] == "Bound"
            && claim["spec"]["volumeName"] == "pv"
            && pvs["pv"]["spec"]["claimRef"]["uid"] == "uid-c"
    }

    #[test]
    fn a_claim_is_bound_to_the_volume_that_is_meant_for_it_and_fits() {
        let of_claim = || json!({"namespace": "ns", "name": "c"});
        assert!(bound(claim("none", None), pv("none", "10Gi", of_claim())));
        assert!(bound(claim("none", Some("pv")), pv("none", "10Gi", of_claim())));
        assert!(bound(claim("none", None), pv("none", "10Gi", Value::Null)), "whichever claim it fits");
        assert!(!bound(claim("none", None), pv("gp3", "10Gi", of_claim())), "another class");
        assert!(!bound(claim("none", None), pv("none", "9Gi", of_claim())), "too small");
        assert!(!bound(claim("none", None), pv("none", "10Gi", json!({"namespace": "ns", "name": "d"}))));
        assert!(!bound(claim("none", Some("other")), pv("none", "10Gi", of_claim())), "it waits for another one");
    }
}
