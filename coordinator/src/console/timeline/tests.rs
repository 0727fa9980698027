//! What a person sees of where the time went.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::complete;
use shared::barrier::{Barrier, Record};

/// As a record holds them.
const MOMENTS: &str = r#"[
  {"step":"Preparing","began":0,"answered":{"az1":310,"az2":320}},
  {"step":"Claiming","began":320},
  {"step":"Reserving","began":337,"answered":{"az1":347,"az2":357}},
  {"step":"Settling","began":400,"answered":{"az1":900,"az2":800}},
  {"step":"Suspending","began":900,"answered":{"az1":1000,"az2":950}},
  {"step":"Covering","began":1000,"answered":{"az1":1500,"az2":1600}},
  {"step":"Snapshotting","began":1600,"answered":{"az1":1800,"az2":12000},"accepted":{"az1":{"i-1":1700},"az2":{"i-2":1690,"i-3":11990}}},
  {"step":"Confirming","began":12000,"answered":{"az1":12005,"az2":12010}},
  {"step":"Releasing","began":12010,"answered":{"az1":12011,"az2":12400}},
  {"step":"Completing","began":12400,"answered":{"az1":5412400,"az2":9012400}},
  {"step":"Complete","began":9012400}]"#;

fn shown(moments: &str) -> Value {
    let record = Record { moments: serde_json::from_str(moments).unwrap(), ..complete() };
    timeline(&Barrier::new(record).view())
}

#[test]
fn steps_stand_one_below_the_other_on_one_scale() {
    let drawn = draw(&shown(MOMENTS));
    let expected = "\
br-admin/nightly, attempt 1: Complete; first seen 2024-05-01T03:00:20Z

STEP                 FROM           FOR  SETTLE TO RELEASE                     LAST ANSWER
Preparing            0 ms        320 ms                                        az2, at 320 ms
Claiming           320 ms         17 ms
Reserving          337 ms         63 ms                                        az2, at 357 ms
Settling           400 ms        500 ms  █                                     az1, at 900 ms
Suspending         900 ms        100 ms   █                                    az1, at 1000 ms
Covering          1000 ms        600 ms   ██                                   az2, at 1600 ms
Snapshotting      1600 ms        10.4 s     ███████████████████████████████    az2, at 12.0 s
Confirming         12.0 s         10 ms                                    █   az2, at 12.0 s
Releasing          12.0 s        390 ms                                    ██  az2, at 12.4 s
Completing         12.4 s    2 h 30 min                                        az2, at 2 h 30 min
Complete       2 h 30 min             -

CreateSnapshots: 3 accepted, the first at 1690 ms, the last at 11.9 s (i-3 of az2)";
    assert_eq!(drawn, expected, "\n{drawn}\n");
    assert!(drawn.lines().all(|line| line.chars().count() <= 100), "it fits a terminal");
}

#[test]
fn scripts_get_every_plane_and_every_call() {
    let value = shown(MOMENTS);
    assert_eq!(value["steps"][6]["planes"], json!({"az1": 1800, "az2": 12000}));
    assert_eq!(value["steps"][6]["calls"]["az2"], json!({"i-2": 1690, "i-3": 11990}));
    assert_eq!((&value["steps"][6]["began_ms"], &value["steps"][6]["ended_ms"]), (&json!(1600), &json!(12000)));
    assert_eq!((&value["hold_ms"], &value["note"]), (&json!(2020), &Value::Null));
}

#[test]
fn what_is_missing_says_why() {
    assert!(draw(&shown("[]")).ends_with("began under an earlier version"));
    let half = r#"[{"step":"Preparing","began":0},{"step":"Settling","began":5}]"#;
    let drawn = draw(&shown(half));
    assert!(drawn.ends_with("the coordinator was restarted"), "{drawn}");
    assert!(!drawn.contains('█'), "no scale without an end: {drawn}");
}

#[test]
fn a_barrier_of_no_length_is_drawn_too() {
    let at_once = r#"[{"step":"Settling","began":5},{"step":"Releasing","began":5},{"step":"Completing","began":5}]"#;
    assert!(draw(&shown(at_once)).contains("Settling"));
}
