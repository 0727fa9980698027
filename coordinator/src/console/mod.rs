//! The console: what the coordinator believes, for people (tables) and scripts (JSON). Questions and answers travel as
//! JSON texts over the admin ALPN.

mod answer;
pub mod contexts;
mod render;
mod schedules;
mod timeline;
pub mod watch;
mod why;

pub use answer::{
    Answered, Orphan, PlaneSeen, Question, Snapshot, about_ended, answer, backup_to_cancel, no_answer, not_allowed,
    not_leading, not_yet, orphan_to_delete, text,
};
pub use render::{Output, render, shown};
pub use schedules::{answer_schedules, is_about_schedules};
pub use timeline::drawn as timeline_drawn;
