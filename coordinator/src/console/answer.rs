//! Server side: one question, one answer, from what the coordinator holds in memory.

use super::{
    called::is_called,
    drains::{DrainSeen, Waiting, of_plane},
    glance::{Backups, glance},
    question::{Answered, Question, log, text},
    sizes::sizes,
    timeline::timeline,
    why::{cause, clock, verdict, why},
};
use crate::{config::Prices, ports::Object};
use serde_json::{Value, json};
use shared::{
    barrier::{Milestone, Summary, Verdict, View},
    calendar::rfc3339,
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    reason::{Refusal, cut},
    time::{Instant, Timestamp},
    wire::TEXT_MAX,
};
use shell::link::Over;

/// What the coordinator believes at this moment.
pub struct Snapshot<'a> {
    /// The ledger was read.
    pub ready: bool,
    /// Now, by the clock of the views' deadlines.
    pub now: Instant,
    /// Of the configuration.
    pub prices: Prices,
    /// Those of the configuration.
    pub planes: Vec<PlaneSeen<'a>>,
    /// Backups with a barrier.
    pub views: Vec<&'a View>,
    /// Backups that have ended and owe nothing.
    pub ended: Vec<&'a Summary>,
    /// Drained planes.
    pub drains: Vec<DrainSeen>,
    /// Backups that wait for the end of a drain.
    pub waiting: Vec<Waiting>,
    /// Records without an object.
    pub orphans: Vec<Orphan>,
    /// Objects that can never work.
    pub invalid: Vec<(&'a Object, &'a Refusal)>,
    /// Claims that are held.
    pub claims: Vec<(ClusterId, Epoch, BackupUid)>,
}

/// A plane of the configuration.
pub struct PlaneSeen<'a> {
    /// k8sClusterName.
    pub name: &'a str,
    /// Version and generation of its session, if one is up, and what carries it.
    pub session: Option<(&'a str, u64, Over)>,
    /// When this process lost its last session; `None`: never had one, or has one.
    pub last_seen: Option<Timestamp>,
    /// When the certificate of its session ends, and the days until then.
    pub ends: Option<(Timestamp, i64)>,
}

/// A record whose object is gone although nobody deleted it.
pub struct Orphan {
    /// Of the object that is gone, and the record's name.
    pub uid: BackupUid,
    /// When this process noticed.
    pub since: Timestamp,
    /// What it was.
    pub summary: Summary,
}

impl Orphan {
    pub(super) fn row(&self) -> Value {
        json!({
            "namespace": self.summary.namespace,
            "name": self.summary.name,
            "uid": self.uid,
            "phase": self.summary.milestone,
            "snapshots": self.summary.snapshots,
            "since": shared::calendar::rfc3339(self.since),
        })
    }
}

/// The backup that a person cancels.
///
/// # Errors
/// There is none of that name that runs, or several, or it is not known yet.
pub fn backup_to_cancel(snapshot: &Snapshot<'_>, name: &str) -> Result<BackupUid, String> {
    if !snapshot.ready {
        return Err(NOT_READ.to_owned());
    }
    match find(snapshot, name)? {
        Found::View(view) if view.phase.runs() => Ok(view.record.request.backup.clone()),
        Found::View(view) => Err(format!("{name} is {:?}: there is nothing to cancel", view.phase)),
        Found::Waiting(_) => Err(format!("{name} has not begun: delete it instead")),
        Found::Invalid(refusal) => Err(format!("{name} has never begun: {refusal}")),
    }
}

/// The backup that is verified.
///
/// # Errors
/// There is none of that name that is Complete, or several, or it is not known yet.
pub fn backup_to_verify(snapshot: &Snapshot<'_>, name: &str) -> Result<BackupUid, String> {
    complete(snapshot, name, "verified")
}

/// The backup whose restore is planned.
///
/// # Errors
/// As of [`backup_to_verify`].
pub fn backup_to_restore(snapshot: &Snapshot<'_>, name: &str) -> Result<BackupUid, String> {
    complete(snapshot, name, "restored")
}

fn complete(snapshot: &Snapshot<'_>, name: &str, what: &str) -> Result<BackupUid, String> {
    if !snapshot.ready {
        return Err(NOT_READ.to_owned());
    }
    let (backup, milestone) = match only_ended(snapshot, name) {
        Some(ended) => (&ended.backup, ended.milestone),
        None => match find(snapshot, name)? {
            Found::View(view) => (view.record.key(), view.record.milestone),
            Found::Waiting(_) => return Err(format!("{name} has not begun")),
            Found::Invalid(refusal) => return Err(format!("{name} has never begun: {refusal}")),
        },
    };
    match milestone {
        Milestone::Complete => Ok(backup.clone()),
        other => Err(format!("{name} is {other:?}: only a Complete backup can be {what}")),
    }
}

/// Before it is, everything that exists would be said not to.
pub(crate) const NOT_READ: &str = "this coordinator has not read its ledger yet; ask again in a moment";

/// Answers one question.
pub fn answer(snapshot: &Snapshot<'_>, who: &str, question: &Question) -> Answered {
    log(who, question);
    if !snapshot.ready && !matches!(question, Question::Status | Question::Planes) {
        return Answered::Error(NOT_READ.to_owned());
    }
    match question {
        Question::Status => Answered::Ok(status(snapshot)),
        Question::Planes => Answered::Ok(planes(snapshot)),
        Question::Drains => Answered::Ok(drains(snapshot)),
        Question::Backups => Answered::Ok(backups(snapshot)),
        Question::Glance { from } => Answered::Ok(glance(&all(snapshot), snapshot.now, *from)),
        Question::Orphans { .. } => Answered::Ok(snapshot.orphans.iter().map(Orphan::row).collect()),
        Question::Show { name } => about(snapshot, name, |view| show(view, snapshot)),
        Question::Timeline { name } => about(snapshot, name, |view| Answered::Ok(timeline(view))),
        Question::Why { name } => about(snapshot, name, |view| {
            let told = why(view, snapshot.now);
            let waiting = snapshot.waiting.iter().find(|one| one.uid == *view.record.key());
            Answered::Ok(waiting.map_or_else(|| told.clone(), |one| one.why(told.clone())))
        }),
        // They go to an actor of their own, ask planes, or change something.
        Question::Schedules { .. }
        | Question::Check { .. }
        | Question::Verify { .. }
        | Question::RestorePlan { .. }
        | Question::Restores { .. }
        | Question::Diagnose { .. }
        | Question::DiagnosePlanes { .. }
        | Question::Cancel { .. }
        | Question::Apply { .. }
        | Question::Delete { .. }
        | Question::Drain { .. }
        | Question::Release { .. }
        | Question::LogLevel { .. } => Answered::Error("it is not answered here".to_owned()),
    }
}

fn all<'a>(snapshot: &'a Snapshot<'a>) -> Backups<'a> {
    Backups {
        views: &snapshot.views,
        ended: &snapshot.ended,
        invalid: &snapshot.invalid,
        orphans: snapshot.orphans.len(),
        waiting: &snapshot.waiting,
    }
}

/// What a standby answers, whatever is asked.
pub fn not_leading(leader: Option<String>, who: &str) -> String {
    tracing::info!(who, leader, "console; this replica does not lead");
    text(&Answered::NotLeading { leader })
}

/// What is answered before everything is known.
pub fn not_yet(what: &str) -> String {
    text(&Answered::Error(format!("{what}; ask again in a moment")))
}

/// The one backup that a question is about, if it has ended: memory holds too little of it for an answer.
pub fn about_ended(snapshot: &Snapshot<'_>, question: &Question) -> Option<BackupUid> {
    let (Question::Show { name } | Question::Why { name } | Question::Timeline { name }) = question else {
        return None;
    };
    only_ended(snapshot, name).map(|one| one.backup.clone())
}

/// The one backup of that name, if it has ended.
fn only_ended<'a>(snapshot: &'a Snapshot<'_>, name: &str) -> Option<&'a Summary> {
    let is_live = |view: &&&View| {
        let request = &view.record.request;
        is_called(name, &request.backup, &request.namespace, &request.name)
    };
    let mut ended = snapshot.ended.iter().filter(|one| is_called(name, &one.backup, &one.namespace, &one.name));
    match (ended.next(), ended.next(), snapshot.views.iter().find(is_live)) {
        (Some(one), None, None) => Some(*one),
        _ => None,
    }
}

/// Of one backup; one that can never work has only its refusal to tell.
fn about(snapshot: &Snapshot<'_>, name: &str, tell: impl FnOnce(&View) -> Answered) -> Answered {
    match find(snapshot, name) {
        Ok(Found::View(view)) => tell(view),
        Ok(Found::Waiting(waiting)) => Answered::Ok(waiting.why(Value::Null)),
        Ok(Found::Invalid(refusal)) => Answered::Ok(invalid(refusal)),
        Err(error) => Answered::Error(error),
    }
}

fn status(snapshot: &Snapshot<'_>) -> Value {
    let claims = snapshot
        .claims
        .iter()
        .map(|(cluster, epoch, backup)| json!({ "cluster": cluster.to_string(), "epoch": epoch, "backup": backup }));
    // Each is moved into its place: the macro would copy ten thousand rows.
    let parts = [
        ("ready", snapshot.ready.into()),
        ("planes", planes(snapshot)),
        ("backups", backups(snapshot)),
        ("claims", claims.collect()),
        ("drains", drains(snapshot)),
    ];
    Value::Object(parts.map(|(name, part)| (name.to_owned(), part)).into_iter().collect())
}

fn drains(snapshot: &Snapshot<'_>) -> Value {
    snapshot.drains.iter().map(DrainSeen::row).collect()
}

fn planes(snapshot: &Snapshot<'_>) -> Value {
    snapshot
        .planes
        .iter()
        .map(|plane| {
            json!({
                "plane": plane.name,
                "connected": plane.session.is_some(),
                "version": plane.session.map(|(version, ..)| version),
                "session": plane.session.map(|(_, generation, _)| generation),
                "over": plane.session.map(|(_, _, over)| over.to_string()),
                "drained": of_plane(&snapshot.drains, plane.name),
                "lastSeen": plane.last_seen.map(rfc3339),
                "certificateEnds": plane.ends.map(|(end, _)| rfc3339(end)),
                "daysLeft": plane.ends.map(|(_, days)| days),
            })
        })
        .collect()
}

fn backups(snapshot: &Snapshot<'_>) -> Value {
    let running = snapshot.views.iter().map(|view| {
        let record = &view.record;
        json!({
            "namespace": record.request.namespace,
            "name": record.request.name,
            "step": view.phase,
            "verdict": verdict(view).map(Verdict::as_str),
            "attempt": record.attempt,
            "commitTs": record.commit_ts.filter(|_| record.milestone != Milestone::Failed).map(|ts| ts.to_string()),
            "reason": cause(view).map(|refusal| refusal.reason.as_str()),
            "waitingFor": view.waiting_for,
            "clock": view.clock.map(|(clock, _)| clock),
            "left_ms": view.clock.map(|(_, ends)| ends.since(snapshot.now)),
        })
    });
    let ended = snapshot.ended.iter().map(|ended| {
        json!({
            "namespace": ended.namespace,
            "name": ended.name,
            "step": ended.milestone,
            "verdict": ended.verdict.map(Verdict::as_str),
            "attempt": ended.attempt,
            "commitTs": ended.commit_ts.map(|ts| ts.to_string()),
            "reason": ended.reason.map(|reason| reason.as_str()),
            "waitingFor": "",
        })
    });
    let invalid = snapshot.invalid.iter().map(|(object, refusal)| {
        json!({
            "namespace": object.namespace,
            "name": object.name,
            "step": "Invalid",
            "reason": refusal.reason.as_str(),
            "waitingFor": "",
        })
    });
    let held_back = snapshot.waiting.iter().filter(|one| !one.begun).map(Waiting::row);
    running.chain(held_back).chain(ended).chain(invalid).collect()
}

/// The view whole, with the deadlines as what is left of them now.
fn show(view: &View, snapshot: &Snapshot<'_>) -> Answered {
    let now = snapshot.now;
    let mut shown = match serde_json::to_value(view) {
        Ok(value) => value,
        Err(error) => return Answered::Error(error.to_string()),
    };
    shown["clock"] = clock(view, now).unwrap_or_default();
    shown["trace"] = json!(view.record.trace().to_string());
    shown["sizes"] = sizes(&view.record, &snapshot.prices);
    for (plane, live) in &view.planes {
        if let Some(at) = live.refused.as_ref().and_then(|last| last.again) {
            shown["planes"][plane.as_str()]["refused"]["again_ms"] = json!(at.since(now));
        }
    }
    Answered::Ok(shown)
}

fn invalid(refusal: &Refusal) -> Value {
    json!({
        "step": "Invalid",
        "reason": refusal.reason.as_str(),
        "message": refusal.message,
        "action": refusal.reason.action(),
    })
}

enum Found<'a> {
    View(&'a View),
    Waiting(&'a Waiting),
    Invalid(&'a Refusal),
}

/// By uid, `namespace/name`, or a name that only one has.
fn find<'a>(snapshot: &'a Snapshot<'_>, wanted: &str) -> Result<Found<'a>, String> {
    let is_it = |uid: &BackupUid, namespace: &str, name: &str| {
        is_called(wanted, uid, namespace, name).then(|| format!("{namespace}/{name}"))
    };
    let ended = snapshot.ended.iter().filter_map(|one| is_it(&one.backup, &one.namespace, &one.name));
    let views = snapshot.views.iter().filter_map(|view| {
        let request = &view.record.request;
        Some((is_it(&request.backup, &request.namespace, &request.name)?, Found::View(view)))
    });
    let invalid = snapshot.invalid.iter().filter_map(|(object, refusal)| {
        Some((is_it(&object.uid, &object.namespace, &object.name)?, Found::Invalid(refusal)))
    });
    let waiting = snapshot.waiting.iter().filter(|one| !one.begun);
    let waiting = waiting.filter_map(|one| Some((is_it(&one.uid, &one.namespace, &one.name)?, Found::Waiting(one))));
    let mut found: Vec<_> = views.chain(invalid).chain(waiting).collect();
    // One that has ended, and is the only one of its name, is read from the ledger before this is asked.
    let mut names: Vec<_> = ended.chain(found.iter().map(|(name, _)| name.clone())).collect();
    names.sort_unstable();
    match (found.pop(), names.as_slice()) {
        (Some((_, only)), [_]) => Ok(only),
        (_, []) => {
            let wanted = cut(wanted.to_owned(), TEXT_MAX);
            Err(format!("no VolumeBackup called {wanted}; `console backups` lists them"))
        }
        (_, names) => Err(format!("{wanted} is in several namespaces; say which: {}", names.join(", "))),
    }
}

#[cfg(test)]
mod tests;
