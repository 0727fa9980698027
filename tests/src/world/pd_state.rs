//! What PD remembers: service safe points (etcd), scheduler pauses (the leader's memory), TTL configs (etcd), its
//! sticky minimum.

use plane_actor::ports::PdPause;
use serde_json::{Value, json};
use shared::{time::Millis, ts::Ts};
use std::collections::BTreeMap;

/// Default schedulers of PD 8.5 (`facts/pd-tikv.md` §3.4).
const SCHEDULERS: [&str; 4] = [
    "balance-hot-region-scheduler",
    "balance-leader-scheduler",
    "balance-region-scheduler",
    "evict-slow-store-scheduler",
];

/// What a backup pauses, of those that exist (`facts/pd-tikv.md` §3.5).
const PAUSED: [&str; 4] = [
    "balance-leader-scheduler",
    "balance-hot-region-scheduler",
    "balance-region-scheduler",
    "evict-slow-store-scheduler",
];

/// TTL configs of a backup, by key and value.
fn pause_values() -> [(&'static str, Value); 8] {
    [
        ("schedule.leader-schedule-limit", json!(0)),
        ("schedule.region-schedule-limit", json!(0)),
        ("schedule.replica-schedule-limit", json!(0)),
        ("schedule.merge-schedule-limit", json!(0)),
        ("schedule.hot-region-schedule-limit", json!(0)),
        ("schedule.enable-tikv-split-region", json!(false)),
        ("schedule.enable-location-replacement", json!("false")),
        ("schedule.max-pending-peer-count", json!("2147483647")),
    ]
}

/// A pause that has longer to go than this is somebody else's, in milliseconds: the edge leaves it to him.
const OTHERS: u64 = 60_000;

/// TiDB's own service safe point; it never expires.
pub(crate) const GC_WORKER: &str = "gc_worker";

pub(crate) struct PdState {
    pub(crate) last_tso: Ts,
    /// Service to (safe point, expiry in milliseconds of the world).
    pub(crate) services: BTreeMap<String, (Ts, u64)>,
    pub(crate) gc_safe_point: Ts,
    pub(crate) min_resolved: Ts,
    /// Scheduler to the end of its pause. In the leader's memory only (§3.4).
    pub(crate) paused: BTreeMap<String, u64>,
    /// After a leader change the list stays empty until heartbeats are in (`facts/pd-tikv.md` §3.4).
    pub(crate) schedulers_from: u64,
    /// Persisted values, which `GET /config/schedule` keeps showing while a TTL override is active (§3.5).
    pub(crate) config: BTreeMap<String, Value>,
    /// Override and its end; survives a leader change.
    pub(crate) overrides: BTreeMap<String, (Value, u64)>,
    /// Schedulers and configs that the last pause or its end changed.
    pub(crate) changed: (u64, u64),
}

impl Default for PdState {
    fn default() -> Self {
        let config = [
            ("schedule.leader-schedule-limit", json!(4)),
            ("schedule.region-schedule-limit", json!(2048)),
            ("schedule.replica-schedule-limit", json!(64)),
            ("schedule.merge-schedule-limit", json!(8)),
            ("schedule.hot-region-schedule-limit", json!(4)),
            ("schedule.enable-tikv-split-region", json!(true)),
            ("schedule.enable-location-replacement", json!("true")),
            ("schedule.max-snapshot-count", json!(64)),
            ("schedule.max-pending-peer-count", json!(64)),
        ];
        Self {
            last_tso: Ts::ZERO,
            services: BTreeMap::from([(GC_WORKER.to_owned(), (Ts(1), u64::MAX))]),
            gc_safe_point: Ts(1),
            min_resolved: Ts::ZERO,
            paused: BTreeMap::new(),
            schedulers_from: 0,
            config: config.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            overrides: BTreeMap::new(),
            changed: (0, 0),
        }
    }
}

impl PdState {
    fn least(&mut self, now: u64) -> Ts {
        self.services.retain(|_, (_, until)| *until >= now);
        self.services.values().map(|(at, _)| *at).min().unwrap_or(Ts(1))
    }

    /// Least service safe point, expired ones dropped.
    pub(crate) fn least_service(&mut self, now: u64) -> Ts {
        self.least(now)
    }

    /// UpdateServiceGCSafePoint as `facts/pd-tikv.md` §1.10 has it: below the minimum nothing is stored, and the answer
    /// is the minimum all the same.
    pub(crate) fn update_service(&mut self, service: &str, ttl: u64, at: Ts, now: u64) -> Ts {
        if ttl == 0 && service != GC_WORKER {
            self.services.remove(service);
        }
        let least = self.least(now);
        if ttl == 0 || at < least {
            return least;
        }
        self.services.insert(service.to_owned(), (at, now.saturating_add(ttl)));
        self.least(now)
    }

    /// TiDB's GC round: its own entry moves up; answers the least over all services, which GC may go to.
    pub(crate) fn move_gc_worker(&mut self, wish: Ts, now: u64) -> Ts {
        if let Some((at, _)) = self.services.get_mut(GC_WORKER) {
            *at = (*at).max(wish);
        }
        self.least(now)
    }

    pub(crate) fn schedulers(&self, now: u64) -> Vec<String> {
        if now < self.schedulers_from { Vec::new() } else { SCHEDULERS.map(str::to_owned).to_vec() }
    }

    pub(crate) fn runs(&self, scheduler: &str, now: u64) -> bool {
        now >= self.schedulers_from && self.paused.get(scheduler).is_none_or(|until| *until <= now)
    }

    /// Schedulers whose pause ends later than that: somebody else's.
    pub(crate) fn paused_beyond(&self, end: u64) -> Vec<String> {
        self.paused.iter().filter(|(_, until)| **until > end).map(|(name, _)| name.clone()).collect()
    }

    /// The value in force: a live override, else the persisted one.
    pub(crate) fn setting(&self, key: &str, now: u64) -> Option<&Value> {
        self.overrides
            .get(key)
            .filter(|(_, until)| *until > now)
            .map(|(value, _)| value)
            .or_else(|| self.config.get(key))
    }

    pub(crate) fn allows(&self, key: &str, now: u64) -> bool {
        self.setting(key, now).is_none_or(|value| !matches!(value, Value::Bool(false)) && value.as_u64() != Some(0))
    }

    /// Pauses what runs and sets the TTL configs; answers what is paused, as it is read back.
    pub(crate) fn pause(&mut self, now: u64, ttl: Millis, before: Option<&PdPause>) -> PdPause {
        self.changed = (0, 0);
        let until = now + ttl.as_secs_up() * 1_000;
        let others: Vec<String> = self.paused_beyond(until);
        for name in self.schedulers(now).into_iter().filter(|name| PAUSED.contains(&name.as_str())) {
            if others.contains(&name) {
                continue;
            }
            self.paused.insert(name, until);
            self.changed.0 += 1;
        }
        let mut originals = before.map(|pause| pause.originals.clone()).unwrap_or_default();
        for (key, value) in pause_values() {
            if let Some(original) = self.config.get(key) {
                originals.entry(key.to_owned()).or_insert_with(|| original.clone());
                self.overrides.insert(key.to_owned(), (value, until));
                self.changed.1 += 1;
            }
        }
        // Read back, as GET /schedulers?status=paused has it: after a leader change the list may be short.
        let paused = self.schedulers(now).into_iter().filter(|name| !self.runs(name, now));
        let schedulers = paused.filter(|name| !others.contains(name)).collect();
        PdPause { schedulers, originals }
    }

    /// Ends exactly what was paused, but for what is somebody else's by now.
    pub(crate) fn resume(&mut self, now: u64, pause: &PdPause) {
        self.changed = (0, pause.originals.len() as u64);
        let others = self.paused_beyond(now + OTHERS);
        for name in pause.schedulers.iter().filter(|name| !others.contains(name)) {
            self.paused.remove(name);
            self.changed.0 += 1;
        }
        for key in pause.originals.keys() {
            self.overrides.remove(key);
        }
    }

    /// Another member leads: pauses are forgotten, schedulers come back unpaused after a while.
    pub(crate) fn change_leader(&mut self, now: u64, empty_for: u64) {
        self.paused.clear();
        self.schedulers_from = now + empty_for;
    }

    /// Pauses and overrides in force.
    pub(crate) fn in_force(&self, now: u64) -> Vec<String> {
        let paused = self.paused.iter().filter(|(_, until)| **until > now).map(|(name, _)| name.clone());
        let set = self.overrides.iter().filter(|(_, (_, until))| *until > now).map(|(key, _)| key.clone());
        paused.chain(set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_safe_point_looks_like_success() {
        let mut pd = PdState::default();
        pd.move_gc_worker(Ts(100), 0);
        assert_eq!(pd.update_service("ours", 1_000, Ts(99), 0), Ts(100), "refused: nothing stored");
        assert_eq!(pd.services.len(), 1);
        assert_eq!(pd.update_service("ours", 1_000, Ts(100), 0), Ts(100));
        assert_eq!(pd.move_gc_worker(Ts(500), 500), Ts(100), "held");
        assert_eq!(pd.move_gc_worker(Ts(500), 1_001), Ts(500), "expired by PD's clock");
    }

    #[test]
    fn a_new_leader_forgets_pauses_but_not_overrides() {
        let mut pd = PdState::default();
        pd.paused.insert("balance-leader-scheduler".into(), 9_000);
        pd.overrides.insert("schedule.enable-tikv-split-region".into(), (json!(false), 9_000));
        assert!(!pd.runs("balance-leader-scheduler", 10));
        pd.change_leader(10, 100);
        assert!(pd.schedulers(50).is_empty());
        assert!(pd.runs("balance-leader-scheduler", 110));
        assert!(!pd.allows("schedule.enable-tikv-split-region", 110));
        assert!(pd.allows("schedule.enable-tikv-split-region", 9_000));
    }
}
