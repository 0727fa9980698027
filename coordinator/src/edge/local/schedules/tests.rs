use super::super::Local;
use super::*;
use crate::ports::{Object, ObjectEvent, ObjectRef, Objects, Source};
use shared::{
    retention::BackupState,
    schedule::{Phase, backup_name, run_annotations, run_labels},
};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// 2024-05-01T03:00:20.5Z
const NOW: Timestamp = Timestamp(1_714_532_420_500);
const AT: Timestamp = Timestamp(1_714_532_400_000);

fn open(directory: &Path) -> Local {
    Local::open(directory, Limits::default(), Zone::utc(), Arc::new(|| NOW)).unwrap()
}

fn manifest(more: &str) -> String {
    format!(
        "apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackupSchedule
metadata: {{name: nightly, namespace: tidb, annotations: {{iam.amazonaws.com/role: r}}}}
spec:
  schedule: '0 3 * * *'
{more}  backupTemplate:
    clusters:
    - {{k8sClusterName: az1, tcName: shop, tcNamespace: tidb}}
    template:
      br: {{}}
      s3: {{provider: aws, bucket: b, prefix: p}}
      cleanPolicy: Delete
"
    )
}

struct Watch {
    local: Local,
    schedules: mpsc::Receiver<ScheduleEvent>,
    objects: mpsc::Receiver<ObjectEvent>,
}

impl Watch {
    fn start(directory: &Path) -> Self {
        let local = open(directory);
        let (tell, schedules) = mpsc::channel(16);
        let port = local.schedules.clone();
        tokio::spawn(async move { port.run(tell).await });
        let (tell, objects) = mpsc::channel(16);
        let port = local.source.clone();
        tokio::spawn(async move { port.run(tell).await });
        Self { local, schedules, objects }
    }

    async fn schedule(&mut self) -> Schedule {
        loop {
            match self.schedules.recv().await.unwrap() {
                ScheduleEvent::Applied(schedule) => return *schedule,
                ScheduleEvent::Gone(_) => panic!("gone"),
                ScheduleEvent::Synced => {}
            }
        }
    }

    async fn object(&mut self, wanted: impl Fn(&Object) -> bool) -> Object {
        loop {
            if let ObjectEvent::Applied(object) = self.objects.recv().await.unwrap()
                && wanted(&object)
            {
                return *object;
            }
        }
    }
}

fn new(schedule: &Schedule) -> NewBackup {
    let spec = schedule.object.spec.as_ref().unwrap();
    NewBackup {
        key: schedule.key.clone(),
        schedule_uid: schedule.object.uid.clone(),
        name: backup_name(&schedule.key.name, AT),
        fire: AT,
        labels: run_labels(&schedule.key.name, &spec.labels),
        annotations: run_annotations(&spec.annotations),
    }
}

const NAME: &str = "nightly-2024-05-01t03-00-00";

fn made(directory: &Path) -> PathBuf {
    directory.join(format!(".isochron/made/tidb.{NAME}.yaml"))
}

#[tokio::test(start_paused = true)]
async fn a_made_backup_is_a_file_that_the_scan_takes_up_and_retention_removes() {
    let home = TempDir::new().unwrap();
    let user = home.path().join("schedule.yaml");
    fs::write(&user, manifest("")).unwrap();
    let mut watch = Watch::start(home.path());
    let schedule = watch.schedule().await;
    assert_eq!(schedule.object.created, Timestamp(1_714_532_420_000), "whole seconds");
    let new = new(&schedule);
    let port = watch.local.schedules.clone();
    assert_eq!(port.create(&new).await, CreateResult::Created);
    assert_eq!(port.create(&new).await, CreateResult::Exists { ours: true }, "asked again before the scan");
    let object = watch.object(|object| object.name == NAME).await;
    assert_eq!(port.create(&new).await, CreateResult::Exists { ours: true }, "and after it");
    let request = object.request.clone().unwrap();
    assert_eq!(request.storage.prefix, "p/-2024-05-01t03-00-00");
    assert_eq!(request.credentials, shared::request::Credentials::Role("r".to_owned()));
    let scheduled = object.scheduled.clone().unwrap();
    assert_eq!((scheduled.schedule.as_str(), scheduled.backup.state), ("nightly", BackupState::Running));
    assert_eq!(scheduled.backup.created, Timestamp(1_714_532_420_000));

    // A person holds it, in the file that was made.
    let text = fs::read_to_string(made(home.path())).unwrap();
    let held = text
        .replace("iam.amazonaws.com/role: r", "iam.amazonaws.com/role: r\n    isochron.pingcap.com/on-hold: 'true'");
    fs::write(made(home.path()), format!("{held}skipGC: true\n")).unwrap();
    let object = watch.object(|object| object.scheduled.as_ref().is_some_and(|it| it.backup.skip_gc)).await;
    assert!(object.scheduled.unwrap().backup.on_hold, "{held}");

    let reference = ObjectRef { uid: object.uid.clone(), namespace: "tidb".to_owned(), name: NAME.to_owned() };
    watch.local.objects.add_finalizer(&reference).await.unwrap();
    let other = BackupUid::from("other");
    assert_eq!(port.delete("tidb", NAME, &other).await, DeleteResult::Gone);
    assert!(made(home.path()).exists());
    assert_eq!(port.delete("tidb", NAME, &object.uid).await, DeleteResult::Deleted);
    assert!(!made(home.path()).exists());
    let object = watch.object(|object| object.deleting).await;
    assert_eq!(object.scheduled.unwrap().backup.deleting, Some(Timestamp(1_714_532_420_000)));
    watch.local.objects.remove_finalizer(&reference).await.unwrap();
    assert_eq!(port.delete("tidb", NAME, &object.uid).await, DeleteResult::Gone);
    assert_eq!(fs::read_to_string(&user).unwrap(), manifest(""), "the user's file is not touched");
}

#[tokio::test(start_paused = true)]
async fn removing_the_made_file_deletes_the_backup_and_removing_the_schedule_does_not() {
    let home = TempDir::new().unwrap();
    let user = home.path().join("schedule.yaml");
    fs::write(&user, manifest("")).unwrap();
    let mut watch = Watch::start(home.path());
    let schedule = watch.schedule().await;
    watch.local.schedules.create(&new(&schedule)).await;
    let object = watch.object(|object| object.name == NAME).await;
    fs::remove_file(&user).unwrap();
    loop {
        if let ScheduleEvent::Gone(gone) = watch.schedules.recv().await.unwrap() {
            assert_eq!(gone, schedule.reference());
            break;
        }
    }
    assert!(made(home.path()).exists());
    assert!(matches!(watch.local.schedules.create(&new(&schedule)).await, CreateResult::Refused(_)));
    fs::remove_file(made(home.path())).unwrap();
    loop {
        if let ObjectEvent::Gone(uid) = watch.objects.recv().await.unwrap() {
            assert_eq!(uid, object.uid);
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_owns_its_backups_takes_them_along() {
    let home = TempDir::new().unwrap();
    let user = home.path().join("schedule.yaml");
    fs::write(&user, manifest("  deleteBackupsWithSchedule: true\n")).unwrap();
    let mut watch = Watch::start(home.path());
    let schedule = watch.schedule().await;
    watch.local.schedules.create(&new(&schedule)).await;
    watch.object(|object| object.name == NAME).await;
    fs::remove_file(&user).unwrap();
    while !matches!(watch.objects.recv().await.unwrap(), ObjectEvent::Gone(_)) {}
    assert!(!made(home.path()).exists());
}

#[tokio::test(start_paused = true)]
async fn what_the_user_wrote_is_the_users_to_remove() {
    let home = TempDir::new().unwrap();
    let backup = format!(
        "apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackup
metadata: {{name: {NAME}, namespace: tidb, labels: {{tidb.pingcap.com/backup-schedule: nightly}}}}
spec: {{clusters: []}}
"
    );
    let file = home.path().join("a.yaml");
    fs::write(&file, format!("{}---\n{backup}", manifest(""))).unwrap();
    let mut watch = Watch::start(home.path());
    let object = watch.object(|object| object.name == NAME).await;
    let schedule = watch.schedule().await;
    assert_eq!(watch.local.schedules.create(&new(&schedule)).await, CreateResult::Exists { ours: true });
    match watch.local.schedules.delete("tidb", NAME, &object.uid).await {
        DeleteResult::Failed(why) => assert!(why.contains("a.yaml"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(file.exists());
}

#[tokio::test(start_paused = true)]
async fn a_schedule_keeps_uid_birth_and_status_over_a_restart() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("schedule.yaml"), manifest("")).unwrap();
    let mut watch = Watch::start(home.path());
    let first = watch.schedule().await;
    let status =
        Status { phase: Phase::Active, last_backup: NAME.to_owned(), last_backup_time: Some(AT), ..Status::default() };
    watch.local.schedules.publish(&first.reference(), &status).await.unwrap();
    let shown = fs::read_to_string(home.path().join(".isochron/status/schedules/tidb.nightly.yaml")).unwrap();
    assert!(shown.contains("kind: VolumeBackupSchedule") && shown.contains("lastBackupTime"), "{shown}");
    let stranger = ScheduleRef { uid: "other".to_owned(), ..first.reference() };
    assert!(matches!(watch.local.schedules.publish(&stranger, &status).await, Err(PortError::NotFound(_))));
    drop(watch);
    // Its sources end at their next tick.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let again = Watch::start(home.path()).schedule().await;
    assert_eq!((again.reference(), again.object.created), (first.reference(), first.object.created));
    assert_eq!(again.object.status, status);
}

#[tokio::test(start_paused = true)]
async fn a_field_that_nobody_reads_is_told_with_its_line() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("s.yaml"), manifest("  maxBackup: 3\n")).unwrap();
    let refusal = Watch::start(home.path()).schedule().await.object.spec.unwrap_err();
    for words in ["s.yaml", "spec.maxBackup"] {
        assert!(refusal.message.contains(words), "{refusal}");
    }
}
