//! The whole, as users have it: programs `coordinator` and `plane-actor`, a real kube-apiserver, PD and S3, our EC2 and
//! TiKV servers, and `kubectl`. Only `tests/run` has all that these tests need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod backup;
mod bad_credentials;
mod bad_input;
mod bad_world;
mod cluster_objects;
mod credentials;
mod faults;
mod happy;
mod leads;
mod metadata;
mod page;
// The kill matrix has the same rig: it ends programs, starts them again and cuts them off.
#[allow(dead_code, reason = "partly used by the kill matrix only")]
mod programs;
#[path = "../../../plane-actor/src/edge/kube/tests/restore_accepts.rs"]
mod restore_accepts;
#[allow(dead_code, reason = "partly used by the kill matrix only")]
mod rig;
mod schedules;
mod site;
mod traces;
#[allow(dead_code, reason = "partly used by the kill matrix only")]
mod ways;
