use super::*;
use crate::{edge::kube::convert, fixtures::START};
use serde_json::{Value, json};
use shared::{request::Limits, ts::Ts};

const NOW: Timestamp = Timestamp(START + 86_400_000);

/// A backup of two planes of which the status says `phase`, written by the old manager.
fn old(phase: &str) -> Value {
    let row = |plane: &str| {
        json!({"backupName": "fed-nightly", "k8sClusterName": plane, "backupPath": format!("s3://shop-bk/vol-{plane}"),
               "commitTs": "449462718912512000", "phase": "Complete", "backupSize": 5})
    };
    let cluster = |plane: &str| json!({"k8sClusterName": plane, "tcName": "shop", "tcNamespace": "tidb"});
    json!({
        "metadata": {"name": "nightly", "namespace": "br-admin", "uid": "u1",
                     "creationTimestamp": "2024-05-01T03:00:00Z", "deletionTimestamp": "2024-05-02T03:00:00Z",
                     "finalizers": ["tidb.pingcap.com/backup-protection"]},
        "spec": {"clusters": [cluster("az1"), cluster("az2")],
                 "template": {"br": {}, "cleanPolicy": "Delete",
                              "s3": {"provider": "aws", "bucket": "shop-bk", "prefix": "vol"}}},
        "status": {"phase": phase, "timeStarted": "2024-05-01T03:00:20Z", "backups": [row("az1"), row("az2")]},
    })
}

fn ended(manifest: Value) -> End {
    let backup = serde_json::from_value(manifest).unwrap();
    end(&convert::object(&backup, &Limits::default()).unwrap(), NOW)
}

fn with(phase: &str, changes: &[(&str, Value)]) -> End {
    let mut manifest = old(phase);
    for (pointer, value) in changes {
        *manifest.pointer_mut(pointer).unwrap() = value.clone();
    }
    ended(manifest)
}

#[test]
fn what_the_old_manager_made_is_cleaned_by_its_own_metadata() {
    let End::Clean(record) = ended(old("Complete")) else { panic!() };
    assert!(record.old_manager && record.deleting);
    assert_eq!((record.key().as_str(), record.attempt), ("u1", 1));
    let kept = record.planes.values().map(|kept| (kept.least_safe_ts, kept.completed_bytes)).collect::<Vec<_>>();
    assert_eq!(kept, [(Some(Ts(449_462_718_912_512_000)), Some(5)); 2]);
}

#[test]
fn a_plane_that_the_old_manager_never_reached_is_not_asked() {
    let End::Clean(record) = with("Failed", &[("/status/backups/1/backupPath", json!(""))]) else { panic!() };
    assert_eq!(record.planes.values().map(|kept| kept.cleaned.is_some()).collect::<Vec<_>>(), [false, true]);
    let none = with("Failed", &[("/status/backups", json!([]))]);
    assert!(matches!(none, End::Release), "{none:?}");
}

#[test]
fn the_policy_decides_and_the_unknown_stays() {
    let policy = |word: &str| ("/spec/template/cleanPolicy", json!(word));
    assert!(matches!(with("Complete", &[policy("Retain")]), End::Release));
    assert!(matches!(with("Complete", &[policy("OnFailure")]), End::Release));
    assert!(matches!(with("Failed", &[policy("OnFailure")]), End::Clean(_)));
    assert!(matches!(with("SnapshotsCreated", &[policy("Delete")]), End::Clean(_)));
    assert!(matches!(with("Complete", &[policy("delete")]), End::Keep(_)), "a word that nobody knows");
    assert!(matches!(with("Complete", &[("/spec/clusters", json!([]))]), End::Keep(_)));
    let elsewhere = with("Complete", &[("/spec/template/s3/prefix", json!("other"))]);
    let End::Keep(refusal) = elsewhere else { panic!("{elsewhere:?}") };
    assert!(refusal.message.contains("s3://shop-bk/vol-az1"), "{refusal}");
}

#[test]
fn a_copy_that_is_deleted_takes_nothing_of_the_original_with_it() {
    let copy = with("Complete", &[("/metadata/creationTimestamp", json!("2024-05-01T09:00:00Z"))]);
    assert!(matches!(copy, End::Release), "{copy:?}");
    let mut manifest = old("Complete");
    manifest["status"]["uid"] = json!("the original's");
    let copy = ended(manifest);
    assert!(matches!(copy, End::Release), "{copy:?}");
}

#[test]
fn ours_is_cleaned_under_the_uid_that_made_it() {
    let mut manifest = old("Complete");
    manifest["status"]["uid"] = json!("u1");
    manifest["status"]["backupUid"] = json!("u0");
    manifest["status"]["barrier"] = json!({"attempt": 3});
    let End::Clean(record) = ended(manifest) else { panic!() };
    assert!(!record.old_manager);
    assert_eq!((record.key().as_str(), record.attempt_id().backup.as_str(), record.attempt), ("u1", "u0", 3));
}
