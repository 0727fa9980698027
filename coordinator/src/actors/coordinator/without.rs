//! Objects without a record that can be read: backups of the old manager, a ledger that was lost in part, a record of a
//! newer version. What is not known to be gone is cleaned by tags and `backupmeta`, or the object stays and says why.

use super::{AsyncContext, CoordinatorActor, reading::Cause, restart};
use crate::{
    actors::store::Slot,
    ports::{By, LedgerKey, Object, PortError, Published, PublishedRow},
};
use actix::{Context, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Adopted, PlaneRecord, Record},
    reason::{Reason, Refusal},
    request::{CleanPolicy, Request},
    time::Timestamp,
    wire::CleanReport,
};
use std::sync::Arc;

/// What becomes of an object that is deleted.
#[derive(Debug)]
pub(super) enum End {
    /// Nothing of it has to go.
    Release,
    /// This has to be carried out first.
    Clean(Box<Record>),
    /// It cannot be known what has to go.
    Keep(Refusal),
}

impl CoordinatorActor {
    /// True: the ledger was asked for a record of this object, and has none. What is in memory may be older.
    pub(super) fn has_none(&mut self, object: &Object, ctx: &mut Context<Self>) -> bool {
        let uid = object.uid.clone();
        if self.none.contains(&uid) {
            return true;
        }
        if !self.asked.insert(uid.clone()) {
            return false;
        }
        let (ledger, reads, of) = (self.ports.ledger.clone(), self.reads.clone(), uid.clone());
        let reading = async move {
            // Nobody closes it.
            let _one = reads.acquire().await;
            ledger.read(&LedgerKey::Record(of)).await
        };
        ctx.spawn(reading.into_actor(self).map(move |read, actor, ctx| {
            actor.asked.remove(&uid);
            match read {
                Ok(None) => drop(actor.none.insert(uid.clone())),
                Ok(Some(entry)) => match restart::parse(&entry.body) {
                    Ok(record) if !actor.has_record(&uid) => {
                        return actor.found_again(uid, record, entry.version, Cause::default(), ctx);
                    }
                    Ok(_) => {}
                    Err(error) => drop(actor.unreadable.insert(uid.clone(), error)),
                },
                Err(error) => {
                    tracing::warn!(%error, %uid, "record cannot be read; the resync asks again");
                    return;
                }
            }
            if let Some(object) = actor.objects.get(&uid).cloned() {
                actor.consider(object, ctx);
            }
        }));
        false
    }

    /// It began, did not end, and nobody has a record of it: never begun anew over what is there.
    pub(super) fn fail_without_record(&mut self, object: &Object, published: &Published, ctx: &mut Context<Self>) {
        let phase = &published.phase;
        let refusal = match published.by {
            By::OldManager => Refusal::new(
                Reason::LeftByOldManager,
                format!("the old manager left it in phase {phase}; its rows and files stay as they are"),
            ),
            By::Us { .. } => {
                Refusal::new(Reason::RecordLost, format!("it was in phase {phase}, and the ledger has no record of it"))
            }
        };
        self.say_without("Failed", object, refusal, ctx);
    }

    /// The object stays, and says why.
    pub(super) fn keep(&mut self, object: &Object, refusal: Refusal, ctx: &mut Context<Self>) {
        self.say_without("CleanFailed", object, refusal, ctx);
    }

    fn say_without(&mut self, phase: &'static str, object: &Object, refusal: Refusal, ctx: &mut Context<Self>) {
        if self.tell_once(|actor| &mut actor.said, phase, refusal.clone(), object, ctx) {
            tracing::warn!(uid = %object.uid, phase, %refusal, "an object without a record");
        }
    }

    pub(super) fn delete_without_record(&mut self, object: &Object, ctx: &mut Context<Self>) {
        if let Some(error) = self.unreadable.get(&object.uid) {
            let refusal = Refusal::new(Reason::RecordUnreadable, format!("nothing is deleted: {error}"));
            return self.keep(object, refusal, ctx);
        }
        if !self.has_none(object, ctx) {
            return;
        }
        match end(object, self.clock.wall()) {
            End::Release => self.release_object(object, ctx),
            End::Keep(refusal) => self.keep(object, refusal, ctx),
            End::Clean(record) => self.clean_without_record(*record, ctx),
        }
    }

    /// Saved first, so that nothing is sent that no record stands for.
    fn clean_without_record(&mut self, record: Record, ctx: &mut Context<Self>) {
        let uid = record.key().clone();
        if !self.starting.insert(uid.clone()) {
            return;
        }
        tracing::warn!(%uid, old_manager = record.old_manager, "cleaning a backup that has no record");
        let mut slot = Slot::new(self.ports.ledger.clone(), LedgerKey::Record(uid.clone()), &self.writer, None);
        let saving = async move {
            let record = Arc::new(record);
            slot.save(&record).await.map_err(|error| PortError::Unavailable(error.to_string()))?;
            Ok::<_, PortError>((Arc::unwrap_or_clone(record), slot.version().cloned()))
        };
        ctx.spawn(saving.into_actor(self).map(move |saved, actor, ctx| {
            actor.starting.remove(&uid);
            actor.none.remove(&uid);
            match saved {
                Ok((record, version)) => actor.start_barrier(record, version, None, ctx),
                Err(error) => tracing::warn!(%error, %uid, "record was not saved; trying again at the next resync"),
            }
        }));
    }
}

/// What becomes of an object that is deleted and has no record.
pub(super) fn end(object: &Object, now: Timestamp) -> End {
    let Some(published) = object.published.as_ref().filter(|published| published.has_begun()) else {
        return End::Release;
    };
    let keep = |text: String| End::Keep(Refusal::new(Reason::CleanFailed, text));
    if published.phase == "Cleaned" {
        return End::Release;
    }
    let placed: Vec<&PublishedRow> = published.rows.iter().filter(|row| !row.path.is_empty()).collect();
    if published.by == By::OldManager && placed.is_empty() {
        // It writes the path of a plane before it touches anything there.
        return End::Release;
    }
    if !published.rows.is_empty() && published.rows.iter().all(|row| object.abandoned.contains(&row.plane)) {
        return End::Release;
    }
    let good = published.phase == "Complete"
        || (published.phase == "CleanFailed"
            && (published.certified || (!published.rows.is_empty() && published.rows.iter().all(|row| row.complete))));
    match object.clean_policy {
        None => return keep("it has no record, and spec.template.cleanPolicy cannot be read".to_owned()),
        Some(CleanPolicy::Retain) => return End::Release,
        Some(CleanPolicy::OnFailure) if good => return End::Release,
        Some(CleanPolicy::OnFailure | CleanPolicy::Delete) => {}
    }
    let request = match &object.request {
        Ok(request) => request.clone(),
        Err(refusal) => return keep(format!("it has no record, and its spec cannot be used: {}", refusal.message)),
    };
    for row in &placed {
        let rule = request.storage.of_plane(&row.plane).path();
        if request.member(&row.plane).is_none() || rule != row.path {
            return keep(format!(
                "its files lie in {}, which is not where its spec has them for {}: give it the spec that it was made with",
                row.path, row.plane
            ));
        }
    }
    End::Clean(Box::new(record(object, published, request, now)))
}

fn record(object: &Object, published: &Published, mut request: Request, now: Timestamp) -> Record {
    let by_us = match &published.by {
        By::Us { backup } => Some(backup.clone()),
        By::OldManager => None,
    };
    request.backup = by_us.clone().unwrap_or_else(|| object.uid.clone());
    let mut record = Record::to_clean(request, published.attempt, now);
    record.times.started = published.started;
    record.times.completed = published.completed.filter(|_| published.has_ended());
    if record.request.backup != object.uid {
        record.adopted = Some(Adopted { object: object.uid.clone(), from: object.uid.clone() });
    }
    record.old_manager = by_us.is_none();
    if record.old_manager {
        for (plane, kept) in &mut record.planes {
            let row = published.rows.iter().find(|row| row.plane == *plane && !row.path.is_empty());
            *kept = PlaneRecord {
                least_safe_ts: row.and_then(|row| row.commit_ts),
                completed_bytes: row.filter(|row| row.complete).map(|row| row.bytes),
                cleaned: row.is_none().then(CleanReport::default),
                ..PlaneRecord::default()
            };
        }
    }
    record
}

#[cfg(test)]
mod tests;
