//! Who is named in `spec.clusters`, of a backup and of a restore.

use super::{checks, faults::Faults};
use shared::{ids::PlaneId, reason::Reason, request::MEMBERS_MAX};
use std::collections::BTreeSet;

/// A TiDB cluster in a plane.
pub(super) struct Named {
    pub(super) plane: PlaneId,
    pub(super) name: String,
    pub(super) namespace: String,
}

/// False: they are too many to be looked at. `whole` is what has them, with its article.
pub(super) fn are_few(number: usize, whole: &str, faults: &mut Faults) -> bool {
    if number == 0 {
        faults.add(Reason::ClustersEmpty, "spec.clusters is empty");
    }
    if number > MEMBERS_MAX {
        let text = format!("spec.clusters has {number} entries; {whole} has at most {MEMBERS_MAX}");
        faults.add(Reason::SpecInvalid, text);
        return false;
    }
    true
}

/// Those that were read.
#[derive(Default)]
pub(super) struct Clusters {
    seen: BTreeSet<String>,
}

impl Clusters {
    /// The next one, as it is written: `k8sClusterName`, `tcName`, `tcNamespace`.
    pub(super) fn read(&mut self, index: usize, written: [&Option<String>; 3], faults: &mut Faults) -> Named {
        let mut field = |name: &str, value: &Option<String>| {
            let value = value.clone().unwrap_or_default();
            if value.is_empty() {
                faults.add(Reason::SpecInvalid, format!("spec.clusters[{index}].{name} is empty"));
            }
            value
        };
        let plane = field("k8sClusterName", written[0]);
        let name = field("tcName", written[1]);
        let namespace = field("tcNamespace", written[2]);
        checks::plane(&format!("spec.clusters[{index}].k8sClusterName"), &plane, faults);
        checks::name(&format!("spec.clusters[{index}].tcName"), &name, faults);
        checks::namespace(&format!("spec.clusters[{index}].tcNamespace"), &namespace, faults);
        if !plane.is_empty() && !self.seen.insert(plane.clone()) {
            faults.add(Reason::PlaneDuplicate, format!("spec.clusters[{index}] names {plane:?} a second time"));
        }
        Named { plane: PlaneId(plane), name, namespace }
    }
}
