//! The console: what the coordinator believes, for people (tables) and scripts (JSON). Questions and answers travel as
//! JSON texts over the admin ALPN.

mod answer;
mod called;
pub mod check;
pub mod contexts;
pub mod diagnose;
mod drains;
mod glance;
pub mod leftovers;
mod painted;
mod question;
mod render;
mod resource;
pub mod restore;
mod schedules;
mod sizes;
mod table;
mod timeline;
pub mod verify;
pub mod watch;
mod why;

pub(crate) use answer::NOT_READ;
pub use answer::{
    Orphan, PlaneSeen, Snapshot, about_ended, answer, backup_to_cancel, backup_to_restore, backup_to_verify,
    not_leading, not_yet,
};
pub(crate) use called::{is_called, is_named};
pub use drains::{DrainSeen, Waiting};
pub use glance::ROWS as GLANCE_ROWS;
pub use painted::painted;
pub use question::{Answered, OVER_HTTP, Question, no_answer, question, text};
pub use render::{Output, render, shown};
pub use resource::{API, path_of, plain, question_of, segment, segments};
pub use schedules::{Worth, answer_schedules, is_about_schedules};
pub use timeline::{drawn as timeline_drawn, timeline};
