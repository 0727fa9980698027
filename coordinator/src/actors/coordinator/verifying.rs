//! `console verify`: has every plane of a Complete backup look at its part, and judges the whole. Nothing of the backup is
//! changed by it, however it comes out; what an operator asked for is kept with its record.

use super::{CoordinatorActor, asking::reply, questions::heard, restart};
use crate::{
    console::{self, Answered, verify::Looked},
    ports::{AdminCall, Ledger},
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use futures::future::join_all;
use shared::{
    barrier::Record,
    ids::{BackupUid, PlaneId},
    reason::Refusal,
    verify::{Asked, judge},
    wire::{Down, Verified, Verify},
};
use shell::link::Role;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, oneshot};

/// A plane ends its look by itself a little earlier and tells how far it came.
const PLANE_LIMIT: Duration = Duration::from_secs(130);
/// Verifications and plans of restores under way at a time; each has a record in memory.
pub(super) const AT_ONCE: usize = 2;

/// A plane, and what becomes of the question to it.
pub(super) type OfPlane<T> = (PlaneId, Result<oneshot::Receiver<T>, Refusal>);

/// The record of a backup that is Complete.
pub(super) async fn read_complete(
    ledger: Arc<dyn Ledger>,
    reads: Arc<Semaphore>,
    backup: BackupUid,
) -> Result<Record, String> {
    // Nobody closes it.
    let _one = reads.acquire().await;
    match restart::read(ledger, backup).await {
        Ok(Some((record, _))) if record.can_be_verified() => Ok(record),
        Ok(Some(_)) => Err("it is not Complete any more".to_owned()),
        Ok(None) => Err("its record is gone".to_owned()),
        Err(error) => Err(format!("its record cannot be read: {error}")),
    }
}

/// What came of each question.
pub(super) async fn all_heard<T>(asked: Vec<OfPlane<T>>, limit: Duration) -> Vec<(PlaneId, Result<T, Refusal>)> {
    let answers = asked.into_iter().map(|(plane, answer)| async move {
        let told = match answer {
            Ok(answer) => heard(answer, limit).await,
            Err(refusal) => Err(refusal),
        };
        (plane, told)
    });
    join_all(answers).await
}

impl CoordinatorActor {
    /// Answers when every plane has answered, or has been silent for [`PLANE_LIMIT`].
    pub(super) fn verify(&mut self, name: &str, call: AdminCall, ctx: &mut Context<Self>) {
        tracing::info!(who = call.who, name, "console verify");
        let backup = match console::backup_to_verify(&self.snapshot(), name) {
            Ok(backup) => backup,
            Err(why) => return reply(&call, console::no_answer(why)),
        };
        // Who may only look leaves no trace in status and events.
        let (keeps, back) = (call.role >= Role::Operator, call.reply.clone());
        let begun = self.look_into(backup, ctx, move |looked, actor, ctx| {
            let answered = match looked {
                Ok(looked) => {
                    if keeps {
                        actor.keep_verification(&looked, ctx);
                    }
                    Answered::Ok(looked.value(keeps))
                }
                Err(why) => Answered::Error(why),
            };
            reply(&call, console::text(&answered));
        });
        if !begun {
            // An admin who does not read has gone.
            let _ = back.try_send(console::not_yet("other verifications are under way").into());
        }
    }

    /// Reads the record, asks its planes, judges what they say. False: others are under way, nothing is begun.
    pub(super) fn look_into(
        &mut self,
        backup: BackupUid,
        ctx: &mut Context<Self>,
        then: impl FnOnce(Result<Looked, String>, &mut Self, &mut Context<Self>) + 'static,
    ) -> bool {
        if self.verifying.under_way >= AT_ONCE {
            return false;
        }
        self.verifying.under_way += 1;
        let reading = read_complete(self.ports.ledger.clone(), self.reads.clone(), backup);
        let asking = reading.into_actor(self).then(|read, actor: &mut Self, _| {
            let asked = read.map(|record| (actor.ask_to_verify(&record), record));
            async move {
                let (asked, record) = asked?;
                Ok((all_heard(asked, PLANE_LIMIT).await, record))
            }
            .into_actor(actor)
        });
        ctx.spawn(asking.map(move |looked: Result<_, String>, actor, ctx| {
            actor.verifying.under_way -= 1;
            let looked = looked.map(|(told, record)| {
                let mut made = 0_u32;
                let planes = told.into_iter().map(|(plane, told)| {
                    let asked = match told {
                        Ok(Verified { findings, calls, .. }) => {
                            made = made.saturating_add(calls);
                            Asked::Answered(findings)
                        }
                        Err(refusal) => Asked::Unasked(format!("not checked: {}", refusal.message)),
                    };
                    (plane, asked)
                });
                let planes = planes.collect();
                let verification = judge(&planes, actor.clock.wall());
                Looked { record: Box::new(record), planes, verification, calls: made }
            });
            then(looked, actor, ctx);
        }));
        true
    }

    /// A plane of an earlier version is not asked what it does not know.
    fn ask_to_verify(&mut self, record: &Record) -> Vec<OfPlane<Verified>> {
        use shared::reason::Reason::{Internal, PlaneNotConnected};
        let mut asked = Vec::new();
        let text = record.certificate_of_all().unwrap_or_default();
        for plane in record.planes.keys() {
            let answer = match (self.sessions.get(plane), record.verify(plane, 0, &text)) {
                (None, _) => Err(Refusal::new(PlaneNotConnected, "it is not connected")),
                (Some(session), _) if !session.hello.verifies => {
                    let text = format!("the plane's version, {}, does not know how to", session.hello.version);
                    Err(Refusal::new(PlaneNotConnected, text))
                }
                (Some(_), None) => Err(Refusal::new(Internal, "the record has no part of it")),
                (Some(session), Some(ask)) => {
                    let question = |number| Down::Verify(Verify { number, ..ask });
                    self.verifying.questions.ask(plane, &session.channel, self.clock.wall(), question)
                }
            };
            asked.push((plane.clone(), answer));
        }
        asked
    }

    /// A plane has answered.
    pub(super) fn verified(&mut self, plane: &PlaneId, found: Verified) {
        let number = found.number;
        self.verifying.questions.answered(plane, number, found);
    }
}
