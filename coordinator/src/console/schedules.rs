//! `console schedules`: when backups are made, and which of them stay or go and why, now or at any date.

use super::{
    called::is_named,
    question::{Answered, Question, log, question, text},
    sizes::cost,
};
use crate::{config::Prices, human::human_size};
use serde_json::{Value, json};
use shared::{
    barrier::Size,
    calendar::rfc3339,
    cron::{Cron, Zone},
    ids::BackupUid,
    reason::cut,
    retention::{BackupState, Plan, Verdict},
    schedule::{Scheduler, View},
    time::Timestamp,
    wire::TEXT_MAX,
};

/// Coming runs shown for one schedule.
const COMING: usize = 5;

/// Does the question go to the schedules' actor?
pub fn is_about_schedules(body: &[u8]) -> bool {
    matches!(serde_json::from_slice(body), Ok(Question::Schedules { .. }))
}

/// What backups keep, in bytes and in money.
pub struct Worth<'a> {
    /// Bytes that a backup added; `None`: not known.
    pub added: &'a dyn Fn(&BackupUid) -> Option<u64>,
    /// Of the configuration.
    pub prices: &'a Prices,
}

/// Answers one question about schedules; the text is JSON of [`Answered`].
pub fn answer_schedules(scheduler: &Scheduler, now: Timestamp, who: &str, body: &[u8], worth: &Worth<'_>) -> String {
    let answered = match question(body) {
        Ok(question) => {
            log(who, &question);
            match question {
                Question::Schedules { name: None, .. } => {
                    Answered::Ok(scheduler.view().iter().map(row).collect::<Value>())
                }
                Question::Schedules { name: Some(name), plan, at } => one(scheduler, &name, plan, at, now, worth),
                _ => Answered::Error("not a question about schedules".to_owned()),
            }
        }
        Err(why) => Answered::Error(why),
    };
    text(&answered)
}

fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::from(rfc3339(at)))
}

/// `null` for none, which tables show as a dash.
fn name(name: &str) -> Value {
    if name.is_empty() { Value::Null } else { Value::from(name) }
}

fn row(view: &View) -> Value {
    let status = &view.status;
    json!({
        "namespace": view.key.namespace,
        "name": view.key.name,
        "phase": status.phase.as_str(),
        "schedule": view.cron,
        "zone": view.zone,
        "nextRun": moment(status.next_run),
        "lastBackup": name(&status.last_backup),
        "lastSuccess": name(&status.last_success),
        "lastSuccessTime": moment(status.last_success_time),
        "backups": view.backups,
        "message": status.message,
    })
}

fn one(
    scheduler: &Scheduler,
    name: &str,
    plan: bool,
    at: Option<Timestamp>,
    now: Timestamp,
    worth: &Worth<'_>,
) -> Answered {
    let views = scheduler.view();
    let found: Vec<&View> = views.iter().filter(|view| is_named(name, &view.key.namespace, &view.key.name)).collect();
    let view = match found.as_slice() {
        [view] => *view,
        [] => {
            let name = cut(name.to_owned(), TEXT_MAX);
            return Answered::Error(format!("no VolumeBackupSchedule called {name}; `console schedules` lists them"));
        }
        _ => return Answered::Error(format!("{name} is in several namespaces; say namespace/name")),
    };
    let at = at.unwrap_or(now);
    let judged = scheduler.plan(&view.key, at);
    if plan {
        return match judged {
            Some(judged) => Answered::Ok(plan_value(&judged, at, worth)),
            None => Answered::Error(format!("{name} is Invalid, so nothing is deleted: {}", view.status.message)),
        };
    }
    let mut shown = row(view);
    let more = [
        ("group", view.group.clone().map_or(Value::Null, Value::from)),
        ("running", json!(view.running)),
        ("nextRuns", coming(view, now)),
        ("kept", judged.as_ref().map(|judged| sum(judged, worth, stays)).unwrap_or_default()),
        ("backups", judged.as_ref().map(|judged| rows(judged, worth)).unwrap_or_default()),
    ];
    if let Some(fields) = shown.as_object_mut() {
        fields.extend(more.map(|(field, value)| (field.to_owned(), value)));
    }
    Answered::Ok(shown)
}

/// The next few fire times, on the schedule's own wall clock; none while it is paused. The first is the machine's, because
/// only it knows what `@every` counts from, unless that is due already.
fn coming(view: &View, now: Timestamp) -> Value {
    let Some(next) = view.status.next_run else { return json!([]) };
    let zone = Zone::named(&view.zone).unwrap_or_else(|_| Zone::utc());
    let Ok(cron) = Cron::parse_in(&view.cron, &zone) else { return json!([]) };
    let first = Some(next).filter(|next| *next > now);
    let more = cron.runs(first.unwrap_or(now), COMING);
    first.into_iter().chain(more).take(COMING).map(|at| Value::from(zone.rfc3339(at))).collect()
}

fn stays(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Keep(_))
}

/// What those backups added together, and what that costs. A deletion frees at most so much: the next backup may still
/// need a part of it (`facts/aws.md` A5, Chain).
fn sum(plan: &Plan, worth: &Worth<'_>, which: impl Fn(&Verdict) -> bool) -> Value {
    let of: Vec<_> = plan.rows.iter().filter(|row| which(&row.verdict)).collect();
    let known: Vec<u64> = of.iter().filter_map(|row| (worth.added)(&row.uid)).collect();
    let bytes = known.iter().fold(0_u64, |sum, added| sum.saturating_add(*added));
    json!({
        "backups": of.len(),
        "added": human_size(Size::Known(bytes)),
        "addedBytes": bytes,
        "costPerMonth": cost(bytes, worth.prices),
        "sizeUnknown": of.len() - known.len(),
    })
}

fn plan_value(plan: &Plan, at: Timestamp, worth: &Worth<'_>) -> Value {
    json!({
        "at": rfc3339(at),
        "deleteNow": plan.delete_now.as_ref().map(|(name, _, why)| format!("{name}: {why}")),
        "waitingFor": plan.waiting.as_ref().map(|(name, until)| {
            format!("the deletion of {name} to end, until {} at most", rfc3339(*until))
        }),
        "next": plan.next.as_ref().map(|next| format!("{} at {}", next.name, rfc3339(next.at))),
        "kept": sum(plan, worth, stays),
        "freedAtMost": sum(plan, worth, |verdict| !stays(verdict)),
        "backups": rows(plan, worth),
    })
}

fn rows(plan: &Plan, worth: &Worth<'_>) -> Value {
    plan.rows
        .iter()
        .map(|row| {
            let (verdict, why) = match &row.verdict {
                Verdict::Keep(why) => ("keep", why.to_string()),
                Verdict::Delete(why) => ("delete", why.to_string()),
                Verdict::Leaving(since) => ("leaving", format!("since {}", rfc3339(*since))),
            };
            json!({
                "name": row.name,
                "created": rfc3339(row.created),
                "state": match row.state {
                    BackupState::Running => "Running",
                    BackupState::Complete { proven: true } => "Complete",
                    BackupState::Complete { proven: false } => "Complete, not proven",
                    BackupState::Failed => "Failed",
                },
                "verdict": verdict,
                "why": why,
                "added": (worth.added)(&row.uid).and_then(|bytes| human_size(Size::Known(bytes))),
                "expires": moment(row.expires),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
