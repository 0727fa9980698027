//! `console verify`: names what became of a backup since it was Complete, and touches nothing.

use crate::{LIMIT, completes, nothing_left, slow, soon, story, world};
use coordinator::config::VerifyEvery;
use serde_json::Value;
use shared::{barrier::Milestone, verify::Level};
use shell::link::Role;
use std::{collections::BTreeMap, num::NonZeroU32, rc::Rc, time::Duration};
use tests::{
    models::ec2::Snapshot,
    rig::{KEY, Rig},
    world::{World, WorldConfig},
};

async fn verified(rig: &Rig, name: &str) -> Value {
    let answer = rig.verify(Role::Viewer, name).await.expect("an answer in time");
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
        let unknown = rig.verify(Role::Viewer, "weekly").await.unwrap();
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

/// It would end its session over a message that it cannot read.
#[test]
fn a_plane_of_an_earlier_version_is_not_asked() {
    story(world(727), async |rig: Rc<Rig>| {
        rig.net.is_of_earlier_version("az2");
        rig.kill_plane("az2");
        rig.start_plane("az2");
        complete(&rig).await;
        let answer = verified(&rig, "backup").await;
        assert_eq!(answer["level"], "Unchecked", "{answer:#}");
        let refused = told(&answer, "refused");
        assert_eq!(refused.len(), 1, "{answer:#}");
        assert!(refused["plane az2/plane"].starts_with("not checked: the plane's version"), "{answer:#}");
        let of_az2 = |check: &&Value| check["group"] == "plane az2";
        assert_eq!(answer["checks"].as_array().unwrap().iter().filter(of_az2).count(), 1, "{answer:#}");
    });
}

/// What can be verified is what has ended well.
#[test]
fn only_a_complete_backup_is_verified() {
    story(world(722), async |rig: Rc<Rig>| {
        rig.world.faults(|faults| faults.no_bucket = true);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        let answer = rig.verify(Role::Viewer, "backup").await.unwrap();
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

/// Looked at hourly.
fn by_itself(rig: &Rig) {
    rig.kill_coordinator();
    rig.verify.set(VerifyEvery { enabled: true, newest_hours: NonZeroU32::MIN, ..VerifyEvery::default() });
    rig.start_coordinator();
}

/// So little happens in this world that hours pass in a moment.
fn quiet(seed: u64) -> WorldConfig {
    WorldConfig { transfers_per_second: 1, ..world(seed) }
}

/// What nobody asked for: soon after the end, then as often as is said; kept with the record and in status, over a restart.
#[test]
fn the_newest_backup_is_looked_at_by_itself() {
    story(quiet(724), async |rig: Rc<Rig>| {
        by_itself(&rig);
        let before = complete(&rig).await;
        assert_eq!(status(&rig), Value::Null);
        let level = |level: &'static str| {
            let rig = rig.clone();
            async move {
                let is = |object: Option<&Value>| object.is_some_and(|one| one["status"]["verified"]["level"] == level);
                tokio::time::timeout(Duration::from_secs(2 * 3600), rig.control.wait(KEY, is)).await.expect(level);
            }
        };
        level("Sound").await;
        let first = rig.record().unwrap().verified.unwrap();
        assert_eq!(reasons(&rig, "Verified"), 1);
        tokio::time::sleep(Duration::from_secs(600)).await;
        rig.kill_coordinator();
        rig.start_coordinator();
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(rig.record().unwrap().verified, Some(first.clone()), "a restart begins nothing");
        rig.world.alter_snapshot("az1", |one| one.later.archived = true).unwrap();
        level("Broken").await;
        let second = rig.record().unwrap().verified.unwrap();
        assert!((3_600_000..3_700_000).contains(&second.at.since(first.at).0), "{first:?} {second:?}");
        assert!(status(&rig)["message"].as_str().unwrap().contains("is archived"), "{:#}", status(&rig));
        assert_eq!((reasons(&rig, "VerificationFailed"), rig.control.phase(KEY)), (1, "Complete".to_owned()));
        assert_eq!(rig.record().unwrap().milestone, Milestone::Complete);
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(rig.metric("isochron_backups_broken"), Some(1));
        rig.world.alter_snapshot("az1", |one| one.later.archived = false).unwrap();
        level("Sound").await;
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!((rig.metric("isochron_backups_broken"), reasons(&rig, "Verified")), (Some(0), 2));
        assert_eq!(rig.world.mutations().total(), before.0, "it changed something: {:?}", rig.world.mutations());
        nothing_left(&rig).await;
    });
}

/// What could not be looked at is tried again, and what was found before stays.
#[test]
fn a_plane_that_is_away_is_waited_for() {
    story(quiet(725), async |rig: Rc<Rig>| {
        by_itself(&rig);
        complete(&rig).await;
        rig.net.cut("az2");
        tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
        assert_eq!(status(&rig), Value::Null);
        assert!(rig.metric("isochron_verification_late_seconds").unwrap() > 2 * 3600);
        rig.net.heal("az2");
        tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
        assert_eq!(status(&rig)["level"], "Sound");
        assert_eq!(rig.metric("isochron_verification_late_seconds"), Some(0));
    });
}

/// An operator's question is kept with the backup, a viewer's is not.
#[test]
fn who_may_only_look_leaves_no_trace() {
    story(world(726), async |rig: Rc<Rig>| {
        complete(&rig).await;
        assert_eq!(verified(&rig, "backup").await["kept"], false);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!((status(&rig), rig.record().unwrap().verified), (Value::Null, None));
        let answer = rig.verify(Role::Operator, "backup").await.unwrap();
        assert_eq!(answer["ok"]["kept"], true, "{answer:#}");
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(status(&rig)["level"], "Sound");
        assert_eq!(rig.record().unwrap().verified.unwrap().level, Level::Sound);
    });
}

fn status(rig: &Rig) -> Value {
    rig.control.get(KEY).map(|object| object["status"]["verified"].clone()).unwrap_or_default()
}

fn reasons(rig: &Rig, wanted: &str) -> usize {
    rig.control.events().iter().filter(|event| event.reason == wanted).count()
}
