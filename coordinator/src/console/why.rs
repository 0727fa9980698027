//! "Why is it stuck?" in one answer: who is waited for, which clock runs, the last error, what ends the wait, the next
//! action.

use serde_json::{Value, json};
use shared::{
    barrier::{Clock, LastRefusal, Phase, Verdict, View},
    ids::PlaneId,
    reason::Refusal,
    time::Instant,
};

pub(super) fn why(view: &View, now: Instant) -> Value {
    let cause = cause(view);
    json!({
        "step": view.phase,
        "verdict": verdict(view).map(Verdict::as_str),
        "waitingFor": view.waiting_for,
        "clock": clock(view, now),
        "endsBy": ends_by(view),
        "planes": planes(view, now),
        "reason": cause.as_ref().map(|refusal| refusal.reason.as_str()),
        "message": cause.as_ref().map(|refusal| refusal.message.clone()),
        "cleanFailure": view.record.clean_failure,
        "notes": notes(view),
        "action": action(view),
    })
}

/// Why it failed, or what the plane that was refused first says now.
pub(super) fn cause(view: &View) -> Option<Refusal> {
    let said = |(plane, last): &(&PlaneId, &LastRefusal)| {
        Refusal::new(last.refusal.reason, format!("plane {plane}: {}", last.refusal.message))
    };
    view.record.failure.clone().or_else(|| view.refused().first().map(said))
}

/// What its certificate claims, if it has one.
pub(super) fn verdict(view: &View) -> Option<Verdict> {
    view.record.certificate.as_ref().map(|certificate| certificate.verdict)
}

/// The clock that runs, and what is left of it now.
pub(super) fn clock(view: &View, now: Instant) -> Option<Value> {
    view.clock.map(|(clock, ends)| json!({ "name": clock, "left_ms": ends.since(now) }))
}

/// Each plane, and what it does.
pub(super) fn planes(view: &View, now: Instant) -> Value {
    view.planes
        .iter()
        .map(|(plane, live)| {
            let refused = live.refused.as_ref();
            json!({
                "plane": plane,
                "connected": live.connected,
                "answered": live.answered,
                "doing": live.text,
                "done": live.done,
                "total": live.total,
                "refused": refused.map(|last| last.refusal.to_string()),
                "again_ms": refused.and_then(|last| last.again).map(|at| at.since(now)),
            })
        })
        .collect()
}

/// What planes found while cleaning, beside what they could not delete.
fn notes(view: &View) -> Vec<String> {
    let reports = view.record.planes.iter().filter_map(|(plane, kept)| Some((plane, kept.cleaned.as_ref()?)));
    reports.flat_map(|(plane, report)| report.notes.iter().map(move |note| format!("plane {plane}: {note}"))).collect()
}

/// What ends the present step if nobody does anything; where nothing does, which person's act or which event does.
fn ends_by(view: &View) -> Option<String> {
    if let Some((clock, _)) = view.clock {
        return Some(clock_ends(clock).to_owned());
    }
    let refused: Vec<_> = view.refused().iter().map(|(plane, _)| plane.as_str()).collect();
    let away: Vec<_> = view.disconnected().map(PlaneId::as_str).collect();
    let give_up = "or a person who gives a lost plane up (annotation isochron.pingcap.com/abandon-planes)";
    let blocked = match (refused.is_empty(), away.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("a try on {} that succeeds", refused.join(", "))),
        (true, false) => Some(format!("the return of {}", away.join(", "))),
        (false, false) => {
            Some(format!("the return of {} and a try on {} that succeeds", away.join(", "), refused.join(", ")))
        }
    };
    Some(match (view.phase, blocked) {
        (Phase::Claiming, _) => "Nothing here: the end of the other backup, or cancelling one of the two.".to_owned(),
        (Phase::Completing, None) => {
            "EC2, when the snapshots are completed. Nothing is held meanwhile, and no clock runs; \
                                     a snapshot in error, cancelling or deleting the backup ends it too."
                .to_owned()
        }
        (Phase::Completing, Some(blocked)) => {
            format!("Nothing by itself: {blocked}; cancelling or deleting the backup ends it too.")
        }
        (Phase::Failed | Phase::Cleaning, Some(blocked)) => format!("Nothing by itself: {blocked}, {give_up}."),
        (Phase::Cleaning, None) => format!("The end of the deletions in every plane, {give_up}."),
        (Phase::Failed, None) if !view.waiting_for.is_empty() => "The end of the deletions in every plane.".to_owned(),
        _ => return None,
    })
}

fn clock_ends(clock: Clock) -> &'static str {
    match clock {
        Clock::Connect => "The clock: planes that are missing when it runs out fail the attempt.",
        Clock::Prepare => "The clock: who has not answered when it runs out fails the attempt.",
        Clock::Settle | Clock::Reach | Clock::Hold => {
            "The clock: when it runs out the attempt fails, and everything is let go."
        }
        Clock::PlaneLost => "The clock: a plane that is not back by then has let go by itself, and the attempt fails.",
        Clock::Recover => "The clock: without the evidence of every plane by then the attempt is aborted.",
        Clock::HoldsEnd => "The clock: every hold has ended by itself then, whoever answers.",
        Clock::Retry => "The clock: a new attempt begins then; at once when planes that were missing are back.",
    }
}

fn action(view: &View) -> String {
    let refused = view.refused();
    let refused = refused.first().map(|(_, last)| last.refusal.reason.action());
    if let Some(refusal) = &view.record.failure {
        let of_cleaning = refused.map(|action| format!(" For the clean-up: {action}")).unwrap_or_default();
        return format!("{}{of_cleaning}", refusal.reason.action());
    }
    if let Some(action) = refused {
        return action.to_owned();
    }
    let away: Vec<_> =
        view.planes.iter().filter(|(_, live)| live.owes && !live.connected).map(|(plane, _)| plane.as_str()).collect();
    match (view.phase, verdict(view)) {
        (Phase::Complete, Some(Verdict::Weaker)) => {
            format!("Nothing, if that is enough: {}. Upgrade TiKV for a proof.", Verdict::Weaker.meaning())
        }
        (Phase::Complete, _) => "Nothing; it is complete and proven consistent.".to_owned(),
        (Phase::Cleaned, _) => "Nothing; it is gone.".to_owned(),
        (Phase::Claiming, _) => "Wait for the other backup of this TiDB cluster, or cancel it.".to_owned(),
        _ if !away.is_empty() => format!("Check the plane actors of {}.", away.join(", ")),
        _ => "Wait.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
