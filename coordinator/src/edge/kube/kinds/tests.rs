use super::*;
use crate::edge::kube::{crd, testing};
use serde_json::json;
use tokio::time::timeout;

const BACKUPS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/volumebackups.federation.pingcap.com";
const SCHEDULES: &str =
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/volumebackupschedules.federation.pingcap.com";

const RESTORES: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/volumerestores.federation.pingcap.com";

/// Takes parts of ours out of the schema, at a pointer below `openAPIV3Schema`.
fn without(mut definition: Value, parent: &str, names: &[&str]) -> Value {
    let schema = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let properties = schema.pointer_mut(parent).and_then(|part| part["properties"].as_object_mut()).unwrap();
    for name in names {
        assert!(properties.remove(*name).is_some(), "{name} was there");
    }
    definition
}

fn json_of(definition: CustomResourceDefinition) -> Value {
    serde_json::to_value(definition).unwrap()
}

async fn judged(backups: Option<Value>, schedules: Option<Value>) -> Result<(), String> {
    let (server, client) = testing::server();
    server.put(RESTORES, json_of(crd::volume_restore()));
    for (path, object) in [(BACKUPS, backups), (SCHEDULES, schedules)] {
        if let Some(object) = object {
            server.put(path, object);
        }
    }
    look(&kube::Api::all(client)).await
}

#[tokio::test]
async fn ours_and_more_than_ours_fit() {
    let (backups, schedules) = (json_of(crd::volume_backup()), json_of(crd::volume_backup_schedule()));
    assert_eq!(judged(Some(backups.clone()), Some(schedules.clone())).await, Ok(()));
    let mut newer = backups;
    let status = &mut newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
    status["later"] = json!({"type": "string"});
    assert_eq!(judged(Some(newer), Some(schedules)).await, Ok(()));
}

#[tokio::test]
async fn what_would_be_pruned_is_named_with_the_remedy() {
    let (backups, schedules) = (json_of(crd::volume_backup()), json_of(crd::volume_backup_schedule()));
    let old = without(backups.clone(), "/properties/status", &["certificate", "barrier"]);
    let why = judged(Some(without(old, "/properties/spec", &["barrier"])), Some(schedules.clone())).await.unwrap_err();
    for word in ["volumebackups.federation.pingcap.com", "status.certificate", "spec.barrier", "--force-conflicts"] {
        assert!(why.contains(word), "{word}: {why}");
    }
    // Within a list, and in the other kind.
    let rows = without(backups.clone(), "/properties/status/properties/backups/items", &["commitTs"]);
    assert!(judged(Some(rows), Some(schedules.clone())).await.unwrap_err().contains("status.backups.commitTs"));
    let old = without(schedules.clone(), "/properties/status", &["phase", "nextRun"]);
    assert!(judged(Some(backups.clone()), Some(old)).await.unwrap_err().contains("volumebackupschedules"));

    assert!(judged(None, Some(schedules.clone())).await.unwrap_err().contains("there is no CustomResourceDefinition"));
    let mut other = backups;
    other["spec"]["versions"][0]["name"] = json!("v2");
    assert!(judged(Some(other), Some(schedules)).await.unwrap_err().contains("does not serve v1alpha1"));
}

#[tokio::test]
async fn a_kind_that_keeps_everything_fits() {
    let mut open = json_of(crd::volume_backup());
    open["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    assert_eq!(judged(Some(open), Some(json_of(crd::volume_backup_schedule()))).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_applied_over_is_seen() {
    let (server, client) = testing::server();
    server.put(BACKUPS, json_of(crd::volume_backup()));
    server.put(SCHEDULES, json_of(crd::volume_backup_schedule()));
    server.put(RESTORES, json_of(crd::volume_restore()));
    let mut kinds = Kinds::follow(client);
    assert!(kinds.fit.borrow().is_err(), "nothing is known before the first look");
    timeout(2 * LOOK_EVERY, kinds.fit.changed()).await.unwrap().unwrap();
    assert_eq!(*kinds.fit.borrow_and_update(), Ok(()));
    server.put(BACKUPS, without(json_of(crd::volume_backup()), "/properties/status", &["certificate"]));
    timeout(2 * LOOK_EVERY, kinds.fit.changed()).await.expect("seen at the next look").unwrap();
    assert!(kinds.fit.borrow_and_update().clone().unwrap_err().contains("status.certificate"));
}
