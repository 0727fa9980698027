//! What becomes of a dial: why one address did not work, and what of all of them is told.

use crate::{
    link::Identity,
    quic::{Close, QuicError, frames::FrameError},
    tls::{Distrust, IdentityError},
};
use std::{net::SocketAddr, time::Duration};
use tokio::time::timeout;

/// Why nobody was reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No address to try.
    #[error("no address of a coordinator to dial: {0}")]
    NoAddress(String),
    /// Coordinators answered, none of them leads; dial again later.
    #[error("{0} coordinator(s) answered, none leads")]
    NotLeading(usize),
    /// The coordinator closed on purpose: who we are or what we speak does not suit it. Dialling again does not help
    /// until a person changes something.
    #[error("{address} refused us ({close:?}): {why}")]
    Refused {
        /// Which coordinator.
        address: SocketAddr,
        /// Its code.
        close: Close,
        /// Its words.
        why: String,
    },
    /// What answered showed a certificate that we do not believe: revoked, ended, of another CA or for another name.
    #[error("{address}: {distrust}")]
    Distrusted {
        /// Where.
        address: SocketAddr,
        /// Whose certificate, and what speaks against it.
        distrust: Distrust,
    },
    /// None of the addresses worked; one line each.
    #[error("no coordinator reached: {}", .0.join("; "))]
    Unreachable(Vec<String>),
    /// Our own configuration.
    #[error(transparent)]
    Local(#[from] QuicError),
}

/// Why one address did not work.
#[derive(Debug, thiserror::Error)]
pub(in crate::quic) enum Failure {
    #[error("cannot connect: {0}")]
    Connect(#[from] quinn::ConnectError),
    #[error("{0}")]
    Connection(#[from] quinn::ConnectionError),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("it is no coordinator: {0}")]
    Foreign(#[from] IdentityError),
    #[error("it is {0}, no coordinator")]
    NoCoordinator(Identity),
    #[error("it agreed on wire version {0}, which we do not speak")]
    Wire(u16),
    #[error("{0}")]
    Distrusted(Distrust),
    #[error("closed ({0:?}): {1}")]
    Closed(Close, String),
    #[error("{0:?} is no name that a certificate could be for")]
    Name(String),
    #[error("over TCP: {0}")]
    Tcp(#[from] std::io::Error),
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Local(#[from] QuicError),
}

/// What became of the addresses of one dial.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) not_leading: usize,
    refused: Option<DialError>,
    distrusted: Option<DialError>,
    failures: Vec<String>,
    /// Nothing came back from them.
    pub(super) silent: Vec<SocketAddr>,
}

impl Tally {
    pub(super) fn of(address: SocketAddr, failure: Failure) -> Self {
        let mut tally = Self::default();
        tally.failed(address, failure);
        tally
    }

    pub(super) fn failed(&mut self, address: SocketAddr, failure: Failure) {
        match failure {
            Failure::Connection(quinn::ConnectionError::ApplicationClosed(closed)) => {
                let why = String::from_utf8_lossy(&closed.reason).into_owned();
                match Close::of_code(closed.error_code) {
                    Some(close) => self.was_refused(address, close, why),
                    None => self.failures.push(format!("{address}: closed by peer: {why}")),
                }
            }
            Failure::Closed(close, why) => self.was_refused(address, close, why),
            Failure::Distrusted(distrust) => {
                self.failures.push(format!("{address}: {distrust}"));
                self.distrusted.get_or_insert(DialError::Distrusted { address, distrust });
            }
            failure => {
                if matches!(failure, Failure::TimedOut | Failure::Connection(quinn::ConnectionError::TimedOut)) {
                    self.silent.push(address);
                }
                self.failures.push(format!("{address}: {failure}"));
            }
        }
    }

    fn was_refused(&mut self, address: SocketAddr, close: Close, why: String) {
        self.failures.push(format!("{address}: refused ({close:?}): {why}"));
        self.refused.get_or_insert(DialError::Refused { address, close, why });
    }

    /// No coordinator at all, for better or worse.
    pub(super) fn nobody_answered(&self) -> bool {
        self.not_leading == 0 && self.refused.is_none() && self.distrusted.is_none() && !self.silent.is_empty()
    }

    /// Why some were silent.
    pub(super) fn explained(&mut self, lines: Vec<String>) {
        self.failures.extend(lines);
    }

    /// What is worth telling: what a person has to change comes before what passes by itself.
    pub(super) fn error(self) -> DialError {
        match self.refused.or(self.distrusted) {
            Some(error) => error,
            None if self.not_leading > 0 => DialError::NotLeading(self.not_leading),
            None => DialError::Unreachable(self.failures),
        }
    }
}

pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(limit, work).await.unwrap_or(Err(Failure::TimedOut))
}
