//! Stand-alone: a directory in the place of an API server (`design.md` §12).
//!
//! ```text
//! DIR/*.yaml, *.yml                       the user's, never rewritten; removing a file or a document deletes the object
//! DIR/.isochron/lock                      held for as long as a coordinator runs: two never share a directory
//! DIR/.isochron/made/NS.NAME.yaml         backups that schedules made or the console applied: the user's to edit or remove
//! DIR/.isochron/made/Schedule.NS.NAME.yaml  schedules that the console applied
//! DIR/.isochron/objects/NS.NAME.json      what we know of an object: uid, finalizer, its last good text
//! DIR/.isochron/status/NS.NAME.yaml       its status, as `kubectl get -o yaml` would show it
//! DIR/.isochron/schedules/NS.NAME.json    what we know of a schedule: uid, birth, its last good text
//! DIR/.isochron/status/schedules/…        its status
//! DIR/.isochron/made/Restore.NS.NAME.yaml   restores that the console applied
//! DIR/.isochron/restores/…, status/restores/…  of restores, as of backups
//! DIR/.isochron/record-UID.json           the ledger
//! DIR/.isochron/claim-CLUSTER.json
//! DIR/.isochron/restore-UID.json
//! ```
//!
//! A namespace has no dots, so the first dot of `NS.NAME` parts the two.

mod disk;
pub mod documents;
mod follow;
mod home;
mod kept;
mod layout;
mod ledger;
mod manifests;
mod objects;
mod restores;
mod scan;
mod schedules;
mod source;

use home::Home;
use shared::{cron::Zone, request::Limits, time::Timestamp};
use std::{path::Path, sync::Arc};

pub use home::OpenError;
pub use ledger::LocalLedger;
pub use manifests::LocalManifests;
pub use objects::LocalObjects;
pub use restores::LocalRestores;
pub use schedules::LocalSchedules;
pub use source::LocalSource;

/// An open directory: the ports on it share its lock.
#[derive(Clone)]
pub struct Local {
    /// What the source reads.
    pub source: Arc<LocalSource>,
    /// Records and claims.
    pub ledger: Arc<LocalLedger>,
    /// Status and finalizers.
    pub objects: Arc<LocalObjects>,
    /// Schedules and the backups that they make.
    pub schedules: Arc<LocalSchedules>,
    /// Restores.
    pub restores: Arc<LocalRestores>,
    /// What the console applies and deletes.
    pub manifests: Arc<LocalManifests>,
}

impl Local {
    /// Takes `directory` (made if it is not there) for this process. `defaults`: bounds of backups that set none; `zone`:
    /// of schedules that name none.
    pub fn open(
        directory: &Path,
        defaults: Limits,
        zone: Zone,
        wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Result<Self, OpenError> {
        let home = Arc::new(Home::open(directory)?);
        let backups = Arc::new(objects::Store::open(home.clone(), layout::Of::Backups)?);
        let schedules = Arc::new(schedules::ScheduleStore::open(home.clone())?);
        let restores = Arc::new(objects::Store::open(home.clone(), layout::Of::Restores)?);
        let stores =
            source::Stores { backups: backups.clone(), schedules: schedules.clone(), restores: restores.clone() };
        Ok(Self {
            manifests: Arc::new(LocalManifests::new(home.clone(), stores.clone(), wall.clone())),
            source: Arc::new(LocalSource::new(home.clone(), stores, defaults.clone(), wall.clone())),
            ledger: Arc::new(LocalLedger::new(home.clone())),
            objects: Arc::new(LocalObjects::new(backups.clone(), wall.clone())),
            restores: Arc::new(LocalRestores::new(restores, schedules.clone(), wall.clone())),
            schedules: Arc::new(LocalSchedules::new(home, schedules, backups, defaults, zone, wall)),
        })
    }
}

#[cfg(test)]
mod tests;
