//! Deleting what an attempt, or a whole backup, left.

use super::abort::FAILURE_MAX;
use crate::{
    backoff::Backoff,
    barrier::{
        common::Common,
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
        refusing::AGAIN,
    },
    ids::{PlaneId, SnapshotId},
    reason::{Reason, Refusal, cut},
    request::CleanPolicy,
    time::Millis,
    wire::{Clean, CleanReport, CleanScope, OldBackup, Order},
};
use std::collections::BTreeSet;

/// Between two tries of what a person has to mend (a permission, an AMI) or time ends (a lock): from a minute or two to an
/// hour. Each try asks EC2 for every such snapshot, in calls that the whole account shares.
const SELDOM: Backoff = Backoff { first: Millis::secs(120), cap: Millis::secs(3600) };

impl Barrier {
    pub(in crate::barrier) fn begin_failed(&mut self, step: &mut Step) {
        self.enter(Phase::Failed, step);
        self.after_clean(step);
    }

    pub(in crate::barrier) fn begin_cleaning(&mut self, step: &mut Step) {
        self.stop(&[Timer::Measure]);
        self.enter(Phase::Cleaning, step);
        self.after_clean(step);
    }

    pub(in crate::barrier) fn clean_order(&self, plane: &PlaneId, common: &Common) -> Option<Order> {
        let kept = self.record.planes.get(plane)?;
        if !kept.owes_deletions() {
            return None;
        }
        let scope = if self.phase == Phase::Cleaning { CleanScope::Backup } else { CleanScope::Attempt };
        let named = self.record.certificate.as_ref().and_then(|certificate| certificate.planes.get(plane));
        let snapshots: Vec<SnapshotId> =
            named.map(|part| part.evidence.snapshots.iter().map(|s| s.snapshot.clone()).collect()).unwrap_or_default();
        let complete = kept.completed_bytes.is_some();
        let old_backup = self.record.old_manager.then_some(OldBackup { commit_ts: kept.least_safe_ts, complete });
        let spec = self.spec_of(plane)?;
        let (taken_back, unless_proven) = (self.is_taken_back(), self.is_unless_proven());
        let afresh = self.asks_afresh(plane);
        let here = |other: &PlaneId| self.planes.get(other).is_some_and(|live| live.connected);
        let share = common.deletions(&self.record, plane, here);
        Some(Order::Clean(Clean { spec, scope, snapshots, old_backup, taken_back, unless_proven, afresh, share }))
    }

    /// It has not refused since its session began, so whatever was in its way may have been mended.
    fn asks_afresh(&self, plane: &PlaneId) -> bool {
        self.planes.get(plane).and_then(|live| live.refused.as_ref()).is_none_or(|last| last.tries == 0)
    }

    /// The record was lost, and the policy keeps what ended well: whether it did, only S3 can tell.
    fn is_unless_proven(&self) -> bool {
        self.phase == Phase::Cleaning
            && self.record.request.clean_policy == CleanPolicy::OnFailure
            && !self.record.old_manager
    }

    /// The attempt was certified, as its times say, and ended badly all the same; or its user lets everything go. Else
    /// this record was restored from an earlier time, and what S3 holds now is unknown here.
    fn is_taken_back(&self) -> bool {
        let outdated = |refusal: &Refusal| matches!(refusal.reason, Reason::RecordOutdated | Reason::BackupProven);
        let restored = self.record.failure.as_ref().is_some_and(outdated);
        let certified = self.record.times.snapshots_created.is_some() && !restored;
        let deletes = self.record.deleting && self.record.request.clean_policy == CleanPolicy::Delete;
        self.phase == Phase::Failed && (certified || deletes)
    }

    /// A plane has kept what its S3 proves to be good, and that ends its clean-up. False: it was told to take it back.
    pub(in crate::barrier) fn proven(&mut self, plane: &PlaneId, refusal: &Refusal, step: &mut Step) -> bool {
        let keeps = self.phase == Phase::Failed && !self.is_taken_back() || self.is_unless_proven();
        if !keeps {
            return false;
        }
        let text = format!("plane {plane}: {}", refusal.message);
        self.record.failure = Some(Refusal::new(Reason::BackupProven, cut(text, FAILURE_MAX)));
        if let Some(kept) = self.record.planes.get_mut(plane) {
            kept.proven = true;
            kept.cleaned = Some(CleanReport { notes: vec![refusal.message.clone()], ..CleanReport::default() });
        }
        self.clean_answered(plane);
        self.save(step);
        self.after_clean(step);
        true
    }

    pub(in crate::barrier) fn cleaned(&mut self, plane: &PlaneId, report: CleanReport, step: &mut Step) {
        if !matches!(self.phase, Phase::Failed | Phase::Cleaning) || !self.has_part(plane) {
            return;
        }
        if !report.left.is_empty() {
            let (who, pause) = if report.needs_person { (" and needs a person", SELDOM) } else { ("", AGAIN) };
            let text = format!("left over{who}: {}", report.left.join("; "));
            self.refused_for(plane, Refusal::new(Reason::CleanFailed, text), pause, step);
            return;
        }
        if self.record.old_manager && !report.old_backup {
            let text = "its plane actor is too old to clean what the old manager made; upgrade it";
            self.refused(plane, Refusal::new(Reason::CleanFailed, text), step);
            return;
        }
        if let Some(kept) = self.record.planes.get_mut(plane) {
            kept.cleaned = Some(report);
        }
        self.clean_answered(plane);
        if self.all_cleaned() {
            self.save(step);
            self.after_clean(step);
        } else {
            self.save_soon(step);
        }
    }

    pub(in crate::barrier) fn abandon(&mut self, planes: &BTreeSet<PlaneId>, step: &mut Step) {
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
            self.save(step);
            if matches!(self.phase, Phase::Failed | Phase::Cleaning) {
                self.after_clean(step);
            }
        }
    }

    pub(in crate::barrier) fn all_cleaned(&self) -> bool {
        self.record.planes.values().all(|kept| kept.cleaned.is_some() || kept.abandoned)
    }

    fn after_clean(&mut self, step: &mut Step) {
        if !self.all_cleaned() {
            return;
        }
        self.stop(&[Timer::Again]);
        if self.record.deleting {
            self.gone(step);
        } else if let Some(wait) = self.retry_in(step.now) {
            self.set(Timer::Retry, step.now.at + wait);
        }
    }

    /// Cleaning an attempt that failed, or a backup that is deleted.
    pub(in crate::barrier) fn cleans(&self) -> bool {
        matches!(self.phase, Phase::Failed | Phase::Cleaning)
    }

    /// This plane is waited for no longer. If it was the last one, nothing is left over.
    fn clean_answered(&mut self, plane: &PlaneId) {
        if !self.cleans() {
            return;
        }
        let spoke = self.planes.get_mut(plane).and_then(|live| live.refused.take()).is_some();
        if spoke {
            self.arm_again();
        }
        if self.all_cleaned() {
            self.record.clean_failure = None;
            // Of a deletion it stays as history: the object goes with it.
            if !self.record.deleting {
                self.record.times.clean_failed = None;
            }
        } else if spoke {
            self.tell_clean_failure();
        }
    }

    pub(in crate::barrier) fn tell_clean_failure(&mut self) {
        let told: Vec<String> = self
            .planes
            .iter()
            .filter_map(|(plane, live)| Some((plane, &live.refused.as_ref()?.refusal)))
            .map(|(plane, refusal)| {
                let named = refusal.reason == Reason::CleanFailed;
                if named { format!("plane {plane}: {}", refusal.message) } else { format!("plane {plane}: {refusal}") }
            })
            .collect();
        self.record.clean_failure = (!told.is_empty()).then(|| told.join("; "));
    }
}
