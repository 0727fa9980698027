//! What a person finds on the first page.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{console::timeline, fixtures::proven, pages};
use serde_json::json;
use shared::barrier::Barrier;

fn glance() -> Value {
    json!({
        "running": [{ "namespace": "br", "name": "now", "step": "Snapshotting", "waitingFor": "answers of planes: az2",
                      "clock": { "name": "Hold", "left_ms": 41_250 }, "limit_ms": 60_000,
                      "planes": [{ "plane": "az1", "connected": true, "answered": true },
                                 { "plane": "az2", "connected": false, "doing": "3 of 9 calls", "done": 3, "total": 9 }] }],
        "runningAll": 1, "from": 60, "all": 180, "orphans": 0, "counts": { "proven": 179, "failed": 1 },
        "backups": [{ "namespace": "br", "name": "d1", "outcome": "proven", "started": "2024-05-01T03:00:00Z" },
                    { "namespace": "br", "name": "d2", "outcome": "failed", "reason": "HoldTimedOut" }],
    })
}

#[test]
fn everything_can_be_read_without_a_script() {
    let planes = json!([{ "plane": "az1", "connected": true, "version": "0.1.0", "daysLeft": 300 },
                        { "plane": "az2", "connected": false, "lastSeen": "2024-05-01T02:00:00Z" }]);
    let schedules = json!([{ "namespace": "br", "name": "nightly", "phase": "Active", "schedule": "0 3 * * *",
                             "zone": "UTC", "nextRun": "2024-05-02T03:00:00Z" }]);
    let page = overview(&glance(), &planes, &schedules);
    for text in [
        "One backup runs",
        r#"<div class="card held">"#,
        r#"data-left="41250"><span class="count">41 s</span>"#,
        r#"<progress max="60000" value="41250""#,
        r#"<progress max="9" value="3""#,
        "away since 2024-05-01T02:00:00Z",
        r#"href="backups/br/d2""#,
        "br/d1, proven consistent, 2024-05-01T03:00:00Z",
        r#"href="?from=0">← newer"#,
        r#"href="?from=120">older →"#,
        r#"<strong class="warn">none</strong>"#,
        r#"<meta http-equiv="refresh" content="10">"#,
        r#"<main id="main" tabindex="-1" data-refresh="2">"#,
    ] {
        assert!(page.contains(text), "{text} in {page}");
    }
    let calm = overview(&json!({}), &json!([]), &json!([]));
    assert!(calm.contains("Nothing runs") && calm.contains(r#"data-refresh="10""#), "{calm}");
}

#[test]
fn the_page_of_a_backup_says_why_it_is_not_done() {
    let view = Barrier::new(proven()).view();
    let mut shown = serde_json::to_value(&view).unwrap();
    let why = json!({ "step": "Completing", "waitingFor": "EC2", "endsBy": "The end.", "action": "Wait." });
    let done = pages::backup("br/nightly", &shown, &why).unwrap();
    assert!(done.contains(">CONSISTENT<") && !done.contains("Waits for"), "{done}");
    assert!(done.contains(&picture_of(&view)) && done.contains(r#"data-refresh="60""#), "{done}");
    shown["step"] = json!("Completing");
    let runs = pages::backup("br/nightly", &shown, &why).unwrap();
    assert!(runs.contains("Waits for </strong>EC2") && runs.contains(r#"data-refresh="2""#), "{runs}");
}

fn picture_of(view: &shared::barrier::View) -> String {
    crate::pages::timeline_svg(&timeline(view)).split("<g>").nth(1).unwrap().to_owned()
}
