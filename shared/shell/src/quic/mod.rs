//! Frames between proven identities, over QUIC with mutual TLS 1.3 (`design.md` §6).
//!
//! ```text
//! plane  ── one bidi stream, frames both ways: Hello, Welcome, then a Link ──► coordinator     isochron-plane/1
//! admin  ── a bidi stream per request: one frame in, frames out until its end ──► coordinator  isochron-admin/1
//! ```
//! One endpoint serves both. A plane's connection counts as up only after `Welcome` was read: in TLS 1.3 a client
//! believes in a connection that the server is about to refuse (`facts/tech.md` §2).

mod admission;
mod client;
mod ends;
mod frames;
mod incoming;
mod server;
mod tcp;
mod turns;

pub use admission::{Counts, Limits, Monitor};
pub use client::{AdminConnection, Client, DialError, Responses};
pub use frames::FrameError;
pub use incoming::{AdminRequest, Incoming, PlaneIncoming, QUESTION_BYTES};
pub use server::Server;

use quinn::{IdleTimeout, TransportConfig, VarInt};
use std::{sync::Arc, time::Duration};

#[cfg(test)]
mod tests;

/// A silent peer is given up after this. Equals a plane's own lease from the coordinator (`design.md` §4): who is gone
/// for longer has aborted anyway.
pub const IDLE_LIMIT: Duration = Duration::from_secs(15);
/// Three keep-alives fit into [`IDLE_LIMIT`], so that two lost ones end nothing.
pub const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// From the first packet to a `Hello` (or an admin's request) that was read.
pub const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// How long a closing side waits for what it has written to be acknowledged: `close` discards the rest
/// (`facts/tech.md` §2). Two round trips over any network that a barrier can use.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// `Hello` and `Welcome` are a few short texts.
pub const HELLO_BYTES: usize = 16 * 1024;
/// Bytes in flight to us per stream and in all per connection: a few frames of the usual size, so that a peer whose
/// frames nobody takes stops sending instead of growing our memory.
const STREAM_WINDOW: u32 = 1024 * 1024;

/// What a round trip is believed to take before one was measured: a first packet that nobody answers is sent again after three of
/// them. A coordinator that has just begun to listen is then found in a third of a second, and not after a whole one; over a longer
/// way the same is sent twice.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Why a connection is closed, as a QUIC application code. The text beside it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// All was said.
    Done = 0,
    /// The peer sent what it may not: bad frame, wrong message, wrong stream.
    Protocol = 1,
    /// No common wire version.
    WireVersion = 2,
    /// The identity may not do this: another name, another kind, another trust domain.
    Identity = 3,
    /// Too many sessions.
    Busy = 4,
    /// `Hello` did not come in time.
    HelloTimeout = 5,
    /// The certificate of an open session is no longer good.
    Revoked = 6,
    /// A newer session of the same identity took its place.
    Superseded = 7,
    /// The coordinator refused the session.
    Refused = 8,
    /// The process ends.
    Shutdown = 9,
}

impl Close {
    const ALL: [Self; 10] = [
        Self::Done,
        Self::Protocol,
        Self::WireVersion,
        Self::Identity,
        Self::Busy,
        Self::HelloTimeout,
        Self::Revoked,
        Self::Superseded,
        Self::Refused,
        Self::Shutdown,
    ];

    fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }

    /// The code of a connection that the peer's program closed; `None`: it broke, or the code is none of ours.
    pub fn of(error: &quinn::ConnectionError) -> Option<Self> {
        match error {
            quinn::ConnectionError::ApplicationClosed(closed) => Self::of_code(closed.error_code),
            _ => None,
        }
    }

    fn of_code(code: VarInt) -> Option<Self> {
        Self::ALL.into_iter().find(|close| close.code() == code)
    }

    fn of_number(code: u32) -> Option<Self> {
        Self::of_code(VarInt::from_u32(code))
    }
}

/// Why an endpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum QuicError {
    /// The certificate files do not make a configuration.
    #[error("cannot configure TLS")]
    Tls(#[from] crate::tls::TlsError),
    /// TLS without the suite that QUIC's first packets need; cannot be with our provider.
    #[error("TLS provider lacks QUIC's initial cipher suite")]
    Suite(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
    /// The port could not be taken.
    #[error("cannot listen on {address}/{protocol}: is it free, and may we?")]
    Bind {
        /// udp or tcp.
        protocol: &'static str,
        /// What was asked for.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What both sides share. `streams`: bidirectional streams that the peer may have open.
fn transport(streams: u32) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let idle = u32::try_from(IDLE_LIMIT.as_millis()).unwrap_or(u32::MAX);
    config
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(FIRST_ROUND_TRIP)
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        // It would keep room for ten packets in every connection, and hardly any frame is longer than one.
        .enable_segmentation_offload(false)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(4 * STREAM_WINDOW))
        .send_window(4 * u64::from(STREAM_WINDOW));
    Arc::new(config)
}
