//! What a v2 Cluster and its TiKVGroups say (`facts/topology.md` §1, §3, §5). Pure.

use super::{
    address::domain,
    cluster::{Cluster, Group, Operator},
    config::{DATA_DIR, Directories},
    secrets::TlsSecrets,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The volume that every TiKVGroup must have.
const DATA_VOLUME: &str = "data";

/// Reads the objects; total: what is missing or malformed counts as absent. `groups` may be of other clusters too.
pub(crate) fn read(name: &str, cluster: &Value, groups: &[Value]) -> Cluster {
    let spec = &cluster["spec"];
    let groups = groups
        .iter()
        .filter(|group| group["spec"]["cluster"]["name"].as_str() == Some(name))
        .filter_map(|object| Some((object["metadata"]["name"].as_str()?.to_owned(), group(object))))
        .collect::<BTreeMap<_, _>>();
    Cluster {
        operator: Operator::V2,
        urls: text(&cluster["status"]["pd"]).into_iter().collect(),
        tls: tls(name, spec),
        domain: text(&spec["dns"]["clusterDomain"]).and_then(|text| domain(&text)),
        groups,
        pd_replicas: 0,
        tidb_replicas: 0,
        object: Value::Null,
    }
}

/// The client secret, unless the Cluster names others. `insecureSkipTLSVerify` is not obeyed: the CA is there.
fn tls(name: &str, spec: &Value) -> Option<TlsSecrets> {
    spec["tlsCluster"]["enabled"].as_bool().filter(|enabled| *enabled)?;
    let client = &spec["security"]["tls"]["client"];
    let pair = text(&client["certKeyPair"]["name"]).unwrap_or_else(|| format!("{name}-cluster-client-secret"));
    Some(TlsSecrets { ca: text(&client["ca"]["name"]).unwrap_or_else(|| pair.clone()), pair })
}

fn group(object: &Value) -> Group {
    let spec = &object["spec"]["template"]["spec"];
    let mut data = (DATA_VOLUME.to_owned(), DATA_DIR.to_owned());
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        for mount in volume["mounts"].as_array().into_iter().flatten() {
            if mount["type"].as_str() == Some("data") {
                let path = text(&mount["mountPath"]).unwrap_or_else(|| DATA_DIR.to_owned());
                data = (volume["name"].as_str().unwrap_or(DATA_VOLUME).to_owned(), path);
            }
        }
    }
    let (data_volume, data_dir) = data;
    let config = spec.get("config");
    Group {
        directories: Directories::new(data_dir, config),
        data_volume,
        config_text: config.and_then(Value::as_str).map(str::to_owned),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pd_secrets_and_groups() {
        let object = json!({"spec": {"tlsCluster": {"enabled": true}, "dns": {"clusterDomain": "az1.local"}},
                            "status": {"pd": "https://db-pd.ns1:2379"}});
        let groups = [
            json!({"metadata": {"name": "kv"}, "spec": {"cluster": {"name": "db"}, "template": {"spec": {
                "config": "[raft-engine]\ndir = \"/raft\"",
                "volumes": [{"name": "fast", "mounts": [{"type": "raft", "mountPath": "/raft"}]},
                            {"name": "data", "mounts": [{"type": "data", "mountPath": "/data"}]}]}}}}),
            json!({"metadata": {"name": "other"}, "spec": {"cluster": {"name": "db2"}}}),
        ];
        let found = read("db", &object, &groups);
        assert_eq!(found.urls, ["https://db-pd.ns1:2379"]);
        let secret = "db-cluster-client-secret".to_owned();
        assert_eq!(found.tls, Some(TlsSecrets { ca: secret.clone(), pair: secret }));
        assert_eq!(found.domain.as_deref(), Some("az1.local"));
        assert_eq!(found.groups.len(), 1);
        assert_eq!(
            (found.groups["kv"].data_volume.as_str(), found.groups["kv"].directories.data.as_str()),
            ("data", "/data")
        );
        assert_eq!(found.groups["kv"].directories.key_of("/raft"), "raft-engine.dir");
    }

    #[test]
    fn named_secrets_win_and_no_status_is_no_url() {
        let object = json!({"spec": {"tlsCluster": {"enabled": true}, "security": {"tls": {"client": {
            "ca": {"name": "my-ca"}, "certKeyPair": {"name": "my-pair"}}}}}, "status": {"pd": ""}});
        let found = read("db", &object, &[]);
        assert_eq!(found.tls, Some(TlsSecrets { ca: "my-ca".into(), pair: "my-pair".into() }));
        assert!(found.urls.is_empty());
        assert_eq!(read("db", &json!({"spec": {"tlsCluster": {"enabled": false}}}), &[]).tls, None);
    }
}
