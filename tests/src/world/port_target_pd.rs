//! The PD of a target behind [`Pd`]: what a backup asks works here too, some of it only once PD is bootstrapped
//! (`facts/restore.md` §3.2).

use super::{engine::State, pd_calls::PdCalls, pd_state::GC_WORKER, target::Target};
use async_trait::async_trait;
use plane_actor::ports::{Pd, PdCluster, PdPause, PdRegion, PortError};
use shared::{evidence::ClusterStore, time::Millis, ts::Ts};

pub(super) struct TargetPd {
    pub(super) calls: PdCalls,
    pub(super) url: String,
}

impl TargetPd {
    async fn ask<T: Send>(
        &self,
        call: &str,
        act: impl FnOnce(&mut State, &str) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        self.calls.enter(call, |state| act(state, &self.url)).await
    }
}

fn target<'a>(state: &'a mut State, url: &str) -> Result<&'a mut Target, PortError> {
    state.target_at(url).ok_or_else(|| PortError::Unavailable(format!("{url}: no such host")))
}

/// Schedulers, regions and service safe points.
fn bootstrapped<'a>(state: &'a mut State, url: &str) -> Result<&'a mut Target, PortError> {
    let target = target(state, url)?;
    if target.cluster.pd.bootstrapped {
        return Ok(target);
    }
    Err(PortError::Unavailable(format!("{url}: NOT_BOOTSTRAPPED: cluster is not bootstrapped")))
}

#[async_trait]
impl Pd for TargetPd {
    async fn cluster(&self) -> Result<PdCluster, PortError> {
        self.ask("GetClusterInfo", |state, url| Ok(target(state, url)?.pd())).await
    }

    async fn stores(&self) -> Result<Vec<ClusterStore>, PortError> {
        self.ask("GetAllStores", |state, url| {
            let now = state.wall();
            Ok(target(state, url)?.listed(now))
        })
        .await
    }

    async fn now(&self) -> Result<Ts, PortError> {
        self.ask("Tso", |state, url| {
            let now = state.wall();
            Ok(target(state, url)?.cluster.pd.tso(now))
        })
        .await
    }

    /// Resolved ts stands still in recovery mode (`facts/restore.md` §3.5).
    async fn min_resolved_ts(&self) -> Result<Ts, PortError> {
        self.ask("min-resolved-ts", |state, url| bootstrapped(state, url).map(|_| Ts::ZERO)).await
    }

    async fn min_service_safe_point(&self) -> Result<Ts, PortError> {
        self.ask("gc/safepoint", |state, url| {
            let now = state.now;
            Ok(target(state, url)?.schedule.least_service(now))
        })
        .await
    }

    async fn hold_gc(&self, service: &str, ttl: Millis, at: Ts) -> Result<Ts, PortError> {
        if service.is_empty() || service == GC_WORKER {
            return Err(PortError::Unavailable(format!("UNKNOWN: service id '{service}' is not allowed")));
        }
        self.ask("UpdateServiceGCSafePoint", |state, url| {
            let now = state.now;
            let least = bootstrapped(state, url)?.schedule.update_service(service, ttl.as_secs_up() * 1_000, at, now);
            state.counters.pd_safe_points += 1;
            Ok(least)
        })
        .await
    }

    async fn drop_gc_hold(&self, service: &str) -> Result<(), PortError> {
        self.ask("UpdateServiceGCSafePoint", |state, url| {
            let now = state.now;
            bootstrapped(state, url)?.schedule.update_service(service, 0, Ts::ZERO, now);
            state.counters.pd_safe_points += 1;
            Ok(())
        })
        .await
    }

    async fn gc_safe_point(&self) -> Result<Ts, PortError> {
        self.ask("GetGCSafePoint", |state, url| Ok(bootstrapped(state, url)?.schedule.gc_safe_point)).await
    }

    async fn pause_schedulers(&self, ttl: Millis, before: Option<&PdPause>) -> Result<PdPause, PortError> {
        self.ask("schedulers", |state, url| {
            let now = state.now;
            Ok(bootstrapped(state, url)?.schedule.pause(now, ttl, before))
        })
        .await
    }

    async fn resume_schedulers(&self, pause: &PdPause) -> Result<(), PortError> {
        self.ask("schedulers", |state, url| {
            let now = state.now;
            bootstrapped(state, url)?.schedule.resume(now, pause);
            Ok(())
        })
        .await
    }

    async fn regions(&self, start: &[u8]) -> Result<Vec<PdRegion>, PortError> {
        self.ask("ScanRegions", |state, url| {
            let known = &bootstrapped(state, url)?.cluster.pd.regions;
            let mut found: Vec<PdRegion> = known
                .iter()
                .filter(|(_, kept)| kept.end.is_empty() || kept.end.as_slice() > start)
                .map(|(region, kept)| PdRegion {
                    region: *region,
                    start: kept.start.clone(),
                    end: kept.end.clone(),
                    leader: kept.leader,
                })
                .collect();
            found.sort_by(|a, b| a.start.cmp(&b.start));
            Ok(found)
        })
        .await
    }
}
