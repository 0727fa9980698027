//! What happens around a backup: objects that vanish, come back under new uids, are copied, edited or left behind by the
//! old manager. Only a deletion of the object itself deletes anything.

use crate::{LIMIT, at, completes, nothing_left, slow, soon, story, world};
use coordinator::ports::{LedgerKey, ObjectRef, Text};
use serde_json::{Value, json};
use shared::{barrier::Stage as Durable, ids::SnapshotId, ts::Ts};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};
use tests::stage::{KEY, Stage};

const WHILE: Duration = Duration::from_secs(120);

fn reference(stage: &Stage) -> ObjectRef {
    let object = stage.control.get(KEY).unwrap();
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    ObjectRef { uid: text("uid").as_str().into(), namespace: text("namespace"), name: text("name") }
}

/// The object goes, and nobody deleted it: its finalizer was taken off first.
async fn vanish(stage: &Stage) {
    stage.control.ports().objects.remove_finalizer(&reference(stage)).await.unwrap();
    stage.control.delete(KEY);
    assert!(stage.control.get(KEY).is_none());
}

/// The whole control plane is lost, and what is given of its ledger comes back.
async fn moved(stage: &Stage, ledger: BTreeMap<LedgerKey, String>) {
    stage.kill_coordinator();
    stage.control.lose_everything();
    for (key, body) in ledger {
        stage.control.ports().ledger.write(&key, &Text { body: &body, note: "" }, None).await.unwrap();
    }
}

async fn complete(stage: &Stage, policy: &str) -> (Vec<SnapshotId>, Ts) {
    stage.control.apply(&stage.manifest_of("backup", "p", policy, "")).unwrap();
    assert!(completes(stage, KEY, LIMIT).await, "{:?}", stage.failure());
    // The last word is written, and its actor gone.
    tokio::time::sleep(Duration::from_secs(20)).await;
    (stage.certified(), stage.record().unwrap().certificate.unwrap().commit_ts)
}

fn is_there(stage: &Stage, (snapshots, commit_ts): &(Vec<SnapshotId>, Ts)) -> bool {
    !snapshots.is_empty() && stage.world.cut(snapshots, *commit_ts).is_ok()
}

#[test]
fn a_restored_control_plane_keeps_every_backup_and_takes_it_over() {
    story(world(301), async |stage: Rc<Stage>| {
        let made = complete(&stage, "Delete").await;
        let before = (stage.control.get(KEY).unwrap(), stage.record().unwrap());
        moved(&stage, stage.control.ledger()).await;
        stage.start_coordinator();
        tokio::time::sleep(WHILE).await;
        assert!(is_there(&stage, &made), "a record without an object is no deletion");

        stage.control.apply(&stage.manifest("")).unwrap();
        assert!(completes(&stage, KEY, WHILE).await, "{:?}", stage.control.get(KEY));
        let after = stage.control.get(KEY).unwrap();
        assert_ne!(after["metadata"]["uid"], before.0["metadata"]["uid"]);
        for field in ["certificate", "timeStarted", "timeCompleted", "commitTs"] {
            assert_eq!(after["status"][field], before.0["status"][field], "{field}");
        }
        let record = stage.record().unwrap();
        assert_eq!((&record.certificate, &record.request.backup), (&before.1.certificate, &before.1.request.backup));
        assert_eq!(stage.control.ledger().keys().filter(|key| matches!(key, LedgerKey::Record(_))).count(), 1);
        assert_eq!(stage.lies(), Vec::<String>::new());
        // And it can be told of its deletion, also after one more restart.
        stage.kill_coordinator();
        stage.start_coordinator();
        nothing_left(&stage).await;
    });
}

/// The ledger was copied while the barrier was under way, the backup became Complete, and only then the copy comes back.
fn restored_from_before_the_end(seed: u64, copied: Durable, policy: &str, restart_planes: bool) {
    story(slow(world(seed)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest_of("backup", "p", policy, "")).unwrap();
        at(&stage, copied).await;
        let export = stage.control.export();
        let made = complete(&stage, policy).await;
        stage.kill_coordinator();
        stage.control.restore_ledger(&export, &BTreeSet::new());
        if restart_planes {
            for plane in ["az1", "az2", "az3"] {
                stage.kill_plane(plane);
                stage.start_plane(plane);
            }
        }
        stage.start_coordinator();
        tokio::time::sleep(3 * WHILE).await;
        assert!(is_there(&stage, &made), "an orphan from {copied:?}: {:?}", stage.record().map(|record| record.stage));
        stage.control.restore_objects(&export, false, true);
        tokio::time::sleep(3 * WHILE).await;
        let record = stage.record().unwrap();
        assert!(is_there(&stage, &made), "from {copied:?}: {:?}", record.stage);
        if record.stage == Durable::Complete {
            assert_eq!(stage.lies(), Vec::<String>::new());
        } else {
            let told = stage.control.events().iter().any(|told| !told.normal && told.reason == "BackupProven");
            assert!(told, "{:#?}", stage.control.events());
        }
        if policy == "Delete" {
            nothing_left(&stage).await;
        } else {
            assert!(stage.delete(LIMIT).await, "{:?}", stage.record());
            assert!(is_there(&stage, &made), "it was made to be kept");
        }
    });
}

#[test]
fn a_ledger_restored_from_before_the_end_deletes_nothing_that_s3_proves() {
    restored_from_before_the_end(320, Durable::Snapshotting, "Delete", true);
    restored_from_before_the_end(321, Durable::Snapshotting, "Retain", true);
    restored_from_before_the_end(322, Durable::Snapshotting, "Delete", false);
    restored_from_before_the_end(323, Durable::Barrier, "Delete", true);
    restored_from_before_the_end(324, Durable::Barrier, "Retain", false);
    restored_from_before_the_end(325, Durable::Certified, "Delete", true);
}

#[test]
fn an_adoption_that_was_broken_off_is_finished() {
    story(world(302), async |stage: Rc<Stage>| {
        complete(&stage, "Delete").await;
        let old = stage.control.ledger();
        moved(&stage, old.clone()).await;
        stage.control.apply(&stage.manifest("")).unwrap();
        stage.start_coordinator();
        assert!(completes(&stage, KEY, WHILE).await);
        // As if the process had died between its two writes.
        stage.kill_coordinator();
        for (key, body) in old.into_iter().filter(|(key, _)| matches!(key, LedgerKey::Record(_))) {
            stage.control.ports().ledger.write(&key, &Text { body: &body, note: "" }, None).await.unwrap();
        }
        stage.start_coordinator();
        let records = || stage.control.ledger().keys().filter(|key| matches!(key, LedgerKey::Record(_))).count();
        soon("the old name goes", || records() == 1).await;
        assert_eq!(stage.lies(), Vec::<String>::new());
        nothing_left(&stage).await;
    });
}

#[test]
fn an_object_that_vanishes_unseen_takes_nothing_with_it() {
    story(world(303), async |stage: Rc<Stage>| {
        let made = complete(&stage, "Delete").await;
        vanish(&stage).await;
        tokio::time::sleep(WHILE).await;
        assert!(is_there(&stage, &made));
        assert!(stage.control.events().iter().any(|told| told.reason == "Orphaned" && !told.normal));
    });
}

#[test]
fn an_object_that_vanishes_in_the_middle_ends_what_keeps_nothing_yet() {
    story(slow(world(304)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Barrier).await;
        vanish(&stage).await;
        at(&stage, Durable::Failed).await;
        assert_eq!(stage.failure().0, "ObjectLost");
    });
    story(slow(world(305)), async |stage: Rc<Stage>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Snapshotting).await;
        vanish(&stage).await;
        at(&stage, Durable::Complete).await;
        tokio::time::sleep(WHILE).await;
        assert_eq!(stage.lies(), Vec::<String>::new());
    });
}

#[test]
fn a_copy_with_its_status_is_a_new_backup() {
    story(world(306), async |stage: Rc<Stage>| {
        let made = complete(&stage, "Delete").await;
        let mut copy = stage.control.get(KEY).unwrap();
        copy["metadata"] = json!({"name": "again", "namespace": "br-admin"});
        copy["spec"]["template"]["s3"]["prefix"] = json!("again");
        stage.control.apply(&copy.to_string()).unwrap();
        let anew = |object: Option<&Value>| {
            object.is_some_and(|now| {
                now["status"]["phase"] == "Complete" && now["status"]["commitTs"] != copy["status"]["commitTs"]
            })
        };
        let waited = tokio::time::timeout(LIMIT, stage.control.wait("br-admin/again", anew)).await;
        assert!(waited.is_ok(), "{:?}", stage.control.get("br-admin/again"));
        assert!(is_there(&stage, &made));
    });
}

#[test]
fn the_policy_that_keeps_more_wins_at_the_end() {
    story(world(307), async |stage: Rc<Stage>| {
        let made = complete(&stage, "Delete").await;
        stage.control.apply(&stage.manifest_of("backup", "p", "Retain", "")).unwrap();
        assert!(stage.delete(LIMIT).await);
        assert!(is_there(&stage, &made), "it was edited to Retain, then deleted");
    });
    story(world(308), async |stage: Rc<Stage>| {
        let made = complete(&stage, "Retain").await;
        stage.control.apply(&stage.manifest_of("backup", "elsewhere", "Delete", "")).unwrap();
        soon("told that it changes nothing", || {
            stage.control.events().iter().any(|told| told.reason == "SpecFixed" && !told.normal)
        })
        .await;
        assert!(stage.delete(LIMIT).await);
        assert!(is_there(&stage, &made), "it was made with Retain");
    });
}

#[test]
fn a_deletion_without_a_record_leaves_nothing() {
    story(world(309), async |stage: Rc<Stage>| {
        complete(&stage, "Delete").await;
        stage.kill_coordinator();
        let ledger = stage.control.ports().ledger;
        for noted in ledger.records().await.unwrap() {
            ledger.delete(&LedgerKey::Record(noted.backup), &noted.version).await.unwrap();
        }
        stage.start_coordinator();
        tokio::time::sleep(WHILE).await;
        assert_eq!(stage.control.phase(KEY), "Complete");
        nothing_left(&stage).await;
    });
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_object() {
    story(world(310), async |stage: Rc<Stage>| {
        let made = complete(&stage, "Delete").await;
        stage.kill_coordinator();
        let ledger = stage.control.ports().ledger;
        for noted in ledger.records().await.unwrap() {
            let newer = Text { body: r#"{"format":99,"newer":true}"#, note: "" };
            ledger.write(&LedgerKey::Record(noted.backup), &newer, Some(&noted.version)).await.unwrap();
        }
        stage.start_coordinator();
        assert!(!stage.delete(WHILE).await);
        assert_eq!(stage.control.phase(KEY), "CleanFailed");
        assert!(stage.control.events().iter().any(|told| told.reason == "RecordUnreadable" && !told.normal));
        assert!(is_there(&stage, &made));
    });
}

/// The object as the old manager would have left it in `phase`, its files and snapshots with it, and no word of ours.
async fn left_by_the_old_manager(stage: &Stage, phase: &str) -> (Vec<SnapshotId>, Ts) {
    let made = complete(stage, "Delete").await;
    let mut object = stage.control.get(KEY).unwrap();
    object["status"].as_object_mut().unwrap().retain(|field, _| ["backups", "timeStarted"].contains(&field.as_str()));
    for row in object["status"]["backups"].as_array_mut().unwrap() {
        row["commitTs"] = json!(made.1.to_string());
    }
    moved(stage, BTreeMap::new()).await;
    let now = shared::calendar::rfc3339(stage.world.wall_of(""));
    object["status"]["timeStarted"] = json!(now);
    object["status"]["phase"] = json!(phase);
    object["metadata"] = json!({"name": "backup", "namespace": "br-admin",
                                "finalizers": ["tidb.pingcap.com/backup-protection"]});
    for plane in stage.world.config().planes.iter().map(|plane| plane.name.as_str()) {
        stage.world.put_object(&format!("p-{plane}/backup.lock"), b"DO NOT DELETE\nThis file exists to remind");
        stage.world.drop_object(&format!("p-{plane}/isochron-certificate.json"));
    }
    stage.control.apply(&object.to_string()).unwrap();
    stage.start_coordinator();
    tokio::time::sleep(WHILE).await;
    made
}

#[test]
fn a_backup_of_the_old_manager_is_cleaned_when_it_is_deleted() {
    story(world(311), async |stage: Rc<Stage>| {
        let made = left_by_the_old_manager(&stage, "Complete").await;
        assert_eq!(stage.control.phase(KEY), "Complete");
        assert!(stage.record().is_none() && is_there(&stage, &made));
        nothing_left(&stage).await;
    });
}

#[test]
fn an_unfinished_backup_of_the_old_manager_is_not_begun_anew() {
    story(world(312), async |stage: Rc<Stage>| {
        let made = left_by_the_old_manager(&stage, "SnapshotsCreated").await;
        let object = stage.control.get(KEY).unwrap();
        assert_eq!(object["status"]["phase"], "Failed");
        assert_eq!(object["status"]["conditions"][0]["reason"], "LeftByOldManager", "{object}");
        assert_eq!(object["status"]["backups"][0]["backupPath"], "s3://backups/p-az1", "its rows are kept");
        assert!(is_there(&stage, &made));
        nothing_left(&stage).await;
    });
}

#[test]
fn a_finalizer_that_somebody_took_off_is_put_back() {
    story(world(313), async |stage: Rc<Stage>| {
        complete(&stage, "Delete").await;
        stage.control.ports().objects.remove_finalizer(&reference(&stage)).await.unwrap();
        let is_back = || stage.control.get(KEY).unwrap()["metadata"]["finalizers"][0].is_string();
        assert!(!is_back());
        soon("the finalizer is back", is_back).await;
        nothing_left(&stage).await;
    });
}
