//! `console diagnose`: what a barrier was told and wanted is there after a failure, though nothing of it runs any more, in the
//! coordinator and in planes; what planes hold, while they hold it.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use coordinator::console::diagnose::page;
use serde_json::{Value, json};
use shared::{barrier::Milestone, pack::unpack};
use shell::link::Role;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tests::rig::{Rig, Way};

async fn diagnosed(rig: &Rig, name: Option<&str>) -> Value {
    let answer = rig.ask_as(Role::Viewer, &json!({"ask": "diagnose", "name": name})).await.expect("an answer in time");
    assert!(answer["ok"]["machines"].is_object(), "{answer:#}");
    answer["ok"].clone()
}

/// Every step of the machines whose name begins so, in one text.
fn steps(answer: &Value, begin: &str) -> String {
    let machines = answer["machines"].as_object().unwrap();
    let of = machines.iter().filter(|(name, _)| name.starts_with(begin));
    of.flat_map(|(_, steps)| steps.as_array().unwrap()).map(|step| format!("{}\n", step.as_str().unwrap())).collect()
}

#[test]
fn the_steps_of_a_barrier_outlive_it() {
    story(slow(world(720)), async |rig: Rc<Rig>| {
        rig.world.faults(|faults| faults.ec2.entry("az2".to_owned()).or_default().error_sets = 1);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        // By now its actor is gone.
        tokio::time::sleep(Duration::from_secs(120)).await;
        for name in [None, Some("backup"), Some("br-admin/backup")] {
            let answer = diagnosed(&rig, name).await;
            let told = steps(&answer, "ended br-admin/backup");
            assert!(told.contains("Start -> ") && told.contains("Abort"), "{told}");
            assert!(told.contains("Snapshotted"), "{told}");
            assert_eq!(answer["sessions"].as_array().unwrap().len(), 3);
            assert!(steps(&answer, "claims").contains("Wanted"), "{answer:#}");
        }
        let other = diagnosed(&rig, Some("another")).await;
        assert_eq!(steps(&other, "ended"), "", "{other:#}");
        nothing_left(&rig).await;
    });
}

/// What each plane says of itself, or why it says nothing.
async fn of_planes(rig: &Rig, name: Option<&str>, after: &str) -> (BTreeMap<String, Result<Value, String>>, Value) {
    let answer = rig.diagnose_planes(name, after).await.expect("an answer in time");
    let page = page(&answer["ok"]).unwrap_or_else(|| panic!("{answer:#}"));
    let said = |packed: String| serde_json::from_slice(&unpack(&packed, 1 << 24).unwrap()).unwrap();
    (page.planes.into_iter().map(|(plane, told)| (plane, told.map(said))).collect(), json!(page.next))
}

/// Of a plane that has said something.
fn said<'a>(planes: &'a BTreeMap<String, Result<Value, String>>, plane: &str) -> &'a Value {
    planes[plane].as_ref().unwrap_or_else(|why| panic!("{plane}: {why}"))
}

#[test]
fn planes_tell_what_they_hold_while_they_hold_it() {
    story(slow(world(721)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        let (planes, next) = of_planes(&rig, Some("br-admin/backup"), "").await;
        assert_eq!((planes.len(), next), (3, Value::Null));
        let mut who_holds_pd = Vec::new();
        for plane in planes.keys() {
            let told = said(&planes, plane);
            let attempt = &told["attempts"][0];
            assert_eq!(attempt["phase"], "Snapshotting", "{plane}: {told:#}");
            assert!(attempt["storesHeld"].as_u64() > Some(0) && attempt["storeLeaseLeftMs"].is_u64(), "{told:#}");
            assert_eq!(told["ledger"]["attempts"][0]["state"], "Live", "{told:#}");
            if attempt["pd"]["safePointHeldBy"].is_string() {
                assert!(attempt["pd"]["safePoint"].as_u64() > Some(0), "{attempt:#}");
                assert!(attempt["pd"]["schedulersPaused"].as_array().is_some_and(|all| !all.is_empty()), "{attempt:#}");
                who_holds_pd.push(plane.clone());
            }
            let budgets = told["budgets"].as_array().unwrap().iter();
            let left: Vec<_> =
                budgets.filter(|one| one["action"] == "CreateSnapshots").map(|one| &one["left"]).collect();
            assert!(left.iter().any(|left| left.as_f64() < Some(100.0)), "it has called: {told:#}");
            assert!(told["process"]["version"].is_string() && told["process"]["inBarrier"] == true, "{told:#}");
        }
        assert_eq!(who_holds_pd, ["az1"], "the init plane alone");
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        nothing_left(&rig).await;
    });
}

#[test]
fn the_steps_of_a_plane_outlive_its_part_of_a_barrier() {
    story(slow(world(722)), async |rig: Rc<Rig>| {
        rig.world.faults(|faults| faults.ec2.entry("az2".to_owned()).or_default().error_sets = 1);
        assert_eq!(rig.backup("", LIMIT).await, "Failed");
        tokio::time::sleep(Duration::from_secs(600)).await;
        for name in [None, Some("backup")] {
            let (planes, _) = of_planes(&rig, name, "").await;
            for plane in planes.keys() {
                let told = said(&planes, plane);
                let steps = steps(told, "");
                assert!(steps.contains("Snapshot(") && steps.contains("DropHolds"), "{plane}: {told:#}");
                assert_eq!(told["process"]["inBarrier"], false, "{told:#}");
            }
        }
        let (planes, _) = of_planes(&rig, None, "az1").await;
        assert_eq!(planes.keys().collect::<Vec<_>>(), ["az2", "az3"], "those behind it");
        nothing_left(&rig).await;
    });
}

#[test]
fn a_plane_that_says_nothing_is_named_with_why() {
    story(world(723), async |rig: Rc<Rig>| {
        rig.net.is_of_earlier_version("az1");
        rig.kill_plane("az1");
        rig.start_plane("az1");
        rig.kill_plane("az3");
        tokio::time::sleep(Duration::from_secs(60)).await;
        rig.net.cut_one_way("az2", Way::Up);
        let (planes, _) = of_planes(&rig, None, "").await;
        let why = |plane: &str| planes[plane].clone().unwrap_err();
        assert!(why("az1").starts_with("not asked: the plane's version, sim,"), "{}", why("az1"));
        assert!(why("az2").contains("no answer within 10 s"), "{}", why("az2"));
        assert_eq!(why("az3"), "it is not connected");
    });
}
