//! What Prometheus sees: the five names of the old manager (`facts/tidb-operator.md` §8.4) and ours. Label sets are
//! closed: names of TiDB clusters and namespaces come from objects, everything else from enums.

mod backups;
mod barriers;
mod blocked;
mod cluster;
mod dials;
mod ledger;
mod planes;
mod present;
mod process;
mod progress;
mod scanned;
mod schedules;
mod verified;

use backups::Backups;
use barriers::Barriers;
use blocked::Blocked;
use dials::Dials;
use ledger::Ledger;
use planes::Planes;
pub use present::Present;
use present::PresentBackups;
use process::Process;
use progress::Progress;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use scanned::ScannedMetrics;
use schedules::ScheduleMetrics;
use shared::{
    barrier::{Milestone, View},
    ids::{BackupUid, PlaneId},
    reason::Reason,
    schedule::{self, ScheduleKey},
    time::{Millis, Timestamp},
    verify::Level,
};
use shell::{expiry::Expiries, quic::Counts};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use verified::Verified;

/// Every instrument of a coordinator.
pub struct Metrics {
    registry: Arc<Registry>,
    backups: Backups,
    barriers: Barriers,
    process: Process,
    planes: Planes,
    dials: Dials,
    orphans: Gauge,
    ledger: Ledger,
    alarms: Counter,
    blocked: Blocked,
    expiries: Expiries,
    schedules: ScheduleMetrics,
    verified: Verified,
    scanned: ScannedMetrics,
    present: PresentBackups,
    progress: Progress,
    /// What has been counted of each backup, so that a repeated view counts once.
    seen: Mutex<BTreeMap<BackupUid, Seen>>,
}

/// What has been counted of one backup.
#[derive(Clone)]
struct Seen {
    milestone: Milestone,
    attempt: u32,
    alarms: usize,
    /// A deletion left something over.
    clean_failed: bool,
    /// The barrier of this attempt was released or is being aborted.
    let_go: bool,
    blocked: BTreeSet<Reason>,
}

impl Seen {
    fn of(view: &View) -> Self {
        let record = &view.record;
        Self {
            milestone: record.milestone,
            attempt: record.attempt,
            alarms: view.alarms.len(),
            clean_failed: record.deleting && record.clean_failure.is_some(),
            let_go: record.milestone == Milestone::Aborting
                || record.milestone == Milestone::Certified && record.barrier.hold.is_some(),
            blocked: view.blocked_by(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let backups = Backups::default();
        backups.register(&mut registry);
        let barriers = Barriers::register(&mut registry);
        let process = Process::register(&mut registry);
        let planes = Planes::default();
        planes.register(&mut registry);
        let dials = Dials::default();
        dials.register(&mut registry);
        let (orphans, alarms) = (Gauge::default(), Counter::default());
        registry.register(
            "isochron_records_orphaned",
            "Records whose VolumeBackup is gone although nobody deleted it; everything of them is kept",
            orphans.clone(),
        );
        registry.register("isochron_alarms", "Impossible states seen; must stay 0", alarms.clone());
        let ledger = Ledger::default();
        ledger.register(&mut registry);
        let blocked = Blocked::default();
        blocked.register(&mut registry);
        let expiries = Expiries::register(&mut registry);
        let schedules = ScheduleMetrics::default();
        schedules.register(&mut registry);
        let verified = Verified::default();
        verified.register(&mut registry);
        let scanned = ScannedMetrics::default();
        scanned.register(&mut registry);
        let (present, progress) = (PresentBackups::default(), Progress::default());
        present.register(&mut registry);
        progress.register(&mut registry);
        let registry = Arc::new(registry);
        let seen = Mutex::new(BTreeMap::new());
        Self {
            registry,
            backups,
            barriers,
            process,
            planes,
            dials,
            orphans,
            ledger,
            alarms,
            blocked,
            expiries,
            schedules,
            verified,
            scanned,
            present,
            progress,
            seen,
        }
    }

    /// For `/metrics`.
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    /// Records have no object, or have one again.
    pub fn orphans(&self, count: usize) {
        self.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A backup that is kept was looked at.
    pub fn verification(&self, level: Level) {
        self.verified.came(level);
    }

    /// What nothing names: snapshots, and folders; `whole`: every plane was looked through, at this moment.
    pub fn scanned(&self, unnamed: (u64, u64), whole: Option<Timestamp>) {
        self.scanned.came(unnamed, whole);
    }

    /// Backups that did not hold when they were last looked at, and for how long the newest one is late; `None`: nobody
    /// looks by himself.
    pub fn verified(&self, broken: usize, late: Option<Millis>) {
        self.verified.stand(broken, late);
    }

    /// Which planes the configuration names, and which have a session.
    pub fn planes<'a>(&self, configured: &BTreeSet<String>, connected: impl Iterator<Item = &'a PlaneId>) {
        self.planes.are(configured, connected.map(PlaneId::as_str).collect());
    }

    /// A session of one plane began or ended; `connected` planes have one now.
    pub fn plane(&self, plane: &PlaneId, configured: bool, up: bool, connected: usize) {
        self.planes.one(plane.as_str(), configured, up, connected);
    }

    /// A newer session of this plane took the place of a live one.
    pub fn superseded(&self, plane: &PlaneId) {
        self.planes.superseded(plane.as_str());
    }

    /// Who dialled since the start.
    pub fn dials(&self, counts: Counts) {
        self.dials.are(counts);
    }

    /// For which planes no barrier is begun.
    pub fn drained(&self, planes: &BTreeSet<&str>) {
        self.planes.drained(planes);
    }

    /// This process was made the leader. It never stops to be one but by its end.
    pub fn leads(&self) {
        self.process.leading.set(1);
    }

    /// The custom resources were looked at.
    pub fn kinds_fit(&self, fit: bool) {
        self.process.kinds_fit.set(i64::from(fit));
    }

    /// The configuration file was read again, or could not be.
    pub fn configuration_readable(&self, readable: bool) {
        self.process.unreadable.set(i64::from(!readable));
    }

    /// Objects in the ledger, and bytes of their texts.
    pub fn ledger(&self, records: (u64, u64), claims: (u64, u64)) {
        self.ledger.holds(records, claims);
    }

    /// Where ends of certificates are told.
    pub fn expiries(&self) -> Expiries {
        self.expiries.clone()
    }

    /// Schedules showed themselves.
    pub fn schedules(&self, views: &[schedule::View]) {
        views.iter().for_each(|view| self.schedules.shown(view));
    }

    /// How far the wall clock is ahead, in milliseconds, and whether retention deletes nothing for it.
    pub fn clock(&self, skew: i64, stopped: bool) {
        self.schedules.clock(skew, stopped);
    }

    /// A schedule is no more.
    pub fn schedule_gone(&self, key: &ScheduleKey) {
        self.schedules.gone(key);
    }

    /// Every backup that there is, and when it began.
    pub fn present(&self, all: impl Iterator<Item = (Present, Option<Timestamp>)>) {
        self.present.are(all);
    }

    /// A barrier showed itself, `at` by the wall clock; each milestone of each attempt counts once in the life of this process.
    pub fn viewed(&self, view: &View, at: Timestamp) {
        let record = &view.record;
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Seen::of(view);
        let before = seen.insert(record.key().clone(), now.clone());
        let new_alarms = now.alarms.saturating_sub(before.as_ref().map_or(0, |before| before.alarms));
        self.alarms.inc_by(new_alarms as u64);
        self.blocked.turned(record, before.as_ref().map(|before| &before.blocked), &now.blocked);
        // The first sight of a backup that had ended before this process started is no event.
        let goes_on = before.as_ref().is_none_or(|before| before.attempt != record.attempt || !before.let_go);
        if before.is_none() {
            self.barriers.met(record);
        } else if now.let_go && goes_on {
            self.barriers.let_go(record);
        }
        let fresh = before.as_ref().map_or(record.milestone < Milestone::Complete, |before| {
            (before.milestone, before.attempt) != (record.milestone, record.attempt)
        });
        if fresh {
            self.backups.reached(record);
            self.barriers.reached(record);
        }
        self.barriers.shown(view, at);
        self.progress.shown(view);
        if now.clean_failed && before.is_some_and(|before| !before.clean_failed) {
            self.backups.clean_failed(record);
        }
        if record.milestone == Milestone::Cleaned {
            seen.remove(record.key());
        }
    }

    /// Nothing more is to come of a backup. If something does after all, it has been seen to end.
    pub fn ended(&self, backup: &BackupUid) {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(backup);
    }
}

#[cfg(test)]
mod tests;
