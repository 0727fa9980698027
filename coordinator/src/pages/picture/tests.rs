//! What is drawn, and that it is drawn in its place. The picture that the README shows is one of these.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{console::timeline, fixtures::proven};
use serde_json::json;
use shared::barrier::Barrier;
use std::path::Path;

fn answer() -> Value {
    timeline(&Barrier::new(proven()).view())
}

/// `cargo test -p isochron-coordinator --lib picture -- --ignored` draws it anew.
fn in_the_readme() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/pictures/timeline.svg")
}

#[test]
fn the_readme_shows_what_is_drawn() {
    let kept = std::fs::read_to_string(in_the_readme()).unwrap();
    assert!(kept == standalone(&answer()), "deploy/pictures/timeline.svg is not what is drawn; draw it anew");
}

#[test]
#[ignore = "writes the picture of the README"]
fn draw_it_anew() {
    std::fs::write(in_the_readme(), standalone(&answer())).unwrap();
}

#[test]
fn lanes_ticks_hold_and_limits_are_there() {
    let drawn = inline(&answer()).into_string();
    for (what, count) in [
        (r#"class="lane""#, 4),
        ("CreateSnapshots of", 9),
        // And one in the legend.
        (r#"class="tick""#, 10),
        (r#"class="held""#, 1),
        (r#"class="limit""#, 3),
        ("limit 60 s", 1),
        (">CONSISTENT<", 1),
        (", held for 571 ms of 60 s", 1),
    ] {
        assert_eq!(drawn.matches(what).count(), count, "{what} in {drawn}");
    }
}

#[test]
fn planes_that_are_not_drawn_are_told() {
    let mut answer = answer();
    let planes = |count: usize| json!((0..count).map(|number| format!("plane-{number:03}")).collect::<Vec<_>>());
    answer["planes"] = planes(PLANES);
    assert!(!inline(&answer).into_string().contains("are drawn"));
    answer["planes"] = planes(PLANES + 1);
    let drawn = inline(&answer).into_string();
    assert_eq!(drawn.matches(r#"class="lane""#).count(), PLANES + 1, "and the coordinator's");
    assert!(drawn.contains("the first 64 of 65 planes are drawn"), "{drawn}");
}

#[test]
fn a_moment_lies_where_its_time_is() {
    let told: Timeline = serde_json::from_value(answer()).unwrap();
    let stretches = stretches(&told.steps, LEFT, RIGHT);
    assert_eq!(stretches.iter().map(|s| s.name).collect::<Vec<_>>(), ["preparing", "the barrier", "copying to S3"]);
    let at = |ms| place(&stretches, ms, ms).unwrap().0;
    let order = [0, 320, 361, 702, 1203, 1460, 1725, 1773, 1774, 541_774, 611_000];
    assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{:?}", order.map(at));
    let half = f64::midpoint(stretches[1].left, stretches[1].right);
    assert!((at(f64::midpoint(361.0, 1774.0) as u64) - half).abs() < 1.0);
}

#[test]
fn whatever_names_hold_is_text() {
    let nasty = "<script>alert(1)</script>\"'&";
    let answer = json!({
        "name": nasty, "step": nasty, "reason": nasty, "note": nasty, "planes": [nasty], "verdict": nasty,
        "steps": [{"step": nasty, "began_ms": 0, "ended_ms": 9, "planes": {nasty: 5}, "calls": {nasty: {nasty: 3}}}],
    });
    let drawn = standalone(&answer);
    assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;"), "{drawn}");
    assert!(!drawn.contains("\"'&\""), "{drawn}");
}

/// A failure before, within and after the barrier, one that runs, one of no length, nothing at all, and numbers that
/// nothing measures.
#[test]
fn everything_is_drawn_somehow() {
    for steps in [
        "[]",
        r#"[{"step":"Preparing","began_ms":0}]"#,
        r#"[{"step":"Preparing","began_ms":0,"ended_ms":300},{"step":"Failed","began_ms":300}]"#,
        r#"[{"step":"Settling","began_ms":5,"ended_ms":5},{"step":"Releasing","began_ms":5,"ended_ms":5}]"#,
        r#"[{"step":"Settling","began_ms":5,"ended_ms":9},{"step":"Aborting","began_ms":9,"planes":{"a":4}},{"step":"Failed","began_ms":11}]"#,
        r#"[{"step":"Settling","began_ms":0,"ended_ms":18446744073709551615,"planes":{"a":18446744073709551615}},{"step":"Settling","began_ms":18446744073709551615}]"#,
        r#"[{"step":"Settling","began_ms":9,"ended_ms":3},{"step":"Covering","began_ms":1}]"#,
    ] {
        let answer = json!({ "name": "a/b", "steps": serde_json::from_str::<Value>(steps).unwrap() });
        let drawn = standalone(&answer);
        assert!(drawn.starts_with("<svg") && !drawn.contains("NaN") && !drawn.contains("inf"), "{steps}: {drawn}");
    }
    assert!(standalone(&json!(null)).starts_with("<svg"));
}
