//! What happens around a backup: objects that vanish, come back under new uids, are copied, edited or left behind by the
//! old manager. Only a deletion of the object itself deletes anything.

use crate::{LIMIT, at, completes, nothing_left, slow, soon, story, world};
use coordinator::{
    actors::{Stored, Writer},
    ports::{LedgerKey, ObjectRef, Status, Text},
};
use serde_json::{Value, json};
use shared::{
    barrier::{Milestone, Record},
    ids::{BackupUid, SnapshotId},
    reason::{Reason, Refusal},
    request::CleanPolicy,
    ts::Ts,
};
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::rig::{KEY, Rig};

pub(crate) const WHILE: Duration = Duration::from_secs(120);

fn reference(rig: &Rig) -> ObjectRef {
    let object = rig.control.get(KEY).unwrap();
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    ObjectRef { uid: text("uid").as_str().into(), namespace: text("namespace"), name: text("name") }
}

/// The object goes, and nobody deleted it: its finalizer was taken off first.
pub(crate) async fn vanish(rig: &Rig) {
    rig.control.ports().objects.remove_finalizer(&reference(rig)).await.unwrap();
    rig.control.delete(KEY);
    assert!(rig.control.get(KEY).is_none());
}

/// The whole control plane is lost, and what is given of its ledger comes back.
async fn moved(rig: &Rig, ledger: BTreeMap<LedgerKey, String>) {
    rig.kill_coordinator();
    rig.control.lose_everything();
    for (key, body) in ledger {
        rig.control.ports().ledger.write(&key, &Text { body: &body, note: "" }, None).await.unwrap();
    }
}

pub(crate) async fn complete(rig: &Rig, policy: &str) -> (Vec<SnapshotId>, Ts) {
    rig.control.apply(&rig.manifest_of("backup", "p", policy, "")).unwrap();
    assert!(completes(rig, KEY, LIMIT).await, "{:?}", rig.failure());
    // The last word is written, and its actor gone.
    tokio::time::sleep(Duration::from_secs(20)).await;
    (rig.certified(), rig.record().unwrap().certificate.unwrap().commit_ts)
}

pub(crate) fn is_there(rig: &Rig, (snapshots, commit_ts): &(Vec<SnapshotId>, Ts)) -> bool {
    !snapshots.is_empty() && rig.world.cut(snapshots, *commit_ts).is_ok()
}

#[test]
fn a_restored_control_plane_keeps_every_backup_and_takes_it_over() {
    story(world(301), async |rig: Rc<Rig>| {
        let made = complete(&rig, "Delete").await;
        let before = (rig.control.get(KEY).unwrap(), rig.record().unwrap());
        moved(&rig, rig.control.ledger()).await;
        rig.start_coordinator();
        tokio::time::sleep(WHILE).await;
        assert!(is_there(&rig, &made), "a record without an object is no deletion");

        rig.control.apply(&rig.manifest("")).unwrap();
        assert!(completes(&rig, KEY, WHILE).await, "{:?}", rig.control.get(KEY));
        let after = rig.control.get(KEY).unwrap();
        assert_ne!(after["metadata"]["uid"], before.0["metadata"]["uid"]);
        for field in ["certificate", "timeStarted", "timeCompleted", "commitTs"] {
            assert_eq!(after["status"][field], before.0["status"][field], "{field}");
        }
        let record = rig.record().unwrap();
        assert_eq!((&record.certificate, &record.request.backup), (&before.1.certificate, &before.1.request.backup));
        assert_eq!(rig.control.ledger().keys().filter(|key| matches!(key, LedgerKey::Record(_))).count(), 1);
        assert_eq!(rig.lies(), Vec::<String>::new());
        // And it can be told of its deletion, also after one more restart.
        rig.kill_coordinator();
        rig.start_coordinator();
        nothing_left(&rig).await;
    });
}

#[test]
fn an_adoption_that_was_broken_off_is_finished() {
    story(world(302), async |rig: Rc<Rig>| {
        complete(&rig, "Delete").await;
        let old = rig.control.ledger();
        moved(&rig, old.clone()).await;
        rig.control.apply(&rig.manifest("")).unwrap();
        rig.start_coordinator();
        assert!(completes(&rig, KEY, WHILE).await);
        // As if the process had died between its two writes.
        rig.kill_coordinator();
        for (key, body) in old.into_iter().filter(|(key, _)| matches!(key, LedgerKey::Record(_))) {
            rig.control.ports().ledger.write(&key, &Text { body: &body, note: "" }, None).await.unwrap();
        }
        rig.start_coordinator();
        let records = || rig.control.ledger().keys().filter(|key| matches!(key, LedgerKey::Record(_))).count();
        soon("the old name goes", || records() == 1).await;
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
}

/// A coordinator that was deposed adopts in the same moment; whether it comes to drop the old name or not.
#[test]
fn what_a_deposed_coordinator_adopted_is_no_orphan_of_its_successor() {
    for drops_the_old_name in [false, true] {
        story(world(330), async |rig: Rc<Rig>| {
            complete(&rig, "Delete").await;
            moved(&rig, rig.control.ledger()).await;
            rig.start_coordinator();
            tokio::time::sleep(WHILE).await;
            assert_eq!(rig.orphans_told().await, (Some(1), Some(1)));
            rig.control.apply(&rig.manifest("")).unwrap();
            let uid = BackupUid::new(rig.control.get(KEY).unwrap()["metadata"]["uid"].as_str().unwrap());
            let ledger = rig.control.ports().ledger;
            let mut ledger_then = rig.control.ledger().into_iter();
            let (old, body) = ledger_then.find(|(key, _)| matches!(key, LedgerKey::Record(_))).unwrap();
            let mut stored = Stored::<Record>::parse(&body).unwrap();
            stored.body = stored.body.adopted_by(uid.clone(), CleanPolicy::Delete);
            stored.writer = Writer("deposed".to_owned());
            let text = stored.text().unwrap();
            ledger.write(&LedgerKey::Record(uid), &Text { body: &text, note: "" }, None).await.unwrap();
            if drops_the_old_name {
                let version = ledger.read(&old).await.unwrap().unwrap().version;
                ledger.delete(&old, &version).await.unwrap();
            }
            assert!(completes(&rig, KEY, 3 * WHILE).await, "{:?}", rig.control.get(KEY));
            assert_eq!(rig.orphans_told().await, (Some(0), Some(0)));
            assert_eq!(rig.lies(), Vec::<String>::new());
            nothing_left(&rig).await;
        });
    }
}

#[test]
fn an_object_that_vanishes_unseen_takes_nothing_with_it() {
    story(world(303), async |rig: Rc<Rig>| {
        let made = complete(&rig, "Delete").await;
        vanish(&rig).await;
        tokio::time::sleep(WHILE).await;
        assert!(is_there(&rig, &made));
        assert!(rig.control.events().iter().any(|told| told.reason == "Orphaned" && !told.normal));
    });
}

#[test]
fn an_object_that_vanishes_in_the_middle_ends_what_keeps_nothing_yet() {
    story(slow(world(304)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        vanish(&rig).await;
        at(&rig, Milestone::Failed).await;
        assert_eq!(rig.failure().0, "ObjectLost");
    });
    story(slow(world(305)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        vanish(&rig).await;
        at(&rig, Milestone::Complete).await;
        tokio::time::sleep(WHILE).await;
        assert_eq!(rig.lies(), Vec::<String>::new());
    });
}

#[test]
fn a_copy_with_its_status_is_a_new_backup() {
    story(world(306), async |rig: Rc<Rig>| {
        let made = complete(&rig, "Delete").await;
        let mut copy = rig.control.get(KEY).unwrap();
        copy["metadata"] = json!({"name": "again", "namespace": "br-admin"});
        copy["spec"]["template"]["s3"]["prefix"] = json!("again");
        rig.control.apply(&copy.to_string()).unwrap();
        let anew = |object: Option<&Value>| {
            object.is_some_and(|now| {
                now["status"]["phase"] == "Complete" && now["status"]["commitTs"] != copy["status"]["commitTs"]
            })
        };
        let waited = tokio::time::timeout(LIMIT, rig.control.wait("br-admin/again", anew)).await;
        assert!(waited.is_ok(), "{:?}", rig.control.get("br-admin/again"));
        assert!(is_there(&rig, &made));
    });
}

#[test]
fn the_policy_that_keeps_more_wins_at_the_end() {
    story(world(307), async |rig: Rc<Rig>| {
        let made = complete(&rig, "Delete").await;
        rig.control.apply(&rig.manifest_of("backup", "p", "Retain", "")).unwrap();
        assert!(rig.delete(LIMIT).await);
        assert!(is_there(&rig, &made), "it was edited to Retain, then deleted");
    });
    story(world(308), async |rig: Rc<Rig>| {
        let made = complete(&rig, "Retain").await;
        rig.control.apply(&rig.manifest_of("backup", "elsewhere", "Delete", "")).unwrap();
        soon("told that it changes nothing", || {
            rig.control.events().iter().any(|told| told.reason == "SpecFixed" && !told.normal)
        })
        .await;
        assert!(rig.delete(LIMIT).await);
        assert!(is_there(&rig, &made), "it was made with Retain");
    });
}

#[test]
fn a_deletion_without_a_record_leaves_nothing() {
    story(world(309), async |rig: Rc<Rig>| {
        complete(&rig, "Delete").await;
        rig.kill_coordinator();
        let ledger = rig.control.ports().ledger;
        for noted in ledger.records().await.unwrap() {
            ledger.delete(&LedgerKey::Record(noted.backup), &noted.version).await.unwrap();
        }
        rig.start_coordinator();
        tokio::time::sleep(WHILE).await;
        assert_eq!(rig.control.phase(KEY), "Complete");
        nothing_left(&rig).await;
    });
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_object() {
    story(world(310), async |rig: Rc<Rig>| {
        let made = complete(&rig, "Delete").await;
        rig.kill_coordinator();
        let ledger = rig.control.ports().ledger;
        for noted in ledger.records().await.unwrap() {
            let newer = Text { body: r#"{"format":99,"newer":true}"#, note: "" };
            ledger.write(&LedgerKey::Record(noted.backup), &newer, Some(&noted.version)).await.unwrap();
        }
        rig.start_coordinator();
        assert!(!rig.delete(WHILE).await);
        assert_eq!(rig.control.phase(KEY), "CleanFailed");
        assert!(rig.control.events().iter().any(|told| told.reason == "RecordUnreadable" && !told.normal));
        assert!(is_there(&rig, &made));
    });
}

/// The object as the old manager would have left it in `phase`, its files and snapshots with it, and no word of ours.
async fn left_by_the_old_manager(rig: &Rig, phase: &str) -> (Vec<SnapshotId>, Ts) {
    let made = complete(rig, "Delete").await;
    let mut object = rig.control.get(KEY).unwrap();
    object["status"].as_object_mut().unwrap().retain(|field, _| ["backups", "timeStarted"].contains(&field.as_str()));
    for row in object["status"]["backups"].as_array_mut().unwrap() {
        row["commitTs"] = json!(made.1.to_string());
    }
    moved(rig, BTreeMap::new()).await;
    let now = shared::calendar::rfc3339(rig.world.wall_of(""));
    object["status"]["timeStarted"] = json!(now);
    object["status"]["phase"] = json!(phase);
    object["metadata"] = json!({"name": "backup", "namespace": "br-admin",
                                "finalizers": ["tidb.pingcap.com/backup-protection"]});
    for plane in rig.world.config().planes.iter().map(|plane| plane.name.as_str()) {
        rig.world.put_object(&format!("p-{plane}/backup.lock"), b"DO NOT DELETE\nThis file exists to remind");
        rig.world.drop_object(&format!("p-{plane}/isochron-certificate.json"));
    }
    rig.control.apply(&object.to_string()).unwrap();
    rig.start_coordinator();
    tokio::time::sleep(WHILE).await;
    made
}

#[test]
fn a_backup_of_the_old_manager_is_cleaned_when_it_is_deleted() {
    story(world(311), async |rig: Rc<Rig>| {
        let made = left_by_the_old_manager(&rig, "Complete").await;
        assert_eq!(rig.control.phase(KEY), "Complete");
        assert!(rig.record().is_none() && is_there(&rig, &made));
        nothing_left(&rig).await;
    });
}

#[test]
fn an_unfinished_backup_of_the_old_manager_is_not_begun_anew() {
    story(world(312), async |rig: Rc<Rig>| {
        let made = left_by_the_old_manager(&rig, "SnapshotsCreated").await;
        let object = rig.control.get(KEY).unwrap();
        assert_eq!(object["status"]["phase"], "Failed");
        assert_eq!(object["status"]["conditions"][0]["reason"], "LeftByOldManager", "{object}");
        assert_eq!(object["status"]["backups"][0]["backupPath"], "s3://backups/p-az1", "its rows are kept");
        assert!(is_there(&rig, &made));
        // A coordinator that was deposed had its last word later.
        let late = Status::Without("SnapshotsCreated", Refusal::new(Reason::LeftByOldManager, "late"));
        rig.control.ports().objects.publish(&reference(&rig), &late).await.unwrap();
        soon("its end is told again", || rig.control.phase(KEY) == "Failed").await;
        let told = rig.control.events().iter().filter(|told| told.reason == "LeftByOldManager").count();
        assert_eq!(told, 1, "an event is for what is new");
        nothing_left(&rig).await;
    });
}

#[test]
fn a_finalizer_that_somebody_took_off_is_put_back() {
    story(world(313), async |rig: Rc<Rig>| {
        complete(&rig, "Delete").await;
        rig.control.ports().objects.remove_finalizer(&reference(&rig)).await.unwrap();
        let is_back = || rig.control.get(KEY).unwrap()["metadata"]["finalizers"][0].is_string();
        assert!(!is_back());
        soon("the finalizer is back", is_back).await;
        nothing_left(&rig).await;
    });
}

#[test]
fn an_orphan_whose_record_another_process_deleted_is_told_no_more() {
    story(world(314), async |rig: Rc<Rig>| {
        complete(&rig, "Retain").await;
        vanish(&rig).await;
        tokio::time::sleep(WHILE).await;
        assert_eq!(rig.orphans_told().await, (Some(1), Some(1)));
        let ledger = rig.control.ports().ledger;
        for noted in ledger.records().await.unwrap() {
            ledger.delete(&LedgerKey::Record(noted.backup), &noted.version).await.unwrap();
        }
        tokio::time::sleep(WHILE).await;
        assert_eq!(rig.orphans_told().await, (Some(0), Some(0)));
    });
}
