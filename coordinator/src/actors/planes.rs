//! What objects may ask for.

use shared::{
    ids::PlaneId,
    policy::Policy,
    reason::{Reason, Refusal},
    request::Request,
    restoring::RestoreRequest,
};
use std::collections::BTreeSet;

/// As configured.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Every plane that may be named; it may change.
    pub planes: BTreeSet<String>,
    /// Who may use what.
    pub policy: Policy,
}

impl Allowed {
    /// A backup that would begin.
    pub(super) fn request(&self, request: &Request) -> Result<(), Refusal> {
        self.planes(request.members.iter().map(|member| &member.plane), "spec.clusters")?;
        self.policy.check(request)
    }

    /// A restore that would begin.
    pub(super) fn restore(&self, request: &RestoreRequest) -> Result<(), Refusal> {
        self.planes(request.members.iter().map(|member| &member.plane), "spec.clusters")?;
        self.policy.check_restore(request)
    }

    /// Planes that objects name and nobody configured; `field` is where they stand.
    pub(super) fn planes<'a>(&self, named: impl Iterator<Item = &'a PlaneId>, field: &str) -> Result<(), Refusal> {
        let unknown: Vec<_> = named.map(PlaneId::as_str).filter(|plane| !self.planes.contains(*plane)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let known: Vec<_> = self.planes.iter().map(String::as_str).collect();
        Err(Refusal::new(
            Reason::PlaneUnknown,
            format!("{field} names {}, but this coordinator knows {}", unknown.join(", "), known.join(", ")),
        ))
    }
}
