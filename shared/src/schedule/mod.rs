//! Which scheduled backup is made when, and which is deleted: one machine for all VolumeBackupSchedules, so that a group
//! of schedules is decided in one place and no two of a group can begin at the same moment.
//!
//! ```text
//! Schedule, Backups, Synced ──►┌───────────┐──► Create   (answered by Created)
//! Created, Deleted           ──►│ Scheduler │──► Delete   (answered by Deleted)
//! Expired(timer)             ──►└───────────┘──► SaveStatus, Event (not answered)
//! ```
//! Rules (`facts/tidb-operator.md` §2, `design.md` §9):
//! - **A run's name** is its schedule's and its fire time's, so making it twice makes it once: a crash between the
//!   creation and the status leaves an object that is found again by its name, and its fire time counts as done.
//! - **Missed runs.** What is done is remembered as a moment (the newest of `status.lastBackupTime`,
//!   `status.allBackupCleanTime`, the schedule's creation and the fire times of its backups). Of all fires after it and
//!   not after now, however many there are and however long ago, the newest alone is made up for: after down time, a
//!   pause or a long run there is one catch-up run at once, or none.
//! - **A changed expression** (or zone) counts from the moment the change is seen; it makes up for nothing. The status
//!   says which expression it belongs to, so that a change during down time is seen too.
//! - **A clock that goes back** runs nothing twice: a moment of "done" that lies ahead is waited for, up to [`MAX_AHEAD`].
//!   Further ahead than that, an earlier clock was wrong, and what is done is done until now.
//! - **One at a time.** While a backup of the schedule, or of any schedule of its group (same namespace, same
//!   [`GROUP_LABEL`]), has not ended, nothing begins. Of several that wait, the one whose last run is the longest ago
//!   begins first. One that is being deleted before its end counts until it is gone. Failed and Invalid have ended.
//! - **A creation of unknown outcome** is asked for again under the same name until it is known. One that was refused is
//!   given up; the newest fire is tried again after a pause (after five minutes, if an answer before was unknown: until
//!   then it may yet show up). A name that somebody else's object has is skipped.
//! - **Pause** stops runs, not retention. An Invalid schedule does neither: a typing error must not delete anything.
//! - **Retention** is [`retention::plan`](crate::retention::plan); one deletion is asked for at a time, and none while
//!   the wall clock is not to be believed (`clock`).
//! - Nothing at all is done before [`Input::Synced`], and nothing for a schedule whose backups have not been listed.

mod clock;
mod input;
mod key;
mod machine;
mod names;
mod report;
mod retain;
mod run;
mod state;
mod status;

pub use clock::{CALM, MAX_SKEW};
pub use input::{CreateResult, DeleteResult, Effect, EventKind, Input, NewBackup, Object, Spec, Timer};
pub use key::ScheduleKey;
pub use machine::Scheduler;
pub use names::{
    GROUP_LABEL, SCHEDULE_LABEL, backup_name, fire_of_name, run_annotations, run_labels, scheduled_prefix,
};
pub use run::MAX_AHEAD;
pub use status::{Phase, Status, View};
