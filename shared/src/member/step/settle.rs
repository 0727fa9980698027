//! PD held by the init plane, then leaders asked everywhere.

use crate::{epoch::Epoch, ids::Attempt, member::machine::Member};

impl Member {
    pub(in crate::member) fn service(&self) -> String {
        safe_point_service(&self.attempt, self.epoch)
    }
}

/// Service id of an attempt's safe point: the epoch in it keeps attempts apart.
pub(super) fn safe_point_service(attempt: &Attempt, epoch: Epoch) -> String {
    format!("isochron-{}-{epoch}", attempt.backup)
}
