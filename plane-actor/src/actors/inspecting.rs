//! `console restore plan`, a plane's part. One at a time, verifications included: both make the same calls.

use super::{plane::PlaneActor, work::inspect};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use shared::wire::{Finding, FindingState, Inspect, Inspected, Up};
use std::time::Duration;

/// As long as a verification has; the coordinator waits a little longer.
const LIMIT: Duration = Duration::from_secs(120);

impl PlaneActor {
    /// Answers when everything was looked at, or the time is over.
    pub(super) fn inspect(&mut self, ask: Inspect, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.verifying, true) {
            let text = "another verification or plan is under way in this plane; ask again".to_owned();
            let (subject, took) = ("plane".to_owned(), Default::default());
            let told = Inspected {
                number: ask.verify.number,
                findings: vec![Finding { subject, took, state: FindingState::Unchecked, text }],
                sources: Vec::new(),
                more: 0,
                place: None,
                at: self.env.clock.wall(),
                calls: 0,
            };
            self.env.uplink.send(&Up::Inspected(told));
            return;
        }
        let env = self.env.clone();
        let looking = async move { inspect(&env, &ask, LIMIT).await };
        ctx.spawn(looking.into_actor(self).map(|told, actor: &mut Self, _| {
            actor.verifying = false;
            actor.env.uplink.send(&Up::Inspected(told));
        }));
    }
}
