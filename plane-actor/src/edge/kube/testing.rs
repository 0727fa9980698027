//! What v1's restore and BR check before they restore, as one function (`facts/tidb-operator.md` §5.5,
//! `facts/topology.md` §2). It stands for tooling that users keep, and knows nothing but JSON.

use serde_json::Value;
use std::collections::BTreeMap;

/// The first check that fails, in words.
pub fn restore_accepts(backupmeta: &Value) -> Result<(), String> {
    br_accepts(backupmeta)?;
    operator_accepts(backupmeta)
}

fn need(holds: bool, what: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| what.to_owned())
}

/// BR: cluster_info, stores, snapshots.
fn br_accepts(meta: &Value) -> Result<(), String> {
    let info = &meta["cluster_info"];
    need(info.is_object(), "no cluster info")?;
    let version: Vec<_> = info["cluster_version"].as_str().unwrap_or_default().split('.').collect();
    need(version.len() == 3 && version[..2].iter().all(|part| part.parse::<u32>().is_ok()), "invalid cluster version")?;
    need(info["resolved_ts"].as_u64().is_some_and(|ts| ts != 0), "invalid resolved ts")?;
    need(info["full_backup_type"] == "aws-ebs", "backup type is not aws-ebs")?;
    let stores = meta["tikv"]["stores"].as_array().map(Vec::as_slice).unwrap_or_default();
    need(!stores.is_empty(), "tikv info is empty")?;
    let replicas = meta["tikv"]["replicas"].as_u64().unwrap_or(0);
    need(replicas >= stores.len() as u64, "tikv.replicas is below the stores of this plane")?;
    for volume in volumes(meta) {
        let text = |key: &str| volume[key].as_str().unwrap_or_default();
        need(text("volume_id").starts_with("vol-"), "volume without volume_id")?;
        need(text("snapshot_id").starts_with("snap-"), "volume without snapshot_id")?;
        need(!text("volume_az").is_empty(), "volume without volume_az")?;
    }
    need(meta["pd"].is_object() && meta["tidb"].is_object(), "pd or tidb is not an object")
}

/// TiDB Operator 1.6, restoring into a TidbCluster that is equal to the one in the file.
fn operator_accepts(meta: &Value) -> Result<(), String> {
    let kubernetes = &meta["kubernetes"];
    let tc = &kubernetes["crd_tidb_cluster"];
    need(tc.is_object(), "crd_tidb_cluster is null: nil dereference")?;
    let name = tc["metadata"]["name"].as_str().unwrap_or_default();
    need(!name.is_empty(), "crd_tidb_cluster has no name")?;
    need(tc["spec"]["acrossK8s"] == true, "acrossK8s is not true")?;
    let replicas = tc["spec"]["tikv"]["replicas"].as_u64().unwrap_or(0);
    need(replicas > 0, "spec.tikv.replicas is 0")?;
    let config = &tc["spec"]["tikv"]["config"];
    need(config.is_null() || config.is_string(), "spec.tikv.config is not TOML text")?;
    need(kubernetes["options"].is_null(), "kubernetes.options does not decode")?;
    let storage = tc["spec"]["tikv"]["storageVolumes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let typed = |entry: &Value| entry["name"].is_string() && entry["storageSize"].is_string();
    need(storage.iter().all(typed), "storageVolumes entries lack name or storageSize")?;
    let list = |key: &str| kubernetes[key].as_array().cloned().unwrap_or_default();
    let (pvcs, pvs) = (list("pvcs"), list("pvs"));
    need(!pvs.is_empty() && pvcs.len() == pvs.len(), "pvcs and pvs not matched")?;
    need(volumes(meta).len() == pvs.len(), "redundant PV or PVC")?;
    for volume in volumes(meta) {
        let pv = pvs.iter().find(|pv| pv["metadata"]["annotations"]["temporary/volume-id"] == volume["volume_id"]);
        let pv = pv.ok_or("no PV with temporary/volume-id")?;
        need(
            pv["spec"]["csi"]["driver"] == "ebs.csi.aws.com" || !pv["spec"]["awsElasticBlockStore"].is_null(),
            "not EBS",
        )?;
        let claim = &pv["spec"]["claimRef"];
        let pvc = pvcs.iter().find(|pvc| pvc["metadata"]["name"] == claim["name"]).ok_or("claimRef not in pvcs")?;
        need(pvc["spec"]["volumeName"] == pv["metadata"]["name"], "PVC names another PV")?;
        need(pvc["metadata"]["namespace"] == claim["namespace"], "claimRef in another namespace")?;
        labelled(pvc, name, None)?;
        labelled(pv, name, tc["metadata"]["namespace"].as_str())?;
    }
    ordinals(&pvcs, name, replicas, storage.len() + 1)
}

/// PVC names match `^(.+)-<tc>-tikv-(\d+)$`, and each ordinal has its data claim and one per storageVolume: the warm-up
/// wants storageVolumes+1.
fn ordinals(pvcs: &[Value], name: &str, replicas: u64, each: usize) -> Result<(), String> {
    let mut by_ordinal: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for pvc in pvcs {
        let claim = pvc["metadata"]["name"].as_str().unwrap_or_default();
        let (front, ordinal) = claim.rsplit_once(&format!("-{name}-tikv-")).ok_or(format!("PVC name {claim}"))?;
        let ordinal = ordinal.parse().map_err(|_| format!("PVC name {claim}"))?;
        by_ordinal.entry(ordinal).or_default().push(front);
    }
    need(by_ordinal.len() as u64 == replicas, "spec.tikv.replicas is not the number of ordinals")?;
    for (ordinal, mut fronts) in by_ordinal {
        fronts.sort_unstable();
        fronts.dedup();
        need(fronts.len() == each && fronts.contains(&"tikv"), &format!("claims of ordinal {ordinal}: {fronts:?}"))?;
    }
    Ok(())
}

fn labelled(object: &Value, name: &str, namespace: Option<&str>) -> Result<(), String> {
    let labels = &object["metadata"]["labels"];
    let wanted = [
        ("name", "tidb-cluster"),
        ("managed-by", "tidb-operator"),
        ("component", "tikv"),
        ("instance", name),
        ("namespace", namespace.unwrap_or_default()),
    ];
    for (key, value) in wanted {
        let label = format!("app.kubernetes.io/{key}");
        need(value.is_empty() || labels[&label] == value, &format!("label {label} is {}", labels[&label]))?;
    }
    need(object["metadata"]["managedFields"].is_null(), "managedFields")?;
    need(object["metadata"]["ownerReferences"].is_null(), "ownerReferences")
}

fn volumes(meta: &Value) -> Vec<&Value> {
    let stores = meta["tikv"]["stores"].as_array().into_iter().flatten();
    stores.flat_map(|store| store["volumes"].as_array().into_iter().flatten()).collect()
}
