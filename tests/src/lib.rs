//! Isochron's simulated world, the laws of its decoders, and the guards and protocol servers that the higher rungs of the
//! tests use.

mod bell;
pub mod by_order;
pub mod control;
// They are judged by panics, for whoever catches those.
#[allow(clippy::panic)]
pub mod decoders;
pub mod invariants;
pub mod light;
pub mod listed;
pub mod models;
#[cfg(feature = "aws")]
pub mod processes;
pub mod quic_net;
pub mod rig;
#[cfg(feature = "servers")]
pub mod servers;
pub mod sim;
pub mod world;
