//! The second half of the user page: its three schedules by `kubectl apply`, with a short period in the place of a night.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::processes::{
    environment::{ADMIN_NAMESPACE, items},
    rig::Rig,
    site::{Site, SitePlan},
};
use tokio::time::sleep;

/// The user page's manifests, as `deploy/` has them: AK/SK, IAM role with Pod, IAM role with ServiceAccount.
const EXAMPLES: [(&str, &str); 3] = [
    ("nightly-key", include_str!("../../../deploy/examples/schedule-access-key.yaml")),
    ("nightly-pod", include_str!("../../../deploy/examples/schedule-iam-pod.yaml")),
    ("nightly-account", include_str!("../../../deploy/examples/schedule-iam-serviceaccount.yaml")),
];

/// Three backups, one after the other, and the deletion of the first.
const LIMIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(300);

/// For this site, every ten seconds, two kept.
fn manifest(example: &str, site: &Site) -> String {
    let mut text = example.replace("\"0 3 * * *\"", "'@every 10s'").replace("#maxBackups: 14", "maxBackups: 2");
    for part in &site.parts {
        text = text.replacen("tcNamespace: tidb\n", &format!("tcNamespace: {}\n", part.namespace), 1);
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedules_of_the_user_page_run_keep_and_pause() {
    let rig = Rig::start(&[SitePlan::shop()]).await.unwrap();
    let site = &rig.sites[0];
    let (name, example) = EXAMPLES[0];
    rig.apply_backup(&manifest(example, site)).await.unwrap();
    let first = made(&rig, name, 1).await.remove(0);
    the_backup_is_as_the_facts_have_it(&first, name);
    let made = first["metadata"]["name"].as_str().unwrap().to_owned();
    let ended = rig.ended(&made).await.unwrap();
    assert_eq!(ended["phase"], "Complete", "{ended:#}");
    let stamp = made.strip_prefix("nightly-key-").unwrap();
    let path = format!("s3://shop-backup/volumes/nightly/-{stamp}-prod-az1");
    assert_eq!(ended["backups"][0]["backupPath"], path.as_str());

    // Two more make the first one go, with its snapshots and its files.
    until(&rig, "the first one to go", async |rig| backup_names(rig, name).await.iter().all(|it| *it != made)).await;
    let objects = rig.traces().await.unwrap().objects;
    assert!(objects.iter().all(|key| !key.contains(stamp)), "{objects:?}");

    the_status_tells(&rig, name).await;
    pause_stops_it(&rig, name).await;
    deleting_it_keeps_its_backups(&rig, name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_and_service_account_travel_from_the_schedule_to_its_backups() {
    let rig = Rig::coordinator_alone().await.unwrap();
    let site = Site::start(&SitePlan::shop()).await.unwrap();
    for (name, example) in &EXAMPLES[1..] {
        rig.apply_backup(&manifest(example, &site)).await.unwrap();
        let made = made(&rig, name, 1).await.remove(0);
        the_backup_is_as_the_facts_have_it(&made, name);
        let role = &made["metadata"]["annotations"]["iam.amazonaws.com/role"];
        let account = &made["spec"]["template"]["serviceAccount"];
        match *name {
            "nightly-pod" => assert_eq!(role, "arn:aws:iam::123456789012:role/shop-backup"),
            _ => assert_eq!(account, "tidb-backup-manager"),
        }
    }
    // A schedule that can never work says so in its status.
    let bad = manifest(EXAMPLES[0].1, &site).replace("prod-az3", "prod-az7");
    rig.apply_backup(&bad).await.unwrap();
    until(&rig, "Invalid", async |rig| schedule(rig, "nightly-key").await["phase"] == "Invalid").await;
    let status = schedule(&rig, "nightly-key").await;
    assert!(status["message"].as_str().is_some_and(|text| text.contains("prod-az7")), "{status:#}");
    let bad = manifest(EXAMPLES[0].1, &site).replace("'@every 10s'", "'0 25 * * *'");
    rig.apply_backup(&bad).await.unwrap();
    let told = async |rig: &Rig| {
        schedule(rig, "nightly-key").await["message"].as_str().is_some_and(|text| text.contains("hour"))
    };
    until(&rig, "a bad hour", told).await;
}

/// Names, labels, annotations and prefix (`facts/tidb-operator.md` §1.5, §1.7).
fn the_backup_is_as_the_facts_have_it(backup: &Value, schedule: &str) {
    let metadata = &backup["metadata"];
    let stamp = metadata["name"].as_str().unwrap().strip_prefix(&format!("{schedule}-")).unwrap();
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00t00-00-00");
    let labels = json!({
        "app.kubernetes.io/name": "backup-schedule",
        "app.kubernetes.io/managed-by": "backup-schedule-operator",
        "app.kubernetes.io/instance": schedule,
        "tidb.pingcap.com/backup-schedule": schedule,
    });
    assert_eq!(metadata["labels"], labels);
    assert!(metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].is_null(), "{metadata:#}");
    assert!(metadata["ownerReferences"].is_null(), "deleting the schedule would delete it: {metadata:#}");
    assert_eq!(backup["spec"]["template"]["s3"]["prefix"], format!("volumes/nightly/-{stamp}"));
}

async fn the_status_tells(rig: &Rig, name: &str) {
    until(rig, "a success", async |rig| schedule(rig, name).await["lastSuccess"].is_string()).await;
    let status = schedule(rig, name).await;
    for field in ["lastBackup", "lastBackupTime", "lastSuccess", "lastSuccessTime", "nextRun", "phase"] {
        assert!(status[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {status:#}");
    }
    assert_eq!(
        (&status["conditions"][0]["type"], &status["conditions"][0]["status"]),
        (&json!("Ready"), &json!("True"))
    );
    let wide = rig.kube.kubectl(&["get", "vbks", "-n", ADMIN_NAMESPACE, "-o", "wide"]).await.unwrap();
    assert!(wide.contains(&format!("{name}-2")) && wide.contains("@every 10s"), "{wide}");
    let events = rig.kube.kubectl(&["events", "-n", ADMIN_NAMESPACE, "--for", &format!("vbks/{name}")]).await.unwrap();
    assert!(events.contains("SuccessfulCreate") && events.contains("SuccessfulDelete"), "{events}");

    let console = rig.programs().console(&["schedules"]).await.unwrap();
    assert_eq!((&console[0]["name"], &console[0]["schedule"]), (&json!(name), &json!("@every 10s")), "{console:#}");
    let one = rig.programs().console(&["schedules", name]).await.unwrap();
    assert_eq!(one["nextRuns"].as_array().map(Vec::len), Some(5), "{one:#}");
    let plan = rig.programs().console(&["schedules", name, "--plan", "--at", "2099-01-01"]).await.unwrap();
    assert_eq!(plan["at"], "2099-01-01T00:00:00Z");
    let kept: Vec<&Value> = plan["backups"].as_array().unwrap().iter().filter(|row| row["verdict"] == "keep").collect();
    assert!(kept.iter().any(|row| row["why"].as_str().is_some_and(|why| why.contains("last good"))), "{plan:#}");
}

async fn pause_stops_it(rig: &Rig, name: &str) {
    let patch = ["patch", "vbks", name, "-n", ADMIN_NAMESPACE, "--type=merge", "-p", "{\"spec\":{\"pause\":true}}"];
    rig.kube.kubectl(&patch).await.unwrap();
    until(rig, "Paused", async |rig| schedule(rig, name).await["phase"] == "Paused").await;
    let last = schedule(rig, name).await["lastBackup"].clone();
    // Longer than two periods, and the last one has ended.
    sleep(Duration::from_secs(21)).await;
    rig.ended(last.as_str().unwrap()).await.unwrap();
    assert_eq!(schedule(rig, name).await["lastBackup"], last);
}

async fn deleting_it_keeps_its_backups(rig: &Rig, name: &str) {
    until(rig, "retention is done", async |rig| backup_names(rig, name).await.len() == 2).await;
    let before = backup_names(rig, name).await;
    rig.kube.kubectl(&["delete", "vbks", name, "-n", ADMIN_NAMESPACE]).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(backup_names(rig, name).await, before);
    for backup in before {
        rig.delete_backup(&backup).await.unwrap();
    }
    assert_eq!(rig.traces().await.unwrap(), tests::processes::leftovers::Leftovers::default());
}

/// A schedule's status; null before the first.
async fn schedule(rig: &Rig, name: &str) -> Value {
    rig.get("vbks", name, ADMIN_NAMESPACE).await.unwrap().map(|it| it["status"].clone()).unwrap_or_default()
}

/// Backups that bear the schedule's label.
async fn backups_of(rig: &Rig, name: &str) -> Vec<Value> {
    let label = format!("tidb.pingcap.com/backup-schedule={name}");
    let list = rig.kube.kubectl(&["get", "vbk", "-n", ADMIN_NAMESPACE, "-l", &label, "-o", "json"]).await.unwrap();
    items(&serde_json::from_str(&list).unwrap()).to_vec()
}

async fn backup_names(rig: &Rig, name: &str) -> Vec<String> {
    let all = backups_of(rig, name).await;
    all.iter().filter_map(|it| it["metadata"]["name"].as_str().map(str::to_owned)).collect()
}

/// Waits until the schedule has made backups.
async fn made(rig: &Rig, name: &str, count: usize) -> Vec<Value> {
    until(rig, "a backup", async |rig| backups_of(rig, name).await.len() >= count).await;
    backups_of(rig, name).await
}

async fn until(rig: &Rig, what: &str, holds: impl AsyncFn(&Rig) -> bool) {
    let started = Instant::now();
    while !holds(rig).await {
        assert!(started.elapsed() < LIMIT, "waited for {what} longer than {LIMIT:?}");
        sleep(LOOK).await;
    }
}
