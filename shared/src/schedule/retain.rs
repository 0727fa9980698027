//! Deletions: what retention names, one at a time.

use super::{
    input::{DeleteResult, Effect, EventKind, Step},
    key::ScheduleKey,
    run::{AGAIN, UNSEEN},
    state::{Deleting, ScheduleState},
};
use crate::{
    backoff::seed,
    retention::{Plan, plan},
    time::Timestamp,
};

impl ScheduleState {
    /// What is to happen to its backups at `at`; `None` for an Invalid schedule.
    pub(super) fn plan(&self, at: Timestamp) -> Option<Plan> {
        let spec = self.object.spec.as_ref().ok()?;
        Some(plan(&self.history(), &spec.policy, at))
    }

    /// Asks for the deletion that is due, and says when to look again (wall clock).
    /// `trusted`: the wall clock is to be believed.
    pub(super) fn retain(&mut self, key: &ScheduleKey, trusted: bool, step: &mut Step) -> Option<Timestamp> {
        let spec = self.object.spec.as_ref().ok()?;
        self.deleting.take_if(|deleting| deleting.unseen.is_some_and(|until| until <= step.now.at));
        self.delete_again.take_if(|at| *at <= step.now.at);
        if self.deleting.is_some() || self.delete_again.is_some() || !trusted {
            return None;
        }
        let plan = plan(self.backups.values(), &spec.policy, step.now.wall);
        if let Some((name, uid, why)) = plan.delete_now {
            let deleting =
                Deleting { name: name.clone(), uid: uid.clone(), why: why.clone(), since: step.now.wall, unseen: None };
            self.deleting = Some(deleting);
            step.push(Effect::Delete { key: key.clone(), name, uid, why });
            return None;
        }
        plan.next.map(|next| next.at).filter(|at| *at > step.now.wall)
    }

    /// The wall clock is not to be believed, or is again: said once, of schedules that delete anything.
    pub(super) fn heed_clock(&mut self, key: &ScheduleKey, trouble: Option<String>, step: &mut Step) {
        let limits = self.object.spec.as_ref().is_ok_and(|spec| spec.policy.limits_anything());
        let now = trouble.filter(|_| limits);
        let (kind, reason, message) = match (&self.distrust, &now) {
            (None, Some(why)) => (EventKind::Warning, "ClockSkewed", why.clone()),
            (Some(_), None) => {
                (EventKind::Normal, "ClockTrusted", "retention goes on: the clock is to be believed again".to_owned())
            }
            // Another text is the same trouble; the status has it.
            (None, None) | (Some(_), Some(_)) => {
                self.distrust = now;
                return;
            }
        };
        self.distrust = now;
        step.push(Effect::Event { key: key.clone(), kind, reason, message });
    }

    /// A list has come: what was asked for is visible in it, or gone.
    pub(super) fn deletion_listed(&mut self) {
        let backups = &self.backups;
        self.deleting.take_if(|deleting| {
            let listed = backups.get(&deleting.name).filter(|backup| backup.uid == deleting.uid);
            deleting.unseen.is_some() && listed.is_none_or(|backup| backup.deleting.is_some())
        });
    }

    /// What became of a deletion. Answers to what was not asked are ignored.
    pub(super) fn deleted(&mut self, key: &ScheduleKey, name: &str, result: DeleteResult, step: &mut Step) {
        let asked = self.deleting.take_if(|deleting| deleting.name == name && deleting.unseen.is_none());
        let Some(mut deleting) = asked else { return };
        let event = |kind, reason, message| Effect::Event { key: key.clone(), kind, reason, message };
        match result {
            DeleteResult::Deleted => {
                let message = format!("deleted backup {name}: {}", deleting.why);
                step.push(event(EventKind::Normal, "SuccessfulDelete", message));
                self.delete_failures = 0;
                deleting.unseen = Some(step.now.at + UNSEEN);
                self.deleting = Some(deleting);
            }
            DeleteResult::Gone => {
                self.delete_failures = 0;
                if self.backups.get(name).is_some_and(|backup| backup.uid == deleting.uid) {
                    self.backups.remove(name);
                }
            }
            DeleteResult::Failed(why) => {
                self.delete_failures = self.delete_failures.saturating_add(1);
                self.delete_again = Some(step.now.at + AGAIN.wait(self.delete_failures, seed(name)));
                if self.delete_failures == 1 {
                    let message = format!("backup {name} could not be deleted: {why}");
                    step.push(event(EventKind::Warning, "FailedDelete", message));
                }
            }
        }
    }
}
