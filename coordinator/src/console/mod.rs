//! The console: what the coordinator believes, for people (tables) and scripts (JSON). Questions and answers travel as
//! JSON texts over the admin ALPN.

mod answer;
mod render;
mod schedules;
mod why;

pub use answer::{Answered, Question, Snapshot, answer};
pub use render::{Output, render};
pub use schedules::{answer_schedules, is_about_schedules};
