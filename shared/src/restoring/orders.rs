//! What each stage orders.

use super::{machine::Restoring, stage::Stage};
use crate::{
    ids::PlaneId,
    wire::{Restore, RestoreOrder},
};

impl Restoring {
    /// `None`: this plane has no part in the stage, or the record lacks what the order says; `check` sees to it that it does not.
    pub(super) fn order_for(&self, plane: &PlaneId) -> Option<Restore> {
        let record = &self.record;
        let order = self.order(plane)?;
        Some(Restore {
            restore: record.request.restore.clone(),
            epoch: record.epoch,
            cluster: record.cluster,
            spec: record.request.spec(plane)?,
            order,
        })
    }

    fn order(&self, plane: &PlaneId) -> Option<RestoreOrder> {
        let record = &self.record;
        let admitted = record.admitted.as_ref();
        Some(match record.stage {
            Stage::Looking | Stage::Confirming => RestoreOrder::Look,
            Stage::Marking => RestoreOrder::Mark { above: admitted?.ceiling },
            Stage::Building => RestoreOrder::Build,
            Stage::Warming => RestoreOrder::Warm,
            Stage::Placing => RestoreOrder::Place,
            Stage::Starting => RestoreOrder::Start,
            Stage::Meeting => RestoreOrder::Meet { stores: admitted?.stores.clone() },
            Stage::Leading => RestoreOrder::Lead { floor: record.led.as_ref().map_or(0, |led| led.largest_id) },
            Stage::Timing => RestoreOrder::Time { version: admitted?.commit_ts, above: admitted?.ceiling },
            Stage::RollingBack => RestoreOrder::RollBack(record.times?),
            Stage::Checking => RestoreOrder::Check { times: record.times?, one_in: record.request.content.one_in() },
            Stage::Unmarking => RestoreOrder::Unmark,
            Stage::Restarting => RestoreOrder::Restart { stores: record.met.as_ref()?.stores.clone() },
            Stage::Settling => RestoreOrder::Settle { stores: record.met.as_ref()?.stores.clone() },
            Stage::Finishing => RestoreOrder::Finish { certificate: self.certificate_for(plane) },
            Stage::Undoing => {
                let from = record.undoes?;
                // Somebody's stores may run under a mark that was not taken away: then it stays.
                let unmark = (Stage::Marking..Stage::Starting).contains(&from);
                RestoreOrder::Undo { unmark, started: from.has_started() }
            }
            Stage::Claiming | Stage::Complete | Stage::Failed | Stage::Cleaned => return None,
        })
    }

    /// The init plane keeps it beside its part of the backup.
    fn certificate_for(&self, plane: &PlaneId) -> String {
        let record = &self.record;
        let certificate = record.certificate.as_ref().filter(|_| record.request.init_plane() == Some(plane));
        // Names and numbers have a JSON form.
        certificate.and_then(|certificate| serde_json::to_string(certificate).ok()).unwrap_or_default()
    }
}
