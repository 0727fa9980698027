//! What every order of a restore works with: the ports, the cluster that is restored into, whose objects are written.

use crate::{
    actors::plane_context::PlaneContext,
    ports::{Owner, RestorePorts},
};
use shared::{
    reason::{Reason, Refusal},
    restorer::Work,
    wire::Target,
};

pub(super) fn ports(env: &PlaneContext) -> Result<&RestorePorts, Refusal> {
    env.ports.restore.as_ref().ok_or_else(|| {
        let text = "this plane was not given what a restore writes with (restore.enabled of its configuration)";
        Refusal::new(Reason::PlaneCannotRestore, text)
    })
}

/// Whose cluster it is; every order but those of a drill has one.
pub(super) fn target(work: &Work) -> Result<&Target, Refusal> {
    work.spec
        .target
        .as_ref()
        .ok_or_else(|| Refusal::new(Reason::Internal, format!("{} without a target", work.order.name())))
}

pub(super) fn owner(work: &Work, target: &Target) -> Owner {
    Owner { restore: work.restore.to_string(), namespace: target.namespace.clone(), cluster: target.name.clone() }
}
