//! Backups that are looked at without anybody asking: one at a time, as the configuration says, going by what is stored. What
//! comes of it is kept with the record and told; it deletes nothing and takes no phase back.

use super::CoordinatorActor;
use crate::{
    actors::messages::{Ended, ToBarrier},
    console::verify::Looked,
    ports::{EventKind, Object, ObjectRef},
};
use actix::Context;
use shared::{
    barrier::{Milestone, Summary},
    ids::BackupUid,
    time::Millis,
    verify::{Kept, Level, Verification, due},
};

/// Before what could not be looked at, or not be kept, is tried again.
const AGAIN: Millis = Millis::secs(3600);

impl CoordinatorActor {
    /// At each resync: at most one is begun.
    pub(super) fn verify_what_is_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.wall();
        self.verifying.not_before.retain(|_, again| *again > now);
        let broken = self.ended.values().filter(|ended| is_broken(&ended.summary)).count();
        let Some(pace) = self.verifying.pace.filter(|_| self.ready && self.synced && !self.draining) else {
            return self.metrics.verified(broken, None);
        };
        let kept: Vec<Kept> = self.ended.values().filter_map(|ended| self.kept(ended)).collect();
        let found = due(&kept, pace, now, &self.verifying.not_before);
        self.metrics.verified(broken, Some(found.newest_late));
        let Some(backup) = found.next.filter(|_| !self.verifying.by_itself) else { return };
        self.verifying.by_itself = true;
        let of = backup.clone();
        let begun = self.look_into(backup, ctx, move |looked, actor, ctx| {
            actor.verifying.by_itself = false;
            match looked {
                Ok(looked) => actor.keep_verification(&looked, ctx),
                Err(why) => {
                    tracing::warn!(backup = %of, why, "a backup could not be verified; it is tried again later");
                    actor.not_before(&of);
                }
            }
        });
        self.verifying.by_itself = begun;
    }

    /// One that has ended well, and whose object is there to tell it.
    fn kept(&self, ended: &Ended) -> Option<Kept> {
        let Summary { backup, milestone, times, verified, .. } = &ended.summary;
        let object = self.objects.get(backup).filter(|object| !object.deleting)?;
        (*milestone == Milestone::Complete).then_some(())?;
        Some(Kept {
            backup: backup.clone(),
            group: group(object),
            completed: times.completed.or(times.started)?,
            verified: verified.as_ref().map(|found| found.at),
        })
    }

    fn not_before(&mut self, backup: &BackupUid) {
        let again = self.clock.wall() + AGAIN;
        self.verifying.not_before.insert(backup.clone(), again);
    }

    /// With the record, in the object's status, in metrics, and where it is news in an event.
    pub(super) fn keep_verification(&mut self, looked: &Looked, ctx: &mut Context<Self>) {
        let (record, found) = (&looked.record, &looked.verification);
        let uid = record.key().clone();
        self.metrics.verification(found.level);
        // Should it not be kept, it is not begun again at once.
        self.not_before(&uid);
        let (namespace, name) = (record.request.namespace.clone(), record.request.name.clone());
        if !found.level.holds() {
            let (level, message) = (found.level.as_str(), &found.message);
            tracing::error!(backup = %uid, namespace, name, level, message, "a backup was verified, and does not hold");
        }
        if let Some((kind, reason, text)) = news(record.verified.as_ref(), found) {
            self.tell_event(ObjectRef { uid: uid.clone(), namespace, name }, kind, reason, text, ctx);
        }
        if found.level != Level::Unchecked && !self.tell_backup(&uid, ToBarrier::Verified(found.clone())) {
            self.wake_to(uid, Some(found.clone()), ctx);
        }
    }
}

fn is_broken(summary: &Summary) -> bool {
    let level = summary.verified.as_ref().map(|found| found.level);
    summary.milestone == Milestone::Complete && level == Some(Level::Broken)
}

/// Backups of the same schedule and TiDB cluster, as their objects name them.
fn group(object: &Object) -> String {
    let schedule = object.scheduled.as_ref().map(|by| by.schedule.as_str()).unwrap_or_default();
    let first = object.request.as_ref().ok().and_then(|request| request.members.first());
    let cluster = first.map(|member| format!("{}/{}/{}", member.plane, member.tc_namespace, member.tc_name));
    format!("{}/{schedule} {}", object.namespace, cluster.unwrap_or_default())
}

/// A failure is told each time, what is well only when it is new.
fn news(before: Option<&Verification>, now: &Verification) -> Option<(EventKind, &'static str, String)> {
    let changed = before.is_none_or(|before| before.level != now.level);
    match now.level {
        Level::Broken => {
            let text = format!("it is kept, but does not hold any more: {}", now.message);
            Some((EventKind::Warning, "VerificationFailed", text))
        }
        Level::Sound if changed => {
            Some((EventKind::Normal, "Verified", "every plane found its part to be whole".to_owned()))
        }
        Level::Partly if changed => {
            let text =
                format!("nothing is known to be amiss; a right is missing to look at everything: {}", now.message);
            Some((EventKind::Normal, "Verified", text))
        }
        Level::Sound | Level::Partly | Level::Unchecked => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::time::Timestamp;

    #[test]
    fn a_failure_is_told_each_time_and_what_is_well_once() {
        let of = |level| Verification { level, at: Timestamp(1), message: "m".to_owned() };
        let told = |before: Option<Level>, now| {
            news(before.map(of).as_ref(), &of(now)).map(|(kind, reason, _)| (kind, reason))
        };
        let failed = Some((EventKind::Warning, "VerificationFailed"));
        assert_eq!(told(None, Level::Broken), failed);
        assert_eq!(told(Some(Level::Broken), Level::Broken), failed);
        let well = Some((EventKind::Normal, "Verified"));
        assert_eq!((told(None, Level::Sound), told(Some(Level::Broken), Level::Partly)), (well, well));
        assert_eq!((told(Some(Level::Sound), Level::Sound), told(None, Level::Unchecked)), (None, None));
    }
}
