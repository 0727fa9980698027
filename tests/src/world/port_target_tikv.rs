//! A target's TiKV behind [`Tikv`]: the backup service is there in recovery mode, too (`facts/restore.md` §3.8).

use super::{World, engine::State, kind::Kind};
use crate::models::{restored::Pod, tikv::Lease};
use async_trait::async_trait;
use plane_actor::ports::{Applied, EachRegion, Hold, HoldError, PortError, RegionAt, Tikv, TikvSettings};
use shared::{evidence::HoldKind, ids::RegionId, time::Millis, ts::Ts};
use std::{borrow::Cow, sync::Arc, time::Duration};

/// Between two looks at a wait that is not decided.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Clone)]
pub(super) struct TargetTikv {
    pub(super) world: World,
    pub(super) address: String,
}

impl TargetTikv {
    async fn enter<T: Send>(
        &self,
        act: impl FnOnce(&mut State, &Pod, u64) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        self.world.with(|state| {
            let process = state.process_at(&self.address);
            let (pod, number) =
                process.ok_or_else(|| PortError::Unavailable(format!("{}: connection refused", self.address)))?;
            act(state, &pod, number)
        })
    }
}

impl State {
    /// The target's process that answers there, and its number.
    pub(super) fn process_at(&mut self, address: &str) -> Option<(Pod, u64)> {
        let target = self.target_of(address)?;
        let pod = target.cluster.pod_at(address)?;
        let process = target.cluster.processes.get(&pod).filter(|process| process.is_up())?;
        let (store, number) = (process.store, process.number);
        (!self.faults.target_unreachable.contains(&store)).then_some((pod, number))
    }
}

#[async_trait]
impl Tikv for TargetTikv {
    async fn settings(&self) -> Result<TikvSettings, PortError> {
        self.enter(|_, _, _| {
            let of = |kind: Kind| (kind.key().to_owned(), kind.mount_path().to_owned());
            Ok(TikvSettings {
                resolved_ts_enabled: true,
                report_enabled: true,
                raft_kv: true,
                directories: [of(Kind::Data), of(Kind::Raft)].into(),
            })
        })
        .await
    }

    async fn open_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        let opened = self.enter(|_, _, number| Ok(number)).await;
        let process = opened.map_err(|error| HoldError::Broken(error.to_string()))?;
        Ok(Arc::new(TargetHold { tikv: self.clone(), process }))
    }

    async fn open_weaker_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        Err(HoldError::Unimplemented)
    }

    async fn led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError> {
        let listed = self.enter(|state, pod, _| {
            let target = state.target_of(&self.address);
            Ok(target.map(|target| target.cluster.listed(pod)).unwrap_or_default())
        });
        listed.await?.iter().for_each(|led| each(led.region()));
        Ok(())
    }

    /// Resolved ts is off in recovery mode.
    async fn safe_ts(&self, _: RegionId) -> Result<Ts, PortError> {
        self.enter(|_, _, _| Ok(Ts::ZERO)).await
    }
}

/// A prepare stream, alive while its process is.
struct TargetHold {
    tikv: TargetTikv,
    process: u64,
}

impl TargetHold {
    async fn on_stream<T: Send>(&self, act: impl FnOnce(&mut Lease, u64) -> T + Send) -> Result<T, HoldError> {
        let done = self.tikv.enter(|state, _, number| {
            let seconds = (state.now + 5_000) / 1_000;
            let target = state.target_of(&self.tikv.address);
            let target = target.filter(|_| number == self.process);
            Ok(target.map(|target| act(target.leases.entry(number).or_default(), seconds)))
        });
        let done = done.await.map_err(|error| HoldError::Broken(error.to_string()))?;
        done.ok_or_else(|| HoldError::Broken(format!("{} restarted", self.tikv.address)))
    }
}

#[async_trait]
impl Hold for TargetHold {
    fn kind(&self) -> HoldKind {
        HoldKind::Full
    }

    async fn lease(&self, length: Millis) -> Result<bool, HoldError> {
        self.on_stream(|lease, now| lease.update(now, length.as_secs_up())).await
    }

    async fn wait_apply(&self, regions: Vec<RegionAt>) -> Result<Applied, HoldError> {
        if !self.on_stream(|lease, now| lease.rejects(now)).await? && !regions.is_empty() {
            return Err(HoldError::Expired);
        }
        let mut said = Applied::default();
        let mut open = regions;
        loop {
            let left = self.tikv.world.with(|state| {
                let (pod, number) = state.process_at(&self.tikv.address)?;
                let target = state.target_of(&self.tikv.address).filter(|_| number == self.process)?;
                open.retain(|at| match target.cluster.wait_apply(&pod, *at) {
                    Some(Ok(())) => {
                        said.done += 1;
                        false
                    }
                    Some(Err(why)) => {
                        said.again.insert(at.region, Cow::Owned(why));
                        false
                    }
                    None => true,
                });
                Some(open.len())
            });
            match left {
                None => return Err(HoldError::Broken(format!("{} restarted", self.tikv.address))),
                Some(0) => return Ok(said),
                Some(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn finish(&self) -> Result<bool, HoldError> {
        self.on_stream(|lease, now| lease.finish(now)).await
    }
}
