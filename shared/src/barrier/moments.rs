//! When an attempt came to each of its steps, and when each plane had answered it. From this the timeline is drawn, in
//! the console and from the certificate's file; nothing is decided by it.

use super::phase::Phase;
use crate::{
    ids::{InstanceId, PlaneId},
    time::Millis,
    wire::CallAccepted,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
};

/// Steps that are kept: a good attempt that is deleted has thirteen. One that comes to the same step again goes on in it.
const MAX_STEPS: usize = 16;

/// One step of an attempt. All times in ms since the attempt began to prepare, by the monotonic clock of the coordinator
/// that led it; a restart forgets that clock, so what came after is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMoments {
    /// Which.
    pub step: Phase,
    /// When its orders were sent first.
    pub began: Millis,
    /// When each plane had answered it; in `Covering`, its last round.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answered: BTreeMap<PlaneId, Millis>,
    /// When EC2 had accepted the CreateSnapshots call of each instance. Counted by the plane from its order, so it is
    /// early by the order's way.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted: BTreeMap<PlaneId, BTreeMap<InstanceId, Millis>>,
}

/// Those of one attempt, in the order in which they began. An attempt that waited for its claim and prepared anew
/// begins here with the last time that it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moments(Vec<StepMoments>);

/// Nothing is decided by them: states that a model tells apart do not differ by when they were reached.
impl Hash for Moments {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Moments {
    /// In their order.
    pub fn steps(&self) -> &[StepMoments] {
        &self.0
    }

    /// Nothing is known: a record of an earlier version, or of an attempt that has not begun.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that are over for certain when a certificate is saved: nothing after it changes what is said of them.
    #[must_use]
    pub fn of_certificate(&self) -> Self {
        Self(self.0.iter().filter(|moments| moments.step <= Phase::Confirming).cloned().collect())
    }

    /// Made up, to be measured.
    pub(super) fn of(steps: impl Iterator<Item = StepMoments>) -> Self {
        Self(steps.take(MAX_STEPS).collect())
    }

    pub(super) fn began(&mut self, step: Phase, at: Millis) {
        if self.0.last().is_none_or(|last| last.step != step) && self.0.len() < MAX_STEPS {
            self.0.push(StepMoments { step, began: at, answered: BTreeMap::new(), accepted: BTreeMap::new() });
        }
    }

    pub(super) fn answered(&mut self, step: Phase, plane: &PlaneId, at: Millis) {
        if let Some(moments) = self.0.last_mut().filter(|last| last.step == step) {
            moments.answered.insert(plane.clone(), at);
        }
    }

    pub(super) fn accepted(&mut self, plane: &PlaneId, calls: Vec<CallAccepted>) {
        let Some(moments) = self.0.last_mut().filter(|last| last.step == Phase::Snapshotting) else { return };
        let began = moments.began;
        let calls = calls.into_iter().map(|call| (call.instance, began.plus(call.after)));
        moments.accepted.insert(plane.clone(), calls.collect());
    }
}
