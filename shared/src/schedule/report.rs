//! What users are told of a schedule's state.

use super::{
    state::{Blocked, ScheduleState},
    status::{Phase, Status},
};
use crate::{calendar::rfc3339, retention::last_good};

impl ScheduleState {
    /// The status that this state asks for.
    pub(super) fn desired(&self) -> Status {
        let mut status = Status {
            last_backup: self.last_backup.clone(),
            last_backup_time: self.last_backup_time,
            all_backup_clean_time: self.clean_time,
            ..Status::default()
        };
        if let Some(good) = last_good(self.backups.values()) {
            status.last_success = good.name.clone();
            status.last_success_time = good.ended.or(Some(good.created));
        }
        match &self.object.spec {
            Err(refusal) => {
                // Kept, so that a repaired expression is compared with the one that ran.
                status.schedule = self.object.status.schedule.clone();
                status.phase = Phase::Invalid;
                status.message = refusal.to_string();
            }
            Ok(spec) => {
                status.schedule = spec.cron.text().to_owned();
                (status.phase, status.message) = match (spec.pause, &self.blocked) {
                    (true, _) => (Phase::Paused, "spec.pause is true".to_owned()),
                    (false, Some(blocked)) => (Phase::Waiting, self.explain(blocked)),
                    (false, None) if self.next.is_none() => {
                        (Phase::Active, "the expression does not fire within five years".to_owned())
                    }
                    (false, None) => (Phase::Active, String::new()),
                };
                status.next_run = self.next.filter(|_| !spec.pause);
                if let Some(why) = &self.distrust {
                    status.retention_stopped.clone_from(why);
                    let said = [status.message.as_str(), why.as_str()];
                    status.message = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
                }
            }
        }
        status
    }

    fn explain(&self, blocked: &Blocked) -> String {
        let due = self.next.map(rfc3339).unwrap_or_default();
        match blocked {
            Blocked::Own(name) => format!("the run due since {due} waits for backup {name} to end"),
            Blocked::Group(key) => format!("the run due since {due} waits for schedule {} of its group", key.name),
            Blocked::Refused(why) => format!("the run due since {due} could not be made and is tried again: {why}"),
            Blocked::Unknown(why) => {
                format!("it is not known yet whether the run due since {due} was made; it is asked for again: {why}")
            }
        }
    }
}
