//! The scheduler hold (`facts/pd-tikv.md` §3.4, §3.5). It spares the cluster operators that TiKV's leases would refuse
//! anyway; it is never evidence. Pauses live in the PD leader's memory only, so each renewal lists, pauses and reads
//! back anew; TTL configs survive a leader change but cannot be read back.

use super::{
    leader::{Fail, Leader},
    stores::all_stores,
};
use crate::ports::PdPause;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::time::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// Paused when they exist. evict-leader and the like stay: they were put there on purpose.
const SCHEDULERS: [&str; 7] = [
    "balance-leader-scheduler",
    "balance-hot-region-scheduler",
    "balance-region-scheduler",
    "shuffle-leader-scheduler",
    "shuffle-region-scheduler",
    "shuffle-hot-region-scheduler",
    "evict-slow-store-scheduler",
];

/// What a key of `schedule` is set to during the hold. All are sent as strings, because PD up to 8.0 ignores large
/// numbers silently (§3.5).
fn held_value(key: &str, before: &Value, stores: usize) -> Option<String> {
    let value = match key {
        "leader-schedule-limit"
        | "region-schedule-limit"
        | "replica-schedule-limit"
        | "merge-schedule-limit"
        | "hot-region-schedule-limit" => "0".to_owned(),
        "enable-tikv-split-region" | "enable-location-replacement" => "false".to_owned(),
        "max-pending-peer-count" => "2147483647".to_owned(),
        "max-snapshot-count" => {
            let stores = u64::try_from(stores).unwrap_or(u64::MAX);
            before.as_u64().unwrap_or(0).saturating_mul(stores).min(40).to_string()
        }
        _ => return None,
    };
    Some(value)
}

/// PD's own text form of a config value.
fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Persisted values of the keys to be set. TTL values never show here, so our own leftovers cannot be taken for them.
async fn originals(leader: &Leader) -> Result<BTreeMap<String, Value>, Fail> {
    let schedule: BTreeMap<String, Value> = leader.get("/config/schedule").await?;
    let kept = schedule.into_iter().filter(|(key, value)| held_value(key, value, 0).is_some());
    Ok(kept.map(|(key, value)| (format!("schedule.{key}"), value)).collect())
}

async fn set_configs(leader: &Leader, ttl: u64, values: BTreeMap<&String, String>) -> Result<(), Fail> {
    if values.is_empty() {
        return Ok(());
    }
    leader.ask(Method::POST, &format!("/config?ttlSecond={ttl}"), json!(values).to_string()).await.map(|_| ())
}

/// False: PD knows no such scheduler (gone, or a new leader that has not started its schedulers yet).
async fn delay(leader: &Leader, name: &str, seconds: u64) -> Result<bool, Fail> {
    let path = format!("/schedulers/{name}");
    let answer = leader.exchange(Method::POST, &path, json!({ "delay": seconds }).to_string()).await?;
    if answer.status.is_success() {
        return Ok(true);
    }
    let text = answer.excerpt();
    // v8's text of the error code, and the plain words of older ones.
    if answer.status.as_u16() == 500 && (text.contains("ErrSchedulerNotFound") || text.contains("scheduler not found"))
    {
        return Ok(false);
    }
    Err(Fail::Again(format!("POST {path} at {} answered {}: {text}", leader.url, answer.status)))
}

/// Names as PD lists them; `null` when there are none (6.5).
async fn listed(leader: &Leader, path: &str) -> Result<BTreeSet<String>, Fail> {
    Ok(leader.get::<Option<Vec<String>>>(path).await?.unwrap_or_default().into_iter().collect())
}

/// Above every pause of ours, in seconds: they are renewed within one, and others' are some minutes long.
const LONGEST: u64 = 60;

/// A paused scheduler with its pause's length in seconds; a PD that tells only names tells no length.
#[derive(Deserialize)]
#[serde(untagged)]
enum Paused {
    Timed { name: String, paused_at: String, resume_at: String },
    Named(String),
}

/// Schedulers that are paused, each with how long its pause was made for, by PD's own clock. `None`: PD does not say.
async fn paused_for(leader: &Leader) -> Result<BTreeMap<String, Option<i64>>, Fail> {
    let listed: Option<Vec<Paused>> = leader.get("/schedulers?status=paused&timestamp=true").await?;
    Ok(listed.unwrap_or_default().into_iter().map(length_of).collect())
}

fn length_of(paused: Paused) -> (String, Option<i64>) {
    match paused {
        Paused::Named(name) => (name, None),
        Paused::Timed { name, paused_at, resume_at } => {
            let at = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
            let length = at(&resume_at).zip(at(&paused_at)).map(|(end, begin)| end.saturating_sub(begin));
            (name, length)
        }
    }
}

/// Somebody else paused it, for longer than we would (ours, and what an attempt before left behind, are never longer). PD
/// keeps one pause a scheduler and no owner: ours would shorten theirs, and resuming ours would end it. Without lengths,
/// whatever is paused and is not in our own list is taken for theirs.
fn is_others(name: &str, paused: &BTreeMap<String, Option<i64>>, ours: Option<&PdPause>, seconds: u64) -> bool {
    match paused.get(name) {
        None => false,
        // A second more: both times are cut to seconds.
        Some(Some(length)) => *length > i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(1),
        Some(None) => !ours.is_some_and(|ours| ours.schedulers.iter().any(|own| own == name)),
    }
}

/// Pauses, or renews the pause in `before`; what somebody else has paused for longer stays his. A scheduler paused earlier that PD does not list now does not run either
/// (a leader starts its schedulers only once it has heard of 90 % of the regions); it stays in the result, so that it
/// is resumed in the end, and is paused anew by the first renewal that finds it.
pub(super) async fn pause(leader: Leader, ttl: Millis, before: Option<&PdPause>) -> Result<PdPause, Fail> {
    let seconds = ttl.as_secs_up().max(1);
    let originals = match before {
        Some(before) => before.originals.clone(),
        None => originals(&leader).await?,
    };
    let stores = all_stores(&leader).await?.len();
    let held = originals.iter().filter_map(|(key, value)| {
        let short = key.strip_prefix("schedule.")?;
        Some((key, held_value(short, value, stores)?))
    });
    set_configs(&leader, seconds, held.collect()).await?;

    let present = listed(&leader, "/schedulers").await?;
    let already = paused_for(&leader).await?;
    let others = |name: &str| is_others(name, &already, before, seconds);
    let wanted: Vec<&str> = SCHEDULERS.into_iter().filter(|name| present.contains(*name) && !others(name)).collect();
    for name in &wanted {
        if !delay(&leader, name, seconds).await? {
            return Err(Fail::Again(format!("{name} was listed and is not there any more (a leader change?)")));
        }
    }
    let paused = listed(&leader, "/schedulers?status=paused").await?;
    if let Some(name) = wanted.iter().find(|name| !paused.contains(**name)) {
        return Err(Fail::Again(format!("{name} was paused, and PD at {} lists it as running", leader.url)));
    }
    let mut schedulers: BTreeSet<String> = wanted.into_iter().map(str::to_owned).collect();
    schedulers.extend(before.into_iter().flat_map(|before| before.schedulers.iter().cloned()));
    schedulers.retain(|name| !others(name));
    Ok(PdPause { schedulers: schedulers.into_iter().collect(), originals })
}

/// Ends exactly what [`pause`] began. The original values go with TTL 0: PD up to 7.5 re-writes what it is sent for a
/// few more seconds (§3.5), so it must never be the values of the hold.
///
/// A scheduler that somebody else has paused since, for longer than we ever do, is left to him; where PD does not tell,
/// what we paused is resumed.
pub(super) async fn resume(leader: Leader, paused: &PdPause) -> Result<(), Fail> {
    let already = paused_for(&leader).await.unwrap_or_default();
    for name in &paused.schedulers {
        if !is_others(name, &already, Some(paused), LONGEST) {
            delay(&leader, name, 0).await?;
        }
    }
    let originals = paused.originals.iter().map(|(key, value)| (key, as_text(value)));
    set_configs(&leader, 0, originals.collect()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_values_are_those_of_the_table() {
        assert_eq!(held_value("leader-schedule-limit", &json!(4), 3).as_deref(), Some("0"));
        assert_eq!(held_value("max-snapshot-count", &json!(3), 4).as_deref(), Some("12"));
        assert_eq!(held_value("max-snapshot-count", &json!(64), 4).as_deref(), Some("40"));
        assert_eq!(held_value("max-pending-peer-count", &json!(64), 4).as_deref(), Some("2147483647"));
        assert_eq!(held_value("max-store-down-time", &json!("30m0s"), 4), None);
    }

    #[test]
    fn originals_keep_their_text() {
        assert_eq!(as_text(&json!("true")), "true");
        assert_eq!(as_text(&json!(2_147_483_647_u64)), "2147483647");
    }

    #[test]
    fn a_pause_longer_than_ours_is_somebody_elses() {
        let listed: Vec<Paused> = serde_json::from_value(json!([
            {"name": "br", "paused_at": "2026-01-01T08:00:00.7+08:00", "resume_at": "2026-01-01T00:05:00Z"},
            {"name": "ours", "paused_at": "2026-01-01T00:00:00.9Z", "resume_at": "2026-01-01T00:00:16.1Z"},
            "old-ours",
            "old-other",
        ]))
        .unwrap();
        let paused: BTreeMap<String, Option<i64>> = listed.into_iter().map(length_of).collect();
        let ours = PdPause { schedulers: vec!["old-ours".to_owned(), "br".to_owned()], ..PdPause::default() };
        let of = |name: &str, before| is_others(name, &paused, before, 15);
        assert!(of("br", None) && of("br", Some(&ours)), "also when it was ours once");
        assert!(!of("ours", None), "left behind by an attempt before this one");
        assert!(!of("old-ours", Some(&ours)) && of("old-ours", None));
        assert!(of("old-other", Some(&ours)));
        assert!(!of("running", None));
    }
}
