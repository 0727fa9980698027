//! `console restore plan`: what a restore of a Complete backup would take, and whether it would work.

mod answer;
mod drawn;
mod options;
mod seen;

pub use answer::Planned;
pub use drawn::drawn;
pub use options::RestoreOptions;
pub use seen::{find, list, show};
