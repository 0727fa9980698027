use super::super::{
    crd::{API_VERSION, KIND},
    testing::{server, wall},
    untyped::EDIT_ROUNDS,
};
use super::*;
use api_server::{ApiServer, Fault};
use http::Method;
use serde_json::{Value, json};
use shared::{
    ids::BackupUid,
    reason::{Reason, Refusal},
};

const PATH: &str = "/apis/federation.pingcap.com/v1alpha1/namespaces/admin/volumebackups/nightly";

fn object(uid: &str) -> ObjectRef {
    ObjectRef { uid: BackupUid::from(uid), namespace: "admin".to_owned(), name: "nightly".to_owned() }
}

fn setup() -> (ApiServer, KubeObjects) {
    let (api, client) = server();
    api.put(
        PATH,
        json!({
            "apiVersion": API_VERSION, "kind": KIND, "skipGC": true,
            "metadata": {"name": "nightly", "namespace": "admin", "uid": "u1", "finalizers": ["other/one"]},
            "spec": {"clusters": [], "notOurs": {"deep": [1, 2.5]}},
            "status": {"notOurs": "kept"},
        }),
    );
    (api, KubeObjects::new(client, &"pod".repeat(60), wall()))
}

fn invalid() -> Status {
    Status::Without("Invalid", Refusal::new(Reason::ClustersEmpty, "spec.clusters is empty"))
}

#[tokio::test(start_paused = true)]
async fn an_object_is_there_if_its_name_still_has_its_uid() {
    let (api, objects) = setup();
    assert!(objects.is_there(&object("u1")).await.unwrap());
    assert!(!objects.is_there(&object("u2")).await.unwrap(), "another one has the name");
    api.remove(PATH);
    assert!(!objects.is_there(&object("u1")).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_status_goes_in_by_a_plain_put_and_changes_nothing_else() {
    let (api, objects) = setup();
    let before = api.get(PATH).unwrap();
    objects.publish(&object("u1"), &invalid()).await.unwrap();
    assert_eq!(api.calls(), [format!("GET {PATH}"), format!("PUT {PATH}")]);
    let after = api.get(PATH).unwrap();
    assert_eq!(after["status"]["phase"], "Invalid");
    assert_eq!(after["status"]["notOurs"], "kept");
    assert_eq!((&after["spec"], &after["skipGC"]), (&before["spec"], &before["skipGC"]));
    assert_eq!(after["metadata"]["finalizers"], json!(["other/one"]));

    objects.publish(&object("u1"), &invalid()).await.unwrap();
    assert_eq!(api.calls(), [format!("GET {PATH}")], "nothing changed, nothing is written");
}

#[tokio::test(start_paused = true)]
async fn a_lost_race_merges_into_what_the_winner_wrote() {
    let (api, objects) = setup();
    for number in 0..2 {
        let change = move |object: &mut Value| object["metadata"]["annotations"] = json!({"n": number.to_string()});
        api.fail(Method::PUT, Fault::Race(Box::new(change)));
    }
    objects.publish(&object("u1"), &invalid()).await.unwrap();
    let after = api.get(PATH).unwrap();
    assert_eq!(after["metadata"]["annotations"], json!({"n": "1"}));
    assert_eq!(after["status"]["phase"], "Invalid");
}

#[tokio::test(start_paused = true)]
async fn a_race_that_is_always_lost_ends() {
    let (api, objects) = setup();
    for _ in 0..20 {
        api.fail(Method::PUT, Fault::Race(Box::new(|object| object["metadata"]["labels"] = json!({}))));
    }
    assert!(matches!(objects.publish(&object("u1"), &invalid()).await, Err(PortError::Conflict(_))));
    assert_eq!(api.calls().len(), 2 * EDIT_ROUNDS as usize);
}

#[tokio::test(start_paused = true)]
async fn another_object_of_the_same_name_is_not_touched() {
    let (api, objects) = setup();
    for outcome in [
        objects.publish(&object("u2"), &invalid()).await,
        objects.add_finalizer(&object("u2")).await,
        objects.remove_finalizer(&object("u2")).await,
    ] {
        assert!(matches!(outcome, Err(PortError::NotFound(_))));
    }
    assert!(api.calls().iter().all(|call| call.starts_with("GET")));
    api.remove(PATH);
    assert!(matches!(objects.publish(&object("u1"), &invalid()).await, Err(PortError::NotFound(_))));
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_comes_and_goes_beside_others() {
    let (api, objects) = setup();
    objects.add_finalizer(&object("u1")).await.unwrap();
    objects.add_finalizer(&object("u1")).await.unwrap();
    assert_eq!(api.get(PATH).unwrap()["metadata"]["finalizers"], json!(["other/one", FINALIZER]));
    objects.remove_finalizer(&object("u1")).await.unwrap();
    objects.remove_finalizer(&object("u1")).await.unwrap();
    assert_eq!(api.get(PATH).unwrap()["metadata"]["finalizers"], json!(["other/one"]));

    let mut deleted = api.get(PATH).unwrap();
    deleted["metadata"]["deletionTimestamp"] = json!("2024-05-01T03:00:20Z");
    api.put(PATH, deleted);
    assert!(matches!(objects.add_finalizer(&object("u1")).await, Err(PortError::NotFound(_))));
}

#[tokio::test(start_paused = true)]
async fn an_event_names_the_object_and_fits() {
    let (api, objects) = setup();
    let message = "ü".repeat(2000);
    objects.event(&object("u1"), EventKind::Warning, "HoldTimedOut", &message).await.unwrap();
    objects.event(&object("u1"), EventKind::Warning, "HoldTimedOut", "again").await.unwrap();
    assert_eq!(api.calls(), ["POST /apis/events.k8s.io/v1/namespaces/admin/events"; 2], "other words, another event");
    let list: Vec<Value> = api.under("/apis/events.k8s.io/v1/namespaces/admin/events/");
    assert_eq!(list.len(), 2);
    for event in &list {
        assert_eq!(event["regarding"]["uid"], "u1");
        assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("HoldTimedOut")));
        assert_eq!(event["eventTime"], "2024-05-01T03:00:20.000000Z");
        assert_eq!(event["reportingInstance"].as_str().unwrap().len(), 128);
        assert!(event["note"].as_str().unwrap().len() <= 1024);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_again_is_one_event_that_counts_whoever_says_it() {
    let (api, objects) = setup();
    let say = async |objects: &KubeObjects, message: &str| {
        objects.event(&object("u1"), EventKind::Warning, "AccessDenied", message).await.unwrap();
    };
    say(&objects, "s3:PutObject is denied").await;
    say(&objects, "s3:PutObject is denied").await;
    // Another process, which remembers nothing.
    let restarted = KubeObjects::new(api.client(), "another", wall());
    say(&restarted, "s3:PutObject is denied").await;
    say(&restarted, "ec2:DeleteSnapshot is denied").await;
    let mut list: Vec<Value> = api.under("/apis/events.k8s.io/v1/namespaces/admin/events/");
    list.sort_by_key(|event| event["note"].as_str().map(str::to_owned));
    assert_eq!(list.len(), 2, "{list:#?}");
    assert_eq!(list[0].get("series").filter(|series| !series.is_null()), None);
    assert_eq!(list[1]["series"]["count"], 3);
    assert_eq!(list[1]["series"]["lastObservedTime"], "2024-05-01T03:00:20.000000Z");
}

#[tokio::test(start_paused = true)]
async fn a_status_goes_apart_where_it_is_kept_apart() {
    let (api, objects) = setup();
    api.change(PATH, |object| object["metadata"]["generation"] = json!(3));
    api.statuses_apart(true);
    objects.publish(&object("u1"), &invalid()).await.unwrap();
    let first = api.get(PATH).unwrap();
    assert_eq!((&first["status"]["phase"], &first["status"]["notOurs"]), (&json!("Invalid"), &json!("kept")));
    assert_eq!(first["status"]["observedGeneration"], 3);
    api.calls();
    // From then on without a detour.
    objects.publish(&object("u1"), &invalid()).await.unwrap();
    assert_eq!(api.calls(), [format!("GET {PATH}")]);
    let other = Status::Without("Invalid", Refusal::new(Reason::BrMissing, "spec.template.br is missing"));
    objects.publish(&object("u1"), &other).await.unwrap();
    assert_eq!(api.calls(), [format!("GET {PATH}"), format!("PUT {PATH}/status")]);
    objects.add_finalizer(&object("u1")).await.unwrap();
    assert_eq!(api.get(PATH).unwrap()["metadata"]["finalizers"], json!(["other/one", FINALIZER]));
    assert_eq!(api.get(PATH).unwrap()["status"]["phase"], "Invalid", "another write takes nothing from it");
    // Somebody applies the definitions without it.
    api.statuses_apart(false);
    objects.publish(&object("u1"), &invalid()).await.unwrap();
    let last = api.get(PATH).unwrap();
    assert_eq!(last["status"]["conditions"][0]["reason"], "ClustersEmpty");
    assert_eq!(last["status"].get("observedGeneration"), None, "a generation counts every write there");
}
