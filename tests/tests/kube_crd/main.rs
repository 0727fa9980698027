//! The Kubernetes edge of the coordinator against a real API server: what it accepts, what it refuses at `apply`, and
//! that our status, ledger, events and Lease are what it stores. Run by `tests/run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

mod apart;
mod fences;
mod incumbent;
mod schedules;
mod shared_out;

use anyhow::{Result, ensure};
use coordinator::{
    config::Share,
    edge::kube::{KubeObjects, KubeSource, client_of, crd, crds},
    ports::{EventKind, Object, ObjectEvent, ObjectRef, Objects, PortError, Source, Status},
};
use serde_json::{Value, json};
use shared::{
    barrier::{Certificate, Milestone, Phase, PlaneRecord, Record, Verdict, View},
    epoch::Epoch,
    ids::{ClusterId, PlaneId},
    reason::{Reason, Refusal},
    request::{Limits, MEMBERS_MAX},
    tiling::Tiling,
    time::{Millis, Timestamp},
    ts::Ts,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tests::servers::kube::KubeApi;
use tokio::{sync::mpsc, time::timeout};

const KINDS: [&str; 3] = [
    "crd/volumebackups.federation.pingcap.com",
    "crd/volumebackupschedules.federation.pingcap.com",
    "crd/volumerestores.federation.pingcap.com",
];
/// A new definition reaches the handlers of its kind within a second or two.
const SETTLE: Duration = Duration::from_secs(30);

fn manifest(name: &str, spec: &Value) -> String {
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackup",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
    .to_string()
}

fn good() -> Value {
    json!({
        "clusters": [
            {"k8sClusterName": "az1", "tcName": "shop-az1", "tcNamespace": "tidb"},
            {"k8sClusterName": "az2", "tcName": "shop-az2", "tcNamespace": "tidb"},
        ],
        "template": {
            "br": {"sendCredToTikv": false},
            "s3": {"provider": "aws", "region": "eu-west-1", "bucket": "shop-bk", "prefix": "vol"},
        },
    })
}

/// The good spec with one field set (or taken away, by `null`).
fn with(pointer: &str, value: Value) -> Value {
    let mut spec = good();
    let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(parent) = spec.pointer_mut(parent).and_then(Value::as_object_mut) {
        match value {
            Value::Null => parent.remove(field),
            value => parent.insert(field.to_owned(), value),
        };
    }
    spec
}

async fn start() -> Result<KubeApi> {
    let api = KubeApi::start().await?;
    api.apply(&crds()).await?;
    api.kubectl(&[&["wait", "--for=condition=Established", "--timeout=30s"], &KINDS[..]].concat()).await?;
    Ok(api)
}

async fn get(api: &KubeApi, name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&api.kubectl(&["get", "vbk", name, "-o", "json"]).await?)?)
}

/// Tries again until the new definition is in force.
async fn eventually(api: &KubeApi, input: &str, accepted: bool) -> Result<String> {
    let tries = async {
        loop {
            let outcome = api.kubectl_with_input(&["create", "--dry-run=server", "-f", "-"], input).await;
            match outcome {
                Ok(text) if accepted => return text,
                Err(error) if !accepted => return format!("{error:#}"),
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    Ok(timeout(SETTLE, tries).await?)
}

async fn as_many_planes_as_there_may_be(api: &KubeApi) -> Result<()> {
    let plane = |number: usize| {
        let name = format!("{number:04}{}", "x".repeat(60));
        json!({"k8sClusterName": name, "tcName": "t", "tcNamespace": "n"})
    };
    let wide = |count: usize| with("/clusters", json!((0..count).map(plane).collect::<Vec<_>>()));
    eventually(api, &manifest("wide", &wide(MEMBERS_MAX)), true).await?;
    let refused = eventually(api, &manifest("wide", &wide(MEMBERS_MAX + 1)), false).await?;
    ensure!(refused.contains("at most 1000 items"), "{refused}");
    let mut twice = wide(MEMBERS_MAX);
    twice["clusters"][1] = twice["clusters"][0].clone();
    let refused = eventually(api, &manifest("wide", &twice), false).await?;
    ensure!(refused.contains("Duplicate value"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn users_manifests_apply_and_what_can_never_work_does_not() -> Result<()> {
    let api = start().await?;
    eventually(&api, &manifest("x", &good()), true).await?;
    let all = json!({
        "resources": {"limits": {"cpu": "1"}}, "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "br": {"concurrency": 4, "checkRequirements": false, "sendCredToTikv": true, "options": ["--x"]},
        "s3": {
            "provider": "aws", "region": "r", "path": "p", "bucket": "b", "endpoint": "https://s3.local", "storageClass": "STANDARD",
            "acl": "private", "secretName": "s", "prefix": "p", "sse": "AES256", "options": ["--y"], "forcePathStyle": true,
        },
        "gcs": {"bucket": "b"}, "azblob": {"container": "c"}, "local": {"volume": {"name": "v"}},
        "tolerations": [{"key": "k", "operator": "Exists"}], "toolImage": "br", "imagePullSecrets": [{"name": "n"}],
        "serviceAccount": "tidb-backup-manager", "automountServiceAccountToken": true, "cleanPolicy": "OnFailure",
        "priorityClassName": "high", "calcSizeLevel": "whatever", "additionalVolumes": [{"name": "v", "emptyDir": {}}],
        "additionalVolumeMounts": [{"name": "v", "mountPath": "/v"}], "volumeBackupInitJobMaxActiveSeconds": 1200,
        "snapshotsDeleteRatio": 7.5,
    });
    let barrier = json!({
        "settleTimeout": "1m30s", "reachTimeout": "1h", "holdTimeout": "500ms", "retryWithin": "0s", "safeTsMaxAge": "1.5m",
        "allowWeakerHolds": true,
    });
    let mut full = with("/template", all);
    full["barrier"] = barrier;
    let mut object: Value = serde_json::from_str(&manifest("full", &full))?;
    object["skipGC"] = json!(true);
    api.kubectl_with_input(&["create", "--validate=strict", "-f", "-"], &object.to_string()).await?;
    let stored = get(&api, "full").await?;
    ensure!(stored["spec"] == full && stored["skipGC"] == true, "fields were lost: {stored:#}");

    // Empty values as people leave them are defaults, not wishes.
    let mut blank = with("/template/calcSizeLevel", json!("all"));
    blank["template"]["calcSizeLevel"] = Value::Null;
    blank["template"]["cleanPolicy"] = Value::Null;
    api.kubectl_with_input(&["create", "-f", "-"], &manifest("blank", &blank)).await?;
    let template = &get(&api, "blank").await?["spec"]["template"];
    let defaults = ["calcSizeLevel", "volumeBackupInitJobMaxActiveSeconds", "snapshotsDeleteRatio"];
    ensure!(defaults.map(|name| template[name].clone()) == [json!("all"), json!(600), json!(1)], "{template:#}");
    let usual = ["NAME", "STATUS", "BACKUPSIZE", "COMMITTS", "TIMETAKEN", "AGE"];
    for (options, ours) in
        [(&["get", "vbk"][..], &[][..]), (&["get", "vbk", "-o", "wide"], &["VERDICT", "HOLD", "REASON", "STEP"])]
    {
        let header = api.kubectl(options).await?;
        let columns: Vec<&str> = header.lines().next().unwrap_or_default().split_whitespace().collect();
        ensure!(columns == [&usual, ours].concat(), "{header}");
    }

    as_many_planes_as_there_may_be(&api).await?;
    let twice = json!([good()["clusters"][0], good()["clusters"][0]]);
    for (pointer, value, words) in [
        ("/clusters", json!([]), "spec.clusters is empty"),
        ("/clusters", Value::Null, "spec.clusters is empty"),
        ("/clusters", twice, "Duplicate value"),
        ("/clusters", json!([{"k8sClusterName": "a", "tcName": "t"}]), "tcNamespace is missing"),
        ("/template/br", Value::Null, "spec.template.br is missing"),
        ("/template/s3", Value::Null, "spec.template.s3 is missing"),
        ("/template/s3/bucket", json!(""), "bucket is empty"),
        ("/template/s3/bucket", Value::Null, "bucket is empty"),
        ("/template/s3/endpoint", json!("minio:9000"), "must begin with http:// or https://"),
        ("/template/cleanPolicy", json!("delete"), "must be Retain, OnFailure or Delete"),
        ("/template/volumeBackupInitJobMaxActiveSeconds", json!(0), "at least 1"),
        ("/template/s3/prefix", json!(".."), "must have no part '.' or '..'"),
        ("/template/s3/prefix", json!("a/../../b"), "must have no part '.' or '..'"),
        ("/template/s3/prefix", json!("a\nb"), "no control character"),
        ("/template/s3/prefix", json!("p".repeat(513)), "spec.template.s3.prefix: Too long"),
        ("/template/s3/provider", json!("awss"), "provider must be aws"),
        ("/template/s3/bucket", json!("s3://shop-backup/vol"), "must be the bucket's name alone"),
        ("/template/s3/secretName", json!("my secret"), "secretName must be a name"),
        ("/template/serviceAccount", json!("my sa"), "serviceAccount must be a name"),
        ("/clusters", named("a/../b", "t", "n"), "k8sClusterName must have no"),
        ("/clusters", named(" a", "t", "n"), "k8sClusterName must have no"),
        ("/clusters", named("a", "Shop AZ2", "n"), "tcName must be a name"),
        ("/clusters", named("a", "t", "ti db"), "tcNamespace must be a namespace"),
        ("/barrier", json!({"holdTimeout": "1ns"}), "from 1ms up to 1h"),
        ("/barrier", json!({"settleTimeout": "90"}), "barrier.settleTimeout must be a duration"),
        ("/barrier", json!({"reachTimeout": "2h"}), "barrier.reachTimeout must be a duration"),
        ("/barrier", json!({"holdTimeout": "0s"}), "barrier.holdTimeout must be a duration"),
        ("/barrier", json!({"retryWithin": "1d"}), "barrier.retryWithin must be a duration"),
        ("/barrier", json!({"safeTsMaxAge": ""}), "barrier.safeTsMaxAge must be a duration"),
    ] {
        let refused = eventually(&api, &manifest("x", &with(pointer, value.clone())), false).await?;
        ensure!(refused.contains(words), "{pointer} {value}: {refused}");
    }
    let mut other = with("/template/s3", Value::Null);
    other["template"]["gcs"] = json!({"bucket": "b"});
    let refused = eventually(&api, &manifest("x", &other), false).await?;
    ensure!(refused.contains("in S3 only"), "{refused}");
    Ok(())
}

fn named(plane: &str, name: &str, namespace: &str) -> Value {
    json!([{"k8sClusterName": plane, "tcName": name, "tcNamespace": namespace}])
}

#[tokio::test]
async fn names_of_contexts_and_odd_prefixes_that_work_apply() -> Result<()> {
    let api = start().await?;
    let arn = "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1";
    for name in [arn, "ann@shop.eu-west-1.eksctl.io", "gke_shop_europe-west1-b_prod", "docker desktop", "köln/1"] {
        eventually(&api, &manifest("x", &with("/clusters", named(name, "t", "n"))), true).await?;
    }
    for prefix in ["", "//a//b/", "nächtlich im Mai", "a..b/.c/d."] {
        eventually(&api, &manifest("x", &with("/template/s3/prefix", json!(prefix))), true).await?;
    }
    Ok(())
}

/// Takes every rule out of the definition, as it was before there were any.
fn loose(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let of_lists = ["x-kubernetes-list-type", "x-kubernetes-list-map-keys"];
            for rule in ["x-kubernetes-validations", "maxLength", "maxItems", "maximum"].iter().chain(&of_lists) {
                map.remove(*rule);
            }
            map.values_mut().for_each(loose);
        }
        Value::Array(items) => items.iter_mut().for_each(loose),
        _ => {}
    }
}

#[tokio::test]
async fn an_object_stored_before_the_rules_still_changes_and_goes() -> Result<()> {
    let api = KubeApi::start().await?;
    let new = crd::yaml(&crd::volume_backup());
    let mut old: Value = serde_saphyr::from_str(&new)?;
    loose(&mut old["spec"]["versions"][0]["schema"]);
    api.apply(&old.to_string()).await?;
    api.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", KINDS[0]]).await?;
    let spec = json!({
        "clusters": [{"k8sClusterName": "a"}, {"k8sClusterName": "a"}],
        "template": {"s3": {"provider": "awss", "endpoint": "x:1", "prefix": "..", "secretName": "a b"}, "cleanPolicy": "delete", "volumeBackupInitJobMaxActiveSeconds": 0},
    });
    let bad = manifest("bad", &spec);
    eventually(&api, &bad, true).await?;
    api.kubectl_with_input(&["create", "-f", "-"], &bad).await?;
    api.apply(&new).await?;
    eventually(&api, &manifest("another", &spec), false).await?;

    let objects = KubeObjects::new(client_of(&api.kubeconfig).await?, "test", Arc::new(|| Timestamp(0)));
    let uid = get(&api, "bad").await?["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let target = ObjectRef { uid: uid.as_str().into(), namespace: "default".to_owned(), name: "bad".to_owned() };
    objects.add_finalizer(&target).await?;
    objects
        .publish(&target, &Status::Without("Invalid", Refusal::new(Reason::BrMissing, "spec.template.br is missing")))
        .await?;
    ensure!(get(&api, "bad").await?["status"]["phase"] == "Invalid");
    api.kubectl(&["delete", "vbk", "bad", "--wait=false"]).await?;
    objects.remove_finalizer(&target).await?;
    ensure!(api.kubectl(&["get", "vbk", "-o", "name"]).await?.trim().is_empty());
    Ok(())
}

async fn applied(events: &mut mpsc::Receiver<ObjectEvent>, wanted: impl Fn(&Object) -> bool) -> Result<Object> {
    let found = async {
        loop {
            match events.recv().await {
                Some(ObjectEvent::Applied(object)) if wanted(&object) => return Some(*object),
                Some(_) => {}
                None => return None,
            }
        }
    };
    timeout(SETTLE, found).await?.ok_or_else(|| anyhow::anyhow!("the source ended"))
}

/// A view with something in every field that status shows.
fn complete(object: &Object) -> Result<View> {
    let request = object.request.clone().map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
    let mut record = Record::new(request, Timestamp(1_714_532_420_000));
    let commit_ts = Ts(449_462_718_912_512_000);
    record.milestone = Milestone::Complete;
    record.epoch = Epoch(u64::MAX);
    record.times.snapshots_created = Some(Timestamp(1_714_532_582_000));
    record.times.completed = Some(Timestamp(1_714_533_384_000));
    record.barrier.settle = Some(Millis(800));
    record.barrier.reach = Some(Millis(1200));
    record.barrier.hold = Some(Millis(2000));
    for plane in record.planes.values_mut() {
        *plane =
            PlaneRecord { least_safe_ts: Some(commit_ts), completed_bytes: Some(1 << 40), ..PlaneRecord::default() };
    }
    record.certificate = Some(Certificate {
        verdict: Verdict::Consistent,
        backup: record.request.backup.clone(),
        name: "default/nightly".to_owned(),
        attempt: 1,
        epoch: record.epoch,
        cluster: ClusterId(u64::MAX),
        commit_ts,
        ts_ceiling: None,
        gc_hold: commit_ts,
        gc_safe_point: Ts(449_462_718_000_000_000),
        pd_min_resolved_ts: commit_ts,
        regions: 42,
        tiling: Tiling::default(),
        planes: BTreeMap::new(),
        made_at: Timestamp(1_714_532_500_000),
    });
    let seen =
        shared::barrier::PlaneView { connected: true, text: "writes backupmeta".to_owned(), ..Default::default() };
    let planes = record.planes.keys().cloned().map(|plane: PlaneId| (plane, seen.clone())).collect();
    let waiting_for = "nothing".to_owned();
    let alarms = vec![shared::alarm::Alarm::ReleaseBeforeConfirm];
    Ok(View { record, phase: Phase::Complete, clock: None, planes, waiting_for, alarms })
}

#[tokio::test]
async fn an_object_goes_from_apply_to_deletion() -> Result<()> {
    let api = start().await?;
    let client = client_of(&api.kubeconfig).await?;
    let wall = Arc::new(|| Timestamp(1_714_533_390_000));
    let objects = KubeObjects::new(client.clone(), "test", wall);
    let source = KubeSource::new(client, &Share::default(), Limits::default());
    let (tell, mut events) = mpsc::channel(16);
    let watching = tokio::spawn(async move { source.run(tell).await });

    api.apply(&manifest("nightly", &good())).await?;
    let object = applied(&mut events, |object| object.name == "nightly").await?;
    let target = ObjectRef { uid: object.uid.clone(), namespace: object.namespace.clone(), name: object.name.clone() };
    objects.add_finalizer(&target).await?;
    let status = Status::Barrier(Arc::new(complete(&object)?));
    objects.publish(&target, &status).await?;
    objects.event(&target, EventKind::Normal, "Complete", "all snapshots are complete").await?;
    let seen = applied(&mut events, |object| object.phase == "Complete").await?;
    ensure!(seen.finalizer && !seen.deleting && seen.request == object.request);

    let first = get(&api, "nightly").await?;
    for field in ["barrier", "certificate", "alarms", "backups", "conditions", "commitTs", "timeTaken", "backupSize"] {
        ensure!(!first["status"][field].is_null(), "the API server dropped status.{field}: {first:#}");
    }
    // Whatever the schema did not know would be missing now, and written again for ever.
    objects.publish(&target, &status).await?;
    ensure!(get(&api, "nightly").await?["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]);
    let row = api.kubectl(&["get", "vbk", "nightly"]).await?;
    for cell in ["Complete", "2.2 TB", "449462718912512000", "16m4s"] {
        ensure!(row.contains(cell), "{row}");
    }
    ensure!(!row.contains("VERDICT"), "old columns stay as they were: {row}");
    let wide = api.kubectl(&["get", "vbk", "nightly", "-o", "wide"]).await?;
    ensure!(wide.contains("VERDICT") && wide.contains("Consistent"), "{wide}");
    let described = api.kubectl(&["events", "--for", "vbk/nightly"]).await?;
    ensure!(described.contains("all snapshots are complete"), "{described}");

    // The user applies the same manifest again, which says nothing of status or finalizers.
    api.apply(&manifest("nightly", &good())).await?;
    ensure!(get(&api, "nightly").await?["status"] == first["status"]);

    api.kubectl(&["annotate", "vbk", "nightly", "isochron.pingcap.com/abandon-planes=az2"]).await?;
    api.kubectl(&["delete", "vbk", "nightly", "--wait=false"]).await?;
    let deleted = applied(&mut events, |object| object.deleting).await?;
    ensure!(deleted.abandoned == [PlaneId::from("az2")]);
    objects.remove_finalizer(&target).await?;
    let gone = async {
        while let Some(event) = events.recv().await {
            if matches!(&event, ObjectEvent::Gone(uid) if *uid == object.uid) {
                return true;
            }
        }
        false
    };
    ensure!(timeout(SETTLE, gone).await?);
    ensure!(matches!(objects.publish(&target, &status).await, Err(PortError::NotFound(_))));
    drop(events);
    watching.await?;
    Ok(())
}
