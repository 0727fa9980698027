use super::*;
use crate::fixtures::bare;
use crate::ports::{
    LEDGER_TEXT_MAX, Ledger, LedgerKey, ObjectEvent, ObjectRef, Objects, PortError, Source, Status, Text,
};
use serde_json::Value;
use shared::{
    ids::{BackupUid, ClusterId},
    reason::{Reason, Refusal},
};
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

fn open(directory: &Path) -> Local {
    Local::open(directory, Limits::default(), Zone::utc(), Arc::new(|| Timestamp(1_714_532_420_000))).unwrap()
}

pub(super) fn manifest(name: &str, policy: &str) -> String {
    format!(
        "apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackup
metadata: {{name: {name}, namespace: tidb}}
spec:
  clusters:
  - {{k8sClusterName: az1, tcName: shop, tcNamespace: tidb}}
  template:
    br: {{}}
    s3: {{provider: aws, bucket: b, prefix: p}}
    cleanPolicy: {policy}
"
    )
}

/// A running source and what it tells.
struct Watch {
    events: mpsc::Receiver<ObjectEvent>,
    running: JoinHandle<()>,
}

impl Watch {
    fn start(local: &Local) -> Self {
        let (tell, events) = mpsc::channel(16);
        let source = local.source.clone();
        Self { events, running: tokio::spawn(async move { source.run(tell).await }) }
    }

    async fn next(&mut self) -> String {
        match self.events.recv().await.unwrap() {
            ObjectEvent::Applied(object) => {
                let request = match object.request {
                    Ok(request) => format!("{:?}", request.clean_policy),
                    Err(refusal) => format!("{}: {}", refusal.reason, refusal.message),
                };
                format!("{}{} {request}", object.name, if object.deleting { " deleting" } else { "" })
            }
            ObjectEvent::Gone(_) => "gone".to_owned(),
            ObjectEvent::Synced => "synced".to_owned(),
        }
    }

    /// Nothing is told for five scans.
    async fn quiet(&mut self) {
        if let Ok(event) = timeout(Duration::from_millis(5500), self.next()).await {
            panic!("{event}");
        }
    }

    async fn stop(self) {
        drop(self.events);
        self.running.await.unwrap();
    }
}

fn kept(directory: &Path, name: &str) -> Option<ObjectRef> {
    let text = disk::read(&directory.join(format!(".isochron/objects/tidb.{name}.json"))).unwrap()?;
    let kept: Value = serde_json::from_str(&text).unwrap();
    let uid = BackupUid::new(kept["uid"].as_str().unwrap());
    Some(ObjectRef { uid, namespace: "tidb".to_owned(), name: name.to_owned() })
}

#[tokio::test(start_paused = true)]
async fn an_object_lives_from_its_file_to_its_finalizer() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("backups.yaml");
    fs::write(&file, format!("---\n{}---\n{}", manifest("a", "Delete"), manifest("b", "Retain"))).unwrap();
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    for expected in ["a Delete", "b Retain", "synced"] {
        // Two of one scan come in the order of their random uids.
        let event = watch.next().await;
        assert!(["a Delete", "b Retain", "synced"].contains(&event.as_str()), "{event} for {expected}");
    }
    let a = kept(home.path(), "a").unwrap();
    local.objects.add_finalizer(&a).await.unwrap();
    assert_eq!(watch.next().await, "a Delete");

    // A restart: same uid, and a deletion that happened meanwhile is seen.
    watch.stop().await;
    drop(local);
    fs::write(&file, manifest("b", "Retain")).unwrap();
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    let mut told = vec![watch.next().await, watch.next().await, watch.next().await];
    told.sort();
    assert_eq!(told, ["a deleting Delete", "b Retain", "synced"]);
    assert_eq!(kept(home.path(), "a"), Some(a.clone()));

    // It comes back: the old one has to go first.
    fs::write(home.path().join("again.yml"), manifest("a", "OnFailure")).unwrap();
    watch.quiet().await;
    local.objects.remove_finalizer(&a).await.unwrap();
    let mut told = vec![watch.next().await, watch.next().await];
    told.sort();
    assert_eq!(told, ["a OnFailure", "gone"]);
    assert_ne!(kept(home.path(), "a").unwrap().uid, a.uid);
    assert!(matches!(local.objects.remove_finalizer(&a).await, Err(PortError::NotFound(_))));

    // b was never protected.
    fs::remove_file(&file).unwrap();
    assert_eq!(watch.next().await, "gone");
    assert_eq!(kept(home.path(), "b"), None);
    watch.stop().await;
}

/// A directory with the objects a and b, each in a file of its own.
fn two_files() -> (TempDir, PathBuf, PathBuf) {
    let home = TempDir::new().unwrap();
    let (one, two) = (home.path().join("1.yaml"), home.path().join("2.yaml"));
    fs::write(&one, manifest("a", "Delete")).unwrap();
    fs::write(&two, manifest("b", "Delete")).unwrap();
    (home, one, two)
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_read_deletes_nothing() {
    let (home, one, two) = two_files();
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    for _ in 0..3 {
        watch.next().await;
    }
    fs::write(&one, "apiVersion: [unclosed\n").unwrap();
    // b's document may have moved into the broken file.
    fs::remove_file(&two).unwrap();
    watch.quiet().await;
    watch.stop().await;
    drop(local);
    // The same after a restart.
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    let mut told = vec![watch.next().await, watch.next().await, watch.next().await];
    told.sort();
    assert_eq!(told, ["a Delete", "b Delete", "synced"]);
    fs::write(&one, manifest("b", "Retain")).unwrap();
    let mut told = vec![watch.next().await, watch.next().await];
    told.sort();
    assert_eq!(told, ["b Retain", "gone"]);
    watch.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_is_empty_at_once_deletes_nothing() {
    let (home, one, two) = two_files();
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    for _ in 0..3 {
        watch.next().await;
    }
    fs::remove_file(&one).unwrap();
    fs::remove_file(&two).unwrap();
    watch.quiet().await;
    // A file that is there shows that the directory is.
    fs::write(home.path().join("x.yaml"), "").unwrap();
    assert_eq!([watch.next().await, watch.next().await], ["gone", "gone"]);
    watch.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_half_written_file_and_a_lost_directory_delete_nothing() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("1.yaml");
    fs::write(&file, manifest("a", "Delete")).unwrap();
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    assert_eq!(watch.next().await, "a Delete");
    assert_eq!(watch.next().await, "synced");
    // Truncated as by an editor; at the next scan the rest is there.
    fs::write(&file, "").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    fs::write(&file, manifest("a", "Retain")).unwrap();
    assert_eq!(watch.next().await, "a Retain");
    // Cut off where it is still a manifest, but another wish.
    let whole = manifest("b", "Delete");
    let other = home.path().join("2.yaml");
    fs::write(&other, whole.lines().take(8).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    fs::write(&other, &whole).unwrap();
    assert_eq!(watch.next().await, "b Delete");

    // A document moves to another file by two writes that two scans part.
    let moved = home.path().join("3.yaml");
    fs::write(&file, "# moved to 3.yaml\n").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    fs::write(&moved, manifest("a", "Retain")).unwrap();
    watch.quiet().await;

    // As when the volume under the directory is unmounted.
    fs::rename(home.path().join(".isochron"), home.path().join("elsewhere")).unwrap();
    fs::remove_file(&moved).unwrap();
    fs::remove_file(&other).unwrap();
    watch.quiet().await;
    fs::rename(home.path().join("elsewhere"), home.path().join(".isochron")).unwrap();
    assert_eq!((watch.next().await, watch.next().await), ("gone".to_owned(), "gone".to_owned()));
    watch.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_status_is_shown_as_yaml_and_survives() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("1.yaml"), manifest("a", "delete")).unwrap();
    let local = open(home.path());
    let mut watch = Watch::start(&local);
    assert!(watch.next().await.starts_with("a SpecInvalid: spec.template.cleanPolicy is \"delete\""));
    assert_eq!(watch.next().await, "synced");
    let a = kept(home.path(), "a").unwrap();
    let status = Status::Without("Invalid", Refusal::new(Reason::SpecInvalid, "x"));
    local.objects.publish(&a, &status).await.unwrap();
    assert!(matches!(watch.events.recv().await.unwrap(), ObjectEvent::Applied(object) if object.phase == "Invalid"));
    let path = home.path().join(".isochron/status/tidb.a.yaml");
    let shown = fs::read_to_string(&path).unwrap();
    let value: Value = serde_saphyr::from_str(&shown).unwrap();
    assert_eq!((&value["kind"], &value["metadata"]["uid"]), (&"VolumeBackup".into(), &a.uid.as_str().into()));
    assert_eq!(value["status"]["conditions"][0]["lastTransitionTime"], "2024-05-01T03:00:20Z");
    watch.stop().await;
    drop(local);

    let local = open(home.path());
    let mut watch = Watch::start(&local);
    assert!(matches!(watch.events.recv().await.unwrap(), ObjectEvent::Applied(object) if object.phase == "Invalid"));
    fs::remove_file(&path).unwrap();
    local.objects.publish(&a, &status).await.unwrap();
    assert!(!path.exists(), "nothing changed, nothing is written");
    watch.stop().await;
}

#[tokio::test]
async fn two_processes_never_share_a_directory() {
    let home = TempDir::new().unwrap();
    let local = open(home.path());
    let second = Local::open(home.path(), Limits::default(), Zone::utc(), Arc::new(Timestamp::default));
    assert!(matches!(second, Err(OpenError::InUse(_))));
    drop(local);
    open(home.path());
}

#[tokio::test]
async fn a_version_of_the_ledger_wins_once() {
    let home = TempDir::new().unwrap();
    let ledger = open(home.path()).ledger;
    let claim = LedgerKey::Claim(ClusterId(u64::MAX));
    let record = LedgerKey::Record(BackupUid::from("2f7c3f0e-0000-4000-8000-000000000001"));
    let first = ledger.write(&claim, &bare("{\"a\": \"ü\\n\"}"), None).await.unwrap();
    assert!(matches!(ledger.write(&claim, &bare("again"), None).await, Err(PortError::Conflict(_))));
    let second = ledger.write(&claim, &bare("two"), Some(&first)).await.unwrap();
    assert!(matches!(ledger.write(&claim, &bare("late"), Some(&first)).await, Err(PortError::Conflict(_))));
    assert!(matches!(ledger.delete(&claim, &first).await, Err(PortError::Conflict(_))));
    ledger.write(&record, &bare("r"), None).await.unwrap();
    let claims: Vec<String> = ledger.claims().await.unwrap().into_iter().map(|entry| entry.body).collect();
    assert_eq!(claims, ["two"]);
    let records: Vec<_> = ledger.records().await.unwrap().into_iter().map(|noted| (noted.note, noted.bytes)).collect();
    assert_eq!(records, [(String::new(), Some(1))]);

    ledger.delete(&claim, &second).await.unwrap();
    ledger.delete(&claim, &second).await.unwrap();
    assert_eq!(ledger.read(&claim).await.unwrap(), None);
    assert!(matches!(ledger.write(&claim, &bare("gone"), Some(&second)).await, Err(PortError::Conflict(_))));
    // Made anew and written as often as the old one: still not the old one.
    let anew = ledger.write(&claim, &bare("new"), None).await.unwrap();
    ledger.write(&claim, &bare("new"), Some(&anew)).await.unwrap();
    assert!(matches!(ledger.write(&claim, &bare("late"), Some(&second)).await, Err(PortError::Conflict(_))));

    let stray = LedgerKey::Record(BackupUid::from("../../x"));
    assert!(matches!(ledger.write(&stray, &bare("x"), None).await, Err(PortError::Unavailable(_))));
}

#[tokio::test]
async fn of_many_writers_with_one_version_one_wins() {
    let home = TempDir::new().unwrap();
    let ledger = open(home.path()).ledger;
    let key = LedgerKey::Claim(ClusterId(1));
    let version = ledger.write(&key, &bare("0"), None).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|n: u32| {
            let (ledger, key, version) = (ledger.clone(), key.clone(), version.clone());
            tokio::spawn(async move { ledger.write(&key, &bare(&n.to_string()), Some(&version)).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, PortError::Conflict(_)), "{error}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_ledger_file_that_cannot_be_read_is_an_error_and_leftovers_go() {
    let home = TempDir::new().unwrap();
    drop(open(home.path()));
    let inner = home.path().join(".isochron");
    fs::write(inner.join(".unfinished-record-u1.json"), "{").unwrap();
    fs::write(inner.join("record-u1.json"), "{").unwrap();
    let ledger = open(home.path()).ledger;
    assert!(!inner.join(".unfinished-record-u1.json").exists());
    let key = LedgerKey::Record(BackupUid::from("u1"));
    for error in [
        ledger.read(&key).await.unwrap_err(),
        ledger.records().await.unwrap_err(),
        ledger.write(&key, &bare("x"), None).await.unwrap_err(),
    ] {
        assert!(matches!(&error, PortError::Unavailable(text) if text.contains("record-u1.json")), "{error}");
    }
}

#[tokio::test]
async fn a_thousand_records_are_listed_by_their_notes() {
    let home = TempDir::new().unwrap();
    let ledger = open(home.path()).ledger;
    let body = "x".repeat(10_000);
    for number in 0..1000 {
        let note = format!("note {number}");
        let key = LedgerKey::Record(BackupUid::new(format!("u{number}")));
        let text = Text { body: &body, note: &note };
        // A disk that is busy with others' work may be too slow for one of a thousand; then it is told so, and asked again.
        while let Err(error) = ledger.write(&key, &text, None).await {
            assert!(matches!(error, PortError::Unavailable(_) | PortError::Conflict(_)), "{error}");
            if ledger.read(&key).await.is_ok_and(|kept| kept.is_some()) {
                break;
            }
        }
    }
    let records = loop {
        match ledger.records().await {
            Ok(records) => break records,
            Err(error) => assert!(matches!(error, PortError::Unavailable(_)), "{error}"),
        }
    };
    assert_eq!(records.len(), 1000);
    for noted in records {
        assert_eq!(noted.backup.as_str().replace('u', "note "), noted.note);
    }
    let key = LedgerKey::Record(BackupUid::from("u7"));
    let too_long = "x".repeat(LEDGER_TEXT_MAX + 1);
    let Err(PortError::Refused(refusal)) = ledger.write(&key, &bare(&too_long), None).await else { panic!() };
    assert_eq!(refusal.reason, Reason::TooLarge);
}

/// As the version before this one wrote it.
#[tokio::test]
async fn a_file_without_a_note_is_listed() {
    let home = TempDir::new().unwrap();
    let ledger = open(home.path()).ledger;
    let text = "{\n  \"life\": \"0f0f0f0f\",\n  \"version\": 3,\n  \"body\": \"{}\"\n}";
    fs::write(home.path().join(".isochron/record-u1.json"), text).unwrap();
    let records = ledger.records().await.unwrap();
    assert_eq!((records[0].note.as_str(), records[0].version.0.as_str()), ("", "0f0f0f0f.3"));
}

#[tokio::test]
async fn a_ledger_whose_folder_is_gone_says_that_it_would_take_no_write() {
    let home = TempDir::new().unwrap();
    let local = open(home.path());
    local.ledger.may_write().await.unwrap();
    std::fs::rename(home.path().join(".isochron"), home.path().join("away")).unwrap();
    let error = local.ledger.may_write().await.unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains("lock"), "{error}");
    // Asking has not let another coordinator in.
    std::fs::rename(home.path().join("away"), home.path().join(".isochron")).unwrap();
    assert!(Local::open(home.path(), Limits::default(), Zone::utc(), Arc::new(|| Timestamp(0))).is_err());
}
