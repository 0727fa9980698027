//! Schedules on the whole system in virtual time: runs come when they are due and only then, retention takes the right
//! ones, and a coordinator that dies in between makes nothing twice.

use crate::{LIMIT, nothing_left, story};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{rig::Rig, world::WorldConfig};
use tokio::time::{Instant, sleep, timeout};

/// A quiet cluster: minutes of virtual time pass here.
fn world(seed: u64) -> WorldConfig {
    WorldConfig { stores_per_plane: 1, regions: 4, accounts: 10, transfers_per_second: 1, ..WorldConfig::seeded(seed) }
}

const SCHEDULE: &str = "br-admin/nightly";

/// The user page's schedule for this world: its template is the ad-hoc manifest's spec.
pub(crate) fn manifest(rig: &Rig, name: &str, fields: &Value) -> String {
    let backup: Value = serde_saphyr::from_str(&rig.manifest("")).unwrap();
    let mut spec = json!({"schedule": "@every 60s", "backupTemplate": backup["spec"]});
    for (field, value) in fields.as_object().unwrap() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackupSchedule",
        "metadata": {"name": name, "namespace": "br-admin", "labels": {"team": "shop"}},
        "spec": spec,
    })
    .to_string()
}

fn phase(rig: &Rig, backup: &str) -> String {
    rig.control.phase(&format!("br-admin/{backup}"))
}

/// Waits until the schedule's status fits.
async fn until(rig: &Rig, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let waited = timeout(LIMIT, rig.control.wait_schedule(SCHEDULE, fits)).await;
    let status = rig.control.get_schedule(SCHEDULE).unwrap()["status"].clone();
    assert!(waited.is_ok(), "{what}: {status:#}; {:#?}", rig.control.events().last());
    status
}

/// Waits until the schedule has made this many backups since the beginning.
async fn made(rig: &Rig, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    let begun = Instant::now();
    while all.len() < count {
        for name in rig.control.backups_of("nightly") {
            if !all.contains(&name) {
                all.push(name);
            }
        }
        assert!(begun.elapsed() < LIMIT, "{all:?}");
        sleep(Duration::from_millis(100)).await;
    }
    all
}

/// Each of two coordinators knows of other backups' ends than the other one, and writes its own status again when it sees
/// the other's.
#[test]
fn two_coordinators_do_not_flood_a_schedule_with_statuses() {
    story(world(331), async |rig| {
        rig.control.apply(&manifest(&rig, "nightly", &json!({"maxBackups": 2}))).unwrap();
        until(&rig, "a first good backup", |status| status["lastSuccess"].is_string()).await;
        made(&rig, 2).await;
        rig.depose_coordinator();
        let (before, length) = (rig.control.schedule_statuses(), Duration::from_secs(120));
        sleep(length).await;
        let written = rig.control.schedule_statuses() - before;
        rig.kill_deposed();
        // Two of each coordinator in a second, at most.
        assert!(written <= 4 * length.as_secs(), "{written} in {length:?}");
        assert!(written > 2, "they contradict each other: {written}");
    });
}

async fn gone(rig: &Rig, backup: &str) {
    let key = format!("br-admin/{backup}");
    timeout(LIMIT, rig.control.wait(&key, |object| object.is_none())).await.expect(backup);
}

#[test]
fn runs_come_when_due_and_retention_keeps_two() {
    story(world(301), async |rig| {
        rig.control.apply(&manifest(&rig, "nightly", &json!({"maxBackups": 2}))).unwrap();
        let names = made(&rig, 3).await;
        for name in &names {
            let ended = |object: Option<&Value>| object.is_none_or(|object| object["status"]["phase"] == "Complete");
            timeout(LIMIT, rig.control.wait(&format!("br-admin/{name}"), ended)).await.expect(name);
        }
        let newest = rig.control.get(&format!("br-admin/{}", names[2])).unwrap();
        let labels = &newest["metadata"]["labels"];
        assert_eq!((&labels["team"], &labels["app.kubernetes.io/instance"]), (&json!("shop"), &json!("nightly")));
        assert!(newest["metadata"]["ownerReferences"].is_null());
        let stamp = names[2].strip_prefix("nightly-").unwrap();
        let path = format!("s3://backups/p/-{stamp}-az1");
        assert_eq!(newest["status"]["backups"][0]["backupPath"], path.as_str());
        assert!(rig.world.objects().contains_key(&format!("p/-{stamp}-az1/backupmeta")));

        // The third good one lets the first go, whose finalizer cleans by cleanPolicy.
        gone(&rig, &names[0]).await;
        assert!(!rig.world.objects().keys().any(|key| key.contains(names[0].strip_prefix("nightly-").unwrap())));
        assert_eq!((phase(&rig, &names[1]).as_str(), phase(&rig, &names[2]).as_str()), ("Complete", "Complete"));
        let status = until(&rig, "third", |status| status["lastSuccess"] == names[2].as_str()).await;
        assert_eq!((&status["phase"], &status["lastBackup"]), (&json!("Active"), &json!(names[2])));
        assert_eq!(status["conditions"][0]["type"], "Ready");
        let (last, next) = (status["lastBackupTime"].as_str().unwrap(), status["nextRun"].as_str().unwrap());
        let apart = next.parse::<jiff::Timestamp>().unwrap() - last.parse::<jiff::Timestamp>().unwrap();
        assert_eq!(apart.get_seconds(), 60);
        let events = rig.control.events();
        let told = events.iter().find(|event| event.reason == "SuccessfulDelete").expect("an event");
        assert!(told.object == SCHEDULE && told.message.contains("maxBackups 2"), "{told:?}");
        let why = events.iter().find(|event| event.reason == "Expired").expect("an event says why");
        assert_eq!(why.object, format!("br-admin/{}", names[0]));
        assert!(why.message.contains("nightly: maxBackups 2"), "{why:?}");

        // The schedule goes; its backups stay until a person deletes them.
        rig.control.delete_schedule(SCHEDULE);
        sleep(Duration::from_secs(180)).await;
        assert_eq!(rig.control.backups_of("nightly"), names[1..]);
    });
}

#[test]
fn a_coordinator_killed_between_the_backup_and_the_status_makes_no_second_one() {
    for step in 0..6 {
        story(world(310 + step), async |rig| {
            rig.control.apply(&manifest(&rig, "nightly", &json!({"schedule": "@every 2m"}))).unwrap();
            until(&rig, "first look", |status| status["nextRun"].is_string()).await;
            rig.control.mute_schedule_status(true);
            if step % 2 == 1 {
                rig.control.lose_create_answers(2);
            }
            let names = made(&rig, 1).await;
            sleep(Duration::from_millis(700 * step)).await;
            rig.kill_coordinator();
            assert!(rig.control.get_schedule(SCHEDULE).unwrap()["status"]["lastBackup"].is_null());
            rig.control.mute_schedule_status(false);
            rig.start_coordinator();
            let status = until(&rig, "recovered", |status| status["lastBackup"] == names[0].as_str()).await;
            assert_eq!(status["phase"], "Active", "{status:#}");
            sleep(Duration::from_secs(60)).await;
            assert_eq!(rig.control.backups_of("nightly"), names, "step {step}");
        });
    }
}

#[test]
fn pause_stops_runs_and_ends_with_one() {
    story(world(320), async |rig| {
        rig.control.apply(&manifest(&rig, "nightly", &json!({"pause": true}))).unwrap();
        let status = until(&rig, "paused", |status| status["phase"] == "Paused").await;
        assert_eq!(status["conditions"][0]["status"], "False");
        assert!(status["nextRun"].is_null(), "{status:#}");
        sleep(Duration::from_secs(600)).await;
        assert!(rig.control.backups_of("nightly").is_empty());
        rig.control.apply(&manifest(&rig, "nightly", &json!({}))).unwrap();
        sleep(Duration::from_secs(10)).await;
        assert_eq!(rig.control.backups_of("nightly").len(), 1, "the newest missed run, at once");
    });
}

#[test]
fn one_at_a_time_in_a_group_and_beside_ad_hoc_backups() {
    story(world(330), async |rig| {
        for name in ["nightly", "other"] {
            let mut schedule: Value =
                serde_json::from_str(&manifest(&rig, name, &json!({"schedule": "* * * * *"}))).unwrap();
            schedule["metadata"]["labels"]["tidb.pingcap.com/backup-schedule-group"] = json!("shop");
            rig.control.apply(&schedule.to_string()).unwrap();
        }
        rig.control.apply(&rig.manifest("")).unwrap();
        let begun = Instant::now();
        let mut seen = 0;
        while begun.elapsed() < Duration::from_secs(360) {
            let running: Vec<String> = ["nightly", "other"]
                .iter()
                .flat_map(|name| rig.control.backups_of(name))
                .filter(|name| !matches!(phase(&rig, name).as_str(), "Complete" | "Failed"))
                .collect();
            assert!(running.len() <= 1, "{running:?}");
            seen = seen.max(running.len());
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(seen, 1);
        for name in ["nightly", "other"] {
            assert!(rig.control.backups_of(name).len() >= 2, "both have their turn");
        }
        assert_eq!(rig.control.phase(tests::rig::KEY), "Complete", "{:?}", rig.failure());
        rig.control.delete_schedule(SCHEDULE);
        rig.control.delete_schedule("br-admin/other");
        nothing_left_but(&rig).await;
    });
}

/// All backups are deleted, and nothing of them is left.
async fn nothing_left_but(rig: &Rig) {
    for name in ["nightly", "other"].iter().flat_map(|name| rig.control.backups_of(name)) {
        rig.control.delete(&format!("br-admin/{name}"));
        gone(rig, &name).await;
    }
    nothing_left(rig).await;
}

#[test]
fn an_invalid_schedule_says_why_and_deletes_nothing() {
    story(world(340), async |rig| {
        rig.control.apply(&manifest(&rig, "nightly", &json!({"maxBackups": 1}))).unwrap();
        let names = made(&rig, 1).await;
        let complete = |status: &Value| status["lastSuccess"].is_string();
        until(&rig, "first", complete).await;
        for (fields, words) in [
            (json!({"schedule": "61 * * * *"}), "minute"),
            (json!({"maxReservedTime": "1x"}), "maxReservedTime"),
            (
                json!({"backupTemplate": {"clusters": [{"k8sClusterName": "az9", "tcName": "t", "tcNamespace": "n"}],
                "template": {"br": {}, "s3": {"provider": "aws", "bucket": "b"}}}}),
                "az9",
            ),
            (json!({"backupTemplate": {"clusters": []}}), "spec.backupTemplate"),
        ] {
            rig.control.apply(&manifest(&rig, "nightly", &fields)).unwrap();
            let told = |status: &Value| {
                status["phase"] == "Invalid" && status["message"].as_str().is_some_and(|text| text.contains(words))
            };
            let status = until(&rig, words, told).await;
            assert_eq!(status["conditions"][0]["status"], "False", "{status:#}");
            assert!(status["conditions"][0]["reason"].as_str().is_some_and(|word| !word.contains(' ')), "{status:#}");
            sleep(Duration::from_secs(200)).await;
            assert_eq!(rig.control.backups_of("nightly"), names);
        }
    });
}

#[test]
fn what_a_person_holds_stays() {
    story(world(350), async |rig| {
        rig.control.apply(&manifest(&rig, "nightly", &json!({"maxBackups": 1}))).unwrap();
        let first = made(&rig, 1).await;
        rig.control.annotate(&format!("br-admin/{}", first[0]), "isochron.pingcap.com/on-hold", "true");
        let names = made(&rig, 4).await;
        gone(&rig, &names[1]).await;
        assert_eq!(phase(&rig, &names[0]), "Complete", "held");
    });
}
