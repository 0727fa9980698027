//! `console diagnose` after a failure: what its barrier was told and wanted is there, though nothing of it runs any more.

use crate::{LIMIT, nothing_left, slow, story, world};
use serde_json::{Value, json};
use shell::link::Role;
use std::{rc::Rc, time::Duration};
use tests::rig::Rig;

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
