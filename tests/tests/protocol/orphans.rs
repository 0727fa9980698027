//! `console orphans`: what lies in AWS that nothing names is found, and nothing else goes on a person's word than what the
//! plane surely made, nothing proves, and nobody knows.

use crate::{
    LIMIT, at,
    lifecycle::{complete, vanish},
    slow, story, world,
};
use serde_json::Value;
use shared::{
    barrier::Milestone,
    ids::{BackupUid, VolumeId},
};
use shell::link::Role;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::{
    models::ec2::{AskedVolume, Snapshot, WantedVolume},
    rig::{KEY, Rig},
};

const PLANTED: &str = "snap-0000000000000beef";
const DAY_MS: i64 = 24 * 3_600_000;

async fn told(rig: &Rig, delete: Option<&str>) -> Value {
    let answer = rig.scan(Role::Admin, delete).await.expect("an answer in time");
    assert!(answer["ok"]["planes"].is_array(), "{answer:#}");
    answer["ok"].clone()
}

fn rows(told: &Value) -> &Vec<Value> {
    told["found"].as_array().unwrap()
}

/// A backup that is Complete, and beside its snapshots of az1 one that another backup left long ago.
async fn with_an_orphan(rig: &Rig, change: impl Fn(&mut Snapshot)) {
    assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
    tokio::time::sleep(Duration::from_secs(60)).await;
    plant(rig, change);
}

pub(crate) fn plant(rig: &Rig, change: impl Fn(&mut Snapshot)) {
    rig.world.alter_ec2(|ec2| {
        let of_az1 = |kept: &&Snapshot| kept.tags.get("isochron/plane").is_some_and(|plane| plane == "az1");
        let mut planted = ec2.snapshots.values().find(of_az1).cloned().expect("a snapshot of az1");
        planted.tags.insert("isochron/backup-uid".to_owned(), "u-lost".to_owned());
        planted.start_ms -= DAY_MS;
        change(&mut planted);
        ec2.snapshots.insert(PLANTED.to_owned(), planted);
    });
}

/// A restore that nothing knows has left a volume of a snapshot of az1, made by `ledger`'s plane.
pub(crate) fn plant_volume(rig: &Rig, ledger: &str) -> String {
    rig.world.alter_ec2(|ec2| {
        let of_az1 =
            |(_, kept): &(&String, &Snapshot)| kept.tags.get("isochron/plane").is_some_and(|plane| plane == "az1");
        let (snapshot, kept) = ec2.snapshots.iter().find(of_az1).expect("a snapshot of az1");
        let (snapshot, home, then) = (snapshot.clone(), kept.home.clone(), kept.done.max(kept.visible));
        let tags = [
            ("isochron/plane", "az1"),
            ("isochron/restore", "u-restore"),
            ("isochron/restore-name", "shop-back"),
            ("isochron/restore-namespace", "br-fed"),
            ("isochron/ledger", ledger),
        ];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let wanted = WantedVolume::plain(&snapshot, "eu-west-1a");
        let asked = AskedVolume { wanted, token: None, tags: &tags };
        ec2.create_volume(then, &home, &asked).expect("a volume").0
    })
}

fn is_there(rig: &Rig) -> bool {
    rig.world.alter_ec2(|ec2| ec2.snapshots.get(PLANTED).is_some_and(|kept| !kept.deleting))
}

fn others(rig: &Rig) -> Vec<String> {
    rig.world.alter_ec2(|ec2| ec2.snapshots.keys().filter(|id| *id != PLANTED).cloned().collect())
}

fn uid(rig: &Rig) -> BackupUid {
    rig.record().unwrap().key().clone()
}

#[test]
fn what_is_kept_is_no_orphan_and_is_not_touched() {
    story(world(900), async |rig: Rc<Rig>| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = (rig.world.mutations().total(), rig.world.objects(), rig.control.ledger());
        let answer = told(&rig, None).await;
        assert!(rows(&answer).is_empty() && answer["whole"] == true, "{answer:#}");
        let seen: u64 = answer["planes"].as_array().unwrap().iter().filter_map(|line| line["snapshots"].as_u64()).sum();
        assert_eq!(seen as usize, rig.world.snapshot_tags().len(), "every one was looked at: {answer:#}");
        let refused = rig.scan(Role::Admin, Some(uid(&rig).as_str())).await.unwrap();
        assert!(refused["ok"]["found"].as_array().is_some_and(Vec::is_empty), "{refused:#}");
        let after = (rig.world.mutations().total(), rig.world.objects(), rig.control.ledger());
        assert!(before == after, "it changed something");
    });
}

#[test]
fn a_snapshot_that_nothing_names_is_found_and_goes_on_an_admins_word_alone() {
    story(world(901), async |rig: Rc<Rig>| {
        with_an_orphan(&rig, |_| ()).await;
        let (kept, objects) = (others(&rig), rig.world.objects());
        let answer = told(&rig, None).await;
        let [row] = rows(&answer).as_slice() else { panic!("{answer:#}") };
        assert_eq!((&row["uid"], &row["plane"], &row["snapshots"]), (&"u-lost".into(), &"az1".into(), &1.into()));
        assert!(row["stays"].is_null() && row["gib"].as_u64() > Some(0), "{row:#}");
        assert!(row["path"].as_str().unwrap().ends_with("-az1"), "{row:#}");
        assert_eq!(rig.metric("isochron_snapshots_orphaned"), Some(1));
        assert!(is_there(&rig), "nothing goes unasked");
        for role in [Role::Viewer, Role::Operator] {
            let refused = rig.scan(role, Some("u-lost")).await.unwrap();
            assert!(refused["error"].as_str().unwrap().contains("admin"), "{refused:#}");
        }
        let other = told(&rig, Some("u-another")).await;
        assert!(rows(&other).is_empty() && is_there(&rig), "{other:#}");
        let deleted = told(&rig, Some("u-lost")).await;
        assert_eq!(deleted["deleted"][0]["snapshots"], 1, "{deleted:#}");
        assert!(!is_there(&rig), "{deleted:#}");
        assert!(kept == others(&rig) && objects == rig.world.objects(), "nothing but that");
        let answer = told(&rig, None).await;
        assert!(rows(&answer).is_empty(), "{answer:#}");
        assert_eq!(rig.metric("isochron_snapshots_orphaned"), Some(0));
    });
}

#[test]
fn what_may_be_somebody_elses_or_a_backup_stays_whoever_asks() {
    let tag = |key: &'static str, value: Option<&'static str>| {
        move |one: &mut Snapshot| {
            one.tags.remove(key);
            one.tags.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        }
    };
    type Change = Box<dyn Fn(&mut Snapshot)>;
    let table: [(&str, Change); 8] = [
        ("another plane of this name", Box::new(tag("isochron/ledger", Some("l-2")))),
        ("an earlier version", Box::new(tag("isochron/ledger", None))),
        ("of which attempt", Box::new(tag("isochron/attempt", None))),
        ("do not say where", Box::new(tag("isochron/path", None))),
        ("another bucket", Box::new(tag("isochron/path", Some("s3://elsewhere/x-az1")))),
        ("24 h", Box::new(|one| one.start_ms += DAY_MS)),
        ("24 h", Box::new(|one| one.start_ms += 2 * DAY_MS)),
        ("at work", Box::new(|one| one.done += Duration::from_secs(90 * 24 * 3600))),
    ];
    for (number, (word, change)) in table.into_iter().enumerate() {
        story(world(910 + number as u64), async |rig: Rc<Rig>| {
            with_an_orphan(&rig, &change).await;
            for delete in [None, Some("u-lost")] {
                let answer = told(&rig, delete).await;
                let [row] = rows(&answer).as_slice() else { panic!("{answer:#}") };
                assert!(row["stays"].as_str().is_some_and(|why| why.contains(word)), "{word}: {answer:#}");
                assert!(answer["deleted"].as_array().unwrap().is_empty(), "{answer:#}");
                assert!(is_there(&rig), "{word}");
            }
        });
    }
}

#[test]
fn what_another_attempt_of_a_backup_left_goes_and_its_own_stays() {
    story(world(920), async |rig: Rc<Rig>| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let uid = uid(&rig).to_string();
        plant(&rig, |one| {
            one.tags.insert("isochron/backup-uid".to_owned(), uid.clone());
            one.tags.insert("isochron/attempt".to_owned(), "7".to_owned());
        });
        let (kept, objects) = (others(&rig), rig.world.objects());
        let answer = told(&rig, Some(&uid)).await;
        assert_eq!(rows(&answer).len(), 1, "{answer:#}");
        assert!(!is_there(&rig), "{answer:#}");
        assert!(kept == others(&rig) && objects == rig.world.objects(), "its own snapshots and files: {answer:#}");
        assert_eq!(rig.lies(), Vec::<String>::new());
    });
}

/// The record and the object of a Complete backup are lost together. What S3 certifies is a backup, whatever a person says.
#[test]
fn a_backup_whose_record_is_lost_is_certified_and_stays() {
    story(world(921), async |rig: Rc<Rig>| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let lost = uid(&rig).to_string();
        rig.kill_coordinator();
        rig.control.lose_everything();
        rig.start_coordinator();
        // Another backup names bucket and identity.
        rig.control.apply(&rig.manifest_of("other", "q", "Delete", "")).unwrap();
        tokio::time::sleep(Duration::from_secs(120)).await;
        rig.world.alter_ec2(|ec2| ec2.snapshots.values_mut().for_each(|one| one.start_ms -= 2 * DAY_MS));
        let (kept, objects) = (others(&rig), rig.world.objects());
        for delete in [None, Some(lost.as_str())] {
            let answer = told(&rig, delete).await;
            let of: Vec<&Value> = rows(&answer).iter().filter(|row| row["uid"] == lost.as_str()).collect();
            assert_eq!(of.len(), 3, "one of each plane: {answer:#}");
            assert!(
                of.iter().all(|row| row["stays"].as_str().is_some_and(|why| why.contains("certifies"))),
                "{answer:#}"
            );
            assert!(kept == others(&rig) && objects == rig.world.objects(), "{answer:#}");
        }
        assert_eq!(rig.metric("isochron_snapshots_orphaned"), Some(0), "it is no orphan");
    });
}

/// Tags have the uid of an object that is long gone: the second one after it has its record, and a later process reads that.
#[test]
fn a_backup_that_was_taken_over_twice_is_known_by_its_first_name() {
    story(world(925), async |rig: Rc<Rig>| {
        complete(&rig, "Delete").await;
        let first = uid(&rig).to_string();
        for _ in 0..2 {
            vanish(&rig).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            complete(&rig, "Delete").await;
        }
        assert!(rig.record().unwrap().adopted.is_some_and(|by| by.from.as_str() != first), "it was taken over twice");
        rig.kill_coordinator();
        rig.start_coordinator();
        tokio::time::sleep(Duration::from_secs(60)).await;
        // Nothing but the record protects it.
        for key in rig.world.objects().keys().filter(|key| key.ends_with("certificate.json")) {
            rig.world.drop_object(key);
        }
        rig.world.alter_ec2(|ec2| ec2.snapshots.values_mut().for_each(|one| one.start_ms -= 2 * DAY_MS));
        let kept = others(&rig);
        let answer = told(&rig, Some(&first)).await;
        assert!(rows(&answer).is_empty() && !kept.is_empty() && kept == others(&rig), "{answer:#}");
    });
}

#[test]
fn a_folder_that_only_a_lock_of_ours_holds_is_found_and_goes() {
    story(world(922), async |rig: Rc<Rig>| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let objects = rig.world.objects();
        let lock = objects.keys().find(|key| key.ends_with("-az1/backup.lock")).unwrap().clone();
        let text = String::from_utf8(objects[&lock].clone()).unwrap();
        let ledger = text.lines().nth(4).expect("the ledger's name").to_owned();
        let head: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
        let at = |name: &str| lock.replace("-az1/", &format!("-{name}-az1/"));
        rig.world.put_object(&at("old"), format!("{head}u-lost\n3\n{ledger}").as_bytes());
        rig.world.put_object(&at("strange"), format!("{head}u-strange\n3\nl-2").as_bytes());
        rig.world.put_object(&at("br"), head.trim_end().as_bytes());
        let answer = told(&rig, None).await;
        let found: BTreeMap<&str, bool> =
            rows(&answer).iter().map(|row| (row["uid"].as_str().unwrap(), row["stays"].is_null())).collect();
        assert_eq!(found, BTreeMap::from([("u-lost", true), ("u-strange", false)]), "{answer:#}");
        assert_eq!(rig.metric("isochron_folders_orphaned"), Some(2));
        for backup in ["u-lost", "u-strange"] {
            told(&rig, Some(backup)).await;
        }
        let left = rig.world.objects();
        assert!(!left.contains_key(&at("old")) && left.contains_key(&at("strange")) && left.contains_key(&at("br")));
        assert!(objects.iter().all(|(key, body)| left.get(key) == Some(body)), "the backup's own files stay");
    });
}

#[test]
fn who_cannot_look_is_told_and_a_barrier_is_left_alone() {
    story(slow(world(923)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        let answer = told(&rig, None).await;
        let unseen = |answer: &Value| answer["planes"].to_string();
        assert!(unseen(&answer).contains("is in its barrier") && answer["whole"] == false, "{answer:#}");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        rig.kill_plane("az2");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(unseen(&told(&rig, None).await).contains("not connected"));
        rig.world.faults(|faults| faults.ec2.entry("az1".to_owned()).or_default().denied = true);
        let answer = told(&rig, None).await;
        assert!(unseen(&answer).contains("snapshots: access denied"), "{answer:#}");
    });
}

#[test]
fn by_itself_it_looks_and_tells_and_deletes_nothing() {
    story(world(924), async |rig: Rc<Rig>| {
        with_an_orphan(&rig, |_| ()).await;
        assert_eq!(rig.metric("isochron_scan_timestamp_seconds"), Some(0));
        tokio::time::sleep(Duration::from_secs(15 * 60)).await;
        assert_eq!(rig.metric("isochron_snapshots_orphaned"), Some(1));
        assert!(rig.metric("isochron_scan_timestamp_seconds") > Some(0));
        assert!(is_there(&rig), "nothing goes by itself");
        assert_eq!(rig.control.get(KEY).unwrap()["status"]["phase"], "Complete");
    });
}

#[test]
fn volumes_that_a_restore_has_left_are_listed_and_go_on_the_same_word() {
    story(world(916), async |rig: Rc<Rig>| {
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        let ledger = rig.world.facts().ledgers["az1"].name.clone();
        let volume = plant_volume(&rig, &ledger);
        let volumes = |told: &Value| told["volumes"].as_array().unwrap().clone();
        let answer = told(&rig, None).await;
        let [row] = &volumes(&answer)[..] else { panic!("{answer:#}") };
        assert_eq!((&row["uid"], &row["plane"], &row["volumes"]), (&"u-restore".into(), &"az1".into(), &1.into()));
        assert_eq!((&row["restore"], &row["gib"]), (&"br-fed/shop-back".into(), &500.into()));
        assert!(row["stays"].as_str().unwrap().contains("24 h"), "{row:#}");
        told(&rig, Some("u-restore")).await;
        assert_eq!(rig.world.left_over().volumes, 1, "it stays for a day");
        // A day later, by the plane's own clock.
        rig.world.faults(|faults| faults.wall_skew = BTreeMap::from([("az1".to_owned(), 2 * DAY_MS)]));
        let other = plant_volume(&rig, "another");
        let answer = told(&rig, Some("u-restore")).await;
        assert!(volumes(&answer)[0]["stays"].as_str().unwrap().contains("another plane"), "{answer:#}");
        assert_eq!(rig.world.left_over().volumes, 2);
        rig.world.alter_ec2(|ec2| ec2.remove_volume(&other));
        rig.world.attach_volume(&VolumeId::new(volume.clone()), "i-0000000000000000a").unwrap();
        assert!(volumes(&told(&rig, None).await).is_empty(), "it is in use");
        rig.world.alter_ec2(|ec2| ec2.volumes.get_mut(&volume).unwrap().attachment = None);
        let answer = told(&rig, Some("u-restore")).await;
        let note = answer["deleted"][0]["notes"][0].as_str().unwrap();
        assert!(note.contains("1 volumes of 500 GiB of restore u-restore were deleted"), "{answer:#}");
        assert_eq!(rig.world.left_over().volumes, 0);
        assert!(volumes(&told(&rig, None).await).is_empty());
    });
}
