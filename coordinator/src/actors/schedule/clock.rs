//! The clock that dates the objects, asked again and again: retention deletes nothing while ours does not agree with it.

use super::ScheduleActor;
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use shared::schedule::Input;
use shell::driver::Performer;
use std::time::Duration;

/// Between two looks; a jump is seen at the next step of the machine, because the monotonic clock goes on.
const EVERY: Duration = Duration::from_secs(30);

impl ScheduleActor {
    /// From the first list of schedules on, once per process.
    pub(super) fn check_clock(&self, ctx: &mut Context<Self>) {
        let port = self.ports.schedules.clone();
        let asking = async move { port.server_time().await };
        ctx.spawn(asking.into_actor(self).map(|said, actor, ctx| {
            match said {
                Ok(time) => actor.feed(Input::ClockChecked(time), ctx),
                Err(error) => tracing::debug!(%error, "the clock of the API server was not read"),
            }
            ctx.run_later(EVERY, |actor, ctx| actor.check_clock(ctx));
        }));
    }

    /// In metric and log.
    pub(super) fn show_clock(&mut self) {
        let (skew, distrust) = self.driver.machine().clock(self.clock.now());
        self.metrics.clock(skew, distrust.is_some());
        match (&self.distrust, &distrust) {
            (None, Some(why)) => tracing::error!("{why}"),
            (Some(_), None) => tracing::warn!("the clock is to be believed again; retention goes on"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.distrust = distrust;
    }
}
