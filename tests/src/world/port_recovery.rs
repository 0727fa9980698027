//! A target's TiKV as a restore calls it: RecoverData, flashback, checksums (`facts/restore.md` §3.3, §3.4, §3.7).

use super::{World, engine::State, target::Target};
use crate::models::restored::{NoAnswer, Pod, Standing, Unflashed};
use async_trait::async_trait;
use plane_actor::ports::{
    Asked, ClusterTls, Flashback, FlashedBack, Leading, Piece, PortError, Recovery, RecoveryConnect, Summed,
};
use shared::{
    ids::{RegionId, StoreId},
    reason::Reason,
    recovery::Meta,
    time::Timestamp,
    ts::Ts,
};
use std::{sync::Arc, time::Duration};

/// Between two looks at elections that are under way.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct RecoveryDial {
    pub(super) world: World,
}

#[async_trait]
impl RecoveryConnect for RecoveryDial {
    async fn connect(&self, address: &str, _tls: Option<&ClusterTls>) -> Result<Arc<dyn Recovery>, PortError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        let pod = self.world.with(|state| {
            let target = state.target_of(address)?;
            let pod = target.cluster.pod_at(address)?;
            let up = target.cluster.processes.get(&pod).is_some_and(|process| process.is_up());
            Some((pod, up))
        });
        match pod {
            Some((_, true)) => Ok(Arc::new(RecoveryDouble { world: self.world.clone(), address: address.to_owned() })),
            Some((_, false)) => Err(PortError::Unavailable(format!("{address}: connection refused"))),
            None => Err(PortError::refused(Reason::StoreUnavailable, format!("nothing answers at {address}"))),
        }
    }
}

struct RecoveryDouble {
    world: World,
    address: String,
}

impl State {
    /// The target's process there, after what a test wants to happen at this call has happened.
    fn reach_target(&mut self, address: &str, call: &str) -> Result<(&mut Target, Pod, Timestamp), PortError> {
        let refused = || PortError::Unavailable(format!("{address}: connection refused"));
        let now = self.wall();
        let pod = self.target_of(address).and_then(|target| target.cluster.pod_at(address)).ok_or_else(refused)?;
        let store = self.target_of(address).and_then(|target| target.cluster.processes.get(&pod));
        let store = store.map_or(StoreId(0), |process| process.store);
        if self.faults.target_unreachable.contains(&store) {
            return Err(refused());
        }
        let restarts = self.faults.restart_at.get_mut(&(store, call.to_owned())).filter(|left| **left > 0);
        let restarts = restarts.is_some_and(|left| {
            *left -= 1;
            *left == 0
        });
        let target = self.target_of(address).ok_or_else(refused)?;
        if restarts {
            target.cluster.restart(&pod, now);
            return Err(PortError::Unavailable(format!("{address}: connection reset")));
        }
        Ok((target, pod, now))
    }
}

impl RecoveryDouble {
    async fn ask<T: Send>(
        &self,
        call: &str,
        act: impl FnOnce(&mut Target, &Pod, Timestamp) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        self.world.pause(self.world.with(|state| state.config.tikv)).await;
        let answer = self.world.with(|state| {
            let (target, pod, now) = state.reach_target(&self.address, call)?;
            let answer = act(target, &pod, now)?;
            state.note(&[61, call.len() as u64]);
            Ok::<_, PortError>((answer, state.loses(call)))
        });
        match answer? {
            (_, true) => Err(PortError::Unavailable(format!("{}: {call}: no answer", self.address))),
            (answer, false) => Ok(answer),
        }
    }
}

/// As the edge reads gRPC's statuses.
fn unanswered(call: &str, why: NoAnswer) -> PortError {
    PortError::Unavailable(match why {
        NoAnswer::Down(why) => format!("{call}: {why}"),
        NoAnswer::Unimplemented => format!("{call}: UNIMPLEMENTED: it is not in recovery mode"),
    })
}

#[async_trait]
impl Recovery for RecoveryDouble {
    async fn is_recovering(&self) -> Result<bool, PortError> {
        self.ask("ReadRegionMeta", |target, pod, _| match target.cluster.region_metas(pod) {
            Ok(_) => Ok(true),
            Err(NoAnswer::Unimplemented) => Ok(false),
            Err(why) => Err(unanswered("ReadRegionMeta", why)),
        })
        .await
    }

    async fn region_metas(&self) -> Result<Vec<Meta>, PortError> {
        self.ask("ReadRegionMeta", |target, pod, _| {
            target.cluster.region_metas(pod).map_err(|why| unanswered("ReadRegionMeta", why))
        })
        .await
    }

    async fn lead(&self, regions: &[RegionId], limit: Duration) -> Result<Asked, PortError> {
        let begun = tokio::time::Instant::now();
        let call = self.ask("RecoverRegion", |target, pod, now| {
            target.cluster.begin_lead(pod, regions, now).map_err(|why| unanswered("RecoverRegion", why))
        });
        let call = call.await?;
        loop {
            let standing = self.world.with(|state| {
                state.target_of(&self.address).map_or(Standing::Broken, |target| target.cluster.standing(&call))
            });
            match standing {
                Standing::Answered => return Ok(Asked::Answered),
                Standing::Aborted => return Ok(Asked::Aborted),
                Standing::Broken => {
                    return Err(PortError::Unavailable(format!("{}: RecoverRegion: connection reset", self.address)));
                }
                Standing::Waiting if begun.elapsed() >= limit => return Ok(Asked::Cut),
                Standing::Waiting => tokio::time::sleep(LOOK.min(limit - begun.elapsed())).await,
            }
        }
    }

    async fn led(&self, store: StoreId) -> Result<Vec<Leading>, PortError> {
        self.ask("CheckPendingAdminOp", |target, pod, _| {
            let mut led = target.cluster.leading(pod);
            led.iter_mut().for_each(|led| led.piece.store = store);
            Ok(led)
        })
        .await
    }

    async fn prepare_flashback(&self, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, PortError> {
        let call = "KvPrepareFlashbackToVersion";
        self.ask(call, |target, pod, _| match target.cluster.prepare_flashback(pod, piece, flashback) {
            Ok(()) => Ok(FlashedBack::Done),
            Err(error) => Ok(error.flashed_back(piece.region)),
        })
        .await
    }

    async fn flashback(&self, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, PortError> {
        let call = "KvFlashbackToVersion";
        let broken = |why: &str| Err(PortError::Unavailable(format!("{call}: {why}")));
        self.ask(call, |target, pod, now| match target.cluster.flashback(pod, piece, flashback, now) {
            Ok(()) => Ok(FlashedBack::Done),
            Err(Unflashed::Region(error)) => Ok(error.flashed_back(piece.region)),
            Err(Unflashed::Answer(why)) => broken(&why),
            Err(Unflashed::Broken) => broken("connection reset"),
        })
        .await
    }

    async fn checksum(&self, piece: &Piece, at: Ts) -> Result<Summed, PortError> {
        self.ask("Coprocessor", |target, pod, _| {
            let summed = target.cluster.checksum(pod, piece, at);
            summed.map_err(|error| PortError::Unavailable(format!("{error}: region {}", piece.region)))
        })
        .await
    }
}
