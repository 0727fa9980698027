//! A deletionTimestamp is on an object. Was it a person (or a schedule), or does the CRD or the whole namespace go, and
//! takes every object with it? Then nobody said a word about the backups: the object is let go, AWS is not touched, and
//! the record becomes an orphan.

use super::{AsyncContext, CoordinatorActor, deletions::Cause, objects::reference};
use crate::{
    actors::messages::ToBarrier,
    ports::{EventKind, Object, PortError, Teardown},
};
use actix::{Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    ids::BackupUid,
    reason::{Reason, Refusal},
    request::CleanPolicy,
};
use std::{collections::BTreeSet, time::Duration};

/// Where the cause of a deletion may not be read: how long its neighbours are waited for, which a teardown deletes too.
const TOGETHER: Duration = Duration::from_secs(5);

impl CoordinatorActor {
    /// Acts at once where the cause is known.
    pub(super) fn deletion_seen(&mut self, object: &Object, ctx: &mut Context<Self>) {
        if let Some(cause) = self.deletions.causes.get(&object.uid).cloned() {
            return self.act_on(object, &cause, ctx);
        }
        let namespace = object.namespace.clone();
        self.deletions.unasked.entry(namespace.clone()).or_default().insert(object.uid.clone());
        self.ask_cause(namespace, ctx);
    }

    /// One question at a time and namespace, for all that was deleted there before it.
    fn ask_cause(&mut self, namespace: String, ctx: &mut Context<Self>) {
        if self.deletions.asking.contains(&namespace) {
            return;
        }
        let Some(about) = self.deletions.unasked.remove(&namespace) else { return };
        self.deletions.asking.insert(namespace.clone());
        let (objects, of) = (self.ports.objects.clone(), namespace.clone());
        let asking = async move { objects.teardown(&of).await };
        ctx.spawn(asking.into_actor(self).map(move |answer, actor, ctx| {
            actor.deletions.asking.remove(&namespace);
            actor.cause_told(&namespace, about, answer, ctx);
            actor.ask_cause(namespace, ctx);
        }));
    }

    fn cause_told(
        &mut self,
        namespace: &str,
        about: BTreeSet<BackupUid>,
        answer: Result<Teardown, PortError>,
        ctx: &mut Context<Self>,
    ) {
        match answer {
            Ok(Teardown::None) => self.judge_those_there(about, ctx),
            Ok(Teardown::Of(what)) => self.judge_all(about, &Cause::Torn(what), ctx),
            Ok(Teardown::Unknown(why)) => {
                let namespace = namespace.to_owned();
                ctx.run_later(TOGETHER, move |actor, ctx| actor.judge_by_number(&namespace, about, &why, ctx));
            }
            Err(error) => tracing::warn!(%error, "why objects are deleted cannot be read; the resync asks again"),
        }
    }

    /// Another process may have let one go that was torn down, and what it lived in may be there anew.
    fn judge_those_there(&self, about: BTreeSet<BackupUid>, ctx: &mut Context<Self>) {
        for object in about.iter().filter_map(|uid| self.objects.get(uid)).filter(|object| object.deleting) {
            let (objects, of) = (self.ports.objects.clone(), reference(object));
            let asking = async move { (objects.is_there(&of).await, of.uid) };
            ctx.spawn(asking.into_actor(self).map(|(there, uid), actor, ctx| match there {
                Ok(true) => actor.judge_all(BTreeSet::from([uid]), &Cause::Own, ctx),
                Ok(false) => tracing::warn!(%uid, "a deleted object is gone, and nobody knows why: its record is kept"),
                Err(error) => tracing::warn!(%error, %uid, "a deleted object cannot be read; the resync asks again"),
            }));
        }
    }

    fn judge_all(&mut self, about: BTreeSet<BackupUid>, cause: &Cause, ctx: &mut Context<Self>) {
        for uid in about {
            let Some(object) = self.objects.get(&uid).filter(|object| object.deleting).cloned() else { continue };
            self.deletions.causes.insert(uid, cause.clone());
            self.act_on(&object, cause, ctx);
        }
    }

    /// Nobody may tell us. One object of several is a person's deletion; all of them at once may be anything, and an
    /// object that stays can still be deleted later.
    fn judge_by_number(&mut self, namespace: &str, about: BTreeSet<BackupUid>, why: &str, ctx: &mut Context<Self>) {
        let there = || self.objects.values().filter(|object| object.namespace == namespace);
        if there().count() < 2 || there().any(|object| !object.deleting) {
            return self.judge_all(about, &Cause::Own, ctx);
        }
        for uid in about {
            if let Some(object) = self.objects.get(&uid).filter(|object| object.finalizer).cloned() {
                let text = format!(
                    "all VolumeBackups of {namespace} are being deleted at once, and the cause cannot be read ({why}): nothing is touched"
                );
                self.keep(&object, Refusal::new(Reason::DeletionUnclear, text), ctx);
            }
        }
    }

    fn act_on(&mut self, object: &Object, cause: &Cause, ctx: &mut Context<Self>) {
        let Cause::Torn(what) = cause else { return self.delete(object, ctx) };
        if !object.finalizer {
            return;
        }
        if self.has_record(&object.uid) {
            let text = format!(
                "{what}: the object is let go, its snapshots and files stay; see `coordinator console orphans`"
            );
            self.tell_event(reference(object), EventKind::Warning, "LetGo", text, ctx);
        }
        self.release_object(object, ctx);
    }

    /// Somebody deleted this very object.
    fn delete(&mut self, object: &Object, ctx: &mut Context<Self>) {
        let policy = object.clean_policy.unwrap_or(CleanPolicy::Delete);
        if self.tell_backup(&object.uid, ToBarrier::Delete(policy)) || self.again.contains(&object.uid) {
            return;
        }
        // It is considered again when its barrier is there.
        if self.ended.contains_key(&object.uid) {
            self.wake(object.uid.clone(), ctx);
        } else if object.finalizer && !self.barriers.contains_key(&object.uid) {
            self.delete_without_record(object, ctx);
        }
    }
}
