//! Which claims of a pod are TiKV's, and what each is for (`facts/topology.md` §1, §9).

use super::{
    address::CONTAINER,
    api::value,
    cluster::{Cluster, Group, Operator},
    config::{DATA_DIR, DATA_KIND, Directories},
};
use k8s_openapi::api::core::v1::{Container, Pod, Volume};
use shared::reason::{Reason, Refusal};
use std::collections::BTreeSet;

/// Label of v2 that names a pod's TiKVGroup.
const GROUP_LABEL: &str = "pingcap.com/group";

/// One claim of a TiKV pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    /// `None`: the data volume; otherwise the name of v1's storageVolumes entry, or what stands for it.
    pub(crate) role: Option<String>,
    /// PVC name.
    pub(crate) claim: String,
    /// Where TiKV mounts it; empty: nowhere.
    pub(crate) mount_path: String,
    /// `storage.data-dir`, a dotted key, or empty.
    pub(crate) kind: String,
}

/// TiKV's claims, the data volume first. Refuses `VolumeUnsupported` when a volume that must be a claim is none, or when
/// the data volume cannot be told.
pub(crate) fn of(pod: &Pod, cluster: &Cluster) -> Result<Vec<Claim>, Refusal> {
    let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get(GROUP_LABEL)).cloned().unwrap_or_default();
    let fallback =
        Group { directories: Directories::new(DATA_DIR, None), data_volume: "data".to_owned(), config_text: None };
    let group = cluster.group(&label).unwrap_or(&fallback);
    let spec = pod.spec.as_ref();
    let container = spec.and_then(|spec| spec.containers.iter().find(|container| container.name == CONTAINER));
    let volumes = spec.and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let directories = match (cluster.operator, container.and_then(data_dir_argument)) {
        (Operator::None, Some(data)) => Directories { data, ..group.directories.clone() },
        _ => group.directories.clone(),
    };
    let mut found = Vec::new();
    for volume in volumes {
        let mounts = mounts(container, &volume.name);
        let Some(role) = role(cluster, group, volume, &mounts) else { continue };
        let Some(source) = &volume.persistent_volume_claim else {
            return Err(unsupported(pod, &format!("has volume {} that is not a PersistentVolumeClaim", volume.name)));
        };
        found.push((role, source.claim_name.clone(), mounts));
    }
    if cluster.operator == Operator::None {
        choose_data(&mut found, &directories);
    }
    found.sort();
    let mut seen = BTreeSet::new();
    found.retain(|(_, claim, _)| seen.insert(claim.clone()));
    if found.first().is_none_or(|(role, ..)| role.is_some()) {
        return Err(unsupported(
            pod,
            &format!("has no PersistentVolumeClaim for TiKV's data directory {}", directories.data),
        ));
    }
    Ok(found.into_iter().map(|(role, claim, mounts)| describe(role, claim, &mounts, &directories)).collect())
}

/// What is mounted for TiKV: each path, and the name of the claim that is there or in words what else is.
pub(crate) fn mounted(pod: &Pod) -> Vec<(String, Result<String, String>)> {
    let spec = pod.spec.as_ref();
    let container = spec.and_then(|spec| spec.containers.iter().find(|container| container.name == CONTAINER));
    let volumes = spec.and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    let mounts = container.and_then(|container| container.volume_mounts.as_deref()).unwrap_or_default();
    let source = |name: &str| match volumes.iter().find(|volume| volume.name == name) {
        None => Err(format!("volume {name}")),
        Some(volume) => match &volume.persistent_volume_claim {
            Some(source) => Ok(source.claim_name.clone()),
            None => Err(format!("{} volume {name}", kind_of(volume))),
        },
    };
    mounts.iter().map(|mount| (mount.mount_path.clone(), source(&mount.name))).collect()
}

/// `hostPath`, `emptyDir`, …: the one field beside the name.
fn kind_of(volume: &Volume) -> String {
    let fields = value(volume.clone());
    let mut kinds = fields.as_object().into_iter().flatten().map(|(kind, _)| kind);
    kinds.find(|kind| *kind != "name").cloned().unwrap_or_default()
}

/// Is this volume TiKV's, and as what? Outer `None`: not TiKV's.
fn role(cluster: &Cluster, group: &Group, volume: &Volume, mounts: &[String]) -> Option<Option<String>> {
    let is_claim = volume.persistent_volume_claim.is_some();
    match cluster.operator {
        Operator::V1 if volume.name == "tikv" => Some(None),
        Operator::V1 => {
            let name = volume.name.strip_prefix("tikv-")?;
            let declared = cluster.object.pointer("/spec/tikv/storageVolumes");
            let declared = declared.and_then(|list| list.as_array()).into_iter().flatten();
            let declared = declared.filter_map(|entry| entry["name"].as_str()).any(|entry| entry == name);
            // A claim of that form that the spec no longer names is still mounted and may still hold data; anything
            // else of that form is a secret or a config map.
            (is_claim || declared).then(|| Some(name.to_owned()))
        }
        Operator::V2 => {
            let name = volume.name.strip_prefix("ti-vol-")?;
            Some((name != group.data_volume).then(|| name.to_owned()))
        }
        Operator::None => (is_claim && !mounts.is_empty()).then(|| Some(volume.name.clone())),
    }
}

/// Without an operator only the mounts tell which volume holds the data; a single one holds it in any case.
fn choose_data(found: &mut [(Option<String>, String, Vec<String>)], directories: &Directories) {
    let all = found.iter().flat_map(|(_, _, mounts)| mounts.iter().map(String::as_str));
    let mount = directories.data_mount(all).map(str::to_owned);
    let single = found.len() == 1;
    for (role, _, mounts) in found {
        if single || mount.as_ref().is_some_and(|mount| mounts.contains(mount)) {
            *role = None;
        }
    }
}

fn describe(role: Option<String>, claim: String, mounts: &[String], directories: &Directories) -> Claim {
    let paths = || mounts.iter().map(String::as_str);
    if role.is_none() {
        let mount = directories.data_mount(paths()).or_else(|| paths().next()).unwrap_or(&directories.data);
        return Claim { role, claim, mount_path: mount.to_owned(), kind: DATA_KIND.to_owned() };
    }
    let keyed = paths().map(|path| (path, directories.key_of(path))).find(|(_, key)| !key.is_empty());
    let (mount, kind) = keyed.unwrap_or_else(|| (paths().next().unwrap_or_default(), String::new()));
    Claim { role, claim, mount_path: mount.to_owned(), kind }
}

fn mounts(container: Option<&Container>, volume: &str) -> Vec<String> {
    let mounts = container.and_then(|container| container.volume_mounts.as_deref()).unwrap_or_default();
    mounts.iter().filter(|mount| mount.name == volume).map(|mount| mount.mount_path.clone()).collect()
}

/// `--data-dir=X`, `--data-dir X` or `-s X` among command and arguments; a shell script hides them.
fn data_dir_argument(container: &Container) -> Option<String> {
    let mut words = container.command.iter().flatten().chain(container.args.iter().flatten());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--data-dir" | "-s" => return words.next().filter(|path| path.starts_with('/')).cloned(),
            word => {
                if let Some(path) = word.strip_prefix("--data-dir=") {
                    return path.starts_with('/').then(|| path.to_owned());
                }
            }
        }
    }
    None
}

fn unsupported(pod: &Pod, what: &str) -> Refusal {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    Refusal::new(Reason::VolumeUnsupported, format!("pod {namespace}/{name} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::kube::{TopologyConfig, v1, v2};
    use serde_json::{Value, json};

    fn pod(volumes: Value, mounts: Value, args: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "ns1", "labels": {"pingcap.com/group": "kv"}},
            "spec": {"volumes": volumes, "containers": [
                {"name": "log", "volumeMounts": [{"name": "foreign", "mountPath": "/foreign"}]},
                {"name": "tikv", "volumeMounts": mounts, "args": args}]}
        }))
        .unwrap()
    }

    fn claim(name: &str) -> Value {
        json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-pvc")}})
    }

    fn mount(name: &str, path: &str) -> Value {
        json!({"name": name, "mountPath": path})
    }

    fn shown(claims: Vec<Claim>) -> Vec<(String, String, String)> {
        claims.into_iter().map(|claim| (claim.claim, claim.mount_path, claim.kind)).collect()
    }

    fn row(claim: &str, path: &str, kind: &str) -> (String, String, String) {
        (claim.to_owned(), path.to_owned(), kind.to_owned())
    }

    #[test]
    fn v1_takes_tikv_and_its_storage_volumes_only() {
        let cluster = v1::read(
            "ns1",
            "db",
            json!({"spec": {"tikv": {"config": "[raft-engine]\ndir = \"/raft\"",
            "storageVolumes": [{"name": "raft", "mountPath": "/raft"}]}}}),
        );
        let secret = json!({"name": "tikv-tls", "secret": {"secretName": "x"}});
        let volumes = json!([claim("tikv-raft"), secret, claim("backup"), claim("tikv")]);
        let mounts = json!([mount("tikv", "/var/lib/tikv"), mount("tikv-raft", "/raft"), mount("backup", "/backup")]);
        let found = of(&pod(volumes, mounts, json!([])), &cluster).unwrap();
        assert_eq!(
            shown(found),
            [row("tikv-pvc", "/var/lib/tikv", DATA_KIND), row("tikv-raft-pvc", "/raft", "raft-engine.dir")]
        );
    }

    #[test]
    fn v1_refuses_a_data_volume_that_is_no_claim() {
        let cluster = v1::read("ns1", "db", json!({"spec": {"tikv": {}}}));
        let volumes = json!([{"name": "tikv", "hostPath": {"path": "/x"}}]);
        let refusal = of(&pod(volumes, json!([]), json!([])), &cluster).unwrap_err();
        assert_eq!(refusal.reason, Reason::VolumeUnsupported);
        assert!(refusal.message.contains("ns1/p") && refusal.message.contains("volume tikv"), "{refusal}");
        let refusal = of(&pod(json!([]), json!([]), json!([])), &cluster).unwrap_err();
        assert!(refusal.message.contains("/var/lib/tikv"), "{refusal}");
    }

    #[test]
    fn v2_takes_its_own_volumes() {
        let group = json!({"metadata": {"name": "kv"}, "spec": {"cluster": {"name": "db"}, "template": {"spec": {
            "config": "[raft-engine]\ndir = \"/raft/engine\"",
            "volumes": [{"name": "data", "mounts": [{"type": "data", "mountPath": "/data"}]}]}}}});
        let cluster = v2::read("db", &json!({}), &[group]);
        let volumes = json!([claim("ti-vol-raft"), claim("ti-vol-data"), claim("backup")]);
        let mounts = json!([mount("ti-vol-data", "/data"), mount("ti-vol-raft", "/raft"), mount("backup", "/b")]);
        let found = of(&pod(volumes, mounts, json!([])), &cluster).unwrap();
        assert_eq!(
            shown(found),
            [row("ti-vol-data-pvc", "/data", DATA_KIND), row("ti-vol-raft-pvc", "/raft", "raft-engine.dir")]
        );
    }

    #[test]
    fn no_operator_takes_every_claim_that_tikv_mounts() {
        let cluster = Cluster::none(&TopologyConfig::default());
        let volumes = json!([claim("wal"), claim("disk"), claim("foreign"), {"name": "tmp", "emptyDir": {}}]);
        let mounts = json!([mount("wal", "/wal"), mount("disk", "/srv"), mount("tmp", "/tmp")]);
        let rows = [
            (json!(["--data-dir=/srv/tikv"]), Ok([row("disk-pvc", "/srv", DATA_KIND), row("wal-pvc", "/wal", "")])),
            (json!(["--data-dir", "/wal"]), Ok([row("wal-pvc", "/wal", DATA_KIND), row("disk-pvc", "/srv", "")])),
            (json!(["--config", "x"]), Err("/var/lib/tikv")),
        ];
        for (args, expected) in rows {
            match (of(&pod(volumes.clone(), mounts.clone(), args), &cluster), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(shown(found), expected),
                (Err(refusal), Err(part)) => assert!(refusal.message.contains(part), "{refusal}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
        let single = of(&pod(json!([claim("disk")]), json!([mount("disk", "/srv")]), json!([])), &cluster).unwrap();
        assert_eq!(shown(single), [row("disk-pvc", "/srv", DATA_KIND)]);
    }
}
