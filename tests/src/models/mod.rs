//! What systems around us go by, once: pure, with the time as an argument. Each has two faces, the double of a port in
//! [`crate::world`] and a server that speaks the real protocol in `crate::servers`.

pub mod ec2;
pub(crate) mod regions;
pub mod restored;
pub mod tikv;
