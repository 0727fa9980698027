//! One condition that every backup has from the first look on, for whoever waits: `Succeeded` is Unknown while it is under
//! way, True when it is Complete, False when it ended badly. `kubectl wait --for=condition=Succeeded` and GitOps go by it.

use super::{
    super::crd::ConditionStatus,
    words::{advice, proof, rfc3339},
};
use shared::{
    barrier::{Milestone, View},
    reason::Refusal,
    time::Timestamp,
};

/// Its type.
pub(super) const SUCCEEDED: &str = "Succeeded";

/// Of a backup with a record. Its reason is the step or what blocks it, the proof, or why it failed. `old`: what stands
/// there, whose date stays while its status does.
pub(super) fn succeeded(view: &View, old: &[ConditionStatus], now: Timestamp) -> ConditionStatus {
    let record = &view.record;
    let ended = matches!(record.milestone, Milestone::Failed | Milestone::Cleaning | Milestone::Cleaned);
    let (status, reason, message, at) = match &record.failure {
        Some(refusal) if ended => ("False", refusal.reason.to_string(), Some(advice(refusal)), record.times.completed),
        // It is being let go; another attempt may follow.
        Some(refusal) => ("Unknown", refusal.reason.to_string(), Some(advice(refusal)), record.times.started),
        None if record.times.completed.is_some() => ("True", proof(record).to_owned(), None, record.times.completed),
        None => {
            let blocked = view.refused().first().map(|(_, last)| last.refusal.reason.to_string());
            ("Unknown", blocked.unwrap_or_else(|| format!("{:?}", view.phase)), None, record.times.started)
        }
    };
    condition(status, at, reason, message, old, now)
}

/// Of an object without a record: it was never begun, or what became of it is known from elsewhere. `None`: the phase says
/// nothing about how it ends.
pub(super) fn of_phase(
    phase: &str,
    refusal: &Refusal,
    old: &[ConditionStatus],
    now: Timestamp,
) -> Option<ConditionStatus> {
    let ended_badly = matches!(phase, "Invalid" | "Failed");
    ended_badly.then(|| condition("False", None, refusal.reason.to_string(), Some(advice(refusal)), old, now))
}

fn condition(
    status: &str,
    at: Option<Timestamp>,
    reason: String,
    message: Option<String>,
    old: &[ConditionStatus],
    now: Timestamp,
) -> ConditionStatus {
    let kept = old.iter().find(|kept| kept.kind == SUCCEEDED && kept.status == status);
    let since = at.map(rfc3339).or_else(|| kept.and_then(|kept| kept.last_transition_time.clone()));
    ConditionStatus {
        kind: SUCCEEDED.to_owned(),
        status: status.to_owned(),
        last_transition_time: since.or_else(|| Some(rfc3339(now))),
        reason: Some(reason),
        message,
    }
}

#[cfg(test)]
mod tests;
