//! Where the coordinator touches the world. Actors never look in here: they know [`crate::ports`].

pub mod kube;
pub mod local;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod quic;
pub mod socket;
pub mod web;
