//! Which backups of a schedule stay, which go, and why: [`plan`]`(history, policy, now)`, a function of its arguments, so
//! that the console can show it for any date.
//!
//! The rules, from the strongest:
//! 1. A backup that runs is never deleted.
//! 2. `skipGC: true` and the annotation [`HOLD_ANNOTATION`] keep a backup for as long as they are there. Such a backup
//!    counts towards no limit and fills no tier.
//! 3. **The last good backup is never deleted**: the newest Complete one with a certificate (without any, the newest
//!    Complete one), whatever the limits say.
//! 4. Complete backups: `maxBackups` keeps that many of the newest, `maxReservedTime` those younger than that; with
//!    both, a backup has to be within both. Tiers keep more: the newest backup of each of the last N hours, days, weeks,
//!    months and years that have one. With tiers alone, what no tier keeps goes.
//! 5. Failed and Invalid backups count towards none of these. They hold no snapshots and are kept only to be read: those
//!    beyond the newest `maxFailedBackups` (default 10) or older than `maxFailedReservedTime` (default 7 d) go. The
//!    defaults apply once any limit or tier is set; a schedule without any keeps everything.
//! 6. One deletion at a time, the oldest first. The next waits until the one before is gone, or has been going for
//!    [`STUCK_AFTER`]: a deletion that cannot end must not stop retention for ever.
//!
//! Raising any number of a policy never deletes more (a number that is set; setting the first one begins to delete).
//! Deleting what a plan names changes no other verdict.

mod plan;
mod policy;
mod tiers;

pub use plan::{Keep, Next, Plan, Row, Verdict, Why, plan};
pub use policy::{Policy, PolicyError, PolicyText};
pub use tiers::{Tier, Tiers};

use crate::{
    ids::BackupUid,
    time::{Millis, Timestamp},
};

/// On a VolumeBackup, with the value `true`: retention leaves it alone, like `skipGC`.
pub const HOLD_ANNOTATION: &str = "isochron.pingcap.com/on-hold";

/// After this a deletion that has not ended no longer holds up the next one.
pub const STUCK_AFTER: Millis = Millis::secs(24 * 3600);

/// One VolumeBackup of a schedule, as far as schedule and retention care.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Backup {
    /// `metadata.name`
    pub name: String,
    /// `metadata.uid`: a deletion names it, so that a new object of the same name is never hit.
    pub uid: BackupUid,
    /// `metadata.creationTimestamp`, from which ages count.
    pub created: Timestamp,
    /// `status.timeCompleted`; `None`: it has not ended, or does not say when.
    pub ended: Option<Timestamp>,
    /// How far it is.
    pub state: BackupState,
    /// `metadata.deletionTimestamp`
    pub deleting: Option<Timestamp>,
    /// `skipGC`, beside `spec`.
    pub skip_gc: bool,
    /// [`HOLD_ANNOTATION`] is `true`.
    pub on_hold: bool,
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackupState {
    /// Any phase that is not final, the empty one included.
    Running,
    /// Phase Complete.
    Complete {
        /// `status.certificate` says Consistent. Backups of the old manager have none; Weaker is no proof.
        proven: bool,
    },
    /// Phase Failed or Invalid: final, and nothing worth keeping.
    Failed,
}

impl Backup {
    /// It holds snapshots that can be restored, and stays.
    #[must_use]
    pub fn is_good(&self) -> bool {
        matches!(self.state, BackupState::Complete { .. }) && self.deleting.is_none()
    }

    /// It has not ended. One that is being deleted before its end counts as running until it is gone.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == BackupState::Running
    }
}

/// The backup that rule 3 protects: the newest proven Complete one that is not being deleted; without any, the
/// newest Complete one.
#[must_use]
pub fn last_good<'a>(history: impl IntoIterator<Item = &'a Backup>) -> Option<&'a Backup> {
    history
        .into_iter()
        .filter(|backup| backup.is_good())
        .max_by_key(|backup| (is_proven(backup), backup.created, &backup.name))
}

/// When the newest one ended that is proven consistent and is not being deleted.
#[must_use]
pub fn last_proven<'a>(history: impl IntoIterator<Item = &'a Backup>) -> Option<Timestamp> {
    let proven = history.into_iter().filter(|backup| backup.is_good() && is_proven(backup));
    proven.map(|backup| backup.ended.unwrap_or(backup.created)).max()
}

fn is_proven(backup: &Backup) -> bool {
    backup.state == BackupState::Complete { proven: true }
}
