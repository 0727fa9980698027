//! `console check`: says before a backup what the backup would say, and leaves nothing behind.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use serde_json::Value;
use shared::{barrier::Milestone, ids::StoreId};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};
use tests::{rig::Rig, world::Faults};

/// A schedule that never runs names what a backup would need.
async fn scheduled(rig: &Rig) {
    rig.control.apply(&rig.schedule_of("nightly", "p", "Delete", "0 3 * * *", "", true)).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
}

async fn checked(rig: &Rig, name: Option<&str>) -> Value {
    let answer = rig.check(name).await.expect("an answer in time");
    assert!(answer["ok"]["checks"].is_array(), "{answer:#}");
    answer["ok"].clone()
}

/// Reasons of a state, and the groups that name them.
fn told<'a>(answer: &'a Value, state: &str) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for check in answer["checks"].as_array().unwrap().iter().filter(|check| check["state"] == state) {
        let page = check["runbook"].as_str().unwrap();
        assert!(page.starts_with("deploy/runbook.md#"), "{check:#}");
        told.entry(check["reason"].as_str().unwrap_or(page)).or_default().insert(check["group"].as_str().unwrap());
    }
    told
}

fn reasons<'a>(answer: &'a Value, state: &str) -> Vec<&'a str> {
    told(answer, state).into_keys().collect()
}

fn untouched(rig: &Rig) {
    assert_eq!(rig.world.mutations().total(), 0, "{:?}", rig.world.mutations());
    assert_eq!(rig.world.left_over().total(), 0, "{:?}", rig.world.left_over().names);
    assert!(rig.control.ledger().is_empty());
    assert!(rig.control.events().is_empty(), "{:?}", rig.control.events());
}

/// Breaks the world: the check names this and nothing else, and so does a backup.
fn foreseen(reason: &str, groups: &[&str], break_it: impl Fn(&Rig)) {
    story(world(700), async |rig: Rc<Rig>| {
        break_it(&rig);
        scheduled(&rig).await;
        let answer = checked(&rig, Some("nightly")).await;
        assert_eq!(answer["fine"], false, "{reason}: {answer:#}");
        let expected = BTreeMap::from([(reason, groups.iter().copied().collect())]);
        assert_eq!(told(&answer, "refused"), expected, "{answer:#}");
        untouched(&rig);
        assert_eq!(rig.backup("", LIMIT).await, "Failed", "{reason}");
        assert_eq!(rig.failure().0, reason, "{}", rig.failure().1);
    });
}

/// A fault of one store, of az1.
fn of_store(change: impl Fn(&mut Faults, BTreeSet<StoreId>)) -> impl Fn(&Rig) {
    move |rig: &Rig| {
        let (store, _) = rig.world.stores().into_iter().find(|(_, plane)| plane == "az1").unwrap();
        rig.world.faults(|faults| change(faults, BTreeSet::from([store])));
    }
}

fn of_world(change: impl Fn(&mut Faults)) -> impl Fn(&Rig) {
    move |rig: &Rig| rig.world.faults(&change)
}

const ALL: [&str; 3] = ["plane az1", "plane az2", "plane az3"];

#[test]
fn a_backup_fails_with_what_the_check_named() {
    foreseen("BucketMissing", &ALL, of_world(|f| f.no_bucket = true));
    foreseen("AccessDenied", &["plane az2"], of_world(|f| f.ec2.entry("az2".to_owned()).or_default().denied = true));
    foreseen("CredentialsUnreadable", &["plane az2"], of_world(|f| f.no_secret = ["az2".to_owned()].into()));
    foreseen("TidbClusterNotFound", &["plane az3"], of_world(|f| f.no_tidb_cluster = ["az3".to_owned()].into()));
    foreseen("ResolvedTsDisabled", &ALL, of_world(|f| f.min_resolved_off = true));
    foreseen("ClusterRecovering", &ALL, of_world(|f| f.recovering = true));
}

#[test]
fn so_it_does_for_what_one_store_lacks() {
    foreseen("StoreNotUp", &ALL, of_store(|f, store| f.disconnected = store));
    foreseen("VersionUnsupported", &ALL, of_store(|f, store| f.old_tikv = store));
    foreseen("ResolvedTsDisabled", &["plane az1"], of_store(|f, store| f.resolved_ts_off = store));
    foreseen("EngineUnsupported", &["plane az1"], of_store(|f, store| f.raft_v2 = store));
    foreseen("VolumeUnsupported", &["plane az1"], of_store(|f, store| f.raft_elsewhere = store));
    foreseen("VolumeMoved", &["plane az1"], of_store(|f, store| f.gone_volume = store));
    foreseen("StoreUnavailable", &["plane az1"], of_store(|f, store| f.unreachable = store));
}

/// No plane alone can know it.
#[test]
fn so_it_does_for_what_only_all_planes_together_show() {
    let together = &["schedule br-admin/nightly"];
    foreseen("StoreInNoPlane", together, of_world(|f| f.stranger = true));
    foreseen("ClusterMismatch", together, of_world(|f| f.other_cluster = ["az2".to_owned()].into()));
}

#[test]
fn a_plane_that_is_not_connected_is_named() {
    story(world(701), async |rig: Rc<Rig>| {
        scheduled(&rig).await;
        rig.net.cut("az3");
        // In the moment at which nobody has noticed yet it is asked, and not waited for.
        let begun = tokio::time::Instant::now();
        let answer = checked(&rig, Some("nightly")).await;
        assert!(begun.elapsed() <= Duration::from_secs(30), "{:?}", begun.elapsed());
        let groups: BTreeSet<&str> = told(&answer, "refused").into_values().flatten().collect();
        assert_eq!(groups, ["plane az3"].into(), "{answer:#}");
        tokio::time::sleep(Duration::from_secs(20)).await;
        let answer = checked(&rig, None).await;
        assert_eq!(told(&answer, "refused"), BTreeMap::from([("PlaneNotConnected", ["plane az3"].into())]));
        untouched(&rig);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        assert_eq!(rig.failure().0, "PlaneNotConnected");
        rig.net.heal("az3");
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(checked(&rig, Some("nightly")).await["fine"], true);
    });
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    story(world(702), async |rig: Rc<Rig>| {
        let stores = rig.world.stores();
        rig.world.faults(|faults| {
            faults.no_bucket = true;
            faults.disconnected = [stores[0].0].into();
            faults.resolved_ts_off = [stores[0].0, stores[1].0].into();
            faults.no_secret = ["az3".to_owned()].into();
        });
        scheduled(&rig).await;
        let answer = checked(&rig, Some("nightly")).await;
        let expected = ["BucketMissing", "CredentialsUnreadable", "ResolvedTsDisabled", "StoreNotUp"];
        assert_eq!(reasons(&answer, "refused"), expected, "{answer:#}");
        let both = answer["checks"].as_array().unwrap().iter().find(|check| check["reason"] == "ResolvedTsDisabled");
        let found = both.unwrap()["found"].as_str().unwrap();
        assert!([stores[0].0, stores[1].0].iter().all(|store| found.contains(&format!("store {store}"))), "{found}");
        untouched(&rig);
    });
}

#[test]
fn a_healthy_world_is_fine_and_is_not_touched() {
    story(world(703), async |rig: Rc<Rig>| {
        scheduled(&rig).await;
        for name in [None, Some("nightly"), Some("br-admin/nightly")] {
            let answer = checked(&rig, name).await;
            assert_eq!((answer["fine"].as_bool(), reasons(&answer, "refused").len()), (Some(true), 0), "{answer:#}");
            // Only the doubles' version is not ours.
            assert_eq!(reasons(&answer, "warning"), ["deploy/runbook.md#versions-differ"], "{answer:#}");
        }
        let unknown = rig.check(Some("weekly")).await.unwrap();
        assert!(unknown["error"].as_str().unwrap().contains("is called weekly"), "{unknown}");
        untouched(&rig);
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        // What it has written itself is in nobody's way.
        assert_eq!(checked(&rig, Some("backup")).await["fine"], true);
        nothing_left(&rig).await;
    });
}

#[test]
fn clocks_versions_and_rights_that_stop_nothing_are_warnings() {
    let config = tests::world::WorldConfig { one_volume_stores: 1, ..world(704) };
    story(config, async |rig: Rc<Rig>| {
        rig.world.faults(|faults| {
            faults.wall_skew.insert("az1".to_owned(), 90_000);
            faults.ec2.entry("az2".to_owned()).or_default().only_sets = true;
        });
        scheduled(&rig).await;
        let answer = checked(&rig, Some("nightly")).await;
        assert_eq!(answer["fine"], true, "{answer:#}");
        let mut warned = told(&answer, "warning");
        warned.remove("deploy/runbook.md#versions-differ").unwrap();
        let expected = [("AccessDenied", ["plane az2"].into()), ("NodeClockWrong", ["plane az1"].into())];
        assert_eq!(warned, expected.into(), "{answer:#}");
        untouched(&rig);
    });
}

/// Every call to PD of az2 takes so much longer.
fn slow_pd(rig: &Rig, by: Duration) {
    rig.world.faults(|faults| faults.pd_slow = [("az2".to_owned(), by)].into());
}

/// PD of one plane answers once a minute: the plane tells how far it came, and nobody waits longer.
#[test]
fn a_plane_that_is_slow_is_not_waited_for() {
    story(world(705), async |rig: Rc<Rig>| {
        scheduled(&rig).await;
        slow_pd(&rig, Duration::from_secs(60));
        let begun = tokio::time::Instant::now();
        let answer = checked(&rig, Some("nightly")).await;
        let took = begun.elapsed().as_secs();
        assert!((24..=30).contains(&took), "{took} s");
        assert_eq!(told(&answer, "refused"), BTreeMap::from([("PrepareTimedOut", ["plane az2"].into())]), "{answer:#}");
        untouched(&rig);
    });
}

#[test]
fn a_plane_is_asked_by_one_check_at_a_time() {
    story(world(706), async |rig: Rc<Rig>| {
        scheduled(&rig).await;
        slow_pd(&rig, Duration::from_secs(2));
        let (first, second) = tokio::join!(checked(&rig, Some("nightly")), checked(&rig, Some("nightly")));
        assert_eq!(first["fine"], true, "{first:#}");
        assert_eq!(told(&second, "refused"), BTreeMap::from([("PlaneBusy", ALL.into())]), "{second:#}");
        assert_eq!(checked(&rig, Some("nightly")).await["fine"], true);
        untouched(&rig);
    });
}

/// Under the hold nothing is asked of EC2 that the backup needs, and its claim is seen by a check of another one.
#[test]
fn a_running_backup_is_not_disturbed() {
    story(slow(world(707)), async |rig: Rc<Rig>| {
        scheduled(&rig).await;
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        let answer = checked(&rig, Some("backup")).await;
        assert_eq!(rig.record().unwrap().milestone, Milestone::Snapshotting, "still under the hold");
        assert_eq!(answer["fine"], true, "{answer:#}");
        assert_eq!(told(&answer, "warning").get("PlaneBusy"), Some(&ALL.into()), "{answer:#}");
        let other = checked(&rig, Some("nightly")).await;
        let claimed = told(&other, "warning").get("ClaimTaken").cloned();
        assert_eq!(claimed, Some(["schedule br-admin/nightly"].into()), "{other:#}");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.record().unwrap().attempt, 1);
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig).await;
    });
}
