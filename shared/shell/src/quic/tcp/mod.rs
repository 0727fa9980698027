//! The same frames between the same identities over TLS 1.3 and TCP, for networks that drop UDP. One connection is one plane's session:
//! no console, no other stream.
//!
//! ```text
//! length (4 bytes, big-endian), body      as on QUIC's stream
//! 0                                       keep-alive: something is said every 5 s, and who hears nothing for 15 s gives up
//! length, 0xc1, code, text                farewell: what QUIC has a close code for; no message begins with 0xc1 (MessagePack)
//! ```

mod client;
mod server;
mod stream;

pub(super) use client::connect;
pub(super) use server::listen;
pub(super) use stream::link;
