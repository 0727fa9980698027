//! What the coordinator knows, to be looked at: a picture of an attempt, a report to be filed, pages for a browser. All of
//! it is computed from answers of the console, and shows nothing that those do not.

mod evidence;
mod frame;
mod look;
mod one;
mod overview;
mod picture;
mod report;

pub use evidence::{Proof, proofs};
pub(crate) use frame::style;
pub use frame::{ICON, SCRIPT, message};
pub use one::backup;
pub use overview::overview;
pub use picture::standalone as timeline_svg;
pub use report::report;
