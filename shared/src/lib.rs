//! Isochron's pure core: values and functions, nothing that has a clock, a socket or a thread.
//!
//! The barrier is two machines that know each other only through [`wire`]: [`barrier`] (coordinator side) and
//! [`member`] (plane side). Who may run one is a third, [`claims`]. Each is `step(now, input) -> effects`; the shell feeds inputs and carries out effects.
//! The same machines run under actix in production, in the simulation and under the model checker.
#![warn(missing_docs)]

pub mod account;
pub mod alarm;
pub mod backoff;
pub mod barrier;
pub mod calendar;
pub mod claims;
pub mod cron;
pub mod docs;
pub mod duration;
pub mod epoch;
pub mod evidence;
pub mod ids;
pub mod limiter;
pub mod machine;
pub mod member;
pub mod pace;
pub mod pack;
pub mod placement;
pub mod plane_name;
pub mod policy;
pub mod reason;
pub mod recovery;
pub mod region_set;
pub mod request;
pub mod restore;
pub mod restorer;
pub mod restoring;
pub mod retention;
mod rules;
pub mod schedule;
mod skip;
/// Examples for tests.
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod tiling;
pub mod time;
mod timers;
pub mod trace;
pub mod ts;
pub mod verify;
pub mod wire;
