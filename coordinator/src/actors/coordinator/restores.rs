//! VolumeRestores: admission, claims, sessions. Each has an actor of its own for as long as its record is there.

use super::{CoordinatorActor, known_restores::LiveRestore};
use crate::{
    actors::{
        restore::{Beginning, FromRestore, RestoreActor, ToRestore},
        store::Stored,
    },
    ports::{Entry, EventKind, LedgerKey, PortError, RestoreEvent, RestoreObject, RestoreStatus, Version},
};
use actix::{Actor, AsyncContext, Context, Handler, Message, WrapFuture, fut::ActorFutureExt};
use shared::{
    claims::{self, Want},
    ids::{PlaneId, RestoreUid},
    reason::{Reason, Refusal},
    restoring::{Record, Restoring},
    wire::{RestoreAnswer, Restored},
};
use shell::driver::Performer;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Before one that lost its record starts again: whoever wrote it was not deposed for nothing.
const AGAIN: Duration = Duration::from_secs(16);

/// The source saw something.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RestoreSeen(pub RestoreEvent);

impl CoordinatorActor {
    /// What the ledger holds of them, when this process begins to lead.
    pub(super) fn restores_read(&mut self, entries: Vec<Entry>, ctx: &mut Context<Self>) {
        for entry in entries {
            let LedgerKey::Restore(uid) = entry.key else { continue };
            match Stored::<Record>::parse(&entry.body) {
                Ok(stored) => self.start_restore(stored.body, Some(entry.version), ctx),
                Err(error) => {
                    tracing::error!(restore = %uid, error, "record of a restore cannot be read; it is left alone");
                    self.restores.unreadable.insert(uid);
                }
            }
        }
    }

    /// After the ledger was read, and every so often.
    pub(super) fn consider_restores(&mut self, ctx: &mut Context<Self>) {
        for object in self.restores.objects.values().cloned().collect::<Vec<_>>() {
            self.consider_restore(&object, ctx);
        }
        for (restore, live) in &self.restores.live {
            let sessions = self.channels_of(&live.planes);
            self.restores.tell(restore, ToRestore::Sessions(sessions));
        }
    }

    fn start_restore(&mut self, record: Record, version: Option<Version>, ctx: &mut Context<Self>) {
        let uid = record.request.restore.clone();
        if self.draining || self.restores.live.contains_key(&uid) {
            return;
        }
        let planes: BTreeSet<PlaneId> = record.planes.keys().cloned().collect();
        let name = format!("VolumeRestore {}/{}", record.request.namespace, record.request.name);
        self.restores.views.insert(uid.clone(), Arc::new(Restoring::new(record.clone()).view()));
        self.restores.incarnations += 1;
        let incarnation = self.restores.incarnations;
        let actor = RestoreActor::new(
            Beginning { record, version, incarnation },
            &self.writer,
            self.ports.clone(),
            self.clock.clone(),
            self.channels_of(&planes),
            ctx.address().recipient(),
        );
        self.feed(claims::Input::BarrierStarted { backup: uid.as_holder(), name }, ctx);
        self.restores.live.insert(uid, LiveRestore { addr: actor.start(), incarnation, planes });
    }

    fn consider_restore(&mut self, object: &RestoreObject, ctx: &mut Context<Self>) {
        let uid = &object.uid;
        if !self.ready || self.restores.busy.contains(uid) || self.restores.unreadable.contains(uid) {
            return;
        }
        if self.restores.live.contains_key(uid) {
            if object.deleting {
                self.restores.tell(uid, ToRestore::Delete(object.clean_policy));
            } else if object.cancel {
                self.restores.tell(uid, ToRestore::Cancel);
            }
            return;
        }
        if self.draining {
            return;
        }
        if object.deleting {
            return self.release_restore(object, ctx);
        }
        match object.request.clone().and_then(|request| self.allowed.restore(&request).map(|()| request)) {
            // Whoever wrote it, its record is gone, and with it what was made: nothing is begun a second time.
            _ if !matches!(object.phase.as_str(), "" | "Invalid") => {
                let text = format!("status.phase is {:?} and the ledger has no record of it", object.phase);
                if !matches!(object.phase.as_str(), "Complete" | "Failed") {
                    self.refuse_restore(object, "Failed", Refusal::new(Reason::RecordLost, text), ctx);
                }
            }
            Err(refusal) => self.refuse_restore(object, "Invalid", refusal, ctx),
            Ok(request) => {
                self.restores.refused.remove(uid);
                self.admit_restore(object, Record::new(request, self.clock.wall()), ctx);
            }
        }
    }

    /// The finalizer first: an object that vanished in the middle would leave volumes behind.
    fn admit_restore(&mut self, object: &RestoreObject, record: Record, ctx: &mut Context<Self>) {
        self.restores.busy.insert(object.uid.clone());
        let (restores, reference, has) = (self.ports.restores.clone(), object.reference(), object.finalizer);
        let adding = async move { if has { Ok(()) } else { restores.add_finalizer(&reference).await } };
        let uid = object.uid.clone();
        ctx.spawn(adding.into_actor(self).map(move |added, actor, ctx| {
            actor.restores.busy.remove(&uid);
            match added {
                Ok(()) => actor.start_restore(record, None, ctx),
                // The resync brings the object again.
                Err(error) => {
                    tracing::warn!(%error, restore = %uid, "finalizer was not added; trying again at the next resync")
                }
            }
        }));
    }

    fn release_restore(&self, object: &RestoreObject, ctx: &mut Context<Self>) {
        if !object.finalizer {
            return;
        }
        let (restores, reference) = (self.ports.restores.clone(), object.reference());
        let going = async move { restores.remove_finalizer(&reference).await };
        ctx.spawn(going.into_actor(self).map(|gone, _, _| {
            if let Err(error) = gone {
                tracing::warn!(%error, "finalizer was not removed; trying again at the next resync");
            }
        }));
    }

    fn refuse_restore(
        &mut self,
        object: &RestoreObject,
        phase: &'static str,
        refusal: Refusal,
        ctx: &mut Context<Self>,
    ) {
        let new = self.restores.refused.insert(object.uid.clone(), refusal.clone()).as_ref() != Some(&refusal);
        if !new && object.phase == phase {
            return;
        }
        let (restores, reference, uid) = (self.ports.restores.clone(), object.reference(), object.uid.clone());
        let telling = async move {
            restores.publish(&reference, &RestoreStatus::Without(phase, refusal.clone())).await?;
            if new {
                restores.event(&reference, EventKind::Warning, refusal.reason.as_str(), &refusal.message).await?;
            }
            Ok::<_, PortError>(())
        };
        ctx.spawn(telling.into_actor(self).map(move |said, actor, _| {
            if let Err(error) = said {
                tracing::warn!(%error, restore = %uid, "refusal was not written; trying again at the next resync");
                actor.restores.refused.remove(&uid);
            }
        }));
    }

    /// A plane has answered.
    pub(super) fn restored(&self, plane: &PlaneId, restored: Restored) {
        let Restored { restore, epoch, answer } = restored;
        let is_progress = matches!(answer, RestoreAnswer::Progress(_));
        if !self.restores.live.contains_key(&restore) {
            return;
        }
        let message = ToRestore::Answer { plane: plane.clone(), epoch, answer: Box::new(answer) };
        if !self.restores.tell(&restore, message)
            && !is_progress
            && let Some(session) = self.sessions.get(plane)
        {
            // What was lost is owed again on the next session.
            session.channel.close.notify_one();
        }
    }

    /// It lost its record: another process may have gone on with it.
    fn restore_again(&mut self, restore: RestoreUid, ctx: &mut Context<Self>) {
        self.restores.busy.insert(restore.clone());
        let ledger = self.ports.ledger.clone();
        let key = LedgerKey::Restore(restore.clone());
        let reading = async move {
            tokio::time::sleep(AGAIN).await;
            ledger.read(&key).await
        };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| {
            actor.restores.busy.remove(&restore);
            match read {
                Ok(Some(entry)) => actor.restores_read(vec![entry], ctx),
                // It never was saved: nothing was touched. The resync starts it again.
                Ok(None) => drop(actor.restores.views.remove(&restore)),
                Err(error) => {
                    tracing::warn!(%error, %restore, "record cannot be read; trying again");
                    actor.restore_again(restore, ctx);
                }
            }
        }));
    }
}

impl Handler<RestoreSeen> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, RestoreSeen(event): RestoreSeen, ctx: &mut Self::Context) {
        match event {
            RestoreEvent::Applied(object) => {
                let before = self.restores.objects.insert(object.uid.clone(), (*object).clone());
                let asked = before.is_some_and(|before| before.try_again != object.try_again);
                if asked && !object.try_again.is_empty() {
                    self.restores.tell(&object.uid, ToRestore::TryAgain);
                }
                self.consider_restore(&object, ctx);
            }
            RestoreEvent::Gone(uid) => {
                self.restores.refused.remove(&uid);
                // Somebody took the finalizer off: what was begun is undone, what has ended is forgotten.
                if let Some(object) = self.restores.objects.remove(&uid) {
                    self.restores.tell(&uid, ToRestore::Delete(object.clean_policy));
                }
            }
            RestoreEvent::Synced => {}
        }
    }
}

impl Handler<FromRestore> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, message: FromRestore, ctx: &mut Self::Context) {
        match message {
            FromRestore::WantClaim { restore, incarnation, cluster, floor } => {
                if self.restores.live.get(&restore).is_some_and(|live| live.incarnation == incarnation) {
                    let want = Want { backup: restore.as_holder(), attempt: 1, cluster, floor };
                    self.feed(claims::Input::Wanted(want), ctx);
                }
            }
            FromRestore::GiveClaim { restore, cluster } => {
                self.feed(claims::Input::GivenBack { backup: restore.as_holder(), cluster }, ctx);
            }
            FromRestore::Saved(restore) => self.feed(claims::Input::BarrierSaved(restore.as_holder()), ctx),
            FromRestore::ViewChanged(view) => {
                let restore = view.record.request.restore.clone();
                if self.restores.live.contains_key(&restore) {
                    self.restores.views.insert(restore, view);
                }
            }
            FromRestore::Over { restore, incarnation, gone, past } => {
                if self.restores.live.get(&restore).is_none_or(|live| live.incarnation != incarnation) {
                    return;
                }
                self.restores.live.remove(&restore);
                self.restores.pasts.keep(restore.clone(), past);
                self.feed(claims::Input::BarrierEnded { backup: restore.as_holder(), deleted: gone }, ctx);
                if gone {
                    self.restores.views.remove(&restore);
                } else if !self.draining {
                    self.restore_again(restore, ctx);
                }
                self.look_for_the_end();
            }
        }
    }
}
