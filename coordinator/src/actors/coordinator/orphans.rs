//! Records whose object is gone although nobody deleted it: a control plane that was restored or moved, a CRD or a
//! namespace that went, a finalizer that was taken off. Everything is kept; an object of the same name takes the record
//! over (`adopting`), or a person says that it may go.

use super::{AGAIN, CoordinatorActor};
use crate::{
    actors::messages::{Ended, ToBarrier},
    console::{Answered, Orphan},
    ports::{EventKind, LedgerKey, ObjectRef, Version},
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use serde_json::json;
use shared::{
    barrier::{Milestone, Summary},
    ids::BackupUid,
    request::CleanPolicy,
    time::Timestamp,
};
use std::collections::BTreeSet;

/// Orphans that get a line in the log when many are found at once; the others are counted.
const NAMED: usize = 20;

impl CoordinatorActor {
    /// Who has no object. Asked once everything has been seen, and after the backup's actor came or went.
    pub(super) fn find_orphans(&mut self, ctx: &mut Context<Self>) {
        let (live, ended) = (self.barriers.keys(), self.ended.keys());
        let without = live.chain(ended).filter(|uid| !self.objects.contains_key(*uid));
        for uid in without.cloned().collect::<Vec<_>>() {
            self.orphan(&uid, ctx);
        }
    }

    /// The object is gone for good; whether it was deleted, the record knows.
    pub(super) fn lost_object(&mut self, uid: &BackupUid, ctx: &mut Context<Self>) {
        if self.orphan(uid, ctx)
            && let Some(summary) = self.remembered(uid)
        {
            let object = ObjectRef { uid: uid.clone(), namespace: summary.namespace, name: summary.name };
            let text = "its record and all that it keeps stay; see `coordinator console orphans`";
            self.tell_event(object, EventKind::Warning, "Orphaned", text.to_owned(), ctx);
        }
    }

    /// True: it became an orphan just now.
    pub(super) fn orphan(&mut self, uid: &BackupUid, ctx: &mut Context<Self>) -> bool {
        if !(self.ready && self.synced) || self.objects.contains_key(uid) {
            return false;
        }
        let Some(summary) = self.remembered(uid) else { return false };
        // Its deletion was seen, and goes on to its end.
        if self.views.get(uid).is_some_and(|view| view.record.deleting) {
            return false;
        }
        if self.condemned.contains(uid) {
            if !self.tell_backup(uid, ToBarrier::Delete(CleanPolicy::Delete)) {
                self.wake(uid.clone(), ctx);
            }
            return false;
        }
        self.tell_backup(uid, ToBarrier::ObjectLost);
        let new = !self.orphans.contains_key(uid);
        if new {
            self.orphans.insert(uid.clone(), self.clock.wall());
            self.metrics.orphans(self.orphans.len());
            if self.orphans.len() <= NAMED {
                tracing::error!(%uid, namespace = summary.namespace, name = summary.name, "a record has no object, and nobody deleted it: everything is kept");
            } else {
                tracing::error!(orphans = self.orphans.len(), "more records have no object: everything is kept");
            }
        }
        // Somebody may be waiting to take it over.
        if let Some(waiting) = self.names.get(&(summary.namespace, summary.name)).and_then(|uid| self.objects.get(uid))
        {
            let waiting = waiting.clone();
            if !self.has_record(&waiting.uid) {
                self.consider(waiting, ctx);
            }
        }
        new
    }

    /// At each resync. An orphan may go without this process: another coordinator had seen its deletion, or a person
    /// deletes its record by hand. The alarm about it would never end.
    pub(super) fn recount_orphans(&self, ctx: &mut Context<Self>) {
        if self.orphans.is_empty() {
            return;
        }
        let (ledger, told) = (self.ports.ledger.clone(), self.orphans.keys().cloned().collect::<Vec<_>>());
        let listing = async move { ledger.records().await };
        ctx.spawn(listing.into_actor(self).map(|listed, actor: &mut Self, _| {
            let there: BTreeSet<BackupUid> = match listed {
                Ok(listed) => listed.into_iter().map(|noted| noted.backup).collect(),
                Err(error) => {
                    return tracing::warn!(%error, "orphans are not counted anew; the next resync tries again");
                }
            };
            for uid in told.into_iter().filter(|uid| !there.contains(uid)) {
                // Whoever has it in its hands looks it up and ends.
                if !actor.tell_backup(&uid, ToBarrier::Contradicted) && actor.ended.contains_key(&uid) {
                    tracing::warn!(%uid, "the record of an orphan is gone, and not by this process");
                    actor.is_no_more(&uid);
                }
            }
        }));
    }

    pub(super) fn no_orphan(&mut self, uid: &BackupUid) {
        if self.orphans.remove(uid).is_some() {
            self.metrics.orphans(self.orphans.len());
        }
    }

    /// A person's word: it is deleted as if its object had been, under the policy of its record.
    pub(super) fn delete_orphan(&mut self, uid: &str, who: &str, ctx: &mut Context<Self>) -> Answered {
        let uid = BackupUid::new(uid);
        if !self.orphans.contains_key(&uid) {
            return Answered::Error(format!("no orphan has the uid {uid}; `console orphans` lists them"));
        }
        tracing::warn!(%uid, who, "a person deletes an orphan");
        self.no_orphan(&uid);
        self.condemned.insert(uid.clone());
        self.orphan(&uid, ctx);
        Answered::Ok(json!({ "deleting": uid }))
    }

    /// What is known of a record, whether it has an actor or not.
    pub(super) fn remembered(&self, uid: &BackupUid) -> Option<Summary> {
        let live = self.views.get(uid).map(|view| Summary::of(&view.record));
        live.or_else(|| self.ended.get(uid).map(|ended| ended.summary.clone()))
    }

    pub(super) fn orphan_rows(&self) -> Vec<Orphan> {
        let row = |(uid, since): (&BackupUid, &Timestamp)| {
            self.remembered(uid).map(|summary| Orphan { since: *since, uid: uid.clone(), summary })
        };
        self.orphans.iter().filter_map(row).collect()
    }

    pub(super) fn has_record(&self, uid: &BackupUid) -> bool {
        self.barriers.contains_key(uid) || self.ended.contains_key(uid) || self.again.contains(uid)
    }

    /// Backups that have ended, as the ledger has them. What another record says that it has adopted (of those that have
    /// not ended: `left_over`) is no backup of its own any more.
    pub(super) fn remember(&mut self, ended: Vec<Ended>, mut left_over: Vec<BackupUid>, ctx: &mut Context<Self>) {
        left_over.extend(ended.iter().filter_map(|ended| ended.summary.adopted_from.clone()));
        for ended in ended {
            let (uid, summary) = (ended.summary.backup.clone(), &ended.summary);
            self.outcomes.set(summary);
            self.ended.insert(uid, ended);
        }
        for old in left_over {
            if let Some(ended) = self.ended.remove(&old) {
                self.outcomes.forget(&old);
                self.drop_left_over(old, ended.version, ctx);
            }
        }
    }

    /// An adoption that was broken off between its two writes left the record under its old name, too.
    pub(super) fn drop_left_over(&self, old: BackupUid, version: Version, ctx: &mut Context<Self>) {
        let ledger = self.ports.ledger.clone();
        let dropping = async move {
            while let Err(error) = ledger.delete(&LedgerKey::Record(old.clone()), &version).await {
                tracing::warn!(%error, %old, "the old name of an adopted record was not removed; trying again");
                tokio::time::sleep(AGAIN * 10).await;
            }
        };
        ctx.spawn(dropping.into_actor(self));
    }
}

/// It may be taken over: nothing of it runs any more.
pub(super) fn is_at_rest(milestone: Milestone) -> bool {
    matches!(milestone, Milestone::Complete | Milestone::Failed)
}
