//! `console verify`: names what became of a backup since it was Complete, and touches nothing.

use crate::{LIMIT, completes, slow, soon, story, world};
use serde_json::Value;
use shared::barrier::Milestone;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::{models::ec2::Snapshot, rig::Rig, world::World};

async fn verified(rig: &Rig, name: &str) -> Value {
    let answer = rig.verify(name).await.expect("an answer in time");
    assert!(answer["ok"]["checks"].is_array(), "{answer:#}");
    answer["ok"].clone()
}

/// What is in this state: `plane az1/tags` and what was found.
fn told(answer: &Value, state: &str) -> BTreeMap<String, String> {
    let checks = answer["checks"].as_array().unwrap().iter().filter(|check| check["state"] == state);
    let word = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
    checks
        .map(|check| {
            assert!(word(check, "runbook").starts_with("deploy/runbook.md#verify-"), "{check:#}");
            (format!("{}/{}", word(check, "group"), word(check, "what")), word(check, "found"))
        })
        .collect()
}

fn names(answer: &Value, state: &str) -> Vec<String> {
    told(answer, state).into_keys().collect()
}

/// A backup that is Complete, and what its end left in the world.
async fn complete(rig: &Rig) -> (u64, u64) {
    assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
    tokio::time::sleep(Duration::from_secs(60)).await;
    (rig.world.mutations().total(), rig.world.left_over().total())
}

fn key(rig: &Rig, plane: &str, file: &str) -> String {
    let keys = rig.world.objects().into_keys();
    keys.into_iter().find(|key| key.contains(plane) && key.ends_with(file)).expect("an object of this plane")
}

/// Something becomes of a backup: this and nothing else is named, and nothing is touched by it.
fn found(level: &str, refused: &[&str], warned: &[&str], word: &str, spoil: impl Fn(&Rig)) {
    story(world(720), async |rig: Rc<Rig>| {
        let before = complete(&rig).await;
        spoil(&rig);
        let kept = (rig.world.objects(), rig.control.ledger());
        let answer = verified(&rig, "backup").await;
        assert_eq!(answer["level"], level, "{answer:#}");
        assert_eq!(answer["fine"], matches!(level, "Sound" | "Partly"), "{answer:#}");
        assert_eq!(names(&answer, "refused"), refused, "{answer:#}");
        assert_eq!(names(&answer, "warning"), warned, "{answer:#}");
        if !word.is_empty() {
            let all = [told(&answer, "refused"), told(&answer, "warning")];
            assert!(all.iter().flat_map(BTreeMap::values).all(|text| text.contains(word)), "{word}: {answer:#}");
            assert!(answer["message"].as_str().unwrap().contains(word), "{answer:#}");
        }
        assert_eq!(rig.world.mutations().total(), before.0, "it changed something: {:?}", rig.world.mutations());
        assert!(kept == (rig.world.objects(), rig.control.ledger()), "objects or the ledger were changed");
        assert_eq!(rig.record().unwrap().milestone, Milestone::Complete);
    });
}

/// Of the first snapshot of az1.
fn snapshot(change: impl Fn(&mut Snapshot)) -> impl Fn(&Rig) {
    move |rig: &Rig| drop(rig.world.alter_snapshot("az1", &change).expect("a snapshot of az1"))
}

fn object(file: &'static str, change: impl Fn(&World, &str)) -> impl Fn(&Rig) {
    move |rig: &Rig| change(&rig.world, &key(rig, "az1", file))
}

fn edited(world: &World, key: &str, from: &str, to: &str) {
    let text = String::from_utf8(world.objects()[key].clone()).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    world.put_object(key, text.replacen(from, to, 1).as_bytes());
}

#[test]
fn a_backup_that_is_whole_is_sound_and_is_not_touched() {
    found("Sound", &[], &[], "", |_| ());
}

#[test]
fn what_became_of_a_snapshot_is_named() {
    let broken = |refused: &[&str], word: &str, change: fn(&mut Snapshot)| {
        found("Broken", refused, &[], word, snapshot(change));
    };
    broken(&["plane az1/storage tier"], "is archived", |one| one.later.archived = true);
    broken(&["plane az1/sharing"], "is shared with 999988887777", |one| {
        one.later.shared_with = vec!["999988887777".to_owned()];
    });
    broken(&["plane az1/sharing"], "is public", |one| one.later.shared_with = vec!["all".to_owned()]);
    broken(&["plane az1/snapshots"], "Recycle Bin", |one| one.later.binned = true);
    broken(&["plane az1/snapshots"], "does not exist", |one| one.deleting = true);
    broken(&["plane az1/snapshots"], "is in Error", |one| one.fails = Some("Internal error".to_owned()));
    broken(&["plane az1/tags"], "isochron/attempt is 9, not 1", |one| {
        one.tags.insert("isochron/attempt".to_owned(), "9".to_owned());
    });
    broken(&["plane az1/tags"], "has no tag isochron/backup-uid", |one| {
        one.tags.remove("isochron/backup-uid");
    });
    broken(&["plane az1/snapshots"], "the certificate has it for", |one| {
        one.volume = "vol-0000000000000000f".to_owned()
    });
    broken(&["plane az1/sizes"], "its PersistentVolume has", |one| one.size = 1);
}

#[test]
fn what_became_of_the_metadata_is_named() {
    let broken = |what: &str, word: &str, spoil: &dyn Fn(&Rig)| {
        found("Broken", &[&format!("plane az1/{what}")], &[], word, spoil);
    };
    broken("lock", "is gone", &object("backup.lock", |world, key| world.drop_object(key)));
    broken(
        "lock",
        "names another backup",
        &object("backup.lock", |world, key| world.put_object(key, b"DO NOT DELETE")),
    );
    broken("backupmeta", "is gone", &object("backupmeta", |world, key| world.drop_object(key)));
    broken("backupmeta", "cannot be read", &object("backupmeta", |world, key| world.put_object(key, b"{}")));
    broken("backupmeta", "the certificate", &object("backupmeta", |world, key| edited(world, key, "snap-", "snap-f")));
    broken(
        "backupmeta",
        "its resolved_ts is",
        &object("backupmeta", |world, key| {
            edited(world, key, "\"resolved_ts\":", "\"resolved_ts\":1");
        }),
    );
    broken("certificate", "is gone", &object("certificate.json", |world, key| world.drop_object(key)));
    broken(
        "certificate",
        "otherwise than the record: attempt",
        &object("certificate.json", |world, key| {
            edited(world, key, "\"attempt\":1", "\"attempt\":2");
        }),
    );
}

#[test]
fn blocks_that_do_not_decrypt_or_are_not_what_they_were_are_named() {
    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k-1";
    let encrypted = |one: &mut Snapshot| one.later.key = Some(KEY.to_owned());
    found("Sound", &[], &[], "", snapshot(encrypted));
    found("Broken", &["plane az1/blocks"], &[], "INVALID_CUSTOMER_KEY", |rig: &Rig| {
        snapshot(encrypted)(rig);
        rig.world.alter_ec2(|ec2| ec2.disabled_keys.insert(KEY.to_owned()));
    });
    found(
        "Broken",
        &["plane az1/blocks"],
        &[],
        "is not what EBS has a sum of",
        snapshot(|one| one.later.damaged = true),
    );
}

#[test]
fn a_right_that_is_missing_leaves_doubt_and_fails_nothing() {
    let of = |change: fn(&mut tests::world::Ec2Faults)| {
        move |rig: &Rig| rig.world.faults(|faults| change(faults.ec2.entry("az2".to_owned()).or_default()))
    };
    found("Partly", &[], &["plane az2/sharing", "plane az2/volumes"], "access denied", of(|ec2| ec2.no_looks = true));
    found("Partly", &[], &["plane az2/blocks"], "access denied", of(|ec2| ec2.blocks_denied = true));
    found(
        "Partly",
        &[],
        &[
            "plane az1/backupmeta",
            "plane az1/certificate",
            "plane az1/lock",
            "plane az2/backupmeta",
            "plane az2/certificate",
            "plane az2/lock",
            "plane az3/backupmeta",
            "plane az3/certificate",
            "plane az3/lock",
        ],
        "access denied",
        |rig: &Rig| rig.world.faults(|faults| faults.s3_unreadable = true),
    );
}

#[test]
fn who_cannot_be_asked_says_nothing_of_the_whole() {
    story(world(721), async |rig: Rc<Rig>| {
        let before = complete(&rig).await;
        rig.net.cut("az3");
        tokio::time::sleep(Duration::from_secs(40)).await;
        let answer = verified(&rig, "backup").await;
        assert_eq!((answer["level"].as_str(), answer["fine"].as_bool()), (Some("Unchecked"), Some(false)));
        assert_eq!(told(&answer, "refused")["plane az3/plane"], "not checked: it is not connected");
        rig.net.heal("az3");
        tokio::time::sleep(Duration::from_secs(20)).await;
        rig.world.faults(|faults| faults.s3_down = true);
        let away = verified(&rig, "backup").await;
        assert_eq!(away["level"], "Unchecked", "{away:#}");
        rig.world.faults(|faults| faults.s3_down = false);
        assert_eq!(verified(&rig, "br-admin/backup").await["level"], "Sound");
        assert_eq!(rig.world.mutations().total(), before.0);
        let unknown = rig.verify("weekly").await.unwrap();
        assert!(unknown["error"].as_str().unwrap().contains("called weekly"), "{unknown}");
    });
}

/// The second backup's record is there.
async fn at_second(rig: &Rig, wanted: Milestone) {
    soon("the second backup", || {
        rig.records().iter().any(|record| record.request.name == "second" && record.milestone == wanted)
    })
    .await;
}

/// What can be verified is what has ended well.
#[test]
fn only_a_complete_backup_is_verified() {
    story(world(722), async |rig: Rc<Rig>| {
        rig.world.faults(|faults| faults.no_bucket = true);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        let answer = rig.verify("backup").await.unwrap();
        assert!(answer["error"].as_str().unwrap().contains("only a Complete backup"), "{answer}");
    });
}

/// While another backup holds the same stores, no call of AWS is made for a person's question.
#[test]
fn a_barrier_is_not_disturbed() {
    story(slow(world(723)), async |rig: Rc<Rig>| {
        complete(&rig).await;
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        at_second(&rig, Milestone::Snapshotting).await;
        let answer = verified(&rig, "backup").await;
        assert_eq!(answer["level"], "Unchecked", "{answer:#}");
        let refused = told(&answer, "refused");
        assert!(refused.len() >= 3 && refused.values().all(|text| text.contains("barrier")), "{answer:#}");
        assert_eq!(answer["calls"], 0, "{answer:#}");
        at_second(&rig, Milestone::Snapshotting).await;
        assert!(completes(&rig, "br-admin/second", LIMIT).await);
        assert_eq!(verified(&rig, "backup").await["level"], "Sound");
        assert_eq!(verified(&rig, "second").await["level"], "Sound");
        assert_eq!(rig.lies(), Vec::<String>::new());
    });
}
