//! The cron dialect against two oracles: robfig/cron v1.2.0 itself, whose answers are stored (`golden/`), and a walk over
//! every minute that reads the wall clock through another library's calendar.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod oracle;
mod properties;
mod robfig;
mod table;
