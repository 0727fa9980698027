//! Isochron's simulated world, and the guards and protocol servers that the higher rungs of the tests use.

pub mod control;
pub mod quic_net;
#[cfg(feature = "servers")]
pub mod servers;
pub mod stage;
pub mod world;
