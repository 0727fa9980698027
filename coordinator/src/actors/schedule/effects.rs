//! What the scheduler wants done, each as a future of its own that comes home as an input.

use super::{ScheduleActor, saving::Saving};
use crate::ports::{EventKind, ObjectRef, ScheduleRef};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    ids::BackupUid,
    retention::Why,
    schedule::{self, CreateResult, DeleteResult, Effect, Input, NewBackup, ScheduleKey, Status},
};
use shell::driver::Performer;
use std::time::Duration;
use tokio::time::timeout;

/// Limit of one creation or deletion: some calls of an API server, each of which has a limit of its own. The machine
/// waits for the answer, whatever it is.
const LIMIT: Duration = Duration::from_secs(10);
/// Status writes of one schedule are at least this far apart: while a coordinator that was deposed does not know it yet,
/// each of both sees what the other one wrote and writes its own again.
const PACE: Duration = Duration::from_millis(500);

impl ScheduleActor {
    pub(super) fn carry_out(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Create(new) => self.create(*new, ctx),
            Effect::Delete { key, name, uid, why } => self.delete(key, name, uid, &why, ctx),
            Effect::SaveStatus { key, status } => {
                if let Some(reference) = self.reference(&key) {
                    self.save(reference, *status, ctx);
                }
            }
            Effect::Event { key, kind, reason, message } => {
                if let Some(reference) = self.reference(&key) {
                    self.tell(reference, kind, reason, message, ctx);
                }
            }
        }
    }

    fn create(&self, new: NewBackup, ctx: &mut Context<Self>) {
        tracing::info!(namespace = new.key.namespace, schedule = new.key.name, backup = new.name, "a run begins");
        let port = self.ports.schedules.clone();
        let creating = async move {
            let created = timeout(LIMIT, port.create(&new)).await;
            let result = created.unwrap_or_else(|_| CreateResult::Unknown(format!("not done within {LIMIT:?}")));
            Input::Created { key: new.key, name: new.name, result }
        };
        ctx.spawn(creating.into_actor(self).map(|input, actor, ctx| actor.feed(input, ctx)));
    }

    /// The backup itself says why it goes: its finalizer keeps it, and its events, to be read.
    fn delete(&self, key: ScheduleKey, name: String, uid: BackupUid, why: &Why, ctx: &mut Context<Self>) {
        tracing::info!(namespace = key.namespace, schedule = key.name, backup = name, %why, "retention deletes");
        let (port, objects) = (self.ports.schedules.clone(), self.ports.objects.clone());
        let why = format!("retention of schedule {}: {why}", key.name);
        let deleting = async move {
            let deleted = timeout(LIMIT, port.delete(&key.namespace, &name, &uid)).await;
            let result = deleted.unwrap_or_else(|_| DeleteResult::Failed(format!("not done within {LIMIT:?}")));
            if result == DeleteResult::Deleted {
                let object = ObjectRef { uid, namespace: key.namespace.clone(), name: name.clone() };
                let told = timeout(LIMIT, objects.event(&object, EventKind::Normal, "Expired", &why)).await;
                if !matches!(told, Ok(Ok(()))) {
                    tracing::warn!(backup = name, "event of a deletion was not written");
                }
            }
            Input::Deleted { key, name, result }
        };
        ctx.spawn(deleting.into_actor(self).map(|input, actor, ctx| actor.feed(input, ctx)));
    }

    /// `None`: gone meanwhile.
    fn reference(&self, key: &ScheduleKey) -> Option<ScheduleRef> {
        Some(ScheduleRef { key: key.clone(), uid: self.uids.get(key)?.clone() })
    }

    fn save(&mut self, reference: ScheduleRef, status: Status, ctx: &mut Context<Self>) {
        if let Some(saving) = self.saving.get_mut(&reference.key) {
            saving.next = Some((reference, status));
            return;
        }
        self.saving.insert(reference.key.clone(), Saving::default());
        let port = self.ports.schedules.clone();
        let saving = async move {
            let saved = port.publish(&reference, &status).await;
            tokio::time::sleep(PACE).await;
            (reference.key, saved)
        };
        ctx.spawn(saving.into_actor(self).map(|(key, saved), actor, ctx| {
            if let Err(error) = saved {
                // The resync shows the old one, and the machine asks again.
                tracing::warn!(%error, schedule = key.name, "status of a schedule was not written");
            }
            if let Some((reference, status)) = actor.saving.remove(&key).and_then(|saving| saving.next) {
                actor.save(reference, status, ctx);
            }
        }));
    }

    /// Lost events are not repeated; the status holds the truth.
    fn tell(
        &self,
        reference: ScheduleRef,
        kind: schedule::EventKind,
        reason: &'static str,
        message: String,
        ctx: &mut Context<Self>,
    ) {
        let port = self.ports.schedules.clone();
        let kind = match kind {
            schedule::EventKind::Normal => EventKind::Normal,
            schedule::EventKind::Warning => EventKind::Warning,
        };
        let telling = async move { port.event(&reference, kind, reason, &message).await };
        ctx.spawn(telling.into_actor(self).map(|told, _, _| {
            if let Err(error) = told {
                tracing::warn!(%error, "event of a schedule was not written");
            }
        }));
    }
}
