//! Everything at a glance, for a page: what runs, and of all else the newest first, some at a time. The answer is as short
//! with ten thousand backups as with ten.

use super::{
    drains::Waiting,
    why::{cause, clock, planes, verdict},
};
use crate::ports::Object;
use serde_json::{Value, json};
use shared::{
    barrier::{Clock, Milestone, Summary, Verdict, View},
    calendar::rfc3339,
    reason::{Reason, Refusal},
    request::Limits,
    time::{Instant, Millis, Timestamp},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// Backups in one answer.
pub const ROWS: usize = 60;
/// Running ones in one answer: each TiDB cluster has one, and those that wait for it.
const RUNNING: usize = 20;

/// All backups that there are.
pub(super) struct Backups<'a> {
    /// With a barrier.
    pub(super) views: &'a [&'a View],
    /// They have ended and owe nothing.
    pub(super) ended: &'a [&'a Summary],
    /// They can never work.
    pub(super) invalid: &'a [(&'a Object, &'a Refusal)],
    /// Records without an object.
    pub(super) orphans: usize,
    /// They wait for the end of a drain.
    pub(super) waiting: &'a [Waiting],
}

/// How a backup came out, in the words of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Proven,
    Weaker,
    Failed,
    Invalid,
    Leaving,
}

impl Outcome {
    fn of(milestone: Milestone, verdict: Option<Verdict>) -> Self {
        match (milestone, verdict) {
            (Milestone::Cleaning | Milestone::Cleaned, _) => Self::Leaving,
            (Milestone::Complete, Some(Verdict::Consistent)) => Self::Proven,
            (Milestone::Complete, _) => Self::Weaker,
            _ => Self::Failed,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Weaker => "weaker",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
            Self::Leaving => "leaving",
        }
    }
}

/// What a row is made of, borrowed: most of them are only counted.
struct Ended<'a> {
    at: Option<Timestamp>,
    namespace: &'a str,
    name: &'a str,
    outcome: Outcome,
    reason: Option<Reason>,
    ended: Option<Timestamp>,
}

impl<'a> Ended<'a> {
    fn of_view(view: &'a View) -> Self {
        let record = &view.record;
        Self {
            at: record.times.started,
            namespace: &record.request.namespace,
            name: &record.request.name,
            outcome: Outcome::of(record.milestone, verdict(view)),
            reason: cause(view).map(|refusal| refusal.reason),
            ended: record.times.completed,
        }
    }

    fn of_summary(summary: &'a Summary) -> Self {
        Self {
            at: summary.times.started,
            namespace: &summary.namespace,
            name: &summary.name,
            outcome: Outcome::of(summary.milestone, summary.verdict),
            reason: summary.reason,
            ended: summary.times.completed,
        }
    }

    fn row(&self) -> Value {
        json!({
            "namespace": self.namespace,
            "name": self.name,
            "outcome": self.outcome.as_str(),
            "reason": self.reason.map(|reason| reason.as_str()),
            "started": self.at.map(rfc3339),
            "ended": self.ended.map(rfc3339),
        })
    }
}

/// `from`: how many of the newest are left out.
pub(super) fn glance(all: &Backups<'_>, now: Instant, from: usize) -> Value {
    let runs = |view: &&&View| view.phase.runs() || view.record.milestone == Milestone::Aborting;
    let running = all.views.iter().filter(runs);
    let views = all.views.iter().filter(|view| !runs(view)).map(|view| Ended::of_view(view));
    let summaries = all.ended.iter().map(|summary| Ended::of_summary(summary));
    let invalid = all.invalid.iter().map(|(object, refusal)| Ended {
        at: Some(object.created),
        namespace: &object.namespace,
        name: &object.name,
        outcome: Outcome::Invalid,
        reason: Some(refusal.reason),
        ended: None,
    });
    let mut ended: Vec<Ended<'_>> = views.chain(summaries).chain(invalid).collect();
    ended.sort_unstable_by_key(|one| (Reverse(one.at), one.namespace, one.name));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &ended {
        *counts.entry(one.outcome.as_str()).or_default() += 1;
    }
    json!({
        "running": running.clone().take(RUNNING).map(|view| running_row(view, now)).collect::<Vec<_>>(),
        "runningAll": running.count(),
        "backups": ended.iter().skip(from).take(ROWS).map(Ended::row).collect::<Vec<_>>(),
        "from": from,
        "all": ended.len(),
        "counts": counts,
        "orphans": all.orphans,
        "waiting": all.waiting.iter().take(RUNNING).map(Waiting::row).collect::<Vec<_>>(),
    })
}

fn running_row(view: &View, now: Instant) -> Value {
    let request = &view.record.request;
    json!({
        "namespace": request.namespace,
        "name": request.name,
        "step": view.phase,
        "attempt": view.record.attempt,
        "waitingFor": view.waiting_for,
        "clock": clock(view, now),
        "limit_ms": view.clock.and_then(|(clock, _)| limit(clock, &request.limits)),
        "planes": planes(view, now),
    })
}

/// How long this clock may run in all, where that is a wish.
fn limit(clock: Clock, limits: &Limits) -> Option<Millis> {
    match clock {
        Clock::Connect => Some(limits.connect),
        Clock::Prepare => Some(limits.prepare),
        Clock::Settle => Some(limits.settle),
        Clock::Reach => Some(limits.reach),
        Clock::Hold => Some(limits.hold),
        Clock::PlaneLost => Some(limits.plane_lease),
        Clock::Recover | Clock::HoldsEnd | Clock::Retry => None,
    }
}

#[cfg(test)]
mod tests;
