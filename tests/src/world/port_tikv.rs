//! The TiKV double behind [`TikvConnect`], [`Tikv`] and [`Hold`] (`facts/pd-tikv.md` §2, §6.4).

use super::{
    World,
    engine::State,
    k8s,
    port_target_tikv::TargetTikv,
    store::{Store, Wait},
};
use crate::{
    listed::Listed,
    models::tikv::{Answer, Asked, Imports, TooLong},
};
use async_trait::async_trait;
use plane_actor::ports::{
    Applied, ClusterTls, EachRegion, Hold, HoldError, PortError, RegionAt, Tikv, TikvConnect, TikvSettings,
};
use shared::{
    evidence::HoldKind,
    ids::{RegionId, StoreId},
    reason::Reason,
    time::Millis,
    ts::Ts,
};
use std::{borrow::Cow, sync::Arc, time::Duration};

/// How long the edge waits for an answer on a prepare stream before it calls the stream broken.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at a wait that is not decided; far below what a barrier notices.
const LOOK: Duration = Duration::from_millis(5);

pub(crate) struct TikvDial {
    pub(crate) world: World,
}

#[async_trait]
impl TikvConnect for TikvDial {
    async fn connect(&self, address: &str, _tls: Option<&ClusterTls>) -> Result<Arc<dyn Tikv>, PortError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        if self.world.with(|state| state.process_at(address).is_some()) {
            return Ok(Arc::new(TargetTikv { world: self.world.clone(), address: address.to_owned() }));
        }
        let dialled = self.world.with(|state| {
            let store = state.store_at(address)?;
            Some(state.reach(store).map(|_| store))
        });
        match dialled {
            Some(Ok(store)) => Ok(Arc::new(TikvDouble { world: self.world.clone(), store })),
            Some(Err(why)) => Err(PortError::Unavailable(why)),
            None => Err(PortError::refused(Reason::StoreUnavailable, format!("nothing answers at {address}"))),
        }
    }
}

struct TikvDouble {
    world: World,
    store: StoreId,
}

impl State {
    /// The process, if it can be reached.
    fn reach(&self, store: StoreId) -> Result<&Store, String> {
        let held = self.stores.get(&store).ok_or_else(|| format!("store {store} does not exist"))?;
        if held.down_until > self.now || self.faults.unreachable.contains(&store) {
            return Err(format!("store {store} at {}: connection refused", held.address));
        }
        Ok(held)
    }

    fn led(&self, store: StoreId) -> Vec<Listed> {
        let Some(held) = self.stores.get(&store) else { return Vec::new() };
        let stale = self.faults.stale_leads.get(&store);
        held.peers
            .iter()
            .filter(|(id, _)| self.leads(**id, store) || stale.is_some_and(|stale| stale.contains(id)))
            .map(|(id, peer)| Listed {
                at: RegionAt { region: *id, conf_ver: peer.region.conf_ver, version: peer.region.version },
                start: peer.region.start.clone(),
                end: peer.region.end.clone(),
                pending: self.admin_pending(*id, peer),
            })
            .collect()
    }
}

impl TikvDouble {
    async fn enter<T: Send>(
        &self,
        act: impl FnOnce(&mut State) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        self.world.with(|state| {
            state.reach(self.store).map_err(PortError::Unavailable)?;
            act(state)
        })
    }
}

#[async_trait]
impl Tikv for TikvDouble {
    async fn settings(&self) -> Result<TikvSettings, PortError> {
        self.enter(|state| {
            Ok(TikvSettings {
                resolved_ts_enabled: !state.faults.resolved_ts_off.contains(&self.store),
                report_enabled: true,
                raft_kv: !state.faults.raft_v2.contains(&self.store),
                directories: state
                    .stores
                    .get(&self.store)
                    .map(|held| k8s::directories(state.faults.raft_elsewhere.contains(&self.store), held))
                    .unwrap_or_default(),
            })
        })
        .await
    }

    async fn open_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        self.world.with(|state| {
            state.reach(self.store).map_err(HoldError::Broken)?;
            if state.faults.old_tikv.contains(&self.store) {
                return Err(HoldError::Unimplemented);
            }
            state.counters.tikv_streams += 1;
            let (stream, process) = state.open_stream(self.store);
            let hold = HoldDouble { world: self.world.clone(), store: self.store, stream, process };
            Ok(Arc::new(hold) as Arc<dyn Hold>)
        })
    }

    async fn open_weaker_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        Ok(Arc::new(ImportDouble { world: self.world.clone(), store: self.store }))
    }

    async fn led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError> {
        let listed = self.enter(|state| {
            state.counters.tikv_lists += 1;
            Ok(state.led(self.store))
        });
        listed.await?.iter().for_each(|led| each(led.region()));
        Ok(())
    }

    async fn safe_ts(&self, region: RegionId) -> Result<Ts, PortError> {
        self.enter(|state| {
            state.counters.tikv_asks += 1;
            Ok(state.peer(region, self.store).map_or(Ts::ZERO, |peer| peer.safe_ts))
        })
        .await
    }
}

/// One prepare stream. It is alive while it is the newest of the same process and was not finished.
struct HoldDouble {
    world: World,
    store: StoreId,
    stream: u64,
    process: u64,
}

impl State {
    /// Accepting a stream ends the older one; the lease stays (`facts/pd-tikv.md` §2.3).
    pub(crate) fn open_stream(&mut self, store: StoreId) -> (u64, u64) {
        self.note(&[50, store.0]);
        self.stores.get_mut(&store).map_or((0, 0), |held| {
            held.stream += 1;
            (held.stream, held.process)
        })
    }

    fn on_stream(&mut self, hold: &HoldDouble) -> Result<&mut Store, HoldError> {
        self.reach(hold.store).map_err(HoldError::Broken)?;
        let v2 = self.faults.raft_v2.contains(&hold.store);
        let Some(held) = self.stores.get_mut(&hold.store) else {
            return Err(HoldError::Broken(format!("store {} does not exist", hold.store)));
        };
        if held.process != hold.process {
            return Err(HoldError::Broken(format!("store {} restarted", hold.store)));
        }
        if held.stream != hold.stream {
            return Err(HoldError::TakenOver);
        }
        if v2 {
            return Err(HoldError::NotReady("coprocessor not initialized".to_owned()));
        }
        Ok(held)
    }

    /// What of a WaitApply is decided at once; `None`: it is waited for.
    fn begin_wait(&mut self, store: StoreId, stream: u64, at: &RegionAt) -> Option<Result<(), String>> {
        let term = self.regions.get(&at.region).map_or(0, |region| region.term);
        let Some(held) = self.stores.get_mut(&store) else {
            return Some(Err("store is gone".to_owned()));
        };
        let Some(peer) = held.peers.get(&at.region) else {
            return Some(Err(format!("region_not_found: region {} not found", at.region)));
        };
        let asked = Asked {
            waited_for: held.waits.get(&at.region).is_some_and(|wait| wait.outcome.is_none()),
            same_epoch: (peer.region.conf_ver, peer.region.version) == (at.conf_ver, at.version),
            last: peer.last(),
            applied: peer.applied,
            term,
            fresh: false,
        };
        match asked.answer() {
            Answer::Duplicated => {
                return Some(Err(format!("wait apply has been aborted: Duplicated, region {}", at.region)));
            }
            Answer::EpochNotMatch => return Some(Err(format!("epoch_not_match: region {}", at.region))),
            Answer::Applied => return Some(Ok(())),
            Answer::Later(target) => held.waits.insert(at.region, Wait { target, outcome: None, stream }),
        };
        None
    }

    fn end_wait(&mut self, store: StoreId, region: RegionId) -> Option<Result<(), String>> {
        let held = self.stores.get_mut(&store)?;
        let outcome = held.waits.get(&region)?.outcome?;
        held.waits.remove(&region);
        Some(if outcome { Ok(()) } else { Err(format!("stale_command: region {region}")) })
    }
}

impl HoldDouble {
    /// The way there; `Err` when the request or its answer gets lost.
    async fn travel(&self) -> Result<(), HoldError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        if self.world.with(|state| state.faults.drop_renewals.contains(&self.store)) {
            return Err(self.unanswered().await);
        }
        Ok(())
    }

    async fn unanswered(&self) -> HoldError {
        tokio::time::sleep(ANSWER_LIMIT).await;
        HoldError::Broken(format!("store {} did not answer in {} s", self.store, ANSWER_LIMIT.as_secs()))
    }

    /// The way back. Whoever stops listening meanwhile has had its effect all the same.
    async fn answer<T: Send>(&self, value: T) -> Result<T, HoldError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        if self.world.with(|state| state.faults.drop_answers.contains(&self.store)) {
            return Err(self.unanswered().await);
        }
        Ok(value)
    }
}

#[async_trait]
impl Hold for HoldDouble {
    fn kind(&self) -> HoldKind {
        HoldKind::Full
    }

    async fn lease(&self, length: Millis) -> Result<bool, HoldError> {
        self.travel().await?;
        let valid = self.world.with(|state| {
            let now = state.seconds_of(self.store);
            let valid = state.on_stream(self)?.lease.update(now, length.as_secs_up());
            state.counters.tikv_leases += 1;
            state.margins.renewed((self.store, self.stream), state.now, length);
            state.note(&[51, self.store.0, u64::from(valid)]);
            Ok(valid)
        })?;
        self.answer(valid).await
    }

    async fn wait_apply(&self, regions: Vec<RegionAt>) -> Result<Applied, HoldError> {
        self.travel().await?;
        let mut said = Applied::default();
        let mut take = |region, answer| match answer {
            Ok(()) => said.done += 1,
            Err(why) => drop(said.again.insert(region, Cow::Owned(why))),
        };
        let mut open = Vec::new();
        self.world.with(|state| {
            state.on_stream(self)?;
            if !state.leased(self.store) && !regions.is_empty() {
                return Err(HoldError::Expired);
            }
            state.counters.tikv_waits += regions.len() as u64;
            for at in &regions {
                match state.begin_wait(self.store, self.stream, at) {
                    Some(answer) => take(at.region, answer),
                    None => open.push(at.region),
                }
            }
            Ok(())
        })?;
        while !open.is_empty() {
            tokio::time::sleep(LOOK).await;
            self.world.with(|state| {
                state.on_stream(self)?;
                open.retain(|region| match state.end_wait(self.store, *region) {
                    Some(answer) => {
                        take(*region, answer);
                        false
                    }
                    None => true,
                });
                Ok(())
            })?;
        }
        self.answer(said).await
    }

    async fn finish(&self) -> Result<bool, HoldError> {
        self.travel().await?;
        let live = self.world.with(|state| {
            let now = state.seconds_of(self.store);
            let held = state.on_stream(self)?;
            let live = held.lease.finish(now);
            held.stream += 1;
            state.counters.tikv_finishes += 1;
            state.note(&[52, self.store.0, u64::from(live)]);
            Ok(live)
        })?;
        self.answer(live).await
    }
}

/// SuspendImportRPC of one store. Memory of its process only.
struct ImportDouble {
    world: World,
    store: StoreId,
}

impl ImportDouble {
    async fn ask(&self, change: impl FnOnce(&mut Imports, u64) -> Result<bool, TooLong>) -> Result<bool, HoldError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        self.world.with(|state| {
            state.reach(self.store).map_err(HoldError::Broken)?;
            let now = state.now;
            let changed = state.stores.get_mut(&self.store).map(|held| change(&mut held.imports, now));
            let before = changed.unwrap_or(Ok(false));
            let before = before.map_err(|TooLong(most)| HoldError::Broken(format!("longer than {most} s")))?;
            state.note(&[53, self.store.0, u64::from(before)]);
            Ok(before)
        })
    }
}

#[async_trait]
impl Hold for ImportDouble {
    fn kind(&self) -> HoldKind {
        HoldKind::Weaker
    }

    async fn lease(&self, length: Millis) -> Result<bool, HoldError> {
        let before = self.ask(|imports, now| imports.suspend(now, length.as_secs_up())).await?;
        self.world.with(|state| state.counters.tikv_leases += 1);
        Ok(before)
    }

    async fn wait_apply(&self, _: Vec<RegionAt>) -> Result<Applied, HoldError> {
        Err(HoldError::Unimplemented)
    }

    async fn finish(&self) -> Result<bool, HoldError> {
        let before = self.ask(|imports, now| Ok(imports.resume(now))).await?;
        self.world.with(|state| state.counters.tikv_finishes += 1);
        Ok(before)
    }
}
