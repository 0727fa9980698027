//! The bad end, and deletion: abort, clean, a new attempt where the user allowed one.

use super::{
    input::{Effect, Timer},
    machine::Barrier,
    phase::Phase,
    record::Milestone,
};
use crate::{
    epoch::Epoch,
    ids::{PlaneId, SnapshotId},
    reason::{Reason, Refusal, cut},
    request::CleanPolicy,
    time::Now,
    wire::{Abort, Clean, CleanReport, CleanScope, OldBackup, Order},
};
use std::collections::BTreeSet;

/// Longest text of a failure in the record: it must fit where a certificate did not. Peers' texts are cut before.
const FAILURE_MAX: usize = 8 * 1024;

/// The same where a save was refused that the ledger will never take.
const UNSAVED_MAX: usize = 512;

impl Barrier {
    /// Ends the attempt badly. Nothing has to be let go while preparing; later everything is, before anything else.
    pub(super) fn fail(&mut self, now: Now, refusal: Refusal, effects: &mut Vec<Effect>) {
        self.measure(now);
        self.record.failure = Some(Refusal::new(refusal.reason, cut(refusal.message, FAILURE_MAX)));
        self.record.certificate = None;
        self.timers.clear();
        for live in self.planes.values_mut() {
            live.away_since = None;
        }
        if self.record.epoch == Epoch::NONE {
            self.record.milestone = Milestone::Failed;
            self.record.times.completed = Some(now.wall);
            for kept in self.record.planes.values_mut() {
                kept.cleaned = Some(CleanReport::default());
            }
            self.save(effects);
            if let (true, Some(cluster)) = (self.phase == Phase::Claiming, self.record.cluster) {
                effects.push(Effect::EndClaim { cluster });
            }
            self.begin_failed(now, effects);
            return;
        }
        self.record.milestone = Milestone::Aborting;
        for kept in self.record.planes.values_mut() {
            kept.aborted = false;
            kept.cleaned = None;
        }
        self.save(effects);
        self.begin_aborting(now, effects);
    }

    /// How long the part that did not end well had lasted: what failed by its clock is what people look for.
    fn measure(&mut self, now: Now) {
        let part = match self.phase {
            Phase::Settling => &mut self.record.barrier.settle,
            Phase::Suspending | Phase::Covering => &mut self.record.barrier.reach,
            Phase::Snapshotting | Phase::Confirming => &mut self.record.barrier.hold,
            _ => return,
        };
        *part = self.clock_from.map(|from| now.at.since(from));
    }

    pub(super) fn begin_aborting(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.set(Timer::HoldsGone, now.at + self.holds_end());
        self.enter(Phase::Aborting, effects);
    }

    pub(super) fn abort_order(&self) -> Option<Order> {
        let reason = self.record.failure.as_ref().map_or(Reason::Internal, |refusal| refusal.reason);
        Some(Order::Abort(Abort { reason }))
    }

    pub(super) fn aborted(&mut self, now: Now, plane: &PlaneId, cause: Option<Refusal>, effects: &mut Vec<Effect>) {
        if self.holds() {
            let refusal = cause.unwrap_or_else(|| Refusal::new(Reason::PlaneLost, "the plane let go"));
            let refusal = Refusal::new(refusal.reason, format!("plane {plane}: {}", refusal.message));
            self.fail(now, refusal, effects);
            return;
        }
        if self.mark(plane, Phase::Aborting) {
            if let Some(kept) = self.record.planes.get_mut(plane) {
                kept.aborted = true;
            }
            if self.all_answered() {
                self.end_aborting(now, effects);
            }
        }
    }

    /// Everything is let go, or has ended by itself. What the attempt left is cleaned from here on, also after the
    /// outcome is told: a plane that is away cleans when it comes back.
    pub(super) fn end_aborting(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.stop(&[Timer::HoldsGone]);
        self.record.milestone = Milestone::Failed;
        self.record.times.completed = Some(now.wall);
        self.save(effects);
        if let Some(cluster) = self.record.cluster {
            effects.push(Effect::EndClaim { cluster });
        }
        self.begin_failed(now, effects);
    }

    pub(super) fn begin_failed(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.enter(Phase::Failed, effects);
        self.after_clean(now, effects);
    }

    pub(super) fn cancel(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.end_by_wish(now, Refusal::new(Reason::Cancelled, "cancelled by a person"), effects);
    }

    /// What is certified, or ends badly already, is let go anyway.
    pub(super) fn cut_short(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.holds() {
            let text = "the coordinator had to end before the barrier did";
            self.fail(now, Refusal::new(Reason::CoordinatorRestarted, text), effects);
        }
    }

    /// The attempt cannot go on. What says so is smaller than what was saved: letting go and cleaning need no stores. A
    /// certificate that is saved stays: what is left to do is tried again, with the record as it is.
    pub(super) fn unsaved(&mut self, now: Now, refusal: Refusal, effects: &mut Vec<Effect>) {
        if self.record.milestone != Milestone::Certified {
            self.record.cluster_stores.clear();
            self.record.planes.values_mut().for_each(|kept| kept.stores.clear());
            self.end_by_wish(now, Refusal::new(refusal.reason, cut(refusal.message, UNSAVED_MAX)), effects);
        }
    }

    /// No epoch can be granted, now or later.
    pub(super) fn claim_refused(&mut self, now: Now, refusal: Refusal, effects: &mut Vec<Effect>) {
        self.claim_pending = false;
        if self.phase == Phase::Claiming {
            self.fail(now, refusal, effects);
        }
    }

    fn end_by_wish(&mut self, now: Now, refusal: Refusal, effects: &mut Vec<Effect>) {
        match self.phase {
            Phase::Aborting | Phase::Failed | Phase::Complete | Phase::Cleaning | Phase::Cleaned => {}
            _ => self.fail(now, refusal, effects),
        }
    }

    /// Nobody's deletion, so nothing that is kept may go. Before commitTs is saved there is nothing to keep, and nobody
    /// left who wants it; later it goes on to its end, and its record is kept for whoever asks.
    pub(super) fn object_lost(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.record.deleting && matches!(self.record.milestone, Milestone::Preparing | Milestone::Barrier) {
            let text = "the VolumeBackup vanished before commitTs was fixed, and nobody had deleted it";
            self.end_by_wish(now, Refusal::new(Reason::ObjectLost, text), effects);
        }
    }

    /// Deletion works in any step; a running backup is ended first. An incomplete backup keeps nothing, whatever the
    /// policy says: without metadata its snapshots are worthless.
    pub(super) fn delete(&mut self, now: Now, policy: CleanPolicy, effects: &mut Vec<Effect>) {
        if self.record.deleting {
            return;
        }
        self.record.deleting = true;
        self.record.request.clean_policy = self.record.request.clean_policy.safer(policy);
        self.record.times.deleted = Some(now.wall);
        self.timers.remove(&Timer::Retry);
        match self.phase {
            Phase::Complete => self.clean_by_policy(now, effects),
            Phase::Failed => {
                let proven = self.record.planes.values_mut().filter(|kept| kept.proven);
                if self.record.request.clean_policy == CleanPolicy::Delete {
                    proven.for_each(|kept| kept.cleaned = None);
                }
                self.save(effects);
                self.begin_failed(now, effects);
            }
            Phase::Aborting => self.save(effects),
            Phase::Cleaning | Phase::Cleaned => {}
            _ => self.end_by_wish(
                now,
                Refusal::new(Reason::Deleted, "the VolumeBackup was deleted while it ran"),
                effects,
            ),
        }
    }

    fn clean_by_policy(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.record.request.clean_policy == CleanPolicy::Delete {
            self.record.milestone = Milestone::Cleaning;
            for kept in self.record.planes.values_mut() {
                kept.cleaned = None;
            }
            self.save(effects);
            self.begin_cleaning(now, effects);
        } else {
            self.gone(now, effects);
        }
    }

    pub(super) fn begin_cleaning(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.enter(Phase::Cleaning, effects);
        self.after_clean(now, effects);
    }

    pub(super) fn clean_order(&self, plane: &PlaneId) -> Option<Order> {
        let kept = self.record.planes.get(plane)?;
        if kept.cleaned.is_some() || kept.abandoned {
            return None;
        }
        let scope = if self.phase == Phase::Cleaning { CleanScope::Backup } else { CleanScope::Attempt };
        let named = self.record.certificate.as_ref().and_then(|certificate| certificate.planes.get(plane));
        let snapshots: Vec<SnapshotId> =
            named.map(|part| part.evidence.snapshots.iter().map(|s| s.snapshot.clone()).collect()).unwrap_or_default();
        let complete = kept.completed_bytes.is_some();
        let old_backup = self.record.old_manager.then_some(OldBackup { commit_ts: kept.least_safe_ts, complete });
        let spec = self.record.request.member_spec(plane)?;
        Some(Order::Clean(Clean { spec, scope, snapshots, old_backup, taken_back: self.is_taken_back() }))
    }

    /// The attempt was certified, as its times say, and ended badly all the same; or its user lets everything go. Else a
    /// certificate in S3 is unknown here, because this record was restored from a time before it.
    fn is_taken_back(&self) -> bool {
        let certified = self.record.times.snapshots_created.is_some();
        let deletes = self.record.deleting && self.record.request.clean_policy == CleanPolicy::Delete;
        self.phase == Phase::Failed && (certified || deletes)
    }

    /// A plane has kept what its S3 proves to be good, and that ends its clean-up. False: it was told to take it back.
    pub(super) fn proven(&mut self, now: Now, plane: &PlaneId, refusal: &Refusal, effects: &mut Vec<Effect>) -> bool {
        if self.phase != Phase::Failed || self.is_taken_back() {
            return false;
        }
        let text = format!("plane {plane}: {}", refusal.message);
        self.record.failure = Some(Refusal::new(Reason::BackupProven, cut(text, FAILURE_MAX)));
        if let Some(kept) = self.record.planes.get_mut(plane) {
            kept.proven = true;
            kept.cleaned = Some(CleanReport { notes: vec![refusal.message.clone()], ..CleanReport::default() });
        }
        self.clean_answered(plane);
        self.save(effects);
        self.after_clean(now, effects);
        true
    }

    pub(super) fn cleaned(&mut self, now: Now, plane: &PlaneId, report: CleanReport, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Failed | Phase::Cleaning) || self.clean_order(plane).is_none() {
            return;
        }
        if !report.left.is_empty() {
            let text = format!("left over: {}", report.left.join("; "));
            self.refused(now, plane, Refusal::new(Reason::CleanFailed, text), effects);
            return;
        }
        if self.record.old_manager && !report.old_backup {
            let text = "its plane actor is too old to clean what the old manager made; upgrade it";
            self.refused(now, plane, Refusal::new(Reason::CleanFailed, text), effects);
            return;
        }
        if let Some(kept) = self.record.planes.get_mut(plane) {
            kept.cleaned = Some(report);
        }
        self.clean_answered(plane);
        self.save(effects);
        self.after_clean(now, effects);
    }

    pub(super) fn abandon(&mut self, now: Now, planes: &BTreeSet<PlaneId>, effects: &mut Vec<Effect>) {
        // The record is being deleted at the version of its last save.
        if self.phase == Phase::Cleaned {
            return;
        }
        let given_up: Vec<PlaneId> = self
            .record
            .planes
            .iter_mut()
            .filter(|(plane, kept)| planes.contains(plane) && !kept.abandoned)
            .map(|(plane, kept)| {
                kept.abandoned = true;
                plane.clone()
            })
            .collect();
        if !given_up.is_empty() {
            given_up.iter().for_each(|plane| self.clean_answered(plane));
            self.save(effects);
            if matches!(self.phase, Phase::Failed | Phase::Cleaning) {
                self.after_clean(now, effects);
            }
        }
    }

    pub(super) fn all_cleaned(&self) -> bool {
        self.record.planes.values().all(|kept| kept.cleaned.is_some() || kept.abandoned)
    }

    fn after_clean(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if !self.all_cleaned() {
            return;
        }
        self.stop(&[Timer::Again]);
        if self.record.deleting {
            self.gone(now, effects);
        } else if let Some(wait) = self.retry_in(now) {
            self.set(Timer::Retry, now.at + wait);
        }
    }

    fn gone(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.record.milestone = Milestone::Cleaned;
        self.record.times.cleaned = Some(now.wall);
        self.record.clean_failure = None;
        self.phase = Phase::Cleaned;
        self.timers.clear();
        self.save(effects);
        effects.push(Effect::Gone);
    }
}
