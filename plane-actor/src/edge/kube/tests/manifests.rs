//! What goes below `manifests/`.

use crate::{
    edge::kube::{KubeTopology, TopologyConfig},
    ports::Topology,
};
use api_server::ApiServer;
use serde_json::{Value, json};

const BASE: &str = "/apis/pingcap.com/v1alpha1/namespaces/ns1";

fn object(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "ns1", "managedFields": [{}]}, "spec": spec})
}

#[tokio::test]
async fn the_cluster_and_what_refers_to_it_is_kept_and_a_missing_right_is_told() {
    let fake = ApiServer::default()
        .with(&format!("{BASE}/tidbclusters/db"), object("db", json!({"tikv": {"replicas": 1}})))
        .list(
            &format!("{BASE}/tidbmonitors"),
            &[
                object("watch", json!({"clusters": [{"name": "other"}, {"name": "db"}]})),
                object("stranger", json!({"clusters": [{"name": "db", "namespace": "elsewhere"}]})),
            ],
        )
        .list(&format!("{BASE}/tidbinitializers"), &[object("init", json!({"cluster": {"name": "db"}}))])
        .failing(&format!("{BASE}/tidbdashboards"), 403);
    let topology = KubeTopology::new(fake.client(), TopologyConfig::default());
    let all = topology.manifests("ns1", "db").await;
    let names: Vec<String> =
        all.found.iter().map(|one| format!("{}/{}/{}", one.namespace, one.kind, one.name)).collect();
    assert_eq!(names, ["ns1/TidbCluster/db", "ns1/TidbInitializer/init", "ns1/TidbMonitor/watch"]);
    for one in &all.found {
        assert_eq!(one.object["apiVersion"], "pingcap.com/v1alpha1");
        assert_eq!(one.object["kind"], one.kind.as_str());
        assert_eq!(one.object["metadata"].get("managedFields"), None);
    }
    assert_eq!(all.unread.len(), 1, "what is not installed is nothing to tell: {:?}", all.unread);
    assert!(all.unread[0].contains("list tidbdashboards"), "{:?}", all.unread);
}

#[tokio::test]
async fn without_a_tidb_cluster_there_is_nothing() {
    let topology = KubeTopology::new(ApiServer::default().client(), TopologyConfig::default());
    let all = topology.manifests("ns1", "db").await;
    assert!(all.found.is_empty() && all.unread.is_empty(), "{all:?}");
}
