//! Servers that speak the real protocols, for tests of the edges.

mod accept;
pub mod ec2;
pub mod forward;
pub mod front;
pub mod incumbent;
pub mod kube;
pub mod moto;
pub mod namespace;
pub mod pd;
pub mod ports;
pub mod process;
pub mod relay;
pub mod tikv;
