//! TiKV that is too old for a full hold: refused unless the user allows it, and then never called consistent.

use crate::{LIMIT, broken_under_the_hold, nothing_left, slow, story, world};
use shared::{barrier::Verdict, evidence::HoldKind, ids::StoreId};
use std::{rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::WorldConfig,
};

const ALLOWED: &str = "  barrier:\n    allowWeakerHolds: true\n";

/// Nobody gives admin commands by hand: nothing but a full hold stops those.
fn calm(seed: u64) -> WorldConfig {
    WorldConfig { unruly_every: None, ..world(seed) }
}

fn make_old(rig: &Rig, stores: &[StoreId]) {
    rig.world.faults(|f| f.old_tikv.extend(stores.iter().copied()));
}

fn all(rig: &Rig) -> Vec<StoreId> {
    rig.world.stores().into_iter().map(|(store, _)| store).collect()
}

fn verdict(rig: &Rig) -> Option<Verdict> {
    rig.record()?.certificate.map(|certificate| certificate.verdict)
}

#[test]
fn an_allowed_backup_of_old_stores_is_complete_true_and_marked_as_weaker() {
    for (seed, old) in [(1, 6), (2, 6), (3, 1), (4, 3)] {
        story(calm(seed), async |rig: Rc<Rig>| {
            let stores = all(&rig);
            make_old(&rig, &stores[..old]);
            assert_eq!(rig.backup(ALLOWED, LIMIT).await, "Complete", "{old} old: {:?}", rig.failure());
            assert_eq!(verdict(&rig), Some(Verdict::Weaker));
            assert_eq!(rig.lies(), Vec::<String>::new(), "{old} old");
            let status = rig.control.get(KEY).unwrap()["status"].clone();
            assert_eq!(status["certificate"]["verdict"], "Weaker");
            let conditions = status["conditions"].as_array().unwrap();
            let marked = conditions.iter().find(|condition| condition["type"] == "Weaker").expect("a condition");
            assert_eq!((&marked["status"], &marked["reason"]), (&"True".into(), &"StoresNotHeldInFull".into()));
            let told: Vec<_> = rig.control.events().into_iter().filter(|event| !event.normal).collect();
            assert!(told.iter().any(|event| event.message.contains("weaker than a proof")), "{told:?}");
            for (key, body) in rig.world.objects() {
                if key.ends_with("isochron-certificate.json") {
                    let kept: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(kept["certificate"]["verdict"], "Weaker", "{key}");
                }
            }
            nothing_left(&rig).await;
        });
    }
}

/// One store of all runs TiKV 6.5.8: by default nothing is touched; allowed, the word is not Consistent.
#[test]
fn a_lease_that_does_not_stop_log_compaction_is_no_full_hold() {
    for allowed in [false, true] {
        story(calm(8), async |rig: Rc<Rig>| {
            let store = all(&rig)[1];
            rig.world.faults(|f| f.compacting_tikv.extend([store]));
            if !allowed {
                assert_eq!(rig.backup("", LIMIT).await, "Failed");
                let (reason, message) = rig.failure();
                assert_eq!(reason, "VersionUnsupported");
                assert!(message.contains("log compaction") && message.contains("allowWeakerHolds"), "{message}");
                assert_eq!(rig.world.mutations().total(), 0);
                return;
            }
            assert_eq!(rig.backup(ALLOWED, LIMIT).await, "Complete", "{:?}", rig.failure());
            assert_eq!(verdict(&rig), Some(Verdict::Weaker));
            let certificate = rig.record().and_then(|record| record.certificate).unwrap();
            let held = certificate.planes.values().flat_map(|plane| &plane.evidence.stores);
            let kinds: Vec<_> = held.filter(|held| held.store == store).map(|held| held.kind).collect();
            assert_eq!(kinds, [HoldKind::Compacting]);
            nothing_left(&rig).await;
        });
    }
}

#[test]
fn what_is_allowed_and_not_needed_changes_nothing() {
    story(world(5), async |rig: Rc<Rig>| {
        assert_eq!(rig.backup(ALLOWED, LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(verdict(&rig), Some(Verdict::Consistent));
        let status = rig.control.get(KEY).unwrap()["status"].clone();
        assert!(!status["conditions"].as_array().unwrap().iter().any(|condition| condition["type"] == "Weaker"));
        nothing_left(&rig).await;
    });
}

#[test]
fn old_stores_are_refused_by_default_and_the_way_out_is_named() {
    story(calm(6), async |rig: Rc<Rig>| {
        make_old(&rig, &all(&rig)[..1]);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        let (reason, message) = rig.failure();
        assert_eq!(reason, "VersionUnsupported");
        assert!(message.contains("7.1") && message.contains("allowWeakerHolds"), "{message}");
        assert_eq!(rig.world.mutations().total(), 0);
    });
}

/// Under the hold of old stores something changes that a full hold would have rejected: it is seen, and the backup fails.
#[test]
fn what_a_weaker_hold_does_not_prevent_is_seen() {
    let split = |rig: &Rig| assert!(rig.world.fresh_split().is_some());
    let restart = |rig: &Rig| rig.world.restart_store(all(rig)[2], Duration::from_secs(1));
    type Break<'a> = (&'a dyn Fn(&Rig), &'a [&'a str]);
    let breaks: [Break<'_>; 2] =
        [(&split, &["EvidenceBroken", "CoverageUnstable"]), (&restart, &["StoreHoldLost", "StoresChanged"])];
    for (seed, (break_it, reasons)) in (7..).zip(breaks) {
        let make_old = |rig: &Rig| make_old(rig, &all(rig));
        broken_under_the_hold(slow(calm(seed)), make_old, ALLOWED, break_it, reasons);
    }
}

/// Manual operators and Lightning go on; whatever they do in the window, no certificate is wrong.
#[test]
fn in_an_unruly_cluster_no_weaker_certificate_lies() {
    let mut certified = 0;
    for seed in 20..36 {
        story(world(seed), async |rig: Rc<Rig>| {
            make_old(&rig, &all(&rig));
            let phase = rig.backup(ALLOWED, LIMIT).await;
            if phase == "Complete" {
                certified += 1;
                assert_eq!(verdict(&rig), Some(Verdict::Weaker));
                assert_eq!(rig.lies(), Vec::<String>::new(), "seed {seed}");
            } else {
                assert_eq!(phase, "Failed", "seed {seed}");
            }
            nothing_left(&rig).await;
        });
    }
    assert!(certified > 0, "the test proves nothing");
}
