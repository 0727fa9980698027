//! `console diagnose`, a plane's part: it looks into its own memory. Nobody outside is asked, and nothing is changed.

use super::{
    itself::{Itself, OfAttempt},
    messages::AskPast,
    plane::PlaneActor,
    work::beside,
};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures::future::join_all;
use serde_json::json;
use shared::{
    ids::Attempt,
    reason::{Reason, Refusal},
    wire::{Diagnose, Diagnosed, MIN_WIRE_VERSION, Up, WIRE_VERSION},
};
use shell::driver::Stepped;
use std::{cmp::Reverse, time::Duration};
use tokio::time::timeout;

/// A member whose save is under way takes no mail; it is not waited for longer than a save may take.
const LIMIT: Duration = Duration::from_secs(4);
/// Members that are asked, the last ones that were given an order first: a person names the backup that is meant.
const ASKED: usize = 16;

impl PlaneActor {
    /// Answers when every member that is meant has told its steps, or is busy.
    pub(super) fn diagnose(&mut self, ask: Diagnose, ctx: &mut Context<Self>) {
        let Diagnose { number, backups } = ask;
        if std::mem::replace(&mut self.diagnosing, true) {
            let told = Err(Refusal::new(Reason::PlaneBusy, "it is told already; ask again"));
            self.env.uplink.send(&Up::Diagnosed(Diagnosed { number, told }));
            return;
        }
        let is_meant = |attempt: &Attempt| backups.is_empty() || backups.contains(&attempt.backup);
        let mut meant: Vec<_> = self.members.iter().filter(|(attempt, _)| is_meant(attempt)).collect();
        meant.sort_by_key(|(_, kept)| Reverse(kept.used));
        let asked = meant.into_iter().take(ASKED).map(|(attempt, kept)| {
            let (attempt, view, told) = (attempt.clone(), kept.view.clone(), kept.addr.send(AskPast));
            async move { OfAttempt { attempt, view, told: timeout(LIMIT, told).await.ok().and_then(Result::ok) } }
        });
        let asked: Vec<_> = asked.collect();
        let pasts = self.env.pasts.borrow();
        let ended = pasts.all().filter(|(attempt, _)| is_meant(attempt));
        let ended = ended.map(|(attempt, steps)| (format!("ended {attempt}"), steps.clone())).take(ASKED).collect();
        drop(pasts);
        let telling = join_all(asked).into_actor(self).then(move |attempts, actor: &mut Self, _| {
            let itself = actor.itself(attempts, ended);
            let runtime = actor.env.config.work_runtime.clone();
            async move { beside(runtime.as_ref(), async move { itself.packed() }).await }.into_actor(actor)
        });
        ctx.spawn(telling.map(move |told, actor: &mut Self, _| {
            actor.diagnosing = false;
            actor.env.uplink.send(&Up::Diagnosed(Diagnosed { number, told }));
        }));
    }

    fn itself(&self, attempts: Vec<OfAttempt>, ended: Vec<(String, Vec<Stepped>)>) -> Itself {
        let env = &self.env;
        Itself {
            process: json!({
                "plane": env.config.plane.as_str(),
                "version": env!("CARGO_PKG_VERSION"),
                "wire": { "least": MIN_WIRE_VERSION, "own": WIRE_VERSION },
                "linked": self.linked,
                "ends": self.stopping,
                "inBarrier": env.is_in_barrier(),
                "attemptsInMemory": self.members.len(),
            }),
            configuration: env.config.whole.clone(),
            ledger: env.ledger.whole(),
            levels: env.ports.levels.look(),
            log: (env.ports.logs)(),
            metrics: (env.ports.metrics)(),
            attempts,
            ended,
        }
    }
}
