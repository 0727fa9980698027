//! Isochron's simulated world, and the guards and protocol servers that the higher rungs of the tests use.

mod bell;
pub mod control;
pub mod invariants;
pub mod listed;
pub mod quic_net;
pub mod rig;
#[cfg(feature = "servers")]
pub mod servers;
pub mod sim;
pub mod world;
