//! VolumeBackup objects: admission, refusal, deletion.

use super::{AsyncContext, CoordinatorActor, ended::last_word};
use crate::{
    actors::{
        messages::{Known, ObjectSeen, ToBarrier},
        planes::unknown_planes,
    },
    ports::{EventKind, Object, ObjectEvent, ObjectRef, Status},
};
use actix::{Context, Handler, WrapFuture, fut::ActorFutureExt};
use shared::{barrier::Record, ids::BackupUid, reason::Refusal, request::Request};

impl CoordinatorActor {
    pub(super) fn consider(&mut self, object: Object, ctx: &mut Context<Self>) {
        let uid = object.uid.clone();
        if let Some(live) = self.barriers.get(&uid) {
            let addr = &live.addr;
            if !object.abandoned.is_empty() {
                self.tell(addr, ToBarrier::Abandon(object.abandoned.iter().cloned().collect()));
            }
            if object.deleting {
                self.tell(addr, ToBarrier::Delete);
            } else if object.cancel {
                self.tell(addr, ToBarrier::Cancel);
            }
            // A coordinator that was deposed may have had the last word on the status; nothing else would correct it.
            let said = self.views.get(&uid).and_then(|view| last_word(view.record.stage));
            if !object.deleting && said.is_some_and(|phase| phase != object.phase) {
                self.tell(addr, ToBarrier::Contradicted);
            }
            return;
        }
        // It has a record: the object must not go, and no second record may be made. It is considered again when the
        // barrier is there. Once this process is to end, everything that it is not busy with is its successor's.
        if self.draining || self.again.contains(&uid) || self.consider_ended(&object, ctx) {
            return;
        }
        if object.deleting {
            if object.finalizer {
                self.release_object(&object, ctx);
            }
            return;
        }
        if is_finished(&object.phase) || self.starting.contains(&uid) {
            return;
        }
        match object.wish.clone().and_then(|wish| self.check_planes(&wish).map(|()| wish)) {
            Err(refusal) => self.refuse(&object, refusal, ctx),
            Ok(wish) => self.admit(&object, wish, ctx),
        }
    }

    fn check_planes(&self, wish: &Request) -> Result<(), Refusal> {
        unknown_planes(&self.known, wish.members.iter().map(|member| &member.plane), "spec.clusters")
            .map_or(Ok(()), Err)
    }

    /// The finalizer first: an object that vanished in the middle would leave snapshots behind.
    pub(super) fn admit(&mut self, object: &Object, wish: Request, ctx: &mut Context<Self>) {
        let uid = object.uid.clone();
        self.starting.insert(uid.clone());
        self.invalid.remove(&uid);
        let (objects, reference, has) = (self.ports.objects.clone(), reference(object), object.finalizer);
        let adding = async move { if has { Ok(()) } else { objects.add_finalizer(&reference).await } };
        ctx.spawn(adding.into_actor(self).map(move |added, actor, ctx| {
            actor.starting.remove(&uid);
            match added {
                Ok(()) => {
                    let record = Record::new(wish, actor.clock.wall());
                    actor.start_barrier(record, None, ctx);
                }
                // The resync brings the object again.
                Err(error) => tracing::warn!(%error, %uid, "finalizer was not added; trying again at the next resync"),
            }
        }));
    }

    pub(super) fn refuse(&mut self, object: &Object, refusal: Refusal, ctx: &mut Context<Self>) {
        if self.invalid.get(&object.uid) == Some(&refusal) {
            return;
        }
        self.invalid.insert(object.uid.clone(), refusal.clone());
        let (objects, reference, uid) = (self.ports.objects.clone(), reference(object), object.uid.clone());
        let telling = async move {
            objects.publish(&reference, &Status::Invalid(refusal.clone())).await?;
            objects.event(&reference, EventKind::Warning, refusal.reason.as_str(), &refusal.message).await
        };
        ctx.spawn(telling.into_actor(self).map(move |told, actor, _| {
            if let Err(error) = told {
                tracing::warn!(%error, %uid, "refusal was not written; trying again at the next resync");
                actor.invalid.remove(&uid);
            }
        }));
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

    /// A record whose object is gone is a deletion.
    pub(super) fn end_orphans(&mut self, ctx: &mut Context<Self>) {
        let (live, ended) = (self.barriers.keys(), self.ended.keys());
        let without = live.chain(ended).filter(|uid| !self.objects.contains_key(*uid));
        for uid in without.cloned().collect::<Vec<_>>() {
            self.end_orphan(&uid, ctx);
        }
    }

    /// A backup that had ended is told when its barrier is there.
    fn end_orphan(&mut self, uid: &BackupUid, ctx: &mut Context<Self>) {
        if self.ready && self.synced && !self.tell_backup(uid, ToBarrier::Delete) {
            self.wake(uid.clone(), ctx);
        }
    }

    /// Nobody was there, or nobody is any more, to hear what the object wants.
    pub(super) fn look_again(&mut self, uid: &BackupUid, ctx: &mut Context<Self>) {
        match self.objects.get(uid).cloned() {
            Some(object) => self.consider(object, ctx),
            None => self.end_orphan(uid, ctx),
        }
    }
}

/// Phases after which the old manager never touched an object again; without a record of ours, neither do we.
fn is_finished(phase: &str) -> bool {
    matches!(phase, "Complete" | "Failed" | "Cleaned")
}

fn reference(object: &Object) -> ObjectRef {
    ObjectRef { uid: object.uid.clone(), namespace: object.namespace.clone(), name: object.name.clone() }
}

impl Handler<ObjectSeen> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, ObjectSeen(event): ObjectSeen, ctx: &mut Self::Context) {
        match event {
            ObjectEvent::Applied(object) => {
                self.objects.insert(object.uid.clone(), (*object).clone());
                if self.ready {
                    self.consider(*object, ctx);
                }
            }
            ObjectEvent::Gone(uid) => {
                self.objects.remove(&uid);
                self.invalid.remove(&uid);
                if !self.tell_backup(&uid, ToBarrier::Delete) {
                    self.wake(uid, ctx);
                }
            }
            ObjectEvent::Synced => {
                self.synced = true;
                self.standing.objects_listed();
                self.end_orphans(ctx);
            }
        }
    }
}

impl Handler<Known> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Known(known): Known, ctx: &mut Self::Context) {
        self.known = known;
        // What was refused may be right now.
        let refused = self.invalid.keys().filter_map(|uid| self.objects.get(uid)).cloned().collect::<Vec<_>>();
        for object in refused {
            self.consider(object, ctx);
        }
    }
}
