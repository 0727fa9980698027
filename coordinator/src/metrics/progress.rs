//! How far snapshots of a backup that is under way are: accepted by EC2 under the hold, stored afterwards.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::barrier::{Phase, Record, View};
use std::sync::{Mutex, PoisonError, atomic::AtomicU64};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    namespace: String,
    name: String,
    plane: String,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Step {
    Snapshotting,
    Completing,
}

/// One series for each plane of a backup in these steps, and none otherwise.
#[derive(Default)]
pub(super) struct Progress {
    ratio: Family<Labels, Gauge<f64, AtomicU64>>,
    told: Mutex<Vec<Labels>>,
}

impl Progress {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "isochron_snapshot_progress_ratio",
            "How much of the snapshots of a plane is accepted (Snapshotting) or stored (Completing), of 1; by backup",
            self.ratio.clone(),
        );
    }

    /// A barrier showed itself.
    pub(super) fn shown(&self, view: &View) {
        let step = match view.phase {
            Phase::Snapshotting | Phase::Confirming => Some(Step::Snapshotting),
            Phase::Completing => Some(Step::Completing),
            _ => None,
        };
        let now: Vec<(Labels, f64)> = step.map(|step| self.now(view, step)).unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|labels| {
            let stays = !is_of(labels, &view.record) || now.iter().any(|(kept, _)| kept == labels);
            if !stays {
                self.ratio.remove(labels);
            }
            stays
        });
        for (labels, ratio) in now {
            self.ratio.get_or_create(&labels).set(ratio);
            if !told.contains(&labels) {
                told.push(labels);
            }
        }
    }

    fn now(&self, view: &View, step: Step) -> Vec<(Labels, f64)> {
        let request = &view.record.request;
        let of =
            |plane: String| Labels { namespace: request.namespace.clone(), name: request.name.clone(), plane, step };
        view.planes
            .iter()
            .filter_map(|(plane, seen)| {
                let counted = seen.owes && seen.total > 0;
                let ratio = if counted { (seen.done as f64 / seen.total as f64).min(1.0) } else { 1.0 };
                (counted || seen.answered).then(|| (of(plane.to_string()), ratio))
            })
            .collect()
    }
}

fn is_of(labels: &Labels, record: &Record) -> bool {
    labels.namespace == record.request.namespace && labels.name == record.request.name
}
