//! Backups that have ended and owe nothing. Whatever is wanted of one begins with its record, read from the ledger: what
//! this process remembers may be older.

use super::{CoordinatorActor, reading::Cause};
use crate::{actors::messages::Ended, ports::Object};
use actix::Context;
use shared::{
    barrier::{Milestone, Summary},
    ids::BackupUid,
    verify::Verification,
};
use std::time::Duration;

impl CoordinatorActor {
    /// Its actor is gone. What it was told in its last moment was lost with it.
    pub(super) fn barrier_ended(&mut self, backup: BackupUid, ended: Ended, ctx: &mut Context<Self>) {
        self.views.remove(&backup);
        self.metrics.ended(&backup);
        self.outcomes.set(&ended.summary);
        self.ended.insert(backup.clone(), ended);
        self.look_again(&backup, ctx);
    }

    /// True: it had ended. Its barrier starts again if the object wants what a record without an actor cannot give.
    pub(super) fn consider_ended(&mut self, object: &Object, ctx: &mut Context<Self>) -> bool {
        let Some(ended) = self.ended.get(&object.uid) else { return false };
        // A coordinator that was deposed may have had the last word on the status; nothing else would correct it.
        let contradicted = last_word(ended.summary.milestone).is_some_and(|phase| phase != object.phase);
        if contradicted && !object.deleting {
            self.wake(object.uid.clone(), ctx);
        }
        self.guard(object, ctx);
        true
    }

    /// Starts a barrier from the record of a backup that had ended.
    pub(super) fn wake(&mut self, backup: BackupUid, ctx: &mut Context<Self>) {
        self.wake_to(backup, None, ctx);
    }

    /// The same; `verified`: what it has to keep.
    pub(super) fn wake_to(&mut self, backup: BackupUid, verified: Option<Verification>, ctx: &mut Context<Self>) {
        if let Some(ended) = self.ended.remove(&backup) {
            let cause = Cause { ended: Some(ended.version), verified, ..Cause::default() };
            self.read_record(backup, cause, Duration::ZERO, ctx);
        }
    }

    /// What is remembered of backups that have ended.
    pub(super) fn summaries(&self) -> Vec<&Summary> {
        self.ended.values().map(|ended| &ended.summary).collect()
    }
}

/// The phase of an attempt that has ended.
pub(super) fn last_word(milestone: Milestone) -> Option<&'static str> {
    match milestone {
        Milestone::Complete => Some("Complete"),
        Milestone::Failed => Some("Failed"),
        Milestone::Preparing
        | Milestone::Barrier
        | Milestone::Snapshotting
        | Milestone::Certified
        | Milestone::Aborting
        | Milestone::Cleaning
        | Milestone::Cleaned => None,
    }
}
