use super::super::testing::server;
use super::{super::follow::RESYNC, *};
use serde_json::{Value, json};

const ALL: &str = "/apis/federation.pingcap.com/v1alpha1/volumebackups";

fn backup(name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
        "metadata": {"name": name, "namespace": "admin", "uid": format!("uid-{name}"), "resourceVersion": "1"},
        "spec": spec,
    })
}

fn good() -> Value {
    json!({
        "clusters": [{"k8sClusterName": "az1", "tcName": "shop", "tcNamespace": "tidb"}],
        "template": {"br": {}, "s3": {"provider": "aws", "bucket": "b"}},
    })
}

async fn next(events: &mut mpsc::Receiver<ObjectEvent>) -> String {
    match events.recv().await.unwrap() {
        ObjectEvent::Applied(object) => match object.request {
            Ok(_) => format!("{} {}", object.name, object.phase),
            Err(refusal) => format!("{} {}: {}", object.name, object.phase, refusal.reason),
        },
        ObjectEvent::Gone(uid) => format!("gone {uid}"),
        ObjectEvent::Synced => "synced".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn lists_watches_and_tells_everything_again() {
    let (api, client) = server();
    api.put(&format!("{ALL}/a"), backup("a", good()));
    // Not the shape of a VolumeBackup: it must neither hide others nor become undeletable.
    api.put(&format!("{ALL}/b"), backup("b", json!({"clusters": "az1"})));
    let mut changed = backup("a", good());
    changed["status"] = json!({"phase": "Complete", "conditions": "somebody's nonsense"});
    changed["metadata"]["resourceVersion"] = json!("10");
    api.watch(&[
        json!({"type": "MODIFIED", "object": changed}),
        json!({"type": "DELETED", "object": backup("b", json!({"clusters": "az1"}))}),
    ]);
    let source = KubeSource::new(client, &Share::default(), Limits::default());
    let (tell, mut events) = mpsc::channel(1);
    let running = tokio::spawn(async move { source.run(tell).await });
    for expected in ["a ", "b : SpecInvalid", "synced", "a Complete", "gone uid-b"] {
        assert_eq!(next(&mut events).await, expected);
    }
    let before = tokio::time::Instant::now();
    assert_eq!(next(&mut events).await, "a Complete");
    assert!(before.elapsed() <= RESYNC);
    assert_eq!(next(&mut events).await, "a Complete");
    drop(events);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_relist_finds_what_a_broken_watch_missed() {
    let (api, client) = server();
    api.put(&format!("{ALL}/a"), backup("a", good()));
    api.put(&format!("{ALL}/b"), backup("b", json!({})));
    let gone = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
    api.watch(&[json!({"type": "ERROR", "object": gone})]);
    let source = KubeSource::new(client, &Share::default(), Limits::default());
    let (tell, mut events) = mpsc::channel(8);
    let running = tokio::spawn(async move { source.run(tell).await });
    for expected in ["a ", "b : ClustersEmpty", "synced"] {
        assert_eq!(next(&mut events).await, expected);
    }
    api.remove(&format!("{ALL}/b"));
    for expected in ["a ", "gone uid-b"] {
        assert_eq!(next(&mut events).await, expected);
    }
    drop(events);
    running.await.unwrap();
}

/// Objects that are shared out among several coordinators: by labels at the API server, by several namespaces here.
#[tokio::test(start_paused = true)]
async fn only_ones_own_objects_are_seen() {
    let (api, client) = server();
    for (name, namespace, tier) in
        [("a", "shop", "gold"), ("b", "bank", "gold"), ("c", "shop", "tin"), ("d", "x", "gold")]
    {
        let mut object = backup(name, good());
        object["metadata"]["namespace"] = json!(namespace);
        object["metadata"]["labels"] = json!({"tier": tier});
        api.put(&format!("{ALL}/{name}"), object);
    }
    let share =
        Share { namespaces: ["shop", "bank"].map(str::to_owned).into(), label_selector: "tier=gold".to_owned() };
    let source = KubeSource::new(client, &share, Limits::default());
    let (tell, mut events) = mpsc::channel(8);
    let running = tokio::spawn(async move { source.run(tell).await });
    for expected in ["a ", "b ", "synced"] {
        assert_eq!(next(&mut events).await, expected);
    }
    drop(events);
    running.await.unwrap();
}
