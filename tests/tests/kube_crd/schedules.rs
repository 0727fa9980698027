//! VolumeBackupSchedules: the user page's manifests as they stand in `deploy/examples`, and what is refused at `apply`.

use super::{SETTLE, eventually, get, good, start};
use anyhow::{Context, Result, ensure};
use coordinator::{
    config::Share,
    edge::kube::{KubeSchedules, client_of},
    ports::{EventKind, Schedule, ScheduleEvent, Schedules},
};
use serde_json::{Value, json};
use shared::{
    cron::Zone,
    ids::BackupUid,
    request::Limits,
    schedule::{CreateResult, DeleteResult, NewBackup, Phase, Status, backup_name, run_labels},
    time::Timestamp,
};
use std::sync::Arc;
use tokio::{sync::mpsc, time::timeout};

/// 2024-05-01T03:00:00Z.
const AT: Timestamp = Timestamp(1_714_532_400_000);

const EXAMPLES: [&str; 3] = [
    include_str!("../../../deploy/examples/schedule-access-key.yaml"),
    include_str!("../../../deploy/examples/schedule-iam-pod.yaml"),
    include_str!("../../../deploy/examples/schedule-iam-serviceaccount.yaml"),
];

fn manifest(spec: &Value) -> String {
    json!({
        "apiVersion": "federation.pingcap.com/v1alpha1", "kind": "VolumeBackupSchedule",
        "metadata": {"name": "x", "namespace": "default"},
        "spec": spec,
    })
    .to_string()
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut spec = json!({"schedule": "0 3 * * *", "maxReservedTime": "72h", "backupTemplate": good()});
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(parent) = spec.pointer_mut(parent).and_then(Value::as_object_mut) {
            match value {
                Value::Null => parent.remove(field),
                value => parent.insert(field.to_owned(), value.clone()),
            };
        }
    }
    spec
}

#[tokio::test]
async fn the_three_schedules_of_the_user_page_apply_and_show_their_columns() -> Result<()> {
    let api = start().await?;
    eventually(&api, &manifest(&with(&[])), true).await?;
    api.kubectl(&["create", "namespace", "br-admin"]).await?;
    for example in EXAMPLES {
        api.kubectl_with_input(&["create", "--validate=strict", "-f", "-"], example).await?;
        let mut given: Value = serde_saphyr::from_str(example)?;
        let name = given["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let stored = api.kubectl(&["get", "vbks", &name, "-n", "br-admin", "-o", "json"]).await?;
        let stored: Value = serde_json::from_str(&stored)?;
        // What the schema adds: the defaults of a VolumeBackup's template (`facts/tidb-operator.md` §1.3).
        given["spec"]["backupTemplate"]["template"]["snapshotsDeleteRatio"] = json!(1);
        given["spec"]["backupTemplate"]["template"]["volumeBackupInitJobMaxActiveSeconds"] = json!(600);
        ensure!(stored["spec"] == given["spec"], "fields were lost or changed: {stored:#}");
    }
    let narrow = api.kubectl(&["get", "vbks", "-n", "br-admin"]).await?;
    let columns = |text: &str| text.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(columns(&narrow) == "NAME SCHEDULE MAXBACKUPS MAXRESERVEDTIME AGE", "{narrow}");
    let wide = api.kubectl(&["get", "vbks", "-n", "br-admin", "-o", "wide"]).await?;
    let all = "NAME SCHEDULE MAXBACKUPS MAXRESERVEDTIME LASTBACKUP LASTBACKUPTIME AGE STATUS NEXTRUN";
    ensure!(columns(&wide) == all, "{wide}");
    // No status subresource, as in the definition that users have.
    let path = "/apis/federation.pingcap.com/v1alpha1/namespaces/br-admin/volumebackupschedules/nightly-key/status";
    let error = api.kubectl(&["get", "--raw", path]).await;
    ensure!(error.is_err(), "there is a status subresource");
    Ok(())
}

#[tokio::test]
async fn a_schedule_that_can_never_work_is_refused() -> Result<()> {
    let api = start().await?;
    for good in
        ["*/5 0-6,22 ? JAN-mar Mon", "@every 1h30m", "@midnight", "TZ=Europe/Berlin 0 3 * * *", "CRON_TZ=UTC  @daily"]
    {
        eventually(&api, &manifest(&with(&[("/schedule", json!(good))])), true).await?;
    }
    for good in ["72h", "7d", "1w2d3h", "1.5h", "", ".5h", "0", "1000000µs"] {
        eventually(&api, &manifest(&with(&[("/maxReservedTime", json!(good))])), true).await?;
    }
    let ours = [
        ("/maxBackups", json!(0)),
        ("/maxFailedBackups", json!(0)),
        ("/maxFailedReservedTime", json!("2d")),
        ("/tiers", json!({"hourly": 24, "daily": 7, "weekly": 4, "monthly": 12, "yearly": 0})),
        ("/deleteBackupsWithSchedule", json!(true)),
    ];
    eventually(&api, &manifest(&with(&ours)), true).await?;
    for (pointer, value, words) in [
        ("/schedule", Value::Null, "spec.schedule: Required value"),
        ("/schedule", json!(""), "must have five fields"),
        ("/schedule", json!("0 0 1 * * ?"), "must have five fields"),
        ("/schedule", json!("0 3 * *"), "must have five fields"),
        ("/maxReservedTime", json!("7"), "must be a duration"),
        ("/maxReservedTime", json!("a week"), "must be a duration"),
        ("/maxReservedTime", json!("-72h"), "must be a duration"),
        ("/maxBackups", json!(99_999_999_999_i64), "spec.maxBackups: Invalid value"),
        ("/maxFailedBackups", json!(99_999_999_999_i64), "spec.maxFailedBackups: Invalid value"),
        ("/tiers", json!({"daily": 99_999_999_999_i64}), "spec.tiers.daily: Invalid value"),
        ("/backupTemplate/template/s3/prefix", json!("a/./b"), "must have no part '.' or '..'"),
        ("/maxFailedBackups", json!(-1), "maxFailedBackups must not be negative"),
        ("/maxFailedReservedTime", json!("x"), "maxFailedReservedTime must be a duration"),
        ("/tiers", json!({"weekly": -1}), "tiers.weekly must not be negative"),
        ("/backupTemplate", Value::Null, "spec.backupTemplate: Required value"),
        ("/backupTemplate/clusters", json!([]), "spec.clusters is empty"),
        ("/backupTemplate/template/br", Value::Null, "spec.template.br is missing"),
        ("/backupTemplate/template/s3", Value::Null, "spec.template.s3 is missing"),
        ("/backupTemplate/template/cleanPolicy", json!("delete"), "must be Retain, OnFailure or Delete"),
        ("/backupTemplate/barrier", json!({"holdTimeout": "0s"}), "barrier.holdTimeout must be a duration"),
    ] {
        let refused = eventually(&api, &manifest(&with(&[(pointer, value.clone())])), false).await?;
        ensure!(refused.contains(words), "{pointer} {value}: {refused}");
    }
    Ok(())
}

async fn seen(events: &mut mpsc::Receiver<ScheduleEvent>, wanted: impl Fn(&Schedule) -> bool) -> Result<Schedule> {
    let found = async {
        loop {
            match events.recv().await {
                Some(ScheduleEvent::Applied(schedule)) if wanted(&schedule) => return Some(*schedule),
                Some(_) => {}
                None => return None,
            }
        }
    };
    timeout(SETTLE, found).await?.context("the source ended")
}

fn run_of(schedule: &Schedule) -> NewBackup {
    NewBackup {
        key: schedule.key.clone(),
        schedule_uid: schedule.object.uid.clone(),
        name: backup_name(&schedule.key.name, AT),
        fire: AT,
        labels: run_labels(&schedule.key.name, &Default::default()),
        annotations: Default::default(),
    }
}

#[tokio::test]
async fn a_schedule_makes_its_backup_once_shows_its_status_and_deletes_by_uid() -> Result<()> {
    let api = start().await?;
    eventually(&api, &manifest(&with(&[])), true).await?;
    let client = client_of(&api.kubeconfig).await?;
    let port = KubeSchedules::new(client, &Share::default(), Limits::default(), Zone::utc(), "test", Arc::new(|| AT));
    let (tell, mut events) = mpsc::channel(16);
    let source = port.clone();
    let watching = tokio::spawn(async move { source.run(tell).await });
    api.kubectl_with_input(&["create", "-f", "-"], &manifest(&with(&[]))).await?;
    let schedule = seen(&mut events, |schedule| schedule.key.name == "x").await?;
    ensure!(schedule.object.spec.is_ok() && schedule.object.created > Timestamp(0), "{schedule:?}");

    let new = run_of(&schedule);
    ensure!(port.create(&new).await == CreateResult::Created);
    ensure!(port.create(&new).await == CreateResult::Exists { ours: true });
    let made = get(&api, &new.name).await?;
    ensure!(made["spec"]["template"]["s3"]["prefix"] == "vol/-2024-05-01t03-00-00", "{made:#}");
    ensure!(made["metadata"]["ownerReferences"].is_null(), "{made:#}");
    let stolen = "{\"metadata\":{\"labels\":{\"tidb.pingcap.com/backup-schedule\":\"y\"}}}";
    api.kubectl(&["patch", "vbk", &new.name, "--type=merge", "-p", stolen]).await?;
    ensure!(port.create(&new).await == CreateResult::Exists { ours: false });

    let uid = BackupUid::new(made["metadata"]["uid"].as_str().unwrap_or_default());
    ensure!(port.delete("default", &new.name, &BackupUid::from("other")).await == DeleteResult::Gone);
    get(&api, &new.name).await?;
    ensure!(port.delete("default", &new.name, &uid).await == DeleteResult::Deleted);
    ensure!(port.delete("default", &new.name, &uid).await == DeleteResult::Gone);

    // What the API server refuses was certainly not made.
    let refused = NewBackup { name: "Not_A_Name".to_owned(), ..new.clone() };
    ensure!(matches!(port.create(&refused).await, CreateResult::Refused(_)));

    let status = Status {
        last_backup: new.name.clone(),
        last_backup_time: Some(AT),
        all_backup_clean_time: Some(AT),
        schedule: "0 3 * * *".to_owned(),
        last_success: new.name.clone(),
        last_success_time: Some(AT),
        next_run: Some(Timestamp(AT.0 + 86_400_000)),
        phase: Phase::Waiting,
        message: "the run waits".to_owned(),
        retention_stopped: "the clock is ahead".to_owned(),
    };
    port.publish(&schedule.reference(), &status).await?;
    let stored = seen(&mut events, |schedule| schedule.object.status.phase == Phase::Waiting).await?;
    ensure!(stored.object.status == status, "a field was dropped: {:?}", stored.object.status);
    let version = async || api.kubectl(&["get", "vbks", "x", "-o", "jsonpath={.metadata.resourceVersion}"]).await;
    let before = version().await?;
    port.publish(&schedule.reference(), &status).await?;
    ensure!(version().await? == before, "written again although nothing changed");
    port.event(&schedule.reference(), EventKind::Normal, "SuccessfulCreate", "made a backup").await?;
    ensure!(api.kubectl(&["events", "--for", "vbks/x"]).await?.contains("made a backup"));

    api.kubectl(&["delete", "vbks", "x"]).await?;
    let gone = async {
        while let Some(event) = events.recv().await {
            if matches!(&event, ScheduleEvent::Gone(gone) if *gone == schedule.reference()) {
                return true;
            }
        }
        false
    };
    ensure!(timeout(SETTLE, gone).await?);
    ensure!(matches!(port.create(&new).await, CreateResult::Refused(_)));
    drop(events);
    watching.await?;
    Ok(())
}
