//! What status, console and metrics see of a restore.

use super::{machine::Restoring, record::Record};
use crate::{ids::PlaneId, reason::Refusal, wire::RestoreProgress};
use std::collections::BTreeMap;

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The durable part.
    pub record: Record,
    /// Planes, as they stand.
    pub planes: BTreeMap<PlaneId, PlaneView>,
    /// Who holds the claim that is waited for; empty: nobody, or it is not waited for.
    pub claim_holder: String,
}

/// One plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneView {
    /// It has a session.
    pub connected: bool,
    /// It owes an answer to the present stage.
    pub owes: bool,
    /// Its last word on what it does.
    pub progress: Option<RestoreProgress>,
    /// Why it has not done it yet.
    pub refused: Option<Refusal>,
}

impl Restoring {
    /// What is to be seen.
    pub fn view(&self) -> View {
        let plane = |(plane, live): (&PlaneId, &super::machine::PlaneState)| {
            let view = PlaneView {
                connected: live.connected,
                owes: self.has_part(plane) && !live.answered,
                progress: live.progress.clone(),
                refused: live.refused.clone(),
            };
            (plane.clone(), view)
        };
        View {
            record: self.record.clone(),
            planes: self.planes.iter().map(plane).collect(),
            claim_holder: self.claim_holder.clone(),
        }
    }
}
