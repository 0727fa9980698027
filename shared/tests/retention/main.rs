//! Which backups stay: named cases, and laws over any history and any policy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fixtures;
mod properties;
mod table;
