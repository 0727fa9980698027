//! VolumeBackup objects: admission, refusal, deletion.

use super::{AsyncContext, CoordinatorActor, ended::last_word};
use crate::{
    actors::messages::{Known, ObjectSeen, ToBarrier},
    ports::{EventKind, Object, ObjectEvent, ObjectRef, PortError, Published, Status},
};
use actix::{Context, Handler, WrapFuture, fut::ActorFutureExt};
use shared::{barrier::Record, ids::BackupUid, reason::Refusal, request::Request};
use std::collections::BTreeMap;

impl CoordinatorActor {
    pub(super) fn consider(&mut self, object: Object, ctx: &mut Context<Self>) {
        let uid = object.uid.clone();
        // Its end is done, and this is an echo of it.
        if self.over.contains(&uid) {
            return self.release_object(&object, ctx);
        }
        self.no_orphan(&uid);
        if let Some(live) = self.barriers.get(&uid) {
            let addr = &live.addr;
            if !object.abandoned.is_empty() {
                self.tell(addr, ToBarrier::Abandon(object.abandoned.iter().cloned().collect()));
            }
            if !object.deleting && object.cancel {
                self.tell(addr, ToBarrier::Cancel);
            }
            // A coordinator that was deposed may have had the last word on the status; nothing else would correct it.
            let said = self.views.get(&uid).and_then(|view| last_word(view.record.milestone));
            if !object.deleting && said.is_some_and(|phase| phase != object.phase) {
                self.tell(addr, ToBarrier::Contradicted);
            }
            return self.guard(&object, ctx);
        }
        // It has a record: the object must not go, and no second record may be made. It is considered again when the
        // barrier is there. Once this process is to end, everything that it is not busy with is its successor's.
        let busy = self.again.contains(&uid) || self.starting.contains(&uid);
        if self.draining || busy || self.consider_ended(&object, ctx) {
            return;
        }
        if object.deleting {
            return self.guard(&object, ctx);
        }
        if !self.unreadable.contains_key(&uid) && !self.adopts(&object, ctx) {
            self.consider_new(&object, ctx);
        }
    }

    /// It has no record that this process knows of.
    fn consider_new(&mut self, object: &Object, ctx: &mut Context<Self>) {
        match object.published.clone().filter(Published::has_begun) {
            // The old manager's, or its record is lost: its deletion has to be seen, as long as it may have left something.
            Some(published) if published.has_ended() => {
                if published.phase != "Cleaned" {
                    self.guard(object, ctx);
                }
                return;
            }
            Some(published) => {
                if self.has_none(object, ctx) {
                    self.fail_without_record(object, &published, ctx);
                }
                return;
            }
            None => {}
        }
        match object.request.clone().and_then(|request| self.allowed.request(&request).map(|()| request)) {
            Err(refusal) => self.refuse(object, refusal, ctx),
            Ok(request) if self.holds_back(object, &request, ctx) => {}
            Ok(request) => self.admit(object, request, ctx),
        }
    }

    /// A deletion is looked into; an object that somebody took our finalizer from gets it back.
    pub(super) fn guard(&mut self, object: &Object, ctx: &mut Context<Self>) {
        if object.deleting {
            return self.deletion_seen(object, ctx);
        }
        if object.finalizer || !self.starting.insert(object.uid.clone()) {
            return;
        }
        let (objects, reference, uid) = (self.ports.objects.clone(), reference(object), object.uid.clone());
        let adding = async move { objects.add_finalizer(&reference).await };
        ctx.spawn(adding.into_actor(self).map(move |added, actor, _| {
            actor.starting.remove(&uid);
            match added {
                Ok(()) => tracing::warn!(%uid, "its finalizer was gone, and is put back"),
                Err(error) => tracing::warn!(%error, %uid, "finalizer was not put back; the resync tries again"),
            }
        }));
    }

    /// The finalizer first: an object that vanished in the middle would leave snapshots behind.
    pub(super) fn admit(&mut self, object: &Object, request: Request, ctx: &mut Context<Self>) {
        let uid = object.uid.clone();
        self.starting.insert(uid.clone());
        self.invalid.remove(&uid);
        let (objects, reference, has) = (self.ports.objects.clone(), reference(object), object.finalizer);
        let adding = async move { if has { Ok(()) } else { objects.add_finalizer(&reference).await } };
        ctx.spawn(adding.into_actor(self).map(move |added, actor, ctx| {
            actor.starting.remove(&uid);
            match added {
                Ok(()) => {
                    let record = Record::new(request, actor.clock.wall());
                    actor.start_barrier(record, None, None, ctx);
                }
                // The resync brings the object again.
                Err(error) => tracing::warn!(%error, %uid, "finalizer was not added; trying again at the next resync"),
            }
        }));
    }

    pub(super) fn refuse(&mut self, object: &Object, refusal: Refusal, ctx: &mut Context<Self>) {
        self.tell_once(|actor| &mut actor.invalid, "Invalid", refusal, object, ctx);
    }

    /// Writes a refusal into the object's status and says it in an event, unless `told` has it for this object already.
    /// Where a coordinator that was deposed had the last word on the phase, it is written again. True: it is new.
    pub(super) fn tell_once(
        &mut self,
        told: fn(&mut Self) -> &mut BTreeMap<BackupUid, Refusal>,
        phase: &'static str,
        refusal: Refusal,
        object: &Object,
        ctx: &mut Context<Self>,
    ) -> bool {
        let new = told(self).insert(object.uid.clone(), refusal.clone()).as_ref() != Some(&refusal);
        if !new && object.phase == phase {
            return false;
        }
        let (objects, reference, uid) = (self.ports.objects.clone(), reference(object), object.uid.clone());
        let telling = async move {
            objects.publish(&reference, &Status::Without(phase, refusal.clone())).await?;
            if new {
                objects.event(&reference, EventKind::Warning, refusal.reason.as_str(), &refusal.message).await?;
            }
            Ok::<_, PortError>(())
        };
        ctx.spawn(telling.into_actor(self).map(move |said, actor, _| {
            if let Err(error) = said {
                tracing::warn!(%error, %uid, "refusal was not written; trying again at the next resync");
                told(actor).remove(&uid);
            }
        }));
        new
    }

    pub(super) fn release_object(&self, object: &Object, ctx: &mut Context<Self>) {
        let (objects, reference) = (self.ports.objects.clone(), reference(object));
        let going = async move { objects.remove_finalizer(&reference).await };
        ctx.spawn(going.into_actor(self).map(|gone, _, _| {
            if let Err(error) = gone {
                tracing::warn!(%error, "finalizer was not removed; trying again at the next resync");
            }
        }));
    }

    /// Nobody was there, or nobody is any more, to hear what the object wants.
    pub(super) fn look_again(&mut self, uid: &BackupUid, ctx: &mut Context<Self>) {
        match self.objects.get(uid).cloned() {
            Some(object) => self.consider(object, ctx),
            None => drop(self.orphan(uid, ctx)),
        }
    }
}

pub(super) fn reference(object: &Object) -> ObjectRef {
    ObjectRef { uid: object.uid.clone(), namespace: object.namespace.clone(), name: object.name.clone() }
}

impl Handler<ObjectSeen> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, ObjectSeen(event): ObjectSeen, ctx: &mut Self::Context) {
        match event {
            ObjectEvent::Applied(object) => self.applied(*object, ctx),
            ObjectEvent::Gone(uid) => self.gone(&uid, ctx),
            ObjectEvent::Synced => {
                self.synced = true;
                self.standing.objects_listed();
                self.find_orphans(ctx);
            }
        }
    }
}

impl Handler<Known> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Known(known): Known, ctx: &mut Self::Context) {
        self.allowed.planes = known;
        if self.ready {
            self.tell_planes();
        }
        // What was refused may be right now.
        let refused = self.invalid.keys().filter_map(|uid| self.objects.get(uid)).cloned().collect::<Vec<_>>();
        for object in refused {
            self.consider(object, ctx);
        }
    }
}

impl CoordinatorActor {
    fn applied(&mut self, object: Object, ctx: &mut Context<Self>) {
        let name = (object.namespace.clone(), object.name.clone());
        // Two objects never have one name at a time: whichever is older has gone, whatever is told in which order.
        if let Some(other) = self.names.get(&name).filter(|other| **other != object.uid).cloned() {
            if self.objects.get(&other).is_some_and(|other| other.created > object.created) {
                return;
            }
            self.gone(&other, ctx);
        }
        self.names.insert(name, object.uid.clone());
        let before = self.objects.insert(object.uid.clone(), object.clone());
        if !self.ready {
            return;
        }
        if before.as_ref().is_some_and(|before| before.try_again != object.try_again) && !object.try_again.is_empty() {
            tracing::info!(uid = %object.uid, "a person says that what was refused is to be tried again");
            self.tell_backup(&object.uid, ToBarrier::TryAgain);
        }
        if before.is_some_and(|before| has_changed(&before, &object)) && self.has_record(&object.uid) {
            let text = "the spec was fixed when the backup started; this change has no effect (of cleanPolicy, the safer one counts at deletion)";
            self.tell_event(reference(&object), EventKind::Warning, "SpecFixed", text.to_owned(), ctx);
        }
        self.consider(object, ctx);
    }

    fn gone(&mut self, uid: &BackupUid, ctx: &mut Context<Self>) {
        if let Some(object) = self.objects.remove(uid) {
            let name = (object.namespace, object.name);
            if self.names.get(&name) == Some(uid) {
                self.names.remove(&name);
            }
        }
        self.invalid.remove(uid);
        self.said.remove(uid);
        self.none.remove(uid);
        self.strangers.remove(uid);
        self.deletions.forget(uid);
        self.drains.forget(uid);
        self.over.remove(uid);
        self.lost_object(uid, ctx);
    }

    /// One event that nothing waits for.
    pub(super) fn tell_event(
        &self,
        object: ObjectRef,
        kind: EventKind,
        reason: &'static str,
        text: String,
        ctx: &mut Context<Self>,
    ) {
        let objects = self.ports.objects.clone();
        let telling = async move { objects.event(&object, kind, reason, &text).await };
        ctx.spawn(telling.into_actor(self).map(|told, _, _| {
            if let Err(error) = told {
                tracing::warn!(%error, "event was not written");
            }
        }));
    }
}

/// In more than its clean policy, which counts when it is deleted.
fn has_changed(before: &Object, now: &Object) -> bool {
    match (&before.request, &now.request) {
        (Ok(before), Ok(now)) => Request { clean_policy: now.clean_policy, ..before.clone() } != *now,
        (before, now) => before.is_ok() != now.is_ok(),
    }
}
