//! The good path.

use crate::{LIMIT, nothing_left, soon, story, world};
use shared::barrier::Stage as Durable;
use std::time::Duration;
use tests::stage::KEY;

#[test]
fn a_backup_is_complete_consistent_and_cleaned() {
    for seed in 1..=4 {
        story(world(seed), async |stage| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(stage.backup("", LIMIT).await, "Complete", "seed {seed}: {:?}", stage.failure());
            assert_eq!(stage.lies(), Vec::<String>::new(), "seed {seed}");
            let status = &stage.control.get(KEY).unwrap()["status"];
            let rows = status["backups"].as_array().unwrap();
            let least = rows.iter().map(|row| row["commitTs"].as_str().unwrap().parse::<u64>().unwrap()).min().unwrap();
            assert_eq!(status["commitTs"], least.to_string(), "the least over all planes");
            assert_eq!(rows[1]["backupName"], "fed-backup-az2");
            assert_eq!(rows[1]["backupPath"], "s3://backups/p-az2");
            for (key, body) in stage.world.objects() {
                if key.ends_with("/backupmeta") {
                    let meta: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(meta["cluster_info"]["resolved_ts"], least, "{key} holds the cluster-wide commitTs");
                }
            }
            nothing_left(&stage).await;
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
    story(config, async |stage| {
        assert_eq!(stage.backup("", LIMIT).await, "Complete", "{:?}", stage.failure());
        assert_eq!(stage.lies(), Vec::<String>::new());
        let status = &stage.control.get(KEY).unwrap()["status"];
        assert_eq!(status["backups"][0]["backupPath"], format!("s3://backups/p-{arn}"));
        let keys: Vec<_> = stage.world.objects().into_keys().collect();
        for name in [arn, "ann@shop.eu-west-1.eksctl.io", "docker desktop"] {
            assert!(keys.contains(&format!("p-{name}/backupmeta")), "{keys:?}");
        }
        nothing_left(&stage).await;
    });
}

#[test]
fn events_tell_every_stage_once() {
    story(world(5), async |stage| {
        stage.backup("", LIMIT).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let told: Vec<_> = stage.control.events().into_iter().map(|event| event.reason).collect();
        assert_eq!(told.last().map(String::as_str), Some("Complete"), "{told:?}");
        assert_eq!(told.iter().filter(|reason| *reason == "Complete").count(), 1, "{told:?}");
    });
}

#[test]
fn a_ledger_whose_answers_are_lost_is_read_back() {
    story(world(6), async |stage| {
        stage.control.apply(&stage.manifest("")).unwrap();
        soon("the epoch is saved", || stage.record().is_some_and(|record| record.stage >= Durable::Barrier)).await;
        // The save of commitTs is the next one: to believe it lost would end the attempt.
        stage.control.lose_ledger_answers(2);
        assert_eq!(stage.ended(LIMIT).await, "Complete", "{:?}", stage.failure());
        assert_eq!(stage.record().unwrap().attempt, 1);
        assert_eq!(stage.lies(), Vec::<String>::new());
        nothing_left(&stage).await;
    });
}

#[test]
fn edits_and_annotations_in_the_middle_disturb_nothing() {
    story(world(7), async |stage| {
        stage.control.apply(&stage.manifest("")).unwrap();
        tokio::time::sleep(Duration::from_millis(800)).await;
        stage.control.annotate(KEY, "someone/was-here", "yes");
        stage.control.apply(&stage.manifest("").replace("prefix: p", "prefix: q")).unwrap();
        assert_eq!(stage.ended(LIMIT).await, "Complete", "{:?}", stage.failure());
        assert!(stage.world.objects().keys().all(|key| key.starts_with("p-")), "the wish is the one first seen");
    });
}
