use super::*;
use crate::edge::kube::testing::server;
use serde_json::{Value, json};

const DELETED: &str = "2024-05-01T03:00:20Z";

fn named(name: &str, deleted: bool) -> Value {
    let deletion = if deleted { json!(DELETED) } else { Value::Null };
    json!({"metadata": {"name": name, "uid": "u", "deletionTimestamp": deletion}})
}

async fn asked(crd: Option<bool>, namespace: Option<bool>) -> Result<Teardown, PortError> {
    let (api, client) = server();
    let at = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    if let Some(deleted) = crd {
        api.put(&format!("{at}/{CRD}"), named(CRD, deleted));
    }
    if let Some(deleted) = namespace {
        api.put("/api/v1/namespaces/br-admin", named("br-admin", deleted));
    }
    teardown(&client, "br-admin").await
}

#[tokio::test]
async fn a_namespace_or_a_crd_that_goes_is_the_cause() {
    assert_eq!(asked(Some(false), Some(false)).await.unwrap(), Teardown::None);
    for (crd, namespace, word) in [
        (Some(true), Some(false), "CustomResourceDefinition"),
        (None, Some(false), "CustomResourceDefinition"),
        (Some(false), Some(true), "Namespace br-admin is being deleted"),
        (Some(false), None, "Namespace br-admin is gone"),
    ] {
        let Teardown::Of(text) = asked(crd, namespace).await.unwrap() else { panic!("{word}") };
        assert!(text.contains(word), "{text}");
    }
}
