//! Admins' questions: answered from memory, and of a backup that has ended from its record.

use super::{CoordinatorActor, restart};
use crate::{
    actors::messages::Ask,
    actors::messages::ToBarrier,
    console::{self, Answered, PlaneSeen, Question, Snapshot},
    ports::{AdminCall, EventKind, ObjectRef},
};
use actix::{AsyncContext, Context, Handler, WrapFuture, fut::ActorFutureExt};
use serde_json::json;
use shared::{
    barrier::{Barrier, Input, Record, View},
    ids::{BackupUid, PlaneId},
    machine::Machine,
};
use shell::expiry::days_left;
use std::collections::BTreeMap;

impl CoordinatorActor {
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            ready: self.ready,
            now: self.clock.at(),
            prices: self.prices.clone(),
            planes: self.planes(),
            views: self.views.values().map(AsRef::as_ref).collect(),
            ended: self.summaries(),
            drains: self.drains_seen(),
            waiting: self.waiting(),
            orphans: self.orphan_rows(),
            invalid: self
                .invalid
                .iter()
                .filter_map(|(uid, why)| self.objects.get(uid).map(|object| (object, why)))
                .collect(),
            claims: self
                .claims
                .machine()
                .held()
                .map(|(claim, live)| (claim.cluster, claim.epoch, live.backup.clone()))
                .collect(),
        }
    }

    /// Those that may be named, and those that still have a session.
    fn planes(&self) -> Vec<PlaneSeen<'_>> {
        let known = self.allowed.planes.iter().map(|name| (name.as_str(), None));
        let connected = self.sessions.iter().map(|(name, session)| {
            (name.as_str(), Some((session.hello.version.as_str(), session.generation, session.over)))
        });
        let all: BTreeMap<_, _> = known.chain(connected).collect();
        let last_seen = |name: &str| self.last_seen.get(&PlaneId::from(name)).copied();
        let until = |name: &str| self.sessions.get(&PlaneId::from(name)).and_then(|session| session.until);
        let ends = |name: &str| until(name).map(|end| (end, days_left(end, self.clock.wall())));
        all.into_iter()
            .map(|(name, session)| PlaneSeen { name, session, last_seen: last_seen(name), ends: ends(name) })
            .collect()
    }

    /// The question is about a backup that has ended: its record is read first, and nobody waits for that but the admin.
    fn read_then_answer(&self, backup: BackupUid, question: Question, call: AdminCall, ctx: &mut Context<Self>) {
        let (ledger, reads) = (self.ports.ledger.clone(), self.reads.clone());
        let reading = async move {
            // Nobody closes it.
            let _one = reads.acquire().await;
            restart::read(ledger, backup).await
        };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, _| {
            let text = match read {
                Ok(Some((record, _))) => {
                    let view = actor.view_of(record);
                    let mut snapshot = actor.snapshot();
                    snapshot.ended.retain(|ended| ended.backup != *view.record.key());
                    snapshot.views.retain(|live| live.record.key() != view.record.key());
                    snapshot.views.push(&view);
                    console::text(&console::answer(&snapshot, &call.who, &question))
                }
                Ok(None) => console::no_answer("its record is gone".to_owned()),
                Err(error) => console::no_answer(format!("its record cannot be read: {error}")),
            };
            reply(&call, text);
        }));
    }

    /// A person's word: as if the object were annotated, but only as long as this process lives; what is saved then stays.
    fn cancel(&mut self, uid: &BackupUid, who: &str, ctx: &mut Context<Self>) -> Answered {
        let told = self.barriers.get(uid).is_some_and(|live| self.tell(&live.addr, ToBarrier::Cancel));
        let Some(view) = self.views.get(uid).filter(|_| told) else {
            return Answered::Error("its barrier is not to be reached; ask again in a moment".to_owned());
        };
        let request = &view.record.request;
        let (namespace, name) = (request.namespace.clone(), request.name.clone());
        tracing::warn!(backup = %uid, namespace, name, who, "a person cancels a backup");
        let answer = json!({ "cancelling": format!("{namespace}/{name}"), "uid": uid, "step": view.phase });
        let object = ObjectRef { uid: uid.clone(), namespace, name };
        self.tell_event(object, EventKind::Normal, "Cancelling", format!("{who} cancelled it on the console"), ctx);
        Answered::Ok(answer)
    }

    /// What this process logs; another filter counts until it ends.
    fn log_level(&self, wanted: Option<&str>, who: &str) -> Answered {
        let logs = &self.ports.logs;
        let changed = wanted.map_or(Ok(()), |wanted| logs.set_filter(wanted));
        if let (Some(filter), Ok(())) = (wanted, &changed) {
            tracing::warn!(who, filter, "a person changes what is logged");
        }
        match changed.and_then(|()| logs.filter()) {
            Ok(filter) => Answered::Ok(json!({ "filter": filter })),
            Err(error) => Answered::Error(error),
        }
    }

    /// As its barrier would show it, if there were one.
    fn view_of(&self, record: Record) -> View {
        let now = self.clock.now();
        let mut machine = Barrier::new(record);
        for plane in self.sessions.keys() {
            // Nothing of it is carried out.
            drop(machine.step(now, Input::PlaneUp(plane.clone())));
        }
        machine.view()
    }
}

pub(super) fn reply(call: &AdminCall, text: String) {
    // An admin who does not read has gone.
    let _ = call.reply.try_send(text.into());
}

impl Handler<Ask> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Ask(call): Ask, ctx: &mut Self::Context) {
        let question = match console::question(&call.body) {
            Ok(question) => question,
            Err(why) => return reply(&call, console::no_answer(why)),
        };
        if let Some(why) = question.not_allowed(call.role, &call.who) {
            return reply(&call, console::no_answer(why));
        }
        if let Question::Check { name } = &question {
            return self.check(name.as_deref(), call, ctx);
        }
        if let Question::Verify { name } = &question {
            return self.verify(name, call, ctx);
        }
        if let Question::RestorePlan { name, options } = question {
            return self.plan_restore(&name, options, call, ctx);
        }
        if let Question::Diagnose { name } = &question {
            return self.diagnose(name.as_deref(), call, ctx);
        }
        if let Question::DiagnosePlanes { name, after } = &question {
            return self.diagnose_planes(name.as_deref(), after, call, ctx);
        }
        if let Question::Apply { manifest } = question {
            return self.apply_as_told(manifest, call, ctx);
        }
        if let Question::Delete { kind, name } = &question {
            return self.delete_as_told(kind, name, call, ctx);
        }
        if let Question::Orphans { delete, planes: true } = &question
            && delete.as_ref().is_none_or(|uid| !self.orphans.contains_key(&BackupUid::new(uid)))
        {
            return self.scan(delete.as_ref().map(BackupUid::new), call, ctx);
        }
        let answered = match &question {
            Question::LogLevel { filter } => self.log_level(filter.as_deref(), &call.who),
            Question::Drain { plane, length, because } => {
                self.drain(plane.as_deref(), *length, because, &call.who, ctx)
            }
            Question::Release { plane } => self.release(plane.as_deref(), &call.who, ctx),
            Question::Orphans { delete: Some(uid), .. } => self.delete_orphan(uid, &call.who, ctx),
            Question::Restores { name } => self.restores.answer(self.ready, name.as_deref()),
            Question::Cancel { name } => match console::backup_to_cancel(&self.snapshot(), name) {
                Ok(uid) => self.cancel(&uid, &call.who, ctx),
                Err(why) => self.restores.cancel(name, &call.who).unwrap_or(Answered::Error(why)),
            },
            _ => {
                let snapshot = self.snapshot();
                if let Some(backup) = console::about_ended(&snapshot, &question) {
                    return self.read_then_answer(backup, question, call, ctx);
                }
                console::answer(&snapshot, &call.who, &question)
            }
        };
        reply(&call, console::text(&answered));
    }
}
