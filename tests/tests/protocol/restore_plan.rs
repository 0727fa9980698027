//! `console restore plan`: says what a restore would take and what stands in its way, and touches nothing.

use crate::{LIMIT, completes, slow, soon, story, world};
use serde_json::{Value, json};
use shared::barrier::Milestone;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::{
    models::ec2::{Ec2, Snapshot},
    rig::Rig,
    world::{TargetCluster, WorldConfig},
};

const PLANES: [&str; 3] = ["az1", "az2", "az3"];
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k-1";

/// Quotas are told, so that nothing is left in doubt.
fn told(seed: u64) -> WorldConfig {
    let mut world = world(seed);
    world.volumes.quota_gib = BTreeMap::from([("gp3".to_owned(), 100_000)]);
    world
}

async fn planned(rig: &Rig, options: &Value) -> Value {
    let answer = rig.restore_plan("backup", options).await.expect("an answer in time");
    assert!(answer["ok"]["checks"].is_array(), "{answer:#}");
    answer["ok"].clone()
}

/// What is in this state: `plane az1/zones` and what was found.
fn found(answer: &Value, state: &str) -> BTreeMap<String, String> {
    let checks = answer["checks"].as_array().unwrap().iter().filter(|check| check["state"] == state);
    let word = |check: &Value, field: &str| check[field].as_str().unwrap().to_owned();
    let row = |check: &Value| (format!("{}/{}", word(check, "group"), word(check, "what")), word(check, "found"));
    checks.map(row).collect()
}

fn names(answer: &Value, state: &str) -> Vec<String> {
    found(answer, state).into_keys().collect()
}

async fn complete(rig: &Rig) -> u64 {
    assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
    tokio::time::sleep(Duration::from_secs(60)).await;
    rig.world.mutations().total()
}

/// Something is so, and this is asked: this and nothing else stands in the way, and nothing is touched.
fn stands(world: WorldConfig, options: Value, refused: &[&str], warned: &[&str], word: &str, spoil: impl Fn(&Rig)) {
    story(world, async |rig: Rc<Rig>| {
        let before = complete(&rig).await;
        spoil(&rig);
        let kept = (rig.world.objects(), rig.control.ledger());
        let answer = planned(&rig, &options).await;
        assert_eq!(names(&answer, "refused"), refused, "{answer:#}");
        assert_eq!(names(&answer, "warning"), warned, "{answer:#}");
        assert_eq!(answer["fine"], refused.is_empty(), "{answer:#}");
        let all = [found(&answer, "refused"), found(&answer, "warning")];
        assert!(all.iter().flat_map(BTreeMap::values).all(|text| text.contains(word)), "{word}: {answer:#}");
        let volumes = answer["plan"]["totals"]["volumes"].as_u64();
        assert_eq!(volumes, Some(everything(&rig)), "every snapshot of the certificate: {answer:#}");
        assert_eq!(rig.world.mutations().total(), before, "it changed something: {:?}", rig.world.mutations());
        assert!(kept == (rig.world.objects(), rig.control.ledger()), "objects or the ledger were changed");
    });
}

fn everything(rig: &Rig) -> u64 {
    let certificate = rig.record().unwrap().certificate.unwrap();
    certificate.planes.values().map(|plane| plane.evidence.snapshots.len() as u64).sum()
}

fn options(wish: &Value) -> Value {
    let mut all = json!({"kind": {"name": "gp3"}});
    for (key, value) in wish.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({ "wish": all })
}

fn nothing(_: &Rig) {}

fn snapshot(change: impl Fn(&mut Snapshot)) -> impl Fn(&Rig) {
    move |rig: &Rig| drop(rig.world.alter_snapshot("az1", &change).expect("a snapshot of az1"))
}

fn ec2(change: impl Fn(&mut Ec2)) -> impl Fn(&Rig) {
    move |rig: &Rig| rig.world.alter_ec2(&change)
}

/// The whole answer once: pods, zones, sizes, times, prices, and that planes of one account share its quota.
#[test]
fn a_plan_tells_volumes_zones_time_and_price() {
    story(told(740), async |rig: Rc<Rig>| {
        complete(&rig).await;
        let wish = json!({"zones": {"eu-west-1a": "eu-west-1b"}, "rate": 300});
        let answer = planned(&rig, &options(&wish)).await;
        assert_eq!((&answer["fine"], names(&answer, "warning")), (&json!(true), vec![]), "{answer:#}");
        assert_eq!(answer["commitTs"], rig.record().unwrap().certificate.unwrap().commit_ts.to_string());
        let planes = answer["plan"]["planes"].as_array().unwrap();
        assert_eq!(planes.iter().map(|plane| plane["plane"].as_str().unwrap()).collect::<Vec<_>>(), PLANES);
        let (mut gib, mut ready) = (0, 0);
        for (plane, zone) in planes.iter().zip(["eu-west-1b", "eu-west-1b", "eu-west-1c"]) {
            let volumes = plane["volumes"].as_array().unwrap();
            let pods: Vec<u64> = volumes.iter().map(|one| one["pod"].as_u64().unwrap()).collect();
            assert!(pods.is_sorted(), "{pods:?}");
            for one in volumes {
                let pod = one["pod"].as_u64().unwrap();
                assert!(one["claim"].as_str().unwrap().ends_with(&format!("-tikv-{pod}")), "{one:#}");
                assert!(one["store"].is_u64() && one["snapshot"].as_str().unwrap().starts_with("snap-"), "{one:#}");
                assert_eq!((&one["zoneTo"], &one["today"]["name"]), (&json!(zone), &json!("gp3")), "{one:#}");
                gib += one["gib"].as_u64().unwrap();
                ready = ready.max(one["ready_ms"].as_u64().unwrap());
            }
            assert_eq!(volumes.first().unwrap()["holds"], "storage.data-dir");
        }
        let totals = &answer["plan"]["totals"];
        assert_eq!((totals["gib"].as_u64(), totals["ready_ms"].as_u64()), (Some(gib), Some(ready)), "{totals:#}");
        assert_eq!(totals["perMonth"], format!("{}.00", gib * 8 / 100), "{totals:#}");
        assert_eq!((&totals["initialization"], &totals["drill"]), (&Value::Null, &Value::Null), "no price is not 0");
        let rooms = answer["plan"]["rooms"].as_array().unwrap();
        assert_eq!(rooms.len(), 1, "one account: {rooms:#?}");
        assert_eq!((&rooms[0]["planes"], &rooms[0]["atOnce"]), (&json!(PLANES), &json!(16)));
        assert!(rooms[0]["usedGib"].as_u64().unwrap() >= gib, "the volumes that were backed up are there");
        assert_eq!(answer["notAsked"].as_array().unwrap().len(), 3, "no target was named");
        assert!(answer["calls"].as_u64().unwrap() > 0);
    });
}

#[test]
fn what_became_of_a_snapshot_or_its_key_stands_in_the_way() {
    let plain = || options(&json!({}));
    stands(told(741), plain(), &["plane az1/snapshots"], &[], "does not exist", snapshot(|one| one.deleting = true));
    stands(
        told(741),
        plain(),
        &["plane az1/storage tier"],
        &[],
        "is archived",
        snapshot(|one| one.later.archived = true),
    );
    stands(told(741), plain(), &["plane az1/blocks"], &[], "INVALID_CUSTOMER_KEY", |rig: &Rig| {
        snapshot(|one| one.later.key = Some(KEY.to_owned()))(rig);
        rig.world.alter_ec2(|ec2| ec2.disabled_keys.insert(KEY.to_owned()));
    });
}

#[test]
fn zones_and_types_are_asked_for_as_they_are_wished_for() {
    let az3 = ["plane az3/volumes", "plane az3/zones"];
    let lost = || options(&json!({"zones": {"eu-west-1c": "eu-west-1x"}}));
    stands(told(742), lost(), &az3, &[], "eu-west-1x", nothing);
    let down = ec2(|ec2| drop(ec2.zone_states.insert("eu-west-1c".to_owned(), "unavailable".to_owned())));
    stands(told(742), options(&json!({})), &["plane az3/zones"], &[], "unavailable", &down);
    stands(told(742), options(&json!({"zones": {"eu-west-1c": "eu-west-1a"}})), &[], &[], "", &down);
    let not_offered = ec2(|ec2| ec2.not_offered = [("eu-west-1b".to_owned(), "io2".to_owned())].into());
    let mut fast = told(742);
    fast.volumes.quota_gib.insert("io2".to_owned(), 100_000);
    let io2 = options(&json!({"kind": {"name": "io2", "iops": 9000}}));
    stands(fast, io2, &["plane az2/volumes"], &[], "not offered", not_offered);
}

#[test]
fn quotas_are_of_an_account_and_not_of_a_plane() {
    let room = "account 111122223333 in eu-west-1";
    let quota = |gib: u64| {
        let mut world = told(743);
        world.volumes.quota_gib.insert("gp3".to_owned(), gib);
        world
    };
    let plain = || options(&json!({}));
    // Room for the volumes of one plane, and not for those of three.
    stands(quota(10_000), plain(), &[&format!("{room}/storage quota")], &[], "room for", nothing);
    stands(world(743), plain(), &[], &[&format!("{room}/storage quota")], "aws.volumes.quotaGib.gp3", nothing);
    let at = |rate: u32| options(&json!({"rate": rate}));
    let initialization = |mib: u32| {
        let mut world = told(743);
        world.volumes.initialization_mib_per_second = mib;
        world
    };
    let line = format!("{room}/initialization quota");
    stands(initialization(600), at(300), &[], &[&line], "2 at a time", nothing);
    stands(initialization(299), at(300), &[&line], &[], "above the quota of 299", nothing);
    stands(initialization(299), plain(), &[], &[], "", nothing);
}

#[test]
fn a_missing_right_leaves_doubt_and_fails_nothing() {
    let of = ["plane az2/sharing", "plane az2/volumes", "plane az2/zones"];
    stands(told(744), options(&json!({})), &[], &of, "access denied", |rig: &Rig| {
        rig.world.faults(|faults| faults.ec2.entry("az2".to_owned()).or_default().no_looks = true);
    });
    let unread = |what: &str| PLANES.map(|plane| format!("plane {plane}/{what}"));
    let mut all: Vec<String> =
        ["backupmeta", "certificate", "lock", "mapping"].iter().flat_map(|what| unread(what)).collect();
    all.sort();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    stands(told(744), options(&json!({})), &[], &all, "", |rig: &Rig| {
        rig.world.faults(|faults| faults.s3_unreadable = true);
    });
}

fn with_target(name: &str) -> Value {
    let mut all = options(&json!({}));
    all["target"] = json!({"namespace": "tidb", "name": name});
    all
}

/// One target in all planes, with this amiss: three planes say so.
fn target(subject: &str, word: &str, change: impl Fn(&mut TargetCluster)) {
    let lines = PLANES.map(|plane| format!("plane {plane}/{subject}"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).filter(|_| !subject.is_empty()).collect();
    stands(told(745), with_target("back"), &lines, &[], word, |rig: &Rig| {
        let mut target = TargetCluster::fresh("tidb", "back");
        let version = &rig.world.config().version;
        target.version = format!("v{version}");
        change(&mut target);
        rig.world.set_target(target);
    });
}

#[test]
fn a_target_is_fresh_waits_and_is_of_the_same_line() {
    target("", "", |_| ());
    target("target PD", "has 3 stores already", |target| target.stores = 3);
    target("target PD", "marked", |target| target.marked = true);
    target("gate", "recoveryMode is not true", |target| target.recovery_mode = false);
    target("gate", "tikv-volumes-ready", |target| target.volumes_ready = true);
    target("version", "another line", |target| target.version = "v6.5.9".to_owned());
}

/// Whoever names the cluster that was backed up, or one that is not there, is told.
#[test]
fn the_clusters_own_is_no_target() {
    story(told(746), async |rig: Rc<Rig>| {
        let before = complete(&rig).await;
        let mut own = options(&json!({}));
        own["targets"] =
            json!({"az1": {"namespace": "tidb", "name": "shop-az1"}, "az2": {"namespace": "tidb", "name": "none"}});
        let answer = planned(&rig, &own).await;
        let refused = found(&answer, "refused");
        assert!(refused["plane az1/target PD"].contains("is that of the backup"), "{refused:#?}");
        assert!(refused["plane az1/gate"].contains("recoveryMode"), "{refused:#?}");
        assert!(refused["plane az2/target"].contains("no TidbCluster tidb/none"), "{refused:#?}");
        assert_eq!(answer["notAsked"][0]["group"], "plane az3", "{answer:#}");
        assert_eq!(rig.world.mutations().total(), before);
        let foreign = json!({"targets": {"az9": {"namespace": "tidb", "name": "x"}}});
        let unknown = rig.restore_plan("backup", &foreign).await.unwrap();
        assert!(unknown["error"].as_str().unwrap().contains("az9 of --target is no plane"), "{unknown}");
        let wrong = rig.restore_plan("backup", &options(&json!({"rate": 99}))).await.unwrap();
        assert!(wrong["error"].as_str().unwrap().contains("100 to 300 MiB/s"), "{wrong}");
        let none = rig.restore_plan("weekly", &json!({})).await.unwrap();
        assert!(none["error"].as_str().unwrap().contains("called weekly"), "{none}");
    });
}

#[test]
fn a_plane_that_is_away_or_of_an_earlier_version_is_named() {
    story(told(747), async |rig: Rc<Rig>| {
        rig.net.is_of_earlier_version("az2");
        rig.kill_plane("az2");
        rig.start_plane("az2");
        complete(&rig).await;
        rig.net.cut("az3");
        tokio::time::sleep(Duration::from_secs(40)).await;
        let answer = planned(&rig, &options(&json!({}))).await;
        let refused = found(&answer, "refused");
        assert_eq!(refused.len(), 2, "{answer:#}");
        assert!(refused["plane az2/plane"].starts_with("not checked: the plane's version"), "{refused:#?}");
        assert_eq!(refused["plane az3/plane"], "not checked: it is not connected");
        assert_eq!((answer["fine"].as_bool(), answer["plan"]["planes"].as_array().unwrap().len()), (Some(false), 1));
        let of_az2 = |check: &&Value| check["group"] == "plane az2";
        assert_eq!(answer["checks"].as_array().unwrap().iter().filter(of_az2).count(), 1, "{answer:#}");
    });
}

/// While another backup holds the same stores, neither AWS nor a PD is asked for a person's question.
#[test]
fn a_barrier_is_not_disturbed() {
    story(slow(told(748)), async |rig: Rc<Rig>| {
        complete(&rig).await;
        rig.world.set_target(TargetCluster::fresh("tidb", "back"));
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        let at_second = async |wanted: Milestone| {
            soon("the second backup", || {
                let is =
                    |record: &shared::barrier::Record| record.request.name == "second" && record.milestone == wanted;
                rig.records().iter().any(is)
            })
            .await;
        };
        at_second(Milestone::Snapshotting).await;
        let answer = planned(&rig, &with_target("back")).await;
        let refused = found(&answer, "refused");
        assert!(refused.values().filter(|text| text.contains("barrier")).count() >= 6, "{answer:#}");
        assert_eq!((&answer["calls"], &answer["fine"]), (&json!(0), &json!(false)), "{answer:#}");
        at_second(Milestone::Snapshotting).await;
        assert!(completes(&rig, "br-admin/second", LIMIT).await);
        assert_eq!(rig.lies(), Vec::<String>::new());
    });
}
