//! Everything that touches a network or a disk, one folder per system. Actors never name anything in here; `main.rs`
//! joins it to the ports.

#[cfg(feature = "aws")]
pub mod aws;
pub mod fallback;
pub mod kube;
pub mod local;
pub mod pd;
pub mod proto;
pub mod quic;
pub mod rest;
pub mod tikv;
pub mod tls;
mod url;
