//! What console, metrics and readiness see of a plane.

use shared::member::View;

/// The newest one is all that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaneView {
    /// A session to the coordinator is up.
    pub linked: bool,
    /// Every member kept.
    pub members: Vec<View>,
}
