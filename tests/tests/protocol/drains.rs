//! `console drain`: nothing is begun for a plane that a person works on, what is under way goes on, and what waited begins
//! when it is over, whoever or whatever ends it.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use serde_json::{Value, json};
use shared::barrier::Milestone;
use shell::link::Role;
use std::{rc::Rc, time::Duration};
use tests::rig::Rig;

async fn asked(rig: &Rig, question: Value) -> Value {
    rig.ask(&question).await.expect("an answer in time")
}

async fn drain(rig: &Rig, plane: Option<&str>, minutes: u64) {
    let said =
        asked(rig, json!({"ask": "drain", "plane": plane, "length": minutes * 60_000, "because": "new nodes"})).await;
    assert!(said["ok"][0]["until"].is_string(), "{said:#}");
}

async fn why(rig: &Rig) -> Value {
    asked(rig, json!({"ask": "why", "name": "backup"})).await["ok"].clone()
}

fn told(rig: &Rig, reason: &str) -> usize {
    rig.control.events().iter().filter(|event| event.reason == reason).count()
}

fn drained_metric(rig: &Rig, plane: &str) -> Option<usize> {
    rig.metric(&format!("isochron_planes_drained{{plane=\"{plane}\"}}"))
}

#[test]
fn nothing_is_begun_until_a_person_releases_it() {
    story(world(730), async |rig: Rc<Rig>| {
        drain(&rig, Some("az2"), 60).await;
        rig.control.apply(&rig.manifest("")).unwrap();
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(rig.world.mutations().total(), 0, "nothing was touched");
        assert!(rig.control.ledger().is_empty() && told(&rig, "Drained") == 1, "{:?}", rig.control.events());
        let told_why = why(&rig).await;
        let waits = told_why["waitingFor"].as_str().unwrap();
        assert!(waits.contains("a drain of az2 by ann (new nodes), until "), "{told_why:#}");
        let left = told_why["clock"]["left_ms"].as_u64().unwrap();
        assert!((3_200_000..3_310_000).contains(&left), "{left}");
        assert!(told_why["action"].as_str().unwrap().contains("console release"), "{told_why:#}");
        let rows = asked(&rig, json!({"ask": "backups"})).await;
        assert_eq!(rows["ok"][0]["step"], "Drained", "{rows:#}");
        let planes = asked(&rig, json!({"ask": "planes"})).await;
        let az2 = planes["ok"].as_array().unwrap().iter().find(|row| row["plane"] == "az2").unwrap();
        assert!(az2["drained"].as_str().unwrap().ends_with("by ann"), "{planes:#}");
        assert_eq!((drained_metric(&rig, "az2"), drained_metric(&rig, "az1")), (Some(1), None));
        let page = asked(&rig, json!({"ask": "glance", "from": 0})).await;
        assert_eq!(page["ok"]["waiting"][0]["name"], "backup");

        // Of another plane it is none of this backup's business, and there is none of a plane that nobody knows.
        let other = asked(&rig, json!({"ask": "release", "plane": "az1"})).await;
        assert!(other["error"].as_str().unwrap().contains("drained: az2"), "{other}");
        let unknown = asked(&rig, json!({"ask": "drain", "plane": "az9", "length": null})).await;
        assert!(unknown["error"].as_str().unwrap().contains("no plane is called az9"), "{unknown}");
        for question in
            [json!({"ask": "drain", "plane": null, "length": null}), json!({"ask": "release", "plane": "az2"})]
        {
            let refused = rig.ask_as(Role::Viewer, &question).await.unwrap();
            assert!(refused["error"].as_str().unwrap().contains("is a viewer"), "{refused}");
        }
        let released = asked(&rig, json!({"ask": "release", "plane": "az2"})).await;
        assert_eq!(released["ok"]["released"], "az2", "{released}");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!((told(&rig, "DrainEnded"), drained_metric(&rig, "az2")), (1, None));
        nothing_left(&rig).await;
    });
}

/// One of all planes ends by itself; the other one, of one plane, is longer and counts on.
#[test]
fn a_drain_ends_by_itself_and_the_longest_counts() {
    story(world(731), async |rig: Rc<Rig>| {
        drain(&rig, None, 10).await;
        drain(&rig, Some("az1"), 20).await;
        let begun = tokio::time::Instant::now();
        rig.control.apply(&rig.manifest("")).unwrap();
        tokio::time::sleep(Duration::from_secs(11 * 60)).await;
        assert!(rig.control.ledger().is_empty());
        let rows = asked(&rig, json!({"ask": "drains"})).await;
        assert_eq!(rows["ok"].as_array().map(Vec::len), Some(1), "{rows:#}");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        let took = begun.elapsed();
        assert!((Duration::from_secs(1_200)..Duration::from_secs(1_260)).contains(&took), "{took:?}");
        nothing_left(&rig).await;
    });
}

/// What is under the hold when it begins ends as ever, and the next one waits.
#[test]
fn what_is_under_way_goes_on() {
    story(slow(world(732)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        drain(&rig, None, 60).await;
        let rows = asked(&rig, json!({"ask": "drains"})).await;
        assert_eq!(rows["ok"][0]["underWay"], json!(["br-admin/backup"]), "{rows:#}");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        let rows = asked(&rig, json!({"ask": "drains"})).await;
        assert_eq!(rows["ok"][0]["underWay"], json!([]), "{rows:#}");
        nothing_left(&rig).await;
    });
}

/// It was prepared when the drain began: it is not granted its claim, and prepares anew.
#[test]
fn what_only_prepared_waits_and_prepares_anew() {
    story(world(733), async |rig: Rc<Rig>| {
        // PD answers slowly, so that Preparing takes a while.
        rig.world.faults(|faults| faults.pd_slow = [("az2".to_owned(), Duration::from_secs(2))].into());
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Preparing).await;
        drain(&rig, Some("az3"), 60).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(rig.world.mutations().total(), 0, "nothing was touched");
        let told_why = why(&rig).await;
        assert!(told_why["waitingFor"].as_str().unwrap().contains("a drain of az3"), "{told_why:#}");
        assert_eq!(told_why["step"], "Claiming", "{told_why:#}");
        asked(&rig, json!({"ask": "release", "plane": "az3"})).await;
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.record().unwrap().attempt, 1);
        nothing_left(&rig).await;
    });
}
