//! What the coordinator knows, to be looked at: a picture of an attempt, a report to be filed. All of it is computed
//! from answers of the console, and shows nothing that those do not.

mod evidence;
mod look;
mod picture;
mod report;

pub use evidence::{Proof, proofs};
pub use picture::standalone as timeline_svg;
pub use report::report;
