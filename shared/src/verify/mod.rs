//! Is a Complete backup still whole? What is looked at, what all findings together come to, and which backup is due next.
//! Nothing here deletes anything or takes a backup's phase back: a verification that fails is an alarm for people.

mod due;
mod judge;
mod subject;

pub use due::{Due, Kept, Pace, due};
pub use judge::{Asked, Level, Verification, judge, judge_of};
pub use subject::Subject;
