//! An admin's requests.

use super::outcome::{DialError, Failure, Tally, within};
use crate::{
    link::Identity,
    quic::{
        Close, HELLO_LIMIT,
        frames::{self, FrameError, Reader},
    },
    tls::Peer,
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use quinn::Connection;
use shared::wire::MAX_FRAME_BYTES;

/// An admin's connection. Requests are independent of each other; dropping it flushes nothing, answers were read.
#[derive(Debug)]
pub struct AdminConnection {
    pub(super) connection: Connection,
    pub(super) peer: Peer,
}

impl AdminConnection {
    /// Which coordinator answered.
    pub fn coordinator(&self) -> &Identity {
        &self.peer.identity
    }

    /// Asks; the answers come as they are made.
    pub async fn request(&self, body: Bytes) -> Result<Responses, DialError> {
        let asked = async {
            let (send, recv) = self.connection.open_bi().await?;
            let mut writer = frames::writer(send);
            writer.send(body).await.map_err(FrameError::from)?;
            // The request is complete; its end needs no wait, the first answer proves that it came.
            writer.get_mut().finish().map_err(|error| FrameError::Broken(error.into()))?;
            Ok::<_, Failure>(frames::reader(recv, MAX_FRAME_BYTES))
        };
        match within(HELLO_LIMIT, asked).await {
            Ok(reader) => Ok(Responses { reader, connection: self.connection.clone() }),
            Err(failure) => Err(self.explain(failure)),
        }
    }

    fn explain(&self, failure: Failure) -> DialError {
        let failure = self.connection.close_reason().map_or(failure, Failure::Connection);
        Tally::of(self.connection.remote_address(), failure).error()
    }
}

impl Drop for AdminConnection {
    fn drop(&mut self) {
        self.connection.close(Close::Done.code(), b"");
    }
}

/// Answers to one request. Dropping it tells the coordinator that nobody listens.
pub struct Responses {
    reader: Reader,
    connection: Connection,
}

impl Responses {
    /// The next answer; `None`: that was all. The caller bounds how long it waits.
    pub async fn next(&mut self) -> Option<Result<Bytes, DialError>> {
        let error = match self.reader.next().await? {
            Ok(frame) => return Some(Ok(frame.freeze())),
            Err(error) => FrameError::from(error),
        };
        let failure = self.connection.close_reason().map_or(Failure::Frame(error), Failure::Connection);
        Some(Err(Tally::of(self.connection.remote_address(), failure).error()))
    }
}
