//! What console, metrics and logs see of a member.

use super::{machine::Member, phase::Phase};
use crate::{
    alarm::Alarm,
    epoch::Epoch,
    ids::{Attempt, ClusterId},
    reason::Refusal,
    time::{Millis, Now},
    ts::Ts,
    wire::Progress,
};

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Which try of which backup.
    pub attempt: Attempt,
    /// Under which epoch; `NONE` before it is obeyed.
    pub epoch: Epoch,
    /// Of which TiDB cluster, once known.
    pub cluster: Option<ClusterId>,
    /// How far.
    pub phase: Phase,
    /// Found in the ledger after a restart.
    pub restored: bool,
    /// A session is up.
    pub linked: bool,
    /// Work is under way, or something is held or being let go: this member must not be forgotten.
    pub busy: bool,
    /// The attempt or the whole backup was cleaned, and nothing of it is left: nobody will ask for more, and who does all
    /// the same finds what a restart finds.
    pub cleaned: bool,
    /// The process was told to end, and nothing is held or being let go: this member may be dropped.
    pub over: bool,
    /// Stores held.
    pub stores_held: u64,
    /// Least that is certainly left of a store lease; `None` when none is held.
    pub store_lease_left: Option<Millis>,
    /// What is left of the plane's own lease.
    pub plane_lease_left: Option<Millis>,
    /// Store renewals asked for and answered true.
    pub renewals: (u64, u64),
    /// The last word of work under way.
    pub progress: Option<Progress>,
    /// Why it broke, if by itself.
    pub cause: Option<Refusal>,
    /// What GC stands still at, once it is known; held by the init plane.
    pub gc_hold: Option<Ts>,
    /// Renewals of PD's holds that failed without ending anything.
    pub pd_failures: u64,
    /// Impossible states that were seen.
    pub alarms: Vec<Alarm>,
}

impl Member {
    /// What console, metrics and logs see.
    pub fn view(&self, now: Now) -> View {
        View {
            attempt: self.attempt.clone(),
            epoch: self.epoch,
            cluster: self.cluster(),
            phase: self.phase,
            restored: self.restored,
            linked: self.linked,
            busy: self.is_busy(),
            cleaned: self.is_cleaned(),
            over: self.is_over(),
            stores_held: self.holds.len() as u64,
            store_lease_left: self.holds.margin(now.at),
            plane_lease_left: self.lease.until().map(|until| until.since(now.at)),
            renewals: self.holds.renewals(),
            progress: self.progress.clone(),
            cause: self.cause.clone(),
            gc_hold: self.pd.gc_hold(),
            pd_failures: self.pd.failures(),
            alarms: self.alarms.clone(),
        }
    }
}
