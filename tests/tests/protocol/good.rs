//! The good path.

use crate::{LIMIT, nothing_left, soon, story, world};
use shared::barrier::Milestone;
use std::time::Duration;
use tests::rig::KEY;

#[test]
fn a_backup_is_complete_consistent_and_cleaned() {
    for seed in 1..=4 {
        story(world(seed), async |rig| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(rig.backup("", LIMIT).await, "Complete", "seed {seed}: {:?}", rig.failure());
            assert_eq!(rig.lies(), Vec::<String>::new(), "seed {seed}");
            let status = &rig.control.get(KEY).unwrap()["status"];
            let rows = status["backups"].as_array().unwrap();
            let least = rows.iter().map(|row| row["commitTs"].as_str().unwrap().parse::<u64>().unwrap()).min().unwrap();
            assert_eq!(status["commitTs"], least.to_string(), "the least over all planes");
            assert_eq!(rows[1]["backupName"], "fed-backup-az2");
            assert_eq!(rows[1]["backupPath"], "s3://backups/p-az2");
            for (key, body) in rig.world.objects() {
                if key.ends_with("/backupmeta") {
                    let meta: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(meta["cluster_info"]["resolved_ts"], least, "{key} holds the cluster-wide commitTs");
                }
            }
            nothing_left(&rig).await;
        });
    }
}

/// Planes called as kubeconfig contexts are: an ARN, eksctl's form, a name with a space.
#[test]
fn planes_are_called_as_their_contexts_are() {
    let arn = "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1";
    let mut config = world(8);
    for (plane, name) in config.planes.iter_mut().zip([arn, "ann@shop.eu-west-1.eksctl.io", "docker desktop"]) {
        plane.name = name.to_owned();
    }
    story(config, async |rig| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        let status = &rig.control.get(KEY).unwrap()["status"];
        assert_eq!(status["backups"][0]["backupPath"], format!("s3://backups/p-{arn}"));
        let keys: Vec<_> = rig.world.objects().into_keys().collect();
        for name in [arn, "ann@shop.eu-west-1.eksctl.io", "docker desktop"] {
            assert!(keys.contains(&format!("p-{name}/backupmeta")), "{keys:?}");
        }
        nothing_left(&rig).await;
    });
}

#[test]
fn events_tell_every_milestone_once() {
    story(world(5), async |rig| {
        rig.backup("", LIMIT).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let told: Vec<_> = rig.control.events().into_iter().map(|event| event.reason).collect();
        assert_eq!(told.last().map(String::as_str), Some("Complete"), "{told:?}");
        assert_eq!(told.iter().filter(|reason| *reason == "Complete").count(), 1, "{told:?}");
    });
}

#[test]
fn a_ledger_whose_answers_are_lost_is_read_back() {
    story(world(6), async |rig| {
        rig.control.apply(&rig.manifest("")).unwrap();
        soon("the epoch is saved", || rig.record().is_some_and(|record| record.milestone >= Milestone::Barrier)).await;
        // The save of commitTs is the next one: to believe it lost would end the attempt.
        rig.control.lose_ledger_answers(2);
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.record().unwrap().attempt, 1);
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
}

#[test]
fn edits_and_annotations_in_the_middle_disturb_nothing() {
    story(world(7), async |rig| {
        rig.control.apply(&rig.manifest("")).unwrap();
        tokio::time::sleep(Duration::from_millis(800)).await;
        rig.control.annotate(KEY, "someone/was-here", "yes");
        rig.control.apply(&rig.manifest("").replace("prefix: p", "prefix: q")).unwrap();
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert!(rig.world.objects().keys().all(|key| key.starts_with("p-")), "the wish is the one first seen");
    });
}
