//! The PD double behind [`PdConnect`] and [`Pd`] (`facts/pd-tikv.md` §1.10, §3.4–3.6).

use super::{
    engine::{State, millis},
    pd_calls::PdCalls,
    pd_state::GC_WORKER,
    port_target_pd::TargetPd,
};
use async_trait::async_trait;
use plane_actor::ports::{Pd, PdCluster, PdConnect, PdEndpoint, PdPause, PdRegion, PortError};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::{ClusterId, StoreId},
    reason::Reason,
    time::Millis,
    ts::Ts,
};
use std::sync::Arc;

/// Regions of one page: few, so that a cluster of this size has several.
const REGION_PAGE: u32 = 8;

pub(super) struct PdDouble {
    pub(super) calls: PdCalls,
}

#[async_trait]
impl PdConnect for PdDouble {
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Pd>, PortError> {
        self.calls.enter("GetMembers", |_| Ok(())).await.map_err(|error| {
            PortError::refused(Reason::PdUnavailable, format!("{}: {error}", endpoint.urls.join(", ")))
        })?;
        let calls = self.calls.clone();
        let url = endpoint.urls.first().cloned().unwrap_or_default();
        if calls.world.with(|state| state.target_at(&url).is_some()) {
            return Ok(Arc::new(TargetPd { calls, url }));
        }
        Ok(Arc::new(Self { calls }))
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
        self.calls
            .enter("GetClusterInfo", |state| {
                let other = state.faults.other_cluster.contains(&self.calls.plane);
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
        self.calls.enter("GetAllStores", |state| Ok(state.cluster_stores())).await
    }

    async fn now(&self) -> Result<Ts, PortError> {
        self.calls.enter("Tso", |state| Ok(state.tso())).await
    }

    async fn min_resolved_ts(&self) -> Result<Ts, PortError> {
        self.calls
            .enter("min-resolved-ts", |state| Ok(state.faults.min_resolved.unwrap_or(state.pd.min_resolved)))
            .await
    }

    async fn min_service_safe_point(&self) -> Result<Ts, PortError> {
        self.calls
            .enter("gc/safepoint", |state| {
                let now = state.now;
                Ok(state.pd.least_service(now))
            })
            .await
    }

    async fn hold_gc(&self, service: &str, ttl: Millis, at: Ts) -> Result<Ts, PortError> {
        if service.is_empty() || service == GC_WORKER {
            return Err(PortError::Unavailable(format!("UNKNOWN: service id '{service}' is not allowed")));
        }
        self.calls
            .enter("UpdateServiceGCSafePoint", |state| {
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
        self.calls
            .enter("UpdateServiceGCSafePoint", |state| {
                let now = state.now;
                state.counters.pd_safe_points += 1;
                state.pd.update_service(service, 0, Ts::ZERO, now);
                Ok(())
            })
            .await
    }

    async fn gc_safe_point(&self) -> Result<Ts, PortError> {
        self.calls.enter("GetGCSafePoint", |state| Ok(state.pd.gc_safe_point)).await
    }

    async fn pause_schedulers(&self, ttl: Millis, before: Option<&PdPause>) -> Result<PdPause, PortError> {
        self.calls
            .enter("schedulers", |state| {
                let paused = state.pd.pause(state.now, ttl, before);
                // What somebody else has paused is read back as well, and was not paused by this call.
                state.counters.pd_schedulers += state.pd.changed.0;
                state.counters.pd_configs += state.pd.changed.1;
                state.note(&[40, ttl.0]);
                Ok(paused)
            })
            .await
    }

    async fn resume_schedulers(&self, pause: &PdPause) -> Result<(), PortError> {
        self.calls
            .enter("schedulers", |state| {
                state.pd.resume(state.now, pause);
                state.counters.pd_schedulers += state.pd.changed.0;
                state.counters.pd_configs += state.pd.changed.1;
                state.note(&[41]);
                Ok(())
            })
            .await
    }

    async fn regions(&self, start: &[u8]) -> Result<Vec<PdRegion>, PortError> {
        self.calls.enter("ScanRegions", |state| Ok(state.pd_regions(start, REGION_PAGE))).await
    }
}
