//! How a coordinator ends: the barriers under way finish, or are aborted, before its process gives up the Lease.
//!
//! ```text
//! first demand ──► drain: nothing new begins ──► nothing is under way ──► over
//! second one, or the grace has passed ──► abort ──► planes have let go, or ABORT_LIMIT ──► over
//! third one ──► over
//! ```

use crate::actors::{AbortAll, BeginNothing, CoordinatorActor, Drain, ScheduleActor};
use actix::Addr;
use std::{future::pending, time::Duration};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// From an abort to the answers of all planes: letting go takes a second or two, and whoever is silent for longer lets
/// go by its own lease.
pub const ABORT_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Ending {
    grace: Duration,
    demands: u32,
    /// What was demanded last has until then.
    until: Option<Instant>,
    drained: Option<oneshot::Receiver<()>>,
}

impl Ending {
    pub(crate) fn new(grace: Duration) -> Self {
        Self { grace, demands: 0, until: None, drained: None }
    }

    /// One demand more. True: it is over.
    pub(crate) async fn demand(
        &mut self,
        coordinator: &Addr<CoordinatorActor>,
        schedules: &Addr<ScheduleActor>,
    ) -> anyhow::Result<bool> {
        self.demands += 1;
        match self.demands {
            1 => {
                tracing::info!(grace = ?self.grace, "ending: nothing new begins, what is under way finishes");
                let (tell, drained) = oneshot::channel();
                schedules.send(BeginNothing).await?;
                coordinator.send(Drain(tell)).await?;
                self.drained = Some(drained);
                self.until = Some(Instant::now() + self.grace);
            }
            2 => {
                tracing::warn!("ending before everything is over: what is under way is aborted");
                coordinator.send(AbortAll).await?;
                self.until = Some(Instant::now() + ABORT_LIMIT);
            }
            _ => tracing::warn!("ending with barriers under way; holds end by themselves"),
        }
        Ok(self.demands > 2)
    }

    /// Waits for the end of what was demanded: true if everything is over, false when its time is up. For ever while
    /// nobody demanded anything. It may be dropped and called again.
    pub(crate) async fn is_over(&mut self) -> bool {
        match (&mut self.drained, self.until) {
            (Some(drained), Some(until)) => timeout_at(until, drained).await.is_ok(),
            _ => pending().await,
        }
    }
}
