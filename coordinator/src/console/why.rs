//! "Why is it stuck?" in one answer: who is waited for, which clock runs, the last error, the next action.

use serde_json::{Value, json};
use shared::barrier::{Step, View};

pub(super) fn why(view: &View) -> Value {
    let record = &view.record;
    let failure = record.failure.as_ref();
    let planes: Value = view
        .planes
        .iter()
        .map(|(plane, live)| {
            json!({
                "plane": plane,
                "connected": live.connected,
                "answered": live.answered,
                "doing": live.text,
                "done": live.done,
                "total": live.total,
            })
        })
        .collect();
    json!({
        "step": view.step,
        "waitingFor": view.waiting_for,
        "clock": view.clock.map(|(clock, left)| json!({ "name": clock, "left_ms": left })),
        "planes": planes,
        "reason": failure.map(|refusal| refusal.reason.as_str()),
        "message": failure.map(|refusal| refusal.message.clone()),
        "cleanFailure": record.clean_failure,
        "action": action(view),
    })
}

fn action(view: &View) -> String {
    if let Some(refusal) = &view.record.failure {
        return refusal.reason.action().to_owned();
    }
    let away: Vec<_> =
        view.planes.iter().filter(|(_, live)| !live.connected).map(|(plane, _)| plane.as_str()).collect();
    match view.step {
        Step::Complete => "Nothing; it is complete and proven consistent.".to_owned(),
        Step::Cleaned => "Nothing; it is gone.".to_owned(),
        Step::Claiming => "Wait for the other backup of this TiDB cluster, or cancel it.".to_owned(),
        _ if !away.is_empty() => format!("Check the plane actors of {}.", away.join(", ")),
        Step::Cleaning => "Wait; if a plane is lost for good, annotate isochron.pingcap.com/abandon-planes.".to_owned(),
        _ => "Wait; the clock above ends it if nothing moves.".to_owned(),
    }
}
