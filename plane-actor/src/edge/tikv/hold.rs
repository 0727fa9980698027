//! [`Hold`]: one prepare stream of one store (`facts/pd-tikv.md` §2). What is sent and how replies find their askers is
//! the business of the stream's own task in [`super::mux`]; here are the limits of each call.
//!
//! The stream is opened at once, by that task: TiKV sends no response headers before its first reply, so awaiting the
//! call here would hang (§2.3). Whether it stands is told by the first `lease`, which callers use as a probe.

use super::{
    mux::{self, Ask, Ended},
    turns::Turns,
};
use crate::ports::{Applied, Hold, HoldError, RegionAt};
use async_trait::async_trait;
use shared::{evidence::HoldKind, time::Millis};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::transport::Channel;

/// A reply must come within half the lease that was asked for, so that the other half is left to act in; a probe
/// (0 s) and a short lease get at least a second, a long one at most [`REPLY_MOST`].
pub(super) fn reply_limit(length: Millis) -> Duration {
    if length.0 == 0 {
        return REPLY_MOST;
    }
    Duration::from_millis(length.0 / 2).clamp(REPLY_LEAST, REPLY_MOST)
}
const REPLY_LEAST: Duration = Duration::from_secs(1);
const REPLY_MOST: Duration = Duration::from_secs(5);

/// Waiting for apply is part of the reach clock (120 s by default), which also holds a repetition: regions that have
/// not applied after a third of it are reported as such, by name, instead of using it up silently.
const APPLY_LIMIT: Duration = Duration::from_secs(40);

/// Asks that may wait for the task: one renewal, one wait-apply and one finish are all that a store's owner has at a
/// time; twice that leaves room for abandoned ones.
const ASKS: usize = 8;

/// An open prepare stream.
pub(super) struct PrepareHold {
    asks: mpsc::Sender<Ask>,
    ended: Ended,
    // Set by a renewal that was sent and not answered: it is not renewed, and no later reply can mend that.
    unanswered: Mutex<Option<HoldError>>,
}

impl PrepareHold {
    pub(super) fn open(channel: Channel, turns: Turns) -> Self {
        let (asks, queue) = mpsc::channel(ASKS);
        let ended = Ended::default();
        tokio::spawn(mux::run(channel, turns, queue, ended.clone()));
        Self { asks, ended, unanswered: Mutex::new(None) }
    }

    /// Sends one ask and waits for its reply: the stream's own end if it ended first, `Broken` at the limit.
    async fn ask<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<T>) -> Ask,
        limit: Duration,
        what: &str,
    ) -> Result<T, HoldError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.asks.send(make(reply)).await.map_err(|_| self.ended.why())?;
            answer.await.map_err(|_| self.ended.why())
        };
        let late = || HoldError::Broken(format!("{what} was not answered within {} ms", limit.as_millis()));
        timeout(limit, exchange).await.unwrap_or_else(|_| Err(late()))
    }

    fn still_answered(&self) -> Result<(), HoldError> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Hold for PrepareHold {
    fn kind(&self) -> HoldKind {
        HoldKind::Full
    }

    async fn lease(&self, length: Millis) -> Result<bool, HoldError> {
        self.still_answered()?;
        let seconds = length.as_secs_up();
        let answer = self.ask(|reply| Ask::Lease { seconds, reply }, reply_limit(length), "a renewal").await;
        if let Err(error @ HoldError::Broken(_)) = &answer {
            *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        answer
    }

    async fn wait_apply(&self, regions: Vec<RegionAt>) -> Result<Applied, HoldError> {
        self.still_answered()?;
        // The task answers by itself before this limit; the second is for its own way here.
        let limit = APPLY_LIMIT + Duration::from_secs(1);
        self.ask(|reply| Ask::WaitApply { regions, within: APPLY_LIMIT, reply }, limit, "wait-apply").await
    }

    async fn finish(&self) -> Result<bool, HoldError> {
        self.ask(|reply| Ask::Finish { reply }, REPLY_MOST, "Finish").await
    }
}
