//! `console restore plan`: has every plane of a Complete backup look at its part as the first step of a restore, and plans the
//! whole. Nothing is changed, and nothing is kept of it.

use super::{
    CoordinatorActor,
    asking::reply,
    verifying::{AT_ONCE, OfPlane, all_heard, read_complete},
};
use crate::{
    console::{
        self, Answered,
        restore::{Planned, RestoreOptions},
    },
    ports::AdminCall,
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::Record,
    ids::PlaneId,
    reason::{
        Reason::{Internal, PlaneNotConnected},
        Refusal,
    },
    restore::{Asking, Told, check, plan},
    verify::Asked,
    wire::{Down, Finding, FindingState, Inspected},
};
use std::{collections::BTreeMap, time::Duration};

/// A plane ends its look by itself a little earlier and tells how far it came.
const PLANE_LIMIT: Duration = Duration::from_secs(130);

impl CoordinatorActor {
    /// Answers when every plane has answered, or has been silent for [`PLANE_LIMIT`].
    pub(super) fn plan_restore(
        &mut self,
        name: &str,
        options: RestoreOptions,
        call: AdminCall,
        ctx: &mut Context<Self>,
    ) {
        tracing::info!(who = call.who, name, "console restore plan");
        if let Err(why) = check(&options.wish) {
            return reply(&call, console::no_answer(why));
        }
        let backup = match console::backup_to_restore(&self.snapshot(), name) {
            Ok(backup) => backup,
            Err(why) => return reply(&call, console::no_answer(why)),
        };
        if self.verifying.under_way >= AT_ONCE {
            return reply(&call, console::not_yet("other verifications or plans are under way"));
        }
        self.verifying.under_way += 1;
        let reading = read_complete(self.ports.ledger.clone(), self.reads.clone(), backup);
        let asking = reading.into_actor(self).then(|read, actor: &mut Self, _| {
            let asked = read.and_then(|record| {
                known(&record, &options)?;
                Ok((actor.ask_to_inspect(&record, &options), record, options))
            });
            async move {
                let (asked, record, options) = asked?;
                Ok((all_heard(asked, PLANE_LIMIT).await, record, options))
            }
            .into_actor(actor)
        });
        ctx.spawn(asking.map(move |told: Result<_, String>, actor, _| {
            actor.verifying.under_way -= 1;
            let answered = match told {
                Ok((told, record, options)) => Answered::Ok(actor.planned(told, &record, &options)),
                Err(why) => Answered::Error(why),
            };
            reply(&call, console::text(&answered));
        }));
    }

    /// A plane of an earlier version is not asked what it does not know.
    fn ask_to_inspect(&mut self, record: &Record, options: &RestoreOptions) -> Vec<OfPlane<Inspected>> {
        let text = record.certificate_of_all().unwrap_or_default();
        let members: Vec<PlaneId> = record.request.members.iter().map(|member| member.plane.clone()).collect();
        let ask = |plane: PlaneId| {
            let question = record.inspect(&plane, &text, &options.wish, options.target_of(&plane));
            let answer = match (self.sessions.get(&plane), question) {
                (None, _) => Err(Refusal::new(PlaneNotConnected, "it is not connected")),
                (Some(session), _) if !session.hello.inspects => {
                    let text = format!("the plane's version, {}, does not know how to", session.hello.version);
                    Err(Refusal::new(PlaneNotConnected, text))
                }
                (Some(_), None) => Err(Refusal::new(Internal, "the record has no part of it")),
                (Some(session), Some(mut ask)) => {
                    let question = |number| {
                        ask.verify.number = number;
                        Down::Inspect(ask)
                    };
                    self.verifying.inspections.ask(&plane, &session.channel, self.clock.wall(), question)
                }
            };
            (plane, answer)
        };
        members.into_iter().map(ask).collect()
    }

    fn planned(
        &self,
        told: Vec<(PlaneId, Result<Inspected, Refusal>)>,
        record: &Record,
        options: &RestoreOptions,
    ) -> serde_json::Value {
        let (mut calls, mut planes, mut of_planes) = (0_u32, BTreeMap::new(), Vec::new());
        for (plane, told) in told {
            let asked = match told {
                Ok(inspected) => {
                    calls = calls.saturating_add(inspected.calls);
                    let (told, findings) = taken(inspected);
                    of_planes.push((plane.clone(), told));
                    Asked::Answered(findings)
                }
                Err(refusal) => Asked::Unasked(format!("not checked: {}", refusal.message)),
            };
            planes.insert(plane, asked);
        }
        let prices = self.prices.of_volumes();
        let asking = Asking { wish: options.wish.clone(), hours: options.hours, prices };
        let plan = plan(&of_planes, &asking);
        let (currency, at) = (self.prices.currency.as_str(), self.clock.wall());
        Planned { record, options, asking, currency, plan, planes, at, calls }.value()
    }

    /// A plane has answered.
    pub(super) fn inspected(&mut self, plane: &PlaneId, found: Inspected) {
        let number = found.number;
        self.verifying.inspections.answered(plane, number, found);
    }
}

/// A target is of a plane that has a part.
fn known(record: &Record, options: &RestoreOptions) -> Result<(), String> {
    match options.targets.keys().find(|plane| record.request.member(plane).is_none()) {
        Some(plane) => Err(format!("{plane} of --target is no plane of this backup")),
        None => Ok(()),
    }
}

fn taken(inspected: Inspected) -> (Told, Vec<Finding>) {
    let Inspected { mut findings, sources, more, place, .. } = inspected;
    if more > 0 {
        let text = format!("{more} volumes more than a plan takes are left out of it");
        let (subject, took) = ("plan".to_owned(), Default::default());
        findings.push(Finding { subject, took, state: FindingState::Unchecked, text });
    }
    (Told { place, sources }, findings)
}
