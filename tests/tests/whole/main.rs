//! The whole, as users have it: programs `coordinator` and `plane-actor`, a real kube-apiserver, PD and S3, our EC2 and
//! TiKV servers, and `kubectl`. Only `tests/run` has all that these tests need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod backup;
mod bad_input;
mod bad_world;
mod cluster_objects;
mod faults;
mod happy;
mod leads;
mod metadata;
mod programs;
#[path = "../../../plane-actor/src/edge/kube/tests/restore_accepts.rs"]
mod restore_accepts;
mod schedules;
mod site;
mod stage;
mod traces;
