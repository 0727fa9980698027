//! An object that stands where an orphan's stood: the same backup after a restore of the control plane. It takes the
//! record over, certificate and times included; nothing is backed up anew. Planes, tags and S3 go on to know the backup
//! by the uid that made it.

use super::{CoordinatorActor, objects::reference, orphans::is_at_rest, restart};
use crate::{
    actors::store::{Slot, Writer},
    ports::{EventKind, LedgerKey, Object, PortError, Ports, Published, Version},
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::Record,
    ids::BackupUid,
    request::{CleanPolicy, Request},
};
use std::sync::Arc;

enum Adoption {
    /// The record under its new name.
    Done(Box<Record>, Version),
    /// Its spec asks for another backup: other planes, or another place.
    Another,
}

impl CoordinatorActor {
    /// True: the object is not to be admitted, now or at all.
    pub(super) fn adopts(&mut self, object: &Object, ctx: &mut Context<Self>) -> bool {
        if self.adopting.contains(&object.uid) {
            return true;
        }
        if self.strangers.contains(&object.uid) {
            return false;
        }
        let has_begun = object.published.as_ref().is_some_and(Published::has_begun);
        // There are many such objects, and orphans hardly ever.
        if has_begun && self.orphans.is_empty() {
            return false;
        }
        let Some(from) = self.namesake(object) else { return false };
        if has_begun {
            // Another process may have taken the record over, and told it.
            return self.orphans.contains_key(&from) && !self.has_none(object, ctx);
        }
        // What runs goes on to its end first, what is unread is not known, and who is not missed is no orphan.
        let at_rest = self.ended.get(&from).is_some_and(|ended| is_at_rest(ended.summary.milestone));
        if !at_rest || !self.orphans.contains_key(&from) {
            return true;
        }
        let Ok(request) = object.request.clone() else { return false };
        self.adopt(from, object.clone(), request, ctx);
        true
    }

    /// The record of an earlier object of this name.
    fn namesake(&self, object: &Object) -> Option<BackupUid> {
        let is = |uid: &BackupUid, namespace: &str, name: &str| {
            *uid != object.uid
                && !self.objects.contains_key(uid)
                && !self.condemned.contains(uid)
                && (namespace, name) == (object.namespace.as_str(), object.name.as_str())
        };
        let live = self.views.iter().filter(|(_, view)| !view.record.deleting).find(|(uid, view)| {
            let request = &view.record.request;
            is(uid, &request.namespace, &request.name)
        });
        let ended = || self.ended.iter().find(|(uid, one)| is(uid, &one.summary.namespace, &one.summary.name));
        live.map(|(uid, _)| uid.clone()).or_else(|| ended().map(|(uid, _)| uid.clone()))
    }

    fn adopt(&mut self, from: BackupUid, object: Object, request: Request, ctx: &mut Context<Self>) {
        self.adopting.insert(object.uid.clone());
        let (ports, writer, uid) = (self.ports.clone(), self.writer.clone(), object.uid.clone());
        let taking = take_over(ports, writer, from.clone(), object, request);
        ctx.spawn(taking.into_actor(self).map(move |taken, actor, ctx| actor.adopted(&from, uid, taken, ctx)));
    }

    fn adopted(
        &mut self,
        from: &BackupUid,
        uid: BackupUid,
        taken: Result<Adoption, PortError>,
        ctx: &mut Context<Self>,
    ) {
        self.adopting.remove(&uid);
        match taken {
            Ok(Adoption::Done(record, version)) => {
                tracing::info!(%uid, %from, "an object took over the record of an earlier one");
                self.start_barrier(*record, Some(version), None, ctx);
                self.look_again(&uid, ctx);
            }
            Ok(Adoption::Another) => {
                tracing::warn!(%uid, %from, "an object has an orphan's name and another spec: it is a new backup");
                self.strangers.insert(uid.clone());
                self.look_again(&uid, ctx);
            }
            // Somebody deleted it: there is nothing to take over any more.
            Err(PortError::NotFound(what)) if what == missing(from) => {
                tracing::error!(%uid, %from, "the record that it was to take over is gone");
                self.is_no_more(from);
                self.look_again(&uid, ctx);
            }
            Err(error) => tracing::warn!(%error, %uid, "a record was not taken over; trying again at the next resync"),
        }
    }

    /// Nothing is kept under this name any more.
    pub(super) fn is_no_more(&mut self, from: &BackupUid) {
        self.ended.remove(from);
        self.outcomes.forget(from);
        self.no_orphan(from);
    }
}

async fn take_over(
    ports: Ports,
    writer: Writer,
    from: BackupUid,
    object: Object,
    request: Request,
) -> Result<Adoption, PortError> {
    let reference = reference(&object);
    let gone = || PortError::NotFound(missing(&from));
    let (record, version) = restart::read(ports.ledger.clone(), from.clone()).await?.ok_or_else(gone)?;
    if !is_same(&record.request, &request) {
        return Ok(Adoption::Another);
    }
    // First, as for a new one: it must not vanish unseen.
    ports.objects.add_finalizer(&reference).await?;
    let policy = record.request.clean_policy.safer(object.clean_policy.unwrap_or(CleanPolicy::Retain));
    let record = Arc::new(record.adopted_by(object.uid.clone(), policy));
    let mut slot = Slot::new(ports.ledger.clone(), LedgerKey::Record(object.uid.clone()), &writer, None);
    let (record, stored) = match slot.save(&record).await {
        Ok(()) => (record, slot.version().cloned().ok_or_else(gone)?),
        // A coordinator that was deposed, or this one without an answer, was quicker: what it saved counts.
        Err(error) => match restart::read(ports.ledger.clone(), object.uid).await? {
            Some((taken, version)) if taken.is_adopted_from(&from) => (Arc::new(taken), version),
            Some(_) | None => return Err(PortError::Unavailable(error.to_string())),
        },
    };
    // Broken off here, the next start finds both and drops the old name.
    if let Err(error) = ports.ledger.delete(&LedgerKey::Record(from.clone()), &version).await {
        tracing::warn!(%error, %from, "the old name of an adopted record was not removed; the next start does it");
    }
    let text = format!(
        "the backup of the earlier object {from} is this one's now: the same certificate, and nothing is backed up anew"
    );
    if let Err(error) = ports.objects.event(&reference, EventKind::Normal, "Adopted", &text).await {
        tracing::warn!(%error, "event was not written");
    }
    Ok(Adoption::Done(Box::new(Arc::unwrap_or_clone(record)), stored))
}

/// What is not found when the record itself is not.
fn missing(from: &BackupUid) -> String {
    format!("record of {from}")
}

/// The same planes and the same place: what this wish would write lies there already.
fn is_same(was: &Request, request: &Request) -> bool {
    let place = |request: &Request| {
        let storage = &request.storage;
        (storage.bucket.clone(), storage.path(), storage.endpoint.clone())
    };
    was.members == request.members && place(was) == place(request)
}
