use super::super::testing::{server, wall};
use super::*;
use api_server::{ApiServer, Fault};
use http::Method;
use serde_json::{Value, json};
use shared::{
    schedule::{Phase, ScheduleKey, backup_name, run_labels},
    time::Timestamp,
};
use std::collections::BTreeMap;

const SCHEDULE: &str = "/apis/federation.pingcap.com/v1alpha1/namespaces/admin/volumebackupschedules/nightly";
const BACKUPS: &str = "/apis/federation.pingcap.com/v1alpha1/namespaces/admin/volumebackups";
/// 2024-05-01T03:00:00Z.
const AT: Timestamp = Timestamp(1_714_532_400_000);

fn key() -> ScheduleKey {
    ScheduleKey { namespace: "admin".to_owned(), name: "nightly".to_owned() }
}

fn new(uid: &str) -> NewBackup {
    NewBackup {
        key: key(),
        schedule_uid: uid.to_owned(),
        name: backup_name("nightly", AT),
        fire: AT,
        labels: run_labels("nightly", &BTreeMap::new()),
        annotations: BTreeMap::new(),
    }
}

fn made() -> String {
    format!("{BACKUPS}/nightly-2024-05-01t03-00-00")
}

fn setup() -> (ApiServer, KubeSchedules) {
    let (api, client) = server();
    api.put(
        SCHEDULE,
        json!({
            "apiVersion": "federation.pingcap.com/v1alpha1", "kind": SCHEDULE_KIND,
            "metadata": {"name": "nightly", "namespace": "admin", "uid": "u1"},
            "spec": {
                "schedule": "0 3 * * *",
                "backupTemplate": {
                    "clusters": [{"k8sClusterName": "az1", "tcName": "shop", "tcNamespace": "tidb"}],
                    "template": {"br": {}, "s3": {"provider": "aws", "bucket": "b", "prefix": "vol"}},
                },
            },
        }),
    );
    (api, KubeSchedules::new(client, &Share::default(), Limits::default(), Zone::utc(), "pod", wall()))
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_made_once_from_the_template_as_it_is() {
    let (api, schedules) = setup();
    assert_eq!(schedules.create(&new("u1")).await, CreateResult::Created);
    let object = api.get(&made()).unwrap();
    assert_eq!(object["kind"], "VolumeBackup");
    assert_eq!(object["spec"]["template"]["s3"]["prefix"], "vol/-2024-05-01t03-00-00");
    assert_eq!(object["metadata"]["labels"]["tidb.pingcap.com/backup-schedule"], "nightly");
    let posts = |api: &ApiServer| api.calls().iter().filter(|call| call.starts_with("POST")).count();
    assert_eq!(posts(&api), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_ours_by_its_label_only() {
    let (api, schedules) = setup();
    for (labels, ours) in [(json!({"tidb.pingcap.com/backup-schedule": "nightly"}), true), (json!({}), false)] {
        api.put(
            &made(),
            json!({"kind": "VolumeBackup", "apiVersion": "federation.pingcap.com/v1alpha1",
            "metadata": {"name": "nightly-2024-05-01t03-00-00", "namespace": "admin", "uid": "u2", "labels": labels}}),
        );
        assert_eq!(schedules.create(&new("u1")).await, CreateResult::Exists { ours });
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_from_an_answer_that_never_came() {
    let (api, schedules) = setup();
    for code in [403, 400] {
        api.fail(Method::POST, Fault::Refuse(code));
        assert!(
            matches!(schedules.create(&new("u1")).await, CreateResult::Refused(why) if why.contains("nightly-2024"))
        );
    }
    api.fail(Method::POST, Fault::Refuse(500));
    assert!(matches!(schedules.create(&new("u1")).await, CreateResult::Unknown(_)));
    api.fail(Method::POST, Fault::Mute);
    assert!(matches!(schedules.create(&new("u1")).await, CreateResult::Unknown(_)));
    assert!(api.get(&made()).is_some(), "it was made all the same, and is found when asked again");
    // Another schedule has the name now: nothing is made of its template.
    assert!(matches!(schedules.create(&new("u0")).await, CreateResult::Refused(_)));
    let mut going = api.get(SCHEDULE).unwrap();
    going["metadata"]["deletionTimestamp"] = json!("2024-05-01T03:00:20Z");
    api.put(SCHEDULE, going);
    assert!(matches!(schedules.create(&new("u1")).await, CreateResult::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_names_the_uid() {
    let (api, schedules) = setup();
    let uid = BackupUid::from("u2");
    assert_eq!(schedules.delete("admin", "nope", &uid).await, DeleteResult::Gone);
    schedules.create(&new("u1")).await;
    api.calls();
    let name = "nightly-2024-05-01t03-00-00";
    api.fail(Method::DELETE, Fault::Refuse(403));
    assert!(matches!(schedules.delete("admin", name, &uid).await, DeleteResult::Failed(_)));
    assert_eq!(schedules.delete("admin", name, &uid).await, DeleteResult::Gone, "another object has the name");
    let uid = BackupUid::new(api.get(&made()).unwrap()["metadata"]["uid"].as_str().unwrap());
    assert_eq!(schedules.delete("admin", name, &uid).await, DeleteResult::Deleted);
    assert!(api.get(&made()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_status_is_merged_and_an_event_names_the_schedule() {
    let (api, schedules) = setup();
    let reference = ScheduleRef { key: key(), uid: "u1".to_owned() };
    let status = Status { phase: Phase::Active, ..Status::default() };
    schedules.publish(&reference, &status).await.unwrap();
    schedules.publish(&reference, &status).await.unwrap();
    assert_eq!(api.calls(), [format!("GET {SCHEDULE}"), format!("PUT {SCHEDULE}"), format!("GET {SCHEDULE}")]);
    let stored = api.get(SCHEDULE).unwrap();
    assert_eq!((&stored["status"]["phase"], &stored["spec"]["schedule"]), (&json!("Active"), &json!("0 3 * * *")));
    let other = ScheduleRef { key: key(), uid: "u0".to_owned() };
    assert!(matches!(schedules.publish(&other, &status).await, Err(PortError::NotFound(_))));
    schedules.event(&reference, EventKind::Normal, "SuccessfulCreate", "made").await.unwrap();
    let events: Vec<Value> = api.under("/apis/events.k8s.io/v1/namespaces/admin/events/");
    assert_eq!(
        (&events[0]["regarding"]["kind"], &events[0]["regarding"]["uid"]),
        (&json!(SCHEDULE_KIND), &json!("u1"))
    );
}

#[tokio::test(start_paused = true)]
async fn schedules_are_listed_whatever_shape_they_have() {
    let (api, client) = server();
    let all = "/apis/federation.pingcap.com/v1alpha1/volumebackupschedules";
    for (name, spec) in [("a", json!({"schedule": "61 * * * *", "backupTemplate": {}})), ("b", json!({"schedule": 7}))]
    {
        api.put(
            &format!("{all}/{name}"),
            json!({
                "apiVersion": "federation.pingcap.com/v1alpha1", "kind": SCHEDULE_KIND,
                "metadata": {"name": name, "namespace": "admin", "uid": name}, "spec": spec,
            }),
        );
    }
    let schedules = KubeSchedules::new(client, &Share::default(), Limits::default(), Zone::utc(), "pod", wall());
    let (tell, mut events) = mpsc::channel(8);
    let running = tokio::spawn(async move { schedules.run(tell).await });
    for words in ["spec.schedule: minute", "not a VolumeBackupSchedule"] {
        match events.recv().await.unwrap() {
            ScheduleEvent::Applied(schedule) => {
                let refusal = schedule.object.spec.unwrap_err();
                assert!(refusal.message.contains(words), "{refusal}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(events.recv().await.unwrap(), ScheduleEvent::Synced));
    drop(events);
    running.await.unwrap();
}
