//! `console check`: would a backup work? What the coordinator knows, and what the planes found, one line for each check.

mod drawn;
mod line;
mod planes;
mod report;

pub use drawn::drawn;
pub(super) use line::Line;
pub use planes::{Heard, OfPlane, Session};
pub use report::{ControlPlane, Report, Subject};

#[cfg(test)]
mod tests;
