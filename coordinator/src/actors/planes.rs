//! Planes that objects name and nobody configured.

use shared::{
    ids::PlaneId,
    reason::{Reason, Refusal},
};
use std::collections::BTreeSet;

/// `field` is where they stand.
pub(super) fn unknown_planes<'a>(
    configured: &BTreeSet<String>,
    named: impl Iterator<Item = &'a PlaneId>,
    field: &str,
) -> Option<Refusal> {
    let unknown: Vec<_> = named.map(PlaneId::as_str).filter(|plane| !configured.contains(*plane)).collect();
    if unknown.is_empty() {
        return None;
    }
    let known: Vec<_> = configured.iter().map(String::as_str).collect();
    Some(Refusal::new(
        Reason::PlaneUnknown,
        format!("{field} names {}, but this coordinator knows {}", unknown.join(", "), known.join(", ")),
    ))
}
