//! The user page from its first command to its last, and every field that it shows.

use super::metadata;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tests::{
    models::ec2::Snapshot,
    processes::{
        backup::Wish,
        environment::{ADMIN_NAMESPACE, BUCKET, items},
        leftovers::Leftovers,
        programs::Programs,
        rig::Rig,
        site::{PLANES, Site, SitePlan},
    },
    servers::ec2::Fault,
};
use tokio::time::{Instant, sleep};

/// Until the barrier is over; the stores' own share of it is above two seconds.
const BARRIER_LIMIT: Duration = Duration::from_secs(60);

/// Leaders of the last plane say their safe_ts so much later that it has moved on meanwhile.
const LATE: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_complete_proved_shown_and_deleted() {
    let rig = Rig::start(&[SitePlan::shop()]).await.unwrap();
    let site = &rig.sites[0];
    for store in site.stores_of(2) {
        site.tikv.turn(store, |knobs| knobs.safe_ts_delay = LATE);
    }
    preflight(&rig, site).await;
    // One plane is slower than the others at what all wait for.
    rig.ec2.handle.plan("CreateSnapshots", Fault::SlowStart(LATE), 1);
    let wish = Wish::of(site, "first");
    let said = rig.apply_backup(&wish.manifest()).await.unwrap();
    assert!(said.contains("volumebackup.federation.pingcap.com/first created"), "{said}");
    nobody_lets_go_early(&rig, site).await;
    let status = rig.ended("first").await.unwrap();
    assert_eq!(status["phase"], "Complete", "{status:#}");

    let commit_ts = rows_are_those_of_the_user_page(&status, site);
    barrier_and_certificate(&status, site, &commit_ts);
    columns(&rig, &commit_ts).await;
    console(&rig, &commit_ts).await;
    let snapshots = rig.ec2.handle.snapshots();
    every_store_was_held_to_the_end(&rig, site, &snapshots);
    exactly_the_volumes_of_tikv(&snapshots, site);
    metadata::check(&rig, &status, &commit_ts, &snapshots).await;
    events(&rig).await;
    what_it_added_is_told(&rig).await;

    // The holds are gone while the backup stays.
    let kept = rig.traces().await.unwrap();
    assert_eq!((kept.paused, kept.safe_points, kept.leased), Default::default());
    rig.delete_backup("first").await.unwrap();
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
    // Nothing of a backup that is gone stays in the ledger but the claim's epoch.
    let maps = rig.kube.kubectl(&["get", "configmaps", "-n", "isochron", "-o", "name"]).await.unwrap();
    assert!(!maps.contains("isochron-record-"), "{maps}");
}

/// Some time after the end; nothing was there before it, so all of it was added.
async fn what_it_added_is_told(rig: &Rig) {
    let told = async {
        loop {
            let object = rig.get("vbk", "first", ADMIN_NAMESPACE).await.unwrap().expect("it is there");
            let status = &object["status"];
            if status["incrementalBackupSize"].is_u64() {
                return status.clone();
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let status = tokio::time::timeout(BARRIER_LIMIT, told).await.expect("it is told in time");
    assert_eq!(status["incrementalBackupSize"], status["backupSize"], "{status:#}");
    assert_eq!(status["incrementalBackupSizeReadable"], status["backupSizeReadable"]);
}

/// Every check is good, and none of them changed anything.
async fn preflight(rig: &Rig, site: &Site) {
    for part in &site.parts {
        let checks = rig.programs().preflight(rig, part, "volumes/first").await.unwrap();
        let checks = checks.as_array().expect("a list");
        assert!(checks.len() > 5 && checks.iter().all(|check| check["result"]["Ok"].is_string()), "{checks:#?}");
    }
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
    assert_eq!(rig.touched().await.unwrap(), rig.untouched());
}

/// Until every store is finished with, none is before the last snapshot was made.
async fn nobody_lets_go_early(rig: &Rig, site: &Site) {
    let stores = site.tikv.stores();
    let deadline = Instant::now() + BARRIER_LIMIT;
    loop {
        // In this order: what was finished by now may have been so only if all was made by now.
        let finished = stores.iter().filter(|store| site.tikv.counters(**store).finishes > 0).count();
        let made = rig.ec2.handle.snapshots().len();
        assert!(finished == 0 || made == 2 * stores.len(), "{finished} stores let go after {made} snapshots");
        if finished == stores.len() {
            return;
        }
        assert!(Instant::now() < deadline, "{finished} stores let go, {made} snapshots");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Every store was asked once more after the last snapshot of all planes was made (E2).
fn every_store_was_held_to_the_end(rig: &Rig, site: &Site, snapshots: &BTreeMap<String, Snapshot>) {
    // One moment, by both clocks: what is measured later looks longer ago.
    let (at, since_start) = (std::time::Instant::now(), rig.ec2.handle.now());
    let made = snapshots.values().map(|snapshot| snapshot.created).max().expect("snapshots");
    for store in site.tikv.stores() {
        let ago = at.saturating_duration_since(site.tikv.leased_at(store).expect("leased"));
        assert!(ago < since_start - made, "store {store} was last asked {:?} before the end", ago + made - since_start);
    }
}

/// `status.backups` and `status.commitTs`; returns the latter.
fn rows_are_those_of_the_user_page(status: &Value, site: &Site) -> String {
    let rows = status["backups"].as_array().expect("backups");
    assert_eq!(rows.len(), PLANES.len());
    let mut least = Vec::new();
    for (row, part) in rows.iter().zip(&site.parts) {
        let plane = &part.plane;
        let expected = [
            ("backupName", format!("fed-first-{plane}")),
            ("backupPath", format!("s3://{BUCKET}/volumes/first-{plane}")),
            ("k8sClusterName", plane.clone()),
            ("tcName", part.name.clone()),
            ("tcNamespace", part.namespace.clone()),
            ("phase", "Complete".to_owned()),
        ];
        for (field, value) in expected {
            assert_eq!(row[field], value, "{field} of {plane}: {row:#}");
        }
        let ts = row["commitTs"].as_str().expect("commitTs is a string, like all numbers above 2^53");
        least.push(ts.parse::<u64>().expect("a decimal number"));
        let written: u64 = part.stores.iter().map(|_| 512 * 1024 * (2 + 3)).sum();
        assert_eq!(row["backupSize"], written, "the full sizes of its data and raft volumes: {row:#}");
    }
    assert!(least[2] > least[0].max(least[1]), "the late plane saw a later safe_ts: {least:?}");
    let min = least.iter().min().expect("three").to_string();
    assert_eq!(status["commitTs"], min.as_str(), "the least of {least:?}");
    for field in ["timeStarted", "timeCompleted", "timeTaken", "backupSizeReadable"] {
        assert!(status[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {status:#}");
    }
    let kinds: Vec<_> = status["conditions"].as_array().expect("conditions").iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["Running", "SnapshotsCreated", "Complete", "Succeeded"]);
    assert!(status["alarms"].is_null(), "{status:#}");
    min
}

fn barrier_and_certificate(status: &Value, site: &Site, commit_ts: &str) {
    let barrier = &status["barrier"];
    assert_eq!((&barrier["attempt"], &barrier["step"]), (&json!(1), &json!("Complete")), "{barrier:#}");
    for clock in ["settle_ms", "reach_ms", "hold_ms"] {
        assert!(barrier[clock].as_u64().is_some_and(|ms| ms < 60_000), "{clock}: {barrier:#}");
    }
    let certificate = &status["certificate"];
    let stores = site.stores().count();
    assert_eq!(certificate["verdict"], "Consistent", "{certificate:#}");
    assert_eq!(certificate["commitTs"], commit_ts);
    assert_eq!(certificate["stores"], stores);
    assert_eq!(certificate["snapshots"], 2 * stores);
    assert_eq!(certificate["regions"], site.tikv.regions().len());
    assert!(certificate["clusterId"].as_str().is_some_and(|id| id.len() > 15), "{certificate:#}");
}

/// `kubectl get vbk`: the columns that users' eyes and scripts know.
async fn columns(rig: &Rig, commit_ts: &str) {
    let usual = ["NAME", "STATUS", "BACKUPSIZE", "COMMITTS", "TIMETAKEN", "AGE"];
    for (wide, ours) in [(&[][..], &[][..]), (&["-o", "wide"], &["VERDICT", "HOLD", "REASON", "STEP"])] {
        let table = rig.kube.kubectl(&[&["get", "vbk", "-n", ADMIN_NAMESPACE], wide].concat()).await.unwrap();
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], [&usual, ours].concat(), "{table}");
        assert_eq!(lines[1][..2], ["first", "Complete"], "{table}");
        assert!(lines[1].contains(&commit_ts), "{table}");
        assert_eq!(lines[1].contains(&"Consistent"), !ours.is_empty(), "{table}");
    }
}

async fn console(rig: &Rig, commit_ts: &str) {
    let programs = rig.programs();
    let status = programs.console(&["status"]).await.unwrap();
    assert_eq!((&status["ready"], &status["claims"]), (&json!(true), &json!([])), "{status:#}");
    let row = &status["backups"][0];
    assert_eq!((&row["name"], &row["step"]), (&json!("first"), &json!("Complete")), "{status:#}");
    assert_eq!(row["commitTs"], commit_ts);
    let planes = programs.console(&["planes"]).await.unwrap();
    let connected = planes.as_array().expect("rows").iter().filter(|row| row["connected"] == true);
    assert_eq!(connected.map(|row| row["plane"].as_str()).collect::<Vec<_>>(), PLANES.map(Some));
    let shown = programs.console(&["show", "br-admin/first"]).await.unwrap();
    assert_eq!(shown["step"], "Complete", "{shown:#}");
    assert!(shown["record"]["certificate"].is_object(), "{shown:#}");
    let why = programs.console(&["why", "first"]).await.unwrap();
    assert!(why["action"].as_str().is_some_and(|text| text.contains("complete")), "{why:#}");
    let timeline = programs.console(&["timeline", "first"]).await.unwrap();
    let steps = timeline["steps"].as_array().expect("steps");
    assert!(steps.iter().all(|step| step["step"] == "Complete" || step["ended_ms"].is_u64()), "{timeline:#}");
    let snapshotting = steps.iter().find(|step| step["step"] == "Snapshotting").expect("it was at it");
    for plane in PLANES {
        let calls = snapshotting["calls"][plane].as_object().unwrap_or_else(|| panic!("{plane}: {timeline:#}"));
        let accepted = calls.values().map(|at| at.as_u64().expect("a time"));
        let (from, to) = (snapshotting["began_ms"].as_u64(), snapshotting["planes"][plane].as_u64());
        assert!(!calls.is_empty() && accepted.into_iter().all(|at| Some(at) >= from && to.is_some()), "{timeline:#}");
    }
    let orphans = programs.console(&["orphans"]).await.unwrap();
    let seen: u64 =
        orphans["planes"].as_array().expect("rows").iter().filter_map(|row| row["snapshots"].as_u64()).sum();
    assert_eq!(orphans["found"], json!([]), "{orphans:#}");
    let rows = orphans["planes"].as_array().expect("rows").iter().filter(|row| row["notSeen"] == json!([]));
    assert_eq!(rows.filter_map(|row| row["plane"].as_str()).collect::<Vec<_>>(), PLANES, "{orphans:#}");
    assert_eq!(
        seen,
        shown["record"]["certificate"]["planes"].as_object().expect("planes").values().map(snapshots_of).sum::<u64>()
    );
    let drawn = programs.console_text(&["timeline", "first"]).await.unwrap();
    assert!(drawn.contains("Snapshotting") && drawn.contains("CreateSnapshots: "), "{drawn}");
    let watched = programs.console_text(&["watch", "first"]).await.unwrap();
    assert_eq!(watched.trim(), "attempt 1: Complete", "it has ended, so does the command");
    archive(programs).await;
    restore_plan(rig, programs).await;
}

/// Every snapshot once, in the order of pods; three lines of a person's terminal; and nothing is changed by either.
async fn restore_plan(rig: &Rig, programs: &Programs) {
    let before = rig.ec2.handle.mutations();
    let ask = ["restore", "plan", "first", "--rate", "300", "--zone", "eu-west-1b", "--hours", "2"];
    let told = programs.console(&ask).await.unwrap();
    let taken = rig.ec2.handle.snapshots();
    let planes = told["plan"]["planes"].as_array().expect("planes");
    let volumes: Vec<&Value> = planes.iter().flat_map(|plane| plane["volumes"].as_array().expect("volumes")).collect();
    let planned: BTreeSet<&str> = volumes.iter().filter_map(|one| one["snapshot"].as_str()).collect();
    assert_eq!(planned, taken.keys().map(String::as_str).collect(), "{told:#}");
    assert_eq!((volumes.len(), told["fine"].as_bool()), (taken.len(), Some(true)), "{told:#}");
    assert!(volumes.iter().all(|one| one["pod"].is_u64() && one["zoneTo"] == "eu-west-1b"), "{told:#}");
    assert!(told["plan"]["totals"]["ready_ms"].is_u64() && told["plan"]["totals"]["perMonth"].is_string(), "{told:#}");
    let drawn = programs.console_text(&ask).await.unwrap();
    for line in ["plane prod-az1: ", "in all: ", "price: ", "not asked: no --target"] {
        assert!(drawn.contains(line), "{line}\n{drawn}");
    }
    let own = format!("{}/{}", rig.sites[0].parts[0].namespace, rig.sites[0].parts[0].name);
    let into_itself = programs.console(&["restore", "plan", "first", "--target", &format!("prod-az1={own}")]).await;
    let why = into_itself.expect_err("it ends with 1").to_string();
    assert!(why.contains("is that of the backup"), "{why}");
    assert_eq!(rig.ec2.handle.mutations(), before);
}

/// One archive holds what every plane logged, did and owes.
async fn archive(programs: &Programs) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.tar.gz").display().to_string();
    programs.console_text(&["diagnose", "first", "--file", &file]).await.unwrap();
    let unpacked = std::process::Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(folder.path()).status();
    assert!(unpacked.unwrap().success());
    let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let top = entries.into_iter().find(|path| path.is_dir()).expect("one folder");
    for plane in PLANES {
        let of = |name: &str| std::fs::read_to_string(top.join("planes").join(plane).join(name)).unwrap();
        let log = of("log.txt");
        assert!(log.contains("work begins") && log.contains("work=\"snapshot\""), "{plane}: {log}");
        assert!(of("machines.json").contains("Order { epoch"), "{plane}: {}", of("machines.json"));
        assert!(of("budgets.json").contains("CreateSnapshots"), "{plane}: {}", of("budgets.json"));
        assert!(of("configuration.json").contains(&format!("\"plane\": \"{plane}\"")), "{}", of("configuration.json"));
        assert!(of("metrics.txt").contains("isochron_plane_connected 1"), "{plane}: {}", of("metrics.txt"));
        assert!(of("ledger.json").contains("epochs") && of("process.json").contains("version"), "{plane}");
    }
    let readme = std::fs::read_to_string(top.join("README.txt")).unwrap();
    assert!(readme.contains("planes/") && !readme.contains("say nothing"), "{readme}");
}

fn snapshots_of(part: &Value) -> u64 {
    part["evidence"]["snapshots"].as_array().map_or(0, |all| all.len() as u64)
}

/// One snapshot for each volume of TiKV and for no other, those of an instance from one call, all tagged.
fn exactly_the_volumes_of_tikv(snapshots: &BTreeMap<String, Snapshot>, site: &Site) {
    let mut taken: Vec<&str> = snapshots.values().map(|snapshot| snapshot.volume.as_str()).collect();
    taken.sort_unstable();
    let mut wanted: Vec<&str> = site.stores().flat_map(|store| [store.data.as_str(), &store.raft]).collect();
    wanted.sort_unstable();
    assert_eq!(taken, wanted, "no root, no foreign volume, none twice");
    let calls = |volumes: [&String; 2]| -> BTreeSet<u64> {
        let of = snapshots.values().filter(|snapshot| volumes.contains(&&snapshot.volume));
        of.map(|snapshot| snapshot.call).collect()
    };
    assert!(site.stores().all(|store| calls([&store.data, &store.raft]).len() == 1), "one call per instance");
    for (plane, part) in PLANES.iter().zip(&site.parts) {
        for store in &part.stores {
            let of = snapshots.values().filter(|it| [&store.data, &store.raft].contains(&&it.volume));
            for snapshot in of {
                let values: Vec<&str> = snapshot.tags.values().map(String::as_str).collect();
                assert!(values.contains(plane), "tags name the plane: {:?}", snapshot.tags);
                assert!(values.contains(&"first"), "tags name the backup: {:?}", snapshot.tags);
            }
        }
    }
}

/// An event for every phase, on the object.
async fn events(rig: &Rig) {
    let list =
        rig.kube.kubectl(&["get", "events.v1.events.k8s.io", "-n", ADMIN_NAMESPACE, "-o", "json"]).await.unwrap();
    let list: Value = serde_json::from_str(&list).unwrap();
    let ours = items(&list).iter().filter(|event| event["regarding"]["name"] == "first");
    let reasons: BTreeSet<&str> = ours.filter_map(|event| event["reason"].as_str()).collect();
    assert!(reasons.contains("Complete"), "{reasons:?}");
}
