//! The PD double behind [`PdConnect`] and [`Pd`] (`facts/pd-tikv.md` §1.10, §3.4–3.6).

use super::{
    World,
    engine::{State, millis},
    pd_state::GC_WORKER,
    target::TargetCluster,
};
use async_trait::async_trait;
use plane_actor::ports::{Pd, PdCluster, PdConnect, PdEndpoint, PdPause, PdRegion, PortError};
use serde_json::{Value, json};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::{ClusterId, StoreId},
    reason::Reason,
    time::Millis,
    ts::Ts,
};
use std::sync::Arc;

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

/// Regions of one page: few, so that a cluster of this size has several.
const REGION_PAGE: u32 = 8;

pub(crate) struct PdDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
    /// Where a PD is that is not the world's own; empty: nowhere.
    pub(crate) target: String,
}

#[async_trait]
impl PdConnect for PdDouble {
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Pd>, PortError> {
        self.enter("GetMembers", |_| Ok(())).await.map_err(|error| {
            PortError::refused(Reason::PdUnavailable, format!("{}: {error}", endpoint.urls.join(", ")))
        })?;
        let target = endpoint.urls.first().cloned().unwrap_or_default();
        Ok(Arc::new(Self { world: self.world.clone(), plane: self.plane.clone(), target }))
    }
}

impl PdDouble {
    async fn enter<T: Send>(
        &self,
        call: &str,
        act: impl FnOnce(&mut State) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        self.world.pause(self.world.with(|state| state.config.pd)).await;
        let slow = self.world.with(|state| state.faults.pd_slow.get(&self.plane).copied());
        self.world.sleep_ms(slow.map_or(0, millis)).await;
        self.world.with(|state| {
            if let Some(left) = state.faults.pd_errors.get_mut(&self.plane).filter(|left| **left > 0) {
                *left -= 1;
                return Err(PortError::Unavailable(format!("PD of plane {}: {call}: 503", self.plane)));
            }
            if state.faults.pd_down.contains(&self.plane) {
                return Err(PortError::Unavailable(format!("PD of plane {}: {call}: no member answers", self.plane)));
            }
            act(state)
        })
    }
}

impl State {
    fn cluster_stores(&mut self) -> Vec<ClusterStore> {
        // PD's clock is its TSO clock.
        let now = self.wall().0;
        let mut listed: Vec<ClusterStore> = self
            .stores
            .iter()
            .map(|(store, held)| ClusterStore {
                store: *store,
                address: held.address.clone(),
                state: if self.faults.disconnected.contains(store) {
                    StoreState::Disconnected
                } else if self.faults.offline.contains(store) {
                    StoreState::Offline
                } else {
                    StoreState::Up
                },
                start_timestamp: held.started.div_euclid(1_000),
                uptime: Millis((now - held.started).max(0).unsigned_abs()),
                // Stores send a heartbeat every 10 s.
                heartbeat_age: Millis((self.now + store.0 * 700) % 10_000),
                version: match () {
                    () if self.faults.old_tikv.contains(store) => "7.1.6",
                    () if self.faults.compacting_tikv.contains(store) => "6.5.8",
                    () => &self.config.version,
                }
                .to_owned(),
            })
            .collect();
        if self.faults.stranger {
            listed.push(ClusterStore {
                store: StoreId(9_999),
                address: "tikv-0.stranger.example:20160".to_owned(),
                state: StoreState::Up,
                start_timestamp: now.div_euclid(1_000) - 86_400,
                uptime: Millis::secs(86_400),
                heartbeat_age: Millis::secs(1),
                version: self.config.version.clone(),
            });
        }
        listed
    }

    fn pause(&mut self, ttl: Millis, before: Option<&PdPause>) -> PdPause {
        let (now, until) = (self.now, self.now + ttl.as_secs_up() * 1_000);
        let others: Vec<String> = self.pd.paused_beyond(until);
        for name in self.pd.schedulers(now).into_iter().filter(|name| PAUSED.contains(&name.as_str())) {
            if others.contains(&name) {
                continue;
            }
            self.pd.paused.insert(name, until);
            self.counters.pd_schedulers += 1;
        }
        let mut originals = before.map(|pause| pause.originals.clone()).unwrap_or_default();
        for (key, value) in pause_values() {
            if let Some(original) = self.pd.config.get(key) {
                originals.entry(key.to_owned()).or_insert_with(|| original.clone());
                self.pd.overrides.insert(key.to_owned(), (value, until));
                self.counters.pd_configs += 1;
            }
        }
        // Read back, as GET /schedulers?status=paused has it: after a leader change the list may be short.
        let paused = self.pd.schedulers(now).into_iter().filter(|name| !self.pd.runs(name, now));
        let schedulers = paused.filter(|name| !others.contains(name)).collect();
        self.note(&[40, until]);
        PdPause { schedulers, originals }
    }

    fn resume(&mut self, pause: &PdPause) {
        let others = self.pd.paused_beyond(self.now + OTHERS);
        for name in pause.schedulers.iter().filter(|name| !others.contains(name)) {
            self.pd.paused.remove(name);
            self.counters.pd_schedulers += 1;
        }
        for key in pause.originals.keys() {
            self.pd.overrides.remove(key);
            self.counters.pd_configs += 1;
        }
        self.note(&[41]);
    }

    fn pd_regions(&self, start: &[u8], limit: u32) -> Vec<PdRegion> {
        let from = self.routes.range(..=start.to_vec()).next_back().map(|(key, _)| key.clone()).unwrap_or_default();
        self.routes
            .range(from..)
            .filter_map(|(_, id)| {
                let region = self.leader(*id)?;
                Some(PdRegion {
                    region: *id,
                    start: region.region.start.clone(),
                    end: region.region.end.clone(),
                    leader: self.regions.get(id).map(|kept| kept.leader),
                })
            })
            .take(limit as usize)
            .collect()
    }
}

#[async_trait]
impl Pd for PdDouble {
    async fn cluster(&self) -> Result<PdCluster, PortError> {
        self.enter("GetClusterInfo", |state| {
            if let Some(target) = TargetCluster::at(&state.targets, &self.target) {
                return Ok(target.pd());
            }
            let other = state.faults.other_cluster.contains(&self.plane);
            Ok(PdCluster {
                id: ClusterId(state.config.cluster.0 + u64::from(other)),
                version: state.config.version.clone(),
                recovering: state.faults.recovering,
                min_resolved_ts_enabled: !state.faults.min_resolved_off,
            })
        })
        .await
    }

    async fn stores(&self) -> Result<Vec<ClusterStore>, PortError> {
        self.enter("GetAllStores", |state| {
            let of_target = TargetCluster::at(&state.targets, &self.target).map(TargetCluster::listed);
            Ok(of_target.unwrap_or_else(|| state.cluster_stores()))
        })
        .await
    }

    async fn now(&self) -> Result<Ts, PortError> {
        self.enter("Tso", |state| Ok(state.tso())).await
    }

    async fn min_resolved_ts(&self) -> Result<Ts, PortError> {
        self.enter("min-resolved-ts", |state| Ok(state.faults.min_resolved.unwrap_or(state.pd.min_resolved))).await
    }

    async fn min_service_safe_point(&self) -> Result<Ts, PortError> {
        self.enter("gc/safepoint", |state| {
            let now = state.now;
            Ok(state.pd.least_service(now))
        })
        .await
    }

    async fn hold_gc(&self, service: &str, ttl: Millis, at: Ts) -> Result<Ts, PortError> {
        if service.is_empty() || service == GC_WORKER {
            return Err(PortError::Unavailable(format!("UNKNOWN: service id '{service}' is not allowed")));
        }
        self.enter("UpdateServiceGCSafePoint", |state| {
            if state.faults.refuse_safe_point {
                return Ok(Ts(at.0.saturating_add(1 << 18)));
            }
            let now = state.now;
            state.counters.pd_safe_points += 1;
            state.note(&[42, at.0]);
            Ok(state.pd.update_service(service, millis(std::time::Duration::from_secs(ttl.as_secs_up())), at, now))
        })
        .await
    }

    async fn drop_gc_hold(&self, service: &str) -> Result<(), PortError> {
        self.enter("UpdateServiceGCSafePoint", |state| {
            let now = state.now;
            state.counters.pd_safe_points += 1;
            state.pd.update_service(service, 0, Ts::ZERO, now);
            Ok(())
        })
        .await
    }

    async fn gc_safe_point(&self) -> Result<Ts, PortError> {
        self.enter("GetGCSafePoint", |state| Ok(state.pd.gc_safe_point)).await
    }

    async fn pause_schedulers(&self, ttl: Millis, before: Option<&PdPause>) -> Result<PdPause, PortError> {
        self.enter("schedulers", |state| Ok(state.pause(ttl, before))).await
    }

    async fn resume_schedulers(&self, pause: &PdPause) -> Result<(), PortError> {
        self.enter("schedulers", |state| {
            state.resume(pause);
            Ok(())
        })
        .await
    }

    async fn regions(&self, start: &[u8]) -> Result<Vec<PdRegion>, PortError> {
        self.enter("ScanRegions", |state| Ok(state.pd_regions(start, REGION_PAGE))).await
    }
}
