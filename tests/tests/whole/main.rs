//! The whole, as users have it: programs `coordinator` and `plane-actor`, a real kube-apiserver, PD and S3, our EC2 and
//! TiKV servers, and `kubectl`. Only `tests/run` has all that these tests need.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod bad_credentials;
mod bad_input;
mod bad_world;
mod credentials;
mod discovery;
mod faults;
mod happy;
mod metadata;
mod page;
mod rollout;
mod schedules;
