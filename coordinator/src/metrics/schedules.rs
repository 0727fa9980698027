//! What Prometheus sees of schedules. An alert on a schedule compares `…_last_success_…` with now; `…_missed_runs` says
//! how often a run was skipped on the way.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::{
    cron::{Cron, Zone},
    schedule::{Phase, ScheduleKey, View},
    time::Timestamp,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};

/// Missed runs counted at once: `@every 1s` and a month's pause must not hold up the actor.
const MISSED_MAX: u64 = 10_000;

/// Runs of which the longest pause between two is told: over the weekend of `1-5`, too.
const RUNS: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSchedule {
    namespace: String,
    schedule: String,
}

impl From<&ScheduleKey> for OfSchedule {
    fn from(key: &ScheduleKey) -> Self {
        Self { namespace: key.namespace.clone(), schedule: key.name.clone() }
    }
}

/// What an interval follows from: expression, zone, next run.
type Fires = (String, String, Option<Timestamp>);

/// Instruments of schedules.
#[derive(Default)]
pub(super) struct ScheduleMetrics {
    last_success: Family<OfSchedule, Gauge>,
    last_proven: Family<OfSchedule, Gauge>,
    next_run: Family<OfSchedule, Gauge>,
    interval: Family<OfSchedule, Gauge>,
    active: Family<OfSchedule, Gauge>,
    backups: Family<OfSchedule, Gauge>,
    missed: Family<OfSchedule, Counter>,
    skew: Gauge<f64, AtomicU64>,
    stopped: Gauge,
    /// Expression and last run of each schedule, as last shown.
    seen: Mutex<BTreeMap<ScheduleKey, (String, Option<Timestamp>)>>,
    /// Of which the interval was told last.
    told: Mutex<BTreeMap<ScheduleKey, Fires>>,
}

impl ScheduleMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "isochron_clock_skew_seconds",
            "How far the host's clock is ahead of the API server's (stand-alone: of where it has to be)",
            self.skew.clone(),
        );
        registry.register(
            "isochron_retention_stopped",
            "1: retention deletes nothing, because the clock is not to be believed",
            self.stopped.clone(),
        );
        registry.register(
            "isochron_schedule_last_success_timestamp_seconds",
            "When the newest good backup of the schedule ended (Unix time; absent: none)",
            self.last_success.clone(),
        );
        registry.register(
            "isochron_schedule_last_proven_timestamp_seconds",
            "When the newest backup of the schedule that is proven consistent ended (Unix time; absent: none)",
            self.last_proven.clone(),
        );
        registry.register(
            "isochron_schedule_interval_seconds",
            "Longest pause between two of the next 16 runs (absent: paused, invalid or never)",
            self.interval.clone(),
        );
        registry.register(
            "isochron_schedule_next_run_timestamp_seconds",
            "When the next run is due (Unix time; absent: paused, invalid or never)",
            self.next_run.clone(),
        );
        registry.register(
            "isochron_schedule_active",
            "1: runs are made as they are due; 0: paused, invalid, or one is due and waits",
            self.active.clone(),
        );
        registry.register("isochron_schedule_backups", "Backups of the schedule that exist", self.backups.clone());
        registry.register(
            "isochron_schedule_missed_runs",
            "Runs that were skipped because a later one was due as well",
            self.missed.clone(),
        );
    }

    pub(super) fn shown(&self, view: &View) {
        let (of, status) = (OfSchedule::from(&view.key), &view.status);
        set(&self.last_success, &of, status.last_success_time);
        set(&self.last_proven, &of, view.last_proven);
        set(&self.next_run, &of, status.next_run);
        self.interval_shown(view, &of);
        self.active.get_or_create(&of).set(i64::from(status.phase == Phase::Active));
        self.backups.get_or_create(&of).set(i64::try_from(view.backups).unwrap_or(i64::MAX));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = seen.get(&view.key).map_or(0, |(cron, last)| missed(view, cron, *last));
        self.missed.get_or_create(&of).inc_by(missed);
        if !view.cron.is_empty() {
            seen.insert(view.key.clone(), (view.cron.clone(), status.last_backup_time));
        }
    }

    /// Counted anew only when it can have changed.
    fn interval_shown(&self, view: &View, of: &OfSchedule) {
        let now = (view.cron.clone(), view.zone.clone(), view.status.next_run);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&view.key) == Some(&now) {
            return;
        }
        match longest_pause(view) {
            Some(milliseconds) => drop(self.interval.get_or_create(of).set(milliseconds.div_euclid(1000))),
            None => drop(self.interval.remove(of)),
        }
        told.insert(view.key.clone(), now);
    }

    pub(super) fn clock(&self, skew: i64, stopped: bool) {
        self.skew.set(skew as f64 / 1000.0);
        self.stopped.set(i64::from(stopped));
    }

    /// A family never forgets by itself.
    pub(super) fn gone(&self, key: &ScheduleKey) {
        let of = OfSchedule::from(key);
        self.last_success.remove(&of);
        self.last_proven.remove(&of);
        self.next_run.remove(&of);
        self.interval.remove(&of);
        self.active.remove(&of);
        self.backups.remove(&of);
        self.missed.remove(&of);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn set(family: &Family<OfSchedule, Gauge>, of: &OfSchedule, at: Option<Timestamp>) {
    match at {
        Some(at) => drop(family.get_or_create(of).set(at.0.div_euclid(1000))),
        None => drop(family.remove(of)),
    }
}

/// Between two of the next runs.
fn longest_pause(view: &View) -> Option<i64> {
    let zone = Zone::named(&view.zone).unwrap_or_else(|_| Zone::utc());
    let cron = Cron::parse_in(&view.cron, &zone).ok()?;
    let mut at = view.status.next_run?;
    let mut longest = None;
    for _ in 0..RUNS {
        let Some(next) = cron.next_after(at) else { break };
        longest = longest.max(Some(next.0.saturating_sub(at.0)));
        at = next;
    }
    longest
}

/// Fire times between the last run that was seen and the one seen now.
fn missed(view: &View, cron: &str, last: Option<Timestamp>) -> u64 {
    let (Some(last), Some(now)) = (last, view.status.last_backup_time) else { return 0 };
    if last >= now || cron != view.cron {
        return 0;
    }
    let zone = Zone::named(&view.zone).unwrap_or_else(|_| Zone::utc());
    let Ok(cron) = Cron::parse_in(cron, &zone) else { return 0 };
    let mut at = last;
    for count in 0..MISSED_MAX {
        match cron.next_after(at) {
            Some(next) if next < now => at = next,
            _ => return count,
        }
    }
    MISSED_MAX
}

#[cfg(test)]
mod tests;
