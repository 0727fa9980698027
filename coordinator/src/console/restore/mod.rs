//! `console restore plan`: what a restore of a Complete backup would take, and whether it would work.

mod answer;
mod drawn;
mod options;

pub use answer::Planned;
pub use drawn::drawn;
pub use options::RestoreOptions;
