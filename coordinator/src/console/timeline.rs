//! Where the time of an attempt went: its steps one below the other, on one scale.

use super::why::verdict;
use crate::human::span;
use serde_json::{Value, json};
use shared::{
    barrier::{Moments, Phase, StepMoments, Verdict, View},
    calendar::rfc3339,
    request::Limits,
};

/// Characters of the longest bar. With the other columns it fits a terminal of 100.
const WIDTH: usize = 36;

/// The answer. All of `*_ms` count from the moment at which the attempt began to prepare; `ended_ms` is when the next
/// step began.
pub fn timeline(view: &View) -> Value {
    let record = &view.record;
    let steps = record.moments.steps();
    let rows = steps.iter().enumerate().map(|(at, moments)| row(moments, steps.get(at + 1))).collect::<Vec<_>>();
    json!({
        "name": format!("{}/{}", record.request.namespace, record.request.name),
        "attempt": record.attempt,
        "step": view.phase,
        "started": record.times.started.map(rfc3339),
        "settle_ms": record.barrier.settle,
        "reach_ms": record.barrier.reach,
        "hold_ms": record.barrier.hold,
        "limits": limits(&record.request.limits),
        "verdict": verdict(view).map(Verdict::as_str),
        "reason": record.failure.as_ref().map(|refusal| refusal.reason.as_str()),
        "planes": record.request.members.iter().map(|member| &member.plane).collect::<Vec<_>>(),
        "steps": rows,
        "note": note(&record.moments, view.phase),
    })
}

/// How long each part of the barrier may take.
fn limits(limits: &Limits) -> Value {
    json!({ "settle_ms": limits.settle, "reach_ms": limits.reach, "hold_ms": limits.hold })
}

fn row(moments: &StepMoments, next: Option<&StepMoments>) -> Value {
    let last = moments.answered.iter().max_by_key(|(_, at)| **at);
    let mut row = json!({
        "step": moments.step,
        "began_ms": moments.began,
        "ended_ms": next.map(|next| next.began),
        "planes": moments.answered,
        "lastAnswer": last.map(|(plane, _)| plane),
    });
    if !moments.accepted.is_empty() {
        row["calls"] = json!(moments.accepted);
    }
    row
}

/// Why something is not here.
fn note(moments: &Moments, phase: Phase) -> Option<&'static str> {
    match moments.steps().last() {
        None => Some("nothing is known: it has not begun, or began under an earlier version"),
        Some(last) if last.step != phase => Some("what came later was not timed: the coordinator was restarted"),
        Some(_) => None,
    }
}

/// The drawing of what is known of a backup.
pub fn drawn(view: &View) -> String {
    draw(&timeline(view))
}

/// For people: bars of the steps between the first touch of PD and the last release, because what comes after may last
/// hours and what comes before holds nothing.
pub(super) fn draw(answer: &Value) -> String {
    let steps: Vec<&Value> = answer["steps"].as_array().into_iter().flatten().collect();
    let mut out = format!("{}, attempt {}: {}", word(&answer["name"]), answer["attempt"], word(&answer["step"]));
    if let Some(started) = answer["started"].as_str() {
        out.push_str(&format!("; first seen {started}"));
    }
    let barrier = (time_of(&steps, "Settling"), time_of(&steps, "Completing"));
    out.push_str(&format!(
        "\n\n{:<13}{:>12}{:>14}  {:<WIDTH$}  LAST ANSWER\n",
        "STEP", "FROM", "FOR", "SETTLE TO RELEASE"
    ));
    for step in &steps {
        let (from, to) = (step["began_ms"].as_u64().unwrap_or_default(), step["ended_ms"].as_u64());
        let length = to.map_or("-".to_owned(), |to| span(to.saturating_sub(from)));
        let bar = match (barrier, to) {
            ((Some(first), Some(last)), Some(to)) => bar(first, last, from, to),
            _ => String::new(),
        };
        let line =
            format!("{:<13}{:>12}{:>14}  {bar:<WIDTH$}  {}", word(&step["step"]), span(from), length, slowest(step));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&calls(&steps));
    if let Some(note) = answer["note"].as_str() {
        out.push_str(&format!("\n{note}\n"));
    }
    out.trim_end().to_owned()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn time_of(steps: &[&Value], name: &str) -> Option<u64> {
    steps.iter().find(|step| step["step"] == name)?["began_ms"].as_u64()
}

/// The part of the barrier that this step took; at least one character of what lies in it.
fn bar(first: u64, last: u64, from: u64, to: u64) -> String {
    if from < first || from >= last {
        return String::new();
    }
    let scale = |at: u64| usize::try_from((at.min(last) - first) * WIDTH as u64 / (last - first)).unwrap_or(WIDTH);
    let (from, to) = (scale(from).min(WIDTH - 1), scale(to));
    " ".repeat(from) + &"█".repeat(to.saturating_sub(from).max(1))
}

fn slowest(step: &Value) -> String {
    let Some(plane) = step["lastAnswer"].as_str() else { return String::new() };
    format!("{plane}, at {}", span(step["planes"][plane].as_u64().unwrap_or_default()))
}

/// EC2's part, in one line.
fn calls(steps: &[&Value]) -> String {
    let of = steps.iter().filter_map(|step| step["calls"].as_object()).flatten();
    let mut all: Vec<(u64, &str, &str)> = of
        .flat_map(|(plane, calls)| {
            calls.as_object().into_iter().flatten().map(move |(instance, at)| (plane, instance, at))
        })
        .map(|(plane, instance, at)| (at.as_u64().unwrap_or_default(), instance.as_str(), plane.as_str()))
        .collect();
    all.sort_unstable();
    let (Some(first), Some((last, instance, plane))) = (all.first(), all.last()) else { return String::new() };
    format!(
        "\nCreateSnapshots: {} accepted, the first at {}, the last at {} ({instance} of {plane})\n",
        all.len(),
        span(first.0),
        span(*last)
    )
}

#[cfg(test)]
mod tests;
