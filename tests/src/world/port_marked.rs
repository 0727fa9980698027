//! What a restore asks of a target's PD, and what PD answers (`facts/restore.md` §3.2).

use super::{World, engine::State, pd_calls::PdCalls, target::Target};
use crate::models::restored::Forbidden;
use async_trait::async_trait;
use plane_actor::ports::{Marked, MarkedConnect, PdEndpoint, PortError};
use shared::{ids::ClusterId, reason::Reason, ts::Ts};
use std::sync::Arc;

pub(super) struct MarkedDial {
    pub(super) world: World,
    pub(super) plane: String,
}

#[async_trait]
impl MarkedConnect for MarkedDial {
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Marked>, PortError> {
        let calls = PdCalls { world: self.world.clone(), plane: self.plane.clone() };
        let url = endpoint.urls.first().cloned().unwrap_or_default();
        let found = calls.enter("GetMembers", |state| Ok(state.target_at(&url).is_some())).await;
        match found {
            Ok(true) => Ok(Arc::new(MarkedDouble { calls, url })),
            Ok(false) => Err(PortError::refused(Reason::PdUnavailable, format!("{url}: no such host"))),
            Err(error) => Err(PortError::refused(Reason::PdUnavailable, format!("{url}: {error}"))),
        }
    }
}

struct MarkedDouble {
    calls: PdCalls,
    url: String,
}

impl MarkedDouble {
    async fn ask<T: Send>(&self, call: &str, act: impl FnOnce(&mut Target) -> T + Send) -> Result<T, PortError> {
        self.calls.enter(call, |state| Ok(act(state.target_at(&self.url).ok_or_else(|| gone(&self.url))?))).await
    }

    /// What changes something happens also where its answer is lost.
    async fn change<T: Send>(
        &self,
        call: &'static str,
        act: impl FnOnce(&mut Target) -> Result<T, Forbidden> + Send,
    ) -> Result<T, PortError> {
        let changed = self.calls.enter(call, |state| {
            let target = state.target_at(&self.url).ok_or_else(|| gone(&self.url))?;
            let done = act(target).map_err(|Forbidden(why)| PortError::Unavailable(format!("{call}: 403: {why}")));
            state.counters.pd_marks += 1;
            state.note(&[60, call.len() as u64]);
            Ok((done, state.loses(call)))
        });
        match changed.await? {
            (_, true) => Err(PortError::Unavailable(format!("{call}: connection reset before the reply"))),
            (done, false) => done,
        }
    }
}

fn gone(url: &str) -> PortError {
    PortError::Unavailable(format!("{url}: no such host"))
}

impl State {
    /// Is the answer to this call one of those that get lost?
    pub(super) fn loses(&mut self, call: &str) -> bool {
        let left = self.faults.lost_replies.get_mut(call).filter(|left| **left > 0);
        left.is_some_and(|left| {
            *left -= 1;
            true
        })
    }
}

#[async_trait]
impl Marked for MarkedDouble {
    async fn cluster(&self) -> Result<ClusterId, PortError> {
        self.ask("GetClusterInfo", |target| target.cluster.pd.cluster).await
    }

    async fn is_bootstrapped(&self) -> Result<bool, PortError> {
        self.ask("IsBootstrapped", |target| target.cluster.pd.bootstrapped).await
    }

    async fn is_marked(&self) -> Result<bool, PortError> {
        self.ask("GET snapshot-recovering", |target| target.cluster.pd.marked).await
    }

    async fn mark(&self) -> Result<(), PortError> {
        self.change("mark", |target| {
            target.cluster.pd.marked = true;
            Ok(())
        })
        .await
    }

    async fn unmark(&self) -> Result<(), PortError> {
        self.change("unmark", |target| {
            target.cluster.pd.marked = false;
            Ok(())
        })
        .await
    }

    async fn alloc_id(&self) -> Result<u64, PortError> {
        self.change("AllocID", |target| Ok(target.cluster.pd.alloc_id())).await
    }

    async fn set_base_alloc_id(&self, base: u64) -> Result<(), PortError> {
        self.change("base-alloc-id", |target| target.cluster.pd.set_base_alloc_id(base)).await
    }

    async fn reset_ts(&self, at: Ts) -> Result<(), PortError> {
        self.change("reset-ts", |target| {
            target.cluster.pd.reset_ts(at);
            Ok(())
        })
        .await
    }

    async fn now(&self) -> Result<Ts, PortError> {
        let now = self.calls.world.wall();
        self.ask("Tso", move |target| target.cluster.pd.tso(now)).await
    }
}
