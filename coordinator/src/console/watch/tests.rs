//! What somebody sees who watches, and when it is over.

use super::*;
use serde_json::json;

fn running() -> Value {
    json!({
        "step": "Snapshotting",
        "record": {"attempt": 1, "failure": null, "request": {"retry_within": null}},
        "clock": {"name": "Hold", "left_ms": 28_400},
        "waiting_for": "answers of planes: az2 (120 of 300 calls)",
        "planes": {
            "az1": {"connected": true, "answered": true, "owes": false, "done": 300, "total": 300, "text": "300 of 300 calls"},
            "az2": {"connected": true, "answered": false, "owes": true, "done": 120, "total": 300, "text": "120 of 300 calls"},
            "az3": {"connected": false, "answered": false, "owes": true, "done": 0, "total": 0, "text": ""},
        },
    })
}

fn look(watch: &mut Watch, shown: Value) -> Look {
    watch.look(Ok(&Answered::Ok(shown)))
}

#[test]
fn every_plane_has_a_bar_and_those_that_are_waited_for_come_first() {
    let seen = look(&mut Watch::default(), running());
    let expected = "\
attempt 1: Snapshotting, 1 of 3 planes have answered; Hold clock: 28.4 s left
  az2  █████████···············  40 % 120 of 300 calls
  az3  ························  not connected
  az1  ████████████████████████  answered
";
    assert_eq!(seen.screen, expected, "\n{}", seen.screen);
    assert_eq!(seen.end, None);
}

#[test]
fn a_line_is_said_once() {
    let mut watch = Watch::default();
    let first = look(&mut watch, running()).line;
    assert_eq!(first.as_deref(), Some("attempt 1: Snapshotting, 1 of 3 planes have answered"));
    assert_eq!(look(&mut watch, running()).line, None, "only clocks and bars have moved");
    let away = watch.look(Err("asked a:7443: refused"));
    assert_eq!(away.line.as_deref(), Some("asked a:7443: refused; asking again"));
    assert_eq!(away.end, None, "a coordinator that restarts comes back");
    assert_eq!(watch.look(Err("asked a:7443: refused")).line, None);
    assert_eq!(watch.look(Ok(&Answered::NotLeading { leader: None })).end, None, "another will lead");
    assert_eq!(look(&mut watch, running()).line, first, "it is there again");
}

#[test]
fn it_is_over_when_nothing_more_will_come() {
    let ended = |step: &str, change: &dyn Fn(&mut Value)| {
        let mut shown = running();
        (shown["step"], shown["clock"], shown["waiting_for"]) = (json!(step), Value::Null, json!(""));
        change(&mut shown);
        look(&mut Watch::default(), shown).end
    };
    let as_it_is = |_: &mut Value| {};
    let retried = |shown: &mut Value| shown["record"]["request"]["retry_within"] = json!(3_600_000);
    assert_eq!(ended("Complete", &as_it_is), Some(End::Well));
    for step in ["Failed", "Invalid", "Cleaned"] {
        assert_eq!(ended(step, &as_it_is), Some(End::Badly), "{step}");
    }
    let cleaning = |shown: &mut Value| shown["waiting_for"] = json!("answers of planes: az1");
    assert_eq!(ended("Failed", &cleaning), Some(End::Badly), "the verdict stands; its clean-up is nobody's wait");
    assert_eq!(ended("Failed", &retried), Some(End::Badly), "the user's time is over");
    for step in ["Preparing", "Claiming", "Releasing", "Completing", "Aborting", "Cleaning"] {
        assert_eq!(ended(step, &as_it_is), None, "{step}");
    }
    let waits = |shown: &mut Value| {
        retried(shown);
        shown["clock"] = json!({"name": "Retry", "left_ms": 9_000});
    };
    assert_eq!(ended("Failed", &waits), None, "another attempt comes");
    let cleans = |shown: &mut Value| {
        retried(shown);
        cleaning(shown);
    };
    assert_eq!(ended("Failed", &cleans), None, "another attempt comes after the clean-up");
    let unknown = Answered::Error("no VolumeBackup called x".to_owned());
    assert_eq!(Watch::default().look(Ok(&unknown)).end, Some(End::Unknown));
}

#[test]
fn a_screen_has_room_for_some_planes() {
    let mut shown = running();
    let plane = shown["planes"]["az1"].clone();
    shown["planes"] = (0..1000).map(|i| (format!("p{i:04}"), plane.clone())).collect();
    let screen = look(&mut Watch::default(), shown).screen;
    assert_eq!(screen.lines().count(), 1 + PLANES + 1);
    assert!(screen.ends_with("and 984 planes more\n"), "{screen}");
}

#[test]
fn what_makes_no_sense_is_shown_as_far_as_it_goes() {
    for odd in [
        json!(null),
        json!([]),
        json!({"step": 7, "planes": {"a": 1, "b": {"done": 9, "total": 3, "connected": true}}}),
    ] {
        let seen = look(&mut Watch::default(), odd);
        assert!(seen.screen.lines().count() >= 1 && seen.end.is_none(), "{seen:?}");
    }
}
