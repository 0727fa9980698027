//! Restores by the product itself, whole system: a backup made here is brought back into a fresh cluster, and the bank of that
//! cluster adds up.

use crate::{LIMIT, soon, story, world};
use serde_json::{Value, json};
use shared::{
    restoring::{Record, Stage},
    ts::Ts,
};
use shell::link::Role;
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{NAMESPACE, Rig},
    world::TargetCluster,
};

pub(crate) const TARGET: &str = "back";

fn key(name: &str) -> String {
    format!("{NAMESPACE}/{name}")
}

/// A Complete backup, and a fresh cluster beside it.
async fn backed_up(rig: &Rig, target: TargetCluster) {
    assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
    tokio::time::sleep(Duration::from_secs(20)).await;
    rig.world.set_target(target);
}

pub(crate) fn fresh() -> TargetCluster {
    TargetCluster { version: "v8.5.3".to_owned(), ..TargetCluster::fresh("tidb", TARGET) }
}

/// Applies a restore and waits until it has ended.
pub(crate) async fn restored(rig: &Rig, name: &str, more: &str) -> Value {
    rig.control.apply(&rig.restore_of(name, "p", TARGET, more)).unwrap();
    ended(rig, name).await
}

async fn ended(rig: &Rig, name: &str) -> Value {
    let over = |object: Option<&Value>| {
        let status = object.map(|object| &object["status"]);
        status.is_none_or(|status| {
            let is = |key: &str, words: &[&str]| words.iter().any(|word| status[key] == *word);
            is("stage", &["Complete", "Failed"]) || is("phase", &["Invalid"])
        })
    };
    let key_of = key(name);
    let waiting = rig.control.wait_restore(&key_of, over);
    let limit = Duration::from_secs(4 * 3600);
    if tokio::time::timeout(limit, waiting).await.is_err() {
        panic!("not ended: {:#}", rig.control.get_restore(&key(name)).unwrap()["status"]);
    }
    rig.control.get_restore(&key(name)).unwrap_or_default()["status"].clone()
}

fn record(rig: &Rig) -> Record {
    rig.control.restore_records().pop().expect("a record of the restore")
}

/// The bank of the restored cluster is that of the backup's moment, and nothing happened that must not.
fn sound(rig: &Rig, status: &Value) {
    let commit_ts: Ts = status["commitTs"].as_str().unwrap_or_else(|| panic!("{status:#}")).parse().unwrap();
    let bank = rig.world.audit("tidb", TARGET, commit_ts).expect("a target");
    assert!(bank.sound(), "{bank:#?}");
    assert_eq!(rig.world.deaths("tidb", TARGET).len(), 0);
}

fn no_volume_is_left(rig: &Rig) {
    let left = rig.world.left_over();
    assert!(left.names.iter().all(|name| !name.starts_with("vol-")), "{:?}", left.names);
}

#[test]
fn a_backup_is_brought_back_and_proved() {
    for (seed, target) in [
        (1500, fresh()),
        (
            1501,
            TargetCluster {
                version: fresh().version,
                ..TargetCluster::with_static_class("tidb", TARGET, "isochron-restore")
            },
        ),
    ] {
        story(world(seed), async |rig: Rc<Rig>| {
            backed_up(&rig, target.clone()).await;
            let status = restored(&rig, "back", "").await;
            assert_eq!(status["phase"], "Complete", "{status:#}");
            assert_eq!(status["certificate"]["verdict"], "Restored", "{status:#}");
            sound(&rig, &status);
            let steps: Vec<_> =
                status["steps"].as_array().unwrap().iter().map(|step| step["stepName"].clone()).collect();
            assert_eq!(steps, ["RestoreVolume", "StartTiKV", "RestoreData", "RestartTiKV"]);
            let record = record(&rig);
            assert_eq!(Some(record.admitted.unwrap().commit_ts), rig.record().unwrap().commit_ts);
            // What is restored is a cluster of its own: the object may go, the cluster stays.
            rig.control.delete_restore(&key("back"));
            soon("the object is gone", || rig.control.get_restore(&key("back")).is_none()).await;
            sound(&rig, &status);
            assert!(rig.control.restore_records().is_empty());
            assert!(rig.claims().iter().all(|claim| claim.live.is_none()), "{:?}", rig.claims());
        });
    }
}

#[test]
fn a_drill_makes_volumes_of_every_snapshot_and_leaves_none() {
    story(world(1502), async |rig: Rc<Rig>| {
        backed_up(&rig, fresh()).await;
        let status = restored(&rig, "look", "  drill:\n    level: 1\n").await;
        assert_eq!((status["stage"].as_str(), &status["volumes"]), (Some("Complete"), &Value::Null), "{status:#}");
        let made = rig.world.mutations().ec2_volumes;
        assert_eq!(made, 0);
        let status = restored(&rig, "drill", "  drill:\n    level: 2\n").await;
        assert_eq!(status["stage"], "Complete", "{status:#}");
        let snapshots = rig.certified().len();
        assert_eq!(
            (status["volumes"].as_u64(), status["volumesDeleted"].as_u64()),
            (Some(snapshots as u64), Some(snapshots as u64))
        );
        no_volume_is_left(&rig);
    });
}

/// It is killed when the restore is at this stage, is away for two seconds, and the restore comes to its end.
fn goes_on_after(deaths: &[(&str, Stage)], first_seed: u64) {
    for (seed, (who, stage)) in (first_seed..).zip(deaths) {
        story(world(seed), async |rig: Rc<Rig>| {
            backed_up(&rig, fresh()).await;
            rig.control.apply(&rig.restore_of("back", "p", TARGET, "")).unwrap();
            let at = || rig.control.restore_records().first().is_some_and(|record| record.stage >= *stage);
            soon(stage.as_str(), at).await;
            let away = tokio::time::sleep(Duration::from_secs(2));
            if *who == "coordinator" {
                rig.kill_coordinator();
                away.await;
                rig.start_coordinator();
            } else {
                rig.kill_plane(who);
                away.await;
                rig.start_plane(who);
            }
            let status = ended(&rig, "back").await;
            assert_eq!(status["phase"], "Complete", "{who} at {stage:?}: {status:#}");
            sound(&rig, &status);
        });
    }
}

#[test]
fn a_restore_goes_on_after_the_death_of_the_coordinator() {
    let stages = [Stage::Confirming, Stage::Placing, Stage::RollingBack, Stage::Unmarking];
    goes_on_after(&stages.map(|stage| ("coordinator", stage)), 1510);
}

#[test]
fn a_restore_goes_on_after_the_death_of_a_plane() {
    let deaths =
        [("az1", Stage::Marking), ("az2", Stage::Building), ("az1", Stage::Leading), ("az1", Stage::RollingBack)];
    goes_on_after(&deaths, 1520);
}

#[test]
fn a_cancelled_restore_leaves_nothing_and_the_cluster_can_be_restored_into_after_it() {
    for (seed, stage) in [(1530, Stage::Building), (1531, Stage::Placing)] {
        story(world(seed), async |rig: Rc<Rig>| {
            backed_up(&rig, fresh()).await;
            rig.control.apply(&rig.restore_of("first", "p", TARGET, "")).unwrap();
            soon(stage.as_str(), || rig.control.restore_records().first().is_some_and(|record| record.stage >= stage))
                .await;
            rig.control.annotate_restore(&key("first"), "isochron.pingcap.com/cancel", "true");
            let status = ended(&rig, "first").await;
            assert_eq!(
                (status["stage"].as_str(), status["phase"].as_str()),
                (Some("Failed"), Some("Failed")),
                "{status:#}"
            );
            no_volume_is_left(&rig);
            let status = restored(&rig, "second", "").await;
            assert_eq!(status["phase"], "Complete", "{status:#}");
            sound(&rig, &status);
        });
    }
}

#[test]
fn what_does_not_allow_a_restore_is_refused_before_anything_is_touched() {
    let refused = |target: TargetCluster, bend: fn(String) -> String, reason: &str, word: &str| {
        story(world(1540), async |rig: Rc<Rig>| {
            backed_up(&rig, target.clone()).await;
            let before = rig.world.mutations().total();
            rig.control.apply(&bend(rig.restore_of("back", "p", TARGET, ""))).unwrap();
            let status = ended(&rig, "back").await;
            let conditions = status["conditions"].as_array().unwrap();
            let last = conditions.last().unwrap();
            assert_eq!(last["reason"], reason, "{status:#}");
            assert!(last["message"].as_str().unwrap().contains(word), "{status:#}");
            assert_eq!(rig.world.mutations().total(), before, "{reason} touches nothing");
        });
    };
    let same = |text: String| text;
    refused(fresh(), |text| text.replace("prefix: p-az2", "prefix: p-az1"), "BackupMismatch", "az2");
    refused(fresh(), |text| text.replace("prefix: p-az2", "prefix: q-az2"), "NotRestorable", "no backupmeta");
    refused(fresh(), |text| text.replace("k8sClusterName: az3", "k8sClusterName: az9"), "PlaneUnknown", "az9");
    refused(TargetCluster { stores: 2, ..fresh() }, same, "NotRestorable", "stores already");
    refused(TargetCluster { marked: true, ..fresh() }, same, "NotRestorable", "marked");
}

/// Two restores into one cluster: the second waits, and then finds that it is fresh no more.
#[test]
fn two_restores_into_one_cluster_exclude_each_other() {
    story(world(1541), async |rig: Rc<Rig>| {
        backed_up(&rig, fresh()).await;
        rig.control.apply(&rig.restore_of("first", "p", TARGET, "")).unwrap();
        rig.control.apply(&rig.restore_of("second", "p", TARGET, "")).unwrap();
        let (first, second) = (ended(&rig, "first").await, ended(&rig, "second").await);
        let mut phases = [first["phase"].as_str().unwrap(), second["phase"].as_str().unwrap()];
        phases.sort_unstable();
        assert_eq!(phases, ["Complete", "Failed"], "{first:#} {second:#}");
        sound(&rig, if first["phase"] == "Complete" { &first } else { &second });
    });
}

#[test]
fn the_console_shows_restores_as_they_stand() {
    story(world(1542), async |rig: Rc<Rig>| {
        backed_up(&rig, fresh()).await;
        restored(&rig, "back", "").await;
        let list = rig.ask(&json!({"ask": "restores", "name": null})).await.unwrap();
        assert_eq!(
            (&list["ok"][0]["stage"], &list["ok"][0]["verdict"]),
            (&json!("Complete"), &json!("Restored")),
            "{list:#}"
        );
        let one = rig.ask(&json!({"ask": "restores", "name": "back"})).await.unwrap();
        assert_eq!(one["ok"]["certificate"]["verdict"], "Restored", "{one:#}");
        let uid = list["ok"][0]["uid"].as_str().unwrap();
        let refused = rig.scan(Role::Admin, Some(uid)).await.unwrap();
        assert!(
            refused["error"].as_str().is_some_and(|text| text.contains(uid)),
            "its volumes are no leftovers: {refused}"
        );
        let none = rig.ask(&json!({"ask": "restores", "name": "nobody"})).await.unwrap();
        assert!(none["error"].as_str().unwrap().contains("nobody"), "{none}");
    });
}
