//! What backups take up and what they added: told after the end, unknown where it cannot be told, and in nobody's way.

use crate::{LIMIT, completes, nothing_left, soon, story, world};
use serde_json::Value;
use shared::barrier::{Milestone, Size};
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::Ec2Faults,
};

const OTHER: &str = "br-admin/other";

fn manifest(rig: &Rig, name: &str, level: &str) -> String {
    rig.manifest_of(name, name, "Delete", "").replace("calcSizeLevel: all", &format!("calcSizeLevel: {level}"))
}

fn status(rig: &Rig, key: &str) -> Value {
    rig.control.get(key).map(|object| object["status"].clone()).unwrap_or_default()
}

async fn measured(rig: &Rig, key: &str) {
    soon("its size is told", || status(rig, key)["incrementalBackupSizeReadable"].is_string()).await;
}

#[test]
fn the_first_backup_adds_all_of_it_and_the_next_what_has_changed() {
    story(world(350), async |rig: Rc<Rig>| {
        rig.control.apply(&manifest(&rig, "backup", "all")).unwrap();
        assert!(completes(&rig, KEY, LIMIT).await);
        measured(&rig, KEY).await;
        let first = status(&rig, KEY);
        let full = first["backupSize"].as_i64().unwrap();
        assert!(full > 0);
        assert_eq!(first["incrementalBackupSize"].as_i64(), Some(full), "nothing was there before it");
        let rows = first["backups"].as_array().unwrap();
        let of = |row: &Value| row["incrementalBackupSize"].as_i64().unwrap();
        assert_eq!(rows.iter().map(of).sum::<i64>(), full);

        tokio::time::sleep(Duration::from_secs(120)).await;
        rig.control.apply(&manifest(&rig, "other", "incremental")).unwrap();
        assert!(completes(&rig, OTHER, LIMIT).await);
        measured(&rig, OTHER).await;
        let second = status(&rig, OTHER);
        let added = second["incrementalBackupSize"].as_i64().unwrap();
        assert!(0 < added && added < full, "{added} of {full}");
        assert_eq!(second["backupSize"].as_i64(), Some(0), "nobody asked for it");
        assert_eq!(rig.lies(), Vec::<String>::new());
    });
}

#[test]
fn what_nobody_asks_for_is_not_counted() {
    story(world(351), async |rig: Rc<Rig>| {
        for (name, level) in [("backup", "full"), ("other", "none")] {
            rig.control.apply(&manifest(&rig, name, level)).unwrap();
            assert!(completes(&rig, &format!("br-admin/{name}"), LIMIT).await);
            tokio::time::sleep(Duration::from_secs(60)).await;
            let status = status(&rig, &format!("br-admin/{name}"));
            assert!(status.get("incrementalBackupSize").is_none(), "{level}: {status:#}");
        }
        assert_eq!(rig.world.mutations().ebs_lists, 0);
    });
}

#[test]
fn what_cannot_be_told_is_unknown_and_the_backup_is_complete_all_the_same() {
    story(world(352), async |rig: Rc<Rig>| {
        rig.control.apply(&manifest(&rig, "backup", "all")).unwrap();
        assert!(completes(&rig, KEY, LIMIT).await);
        measured(&rig, KEY).await;
        rig.world.faults(|faults| {
            let denied = Ec2Faults { blocks_denied: true, no_full_size: true, ..Ec2Faults::default() };
            faults.ec2.insert("az2".into(), denied);
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        rig.control.apply(&manifest(&rig, "other", "all")).unwrap();
        assert!(completes(&rig, OTHER, LIMIT).await);
        measured(&rig, OTHER).await;
        let told = status(&rig, OTHER);
        assert_eq!(told["incrementalBackupSizeReadable"], "unknown");
        assert_eq!(told["backupSizeReadable"], "unknown", "a sum without one plane's would be too small");
        assert!(told.get("backupSize").is_none() && told.get("incrementalBackupSize").is_none(), "{told:#}");
        let rows = told["backups"].as_array().unwrap();
        let az2 = rows.iter().find(|row| row["k8sClusterName"] == "az2").unwrap();
        assert!(az2["message"].as_str().is_some_and(|text| text.contains("ebs:ListChangedBlocks")), "{az2:#}");
        assert!(rows.iter().any(|row| row["incrementalBackupSize"].is_i64()), "the others are told");
    });
}

#[test]
fn whoever_dies_meanwhile_it_is_told_in_the_end() {
    story(world(353), async |rig: Rc<Rig>| {
        rig.control.apply(&manifest(&rig, "backup", "all")).unwrap();
        rig.world.faults(|faults| {
            // Without the full size, the first snapshot of a volume is listed, too.
            let slow = Ec2Faults { slow_blocks: Duration::from_secs(20), no_full_size: true, ..Ec2Faults::default() };
            for plane in ["az1", "az2", "az3"] {
                faults.ec2.insert(plane.into(), slow);
            }
        });
        assert!(completes(&rig, KEY, LIMIT).await);
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(rig.record().unwrap().added(), Size::Pending);
        rig.kill_coordinator();
        rig.kill_plane("az1");
        rig.start_coordinator();
        rig.start_plane("az1");
        rig.world.faults(|faults| faults.ec2.clear());
        measured(&rig, KEY).await;
        let record = rig.record().unwrap();
        assert!(matches!(record.added(), Size::Known(bytes) if bytes > 0), "{:?}", record.added());
        assert_eq!(record.milestone, Milestone::Complete);
    });
}

#[test]
fn a_deletion_does_not_wait_until_it_is_counted() {
    story(world(354), async |rig: Rc<Rig>| {
        rig.control.apply(&manifest(&rig, "backup", "all")).unwrap();
        rig.world.faults(|faults| {
            let slow = Ec2Faults { slow_blocks: Duration::from_secs(3600), no_full_size: true, ..Ec2Faults::default() };
            faults.ec2.insert("az3".into(), slow);
        });
        assert!(completes(&rig, KEY, LIMIT).await);
        nothing_left(&rig).await;
    });
}
