//! What a restore of a Complete backup takes: which volumes, where, in which order, how long until their data is there,
//! what they cost, and what they are called in AWS. Values and functions; nothing here makes a volume.

mod asking;
mod claims;
mod judge;
mod limits;
mod mapping;
mod money;
mod plan;
mod room;
mod streams;
mod subject;
pub mod tags;
mod token;

pub use asking::Asking;
pub use claims::pod_place;
pub use judge::{Judged, judge};
pub use limits::{check, recovers, version_line};
pub use mapping::{Mapping, Placed, mapping};
pub use money::{KindPrice, Nano, Prices};
pub use plan::{Plan, PlanePlan, PlannedVolume, Told, Totals, plan};
pub use room::Room;
pub use streams::{Stream, finished};
pub use subject::Subject;
pub use token::VolumeCall;
