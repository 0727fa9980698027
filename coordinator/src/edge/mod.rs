//! Where the coordinator touches the world. Actors never look in here: they know [`crate::ports`].

pub mod kube;
pub mod local;
pub mod quic;
pub mod socket;
pub mod web;
