//! `locate`, `secret` and `service_account`.

use super::refusal;
use crate::{
    edge::kube::{KubeTopology, PdOverride, TopologyConfig},
    ports::{ClusterTls, PortError, Topology},
};
use api_server::ApiServer;
use serde_json::{Value, json};
use shared::reason::Reason;

const TC: &str = "/apis/pingcap.com/v1alpha1/namespaces/ns1/tidbclusters/db";
const CLUSTER: &str = "/apis/core.pingcap.com/v1alpha1/namespaces/ns1/clusters/db";
const GROUPS: &str = "/apis/core.pingcap.com/v1alpha1/namespaces/ns1/tikvgroups";
const PODS: &str = "/api/v1/namespaces/ns1/pods";

fn topology(fake: &ApiServer) -> KubeTopology {
    KubeTopology::new(fake.client(), TopologyConfig::default())
}

fn secret(keys: &[&str]) -> Value {
    // base64 of "pem"
    let data: Value =
        keys.iter().map(|key| ((*key).to_owned(), json!("cGVt"))).collect::<serde_json::Map<_, _>>().into();
    json!({"metadata": {"name": "s"}, "data": data})
}

fn pem() -> ClusterTls {
    ClusterTls { ca: b"pem".to_vec(), cert: b"pem".to_vec(), key: b"pem".to_vec() }
}

#[tokio::test(start_paused = true)]
async fn v1_with_tls() {
    let tc = json!({"apiVersion": "pingcap.com/v1alpha1", "kind": "TidbCluster",
        "metadata": {"name": "db", "namespace": "ns1", "managedFields": [{"manager": "x"}]},
        "spec": {"pd": {"replicas": 3}, "tidb": {"replicas": 2}, "tlsCluster": {"enabled": true}, "acrossK8s": true}});
    let fake = ApiServer::default()
        .with(TC, tc)
        .with("/api/v1/namespaces/ns1/secrets/db-cluster-client-secret", secret(&["ca.crt", "tls.crt", "tls.key"]));
    let located = topology(&fake).locate("ns1", "db").await.unwrap();
    assert_eq!(located.endpoint.urls, ["https://db-pd.ns1:2379"]);
    assert_eq!(located.endpoint.tls, Some(pem()));
    assert_eq!((located.pd_replicas, located.tidb_replicas), (3, 2));
    assert_eq!(located.tidb_cluster["kind"], "TidbCluster");
    assert_eq!(located.tidb_cluster["metadata"]["managedFields"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn v2_where_the_v1_crd_is_not_installed() {
    let fake = ApiServer::default()
        .with(CLUSTER, json!({"metadata": {"name": "db"}, "status": {"pd": "http://db-pd.ns1:2379"}}))
        .list(GROUPS, &[])
        .list(PODS, &[]);
    let located = topology(&fake).locate("ns1", "db").await.unwrap();
    assert_eq!(located.endpoint.urls, ["http://db-pd.ns1:2379"]);
    assert_eq!(located.endpoint.tls, None);
    assert_eq!(located.tidb_cluster["metadata"], json!({"name": "db", "namespace": "ns1"}));
}

#[tokio::test(start_paused = true)]
async fn an_override_wins_and_alone_suffices() {
    let entry = PdOverride {
        namespace: "ns1".into(),
        name: "db".into(),
        urls: vec!["https://10.0.0.1:2379".into()],
        tls_secret: Some("mine".into()),
    };
    let config = TopologyConfig { pd: vec![entry], ..TopologyConfig::default() };
    let none = ApiServer::default()
        .list(PODS, &[])
        .with("/api/v1/namespaces/ns1/secrets/mine", secret(&["ca.crt", "tls.crt", "tls.key"]));
    let v1 = none.clone().with(TC, json!({"metadata": {"name": "db"}, "spec": {"pd": {"replicas": 1}}}));
    for fake in [none, v1] {
        let located = KubeTopology::new(fake.client(), config.clone()).locate("ns1", "db").await.unwrap();
        assert_eq!(located.endpoint.urls, ["https://10.0.0.1:2379"]);
        assert_eq!(located.endpoint.tls, Some(pem()));
    }
    let other = KubeTopology::new(ApiServer::default().client(), config).locate("ns2", "db").await;
    assert!(refusal(other, Reason::TidbClusterNotFound).message.contains("ns2"));
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_named() {
    let tc = |spec: Value| json!({"metadata": {"name": "db"}, "spec": spec});
    let tls = json!({"pd": {}, "tlsCluster": {"enabled": true}});
    let secret_path = "/api/v1/namespaces/ns1/secrets/db-cluster-client-secret";
    let rows = [
        (ApiServer::default(), Reason::TidbClusterNotFound, vec!["ns1", "TidbCluster", "`pd`"]),
        (ApiServer::default().with(TC, tc(json!({}))), Reason::TidbClusterNotFound, vec!["ns1/db", "spec.pdAddresses"]),
        (ApiServer::default().with(CLUSTER, json!({})), Reason::TidbClusterNotFound, vec!["status.pd"]),
        (
            ApiServer::default().failing(TC, 403),
            Reason::AccessDenied,
            vec!["get", "tidbclusters.pingcap.com", "ns1/db"],
        ),
        (
            ApiServer::default().with(TC, tc(tls.clone())),
            Reason::CredentialsUnreadable,
            vec!["db-cluster-client-secret"],
        ),
        (
            ApiServer::default().with(TC, tc(tls.clone())).with(secret_path, secret(&["ca.crt", "tls.crt"])),
            Reason::CredentialsUnreadable,
            vec!["tls.key"],
        ),
        (
            ApiServer::default().with(TC, tc(tls)).failing(secret_path, 403),
            Reason::CredentialsUnreadable,
            vec!["get", "secrets", "ns1/db-cluster-client-secret"],
        ),
    ];
    for (fake, reason, parts) in rows {
        let refused = refusal(topology(&fake).locate("ns1", "db").await, reason);
        assert!(parts.iter().all(|part| refused.message.contains(part)), "{refused}: {parts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_unavailable() {
    for status in [500, 504] {
        let result = topology(&ApiServer::default().failing(TC, status)).locate("ns1", "db").await;
        assert!(matches!(&result, Err(PortError::Unavailable(text)) if text.contains("tidbclusters")), "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_and_a_token() {
    let account =
        json!({"metadata": {"name": "sa", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}}});
    let path = "/api/v1/namespaces/ns1/serviceaccounts/sa";
    let fake = ApiServer::default().with(path, account);
    let identity = topology(&fake).service_account("ns1", "sa").await.unwrap();
    assert_eq!((identity.role.as_str(), identity.token.as_str()), ("arn:aws:iam::1:role/r", "a-token"));
    assert!(fake.requests().iter().any(|request| request.starts_with("POST") && request.contains("/sa/token")));
    let body = fake.bodies().pop().unwrap();
    assert_eq!(body["spec"]["audiences"], json!(["sts.amazonaws.com"]));
    fake.change(path, |account| {
        account["metadata"]["annotations"]["eks.amazonaws.com/audience"] = json!("sts.amazonaws.com.cn");
    });
    topology(&fake).service_account("ns1", "sa").await.unwrap();
    assert_eq!(fake.bodies().pop().unwrap()["spec"]["audiences"], json!(["sts.amazonaws.com.cn"]));
    let bare = ApiServer::default().with(path, json!({"metadata": {"name": "sa"}}));
    let refused = refusal(topology(&bare).service_account("ns1", "sa").await, Reason::CredentialsUnreadable);
    assert!(refused.message.contains("eks.amazonaws.com/role-arn"), "{refused}");
    let refused =
        refusal(topology(&ApiServer::default()).secret("ns1", "s3-secret").await, Reason::CredentialsUnreadable);
    assert!(refused.message.contains("ns1/s3-secret"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_object_can_have_is_refused_with_its_field_and_nobody_is_asked() {
    let fake = ApiServer::default();
    let topology = topology(&fake);
    let told = [
        (
            refusal(topology.locate("ns1", "Shop AZ2").await, Reason::SpecInvalid),
            "tcName in spec.clusters is \"Shop AZ2\"",
        ),
        (refusal(topology.locate("my ns", "db").await, Reason::SpecInvalid), "tcNamespace in spec.clusters is"),
        (refusal(topology.secret("ns1", "my secret").await, Reason::SpecInvalid), "spec.template.s3.secretName is"),
        (
            refusal(topology.service_account("ns1", "my sa").await, Reason::SpecInvalid),
            "spec.template.serviceAccount is",
        ),
    ];
    for (refusal, part) in told {
        assert!(refusal.message.contains(part) && !refusal.message.contains("uri"), "{refusal}");
    }
    assert_eq!(fake.requests(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_typo_leads_to_the_field_in_which_it_stands() {
    let forbidden = ApiServer::default().failing("/api/v1/namespaces/ns1/secrets/s3-secrte", 403);
    let told = refusal(topology(&forbidden).secret("ns1", "s3-secrte").await, Reason::CredentialsUnreadable);
    assert!(told.message.contains("correct spec.template.s3.secretName, or add this verb to its role"), "{told}");
    let elsewhere = ApiServer::default().failing(TC, 403);
    let told = refusal(topology(&elsewhere).locate("ns1", "db").await, Reason::AccessDenied);
    assert!(told.message.contains("correct tcNamespace in spec.clusters, or add this verb"), "{told}");
    // Neither operator's CRD is there, or no such object: never the server's page.
    let told = refusal(topology(&ApiServer::default().pages()).locate("ns1", "db2").await, Reason::TidbClusterNotFound);
    assert!(told.message.contains("has neither a TidbCluster") && !told.message.contains("page not found"), "{told}");
}
