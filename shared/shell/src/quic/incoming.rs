//! What comes in: a plane that wants a session, or a question of an admin.

use super::{
    Close,
    admission::Place,
    frames::{self, FrameError, Reader, Writer},
};
use crate::{
    link::{Identity, Link},
    tls::Peer,
};
use bytes::Bytes;
use futures::SinkExt;
use quinn::Connection;
use shared::{
    time::Timestamp,
    wire::{self, Hello, MIN_WIRE_VERSION, WIRE_VERSION, Welcome},
};
use tokio::sync::mpsc;

/// A question of an admin names an object or two.
pub const QUESTION_BYTES: usize = 64 * 1024;

/// What came in.
pub enum Incoming {
    /// A plane said `Hello`.
    Plane(PlaneIncoming),
    /// An admin asked for something.
    Admin(AdminRequest),
}

/// One request of an admin.
#[derive(Debug)]
pub struct AdminRequest {
    /// Of a person: it has a [`crate::link::Role`].
    pub identity: Identity,
    /// What is asked, one frame.
    pub body: Bytes,
    /// Answers, in order; dropping it ends the answer. Closed when the admin is gone.
    pub reply: mpsc::Sender<Bytes>,
}

/// A plane whose identity is proven and whose wire version is understood. Dropping it refuses the session.
pub struct PlaneIncoming {
    /// Always [`Identity::Plane`], with the name that `hello` says.
    pub identity: Identity,
    /// Serial of its certificate.
    pub serial: String,
    until: Timestamp,
    /// What it said.
    pub hello: Hello,
    /// Wire version that both understand; goes into `Welcome`.
    pub wire: u16,
    open: Option<Box<dyn Door>>,
}

/// What stands open behind a plane that has said `Hello`.
pub(crate) trait Door: Send {
    /// Lets it in.
    fn link(self: Box<Self>, peer: Peer, welcome: Bytes) -> Link;

    /// Says what it has to know, and closes.
    fn turn_away(self: Box<Self>, answer: Bytes);

    /// Closes.
    fn refuse(self: Box<Self>, why: &str);
}

/// Over QUIC.
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) place: Place,
}

impl Door for Open {
    fn link(self: Box<Self>, peer: Peer, welcome: Bytes) -> Link {
        let Self { connection, writer, reader, place } = *self;
        keep(connection.clone(), place);
        frames::link(connection, peer, writer, reader, Some(welcome))
    }

    fn turn_away(mut self: Box<Self>, answer: Bytes) {
        tokio::spawn(async move {
            let _place = self.place;
            if self.writer.send(answer).await.is_ok() {
                frames::finish(self.writer).await;
            }
            self.connection.close(Close::Done.code(), b"not leading");
        });
    }

    fn refuse(self: Box<Self>, why: &str) {
        self.connection.close(Close::Refused.code(), why.as_bytes());
    }
}

/// A plane speaks for itself, and in words that both sides know: the version that both understand.
///
/// # Errors
/// How the connection is closed, and why.
pub(crate) fn understood(name: &str, hello: &Hello) -> Result<u16, (Close, String)> {
    if hello.plane.as_str() != name {
        return Err((Close::Identity, format!("plane/{name} may not speak for plane/{}", hello.plane)));
    }
    // The peer speaks `hello.wire` and, from version 2 on, the one before; so do we.
    let wire = hello.wire.min(WIRE_VERSION);
    if wire < MIN_WIRE_VERSION || hello.wire > WIRE_VERSION.saturating_add(1) {
        let why = format!("wire version {} offered, {MIN_WIRE_VERSION} to {WIRE_VERSION} understood", hello.wire);
        return Err((Close::WireVersion, why));
    }
    Ok(wire)
}

impl PlaneIncoming {
    pub(crate) fn new(peer: Peer, hello: Hello, wire: u16, open: Box<dyn Door>) -> Self {
        let Peer { identity, serial, until } = peer;
        Self { identity, serial, until, hello, wire, open: Some(open) }
    }

    /// Lets it in: `welcome` is sent first, then whatever goes into the link.
    pub fn accept(mut self, welcome: &Welcome) -> Result<Link, FrameError> {
        let first = Bytes::from(wire::encode(welcome)?);
        let open = self.open.take().ok_or(FrameError::Ended)?;
        let peer = Peer { identity: self.identity.clone(), serial: self.serial.clone(), until: self.until };
        Ok(open.link(peer, first))
    }

    /// Sends it away with a `Welcome` (`leading: false`), so that it dials the next replica.
    pub fn turn_away(mut self, welcome: &Welcome) -> Result<(), FrameError> {
        let answer = Bytes::from(wire::encode(welcome)?);
        if let Some(open) = self.open.take() {
            open.turn_away(answer);
        }
        Ok(())
    }

    /// Refuses it; `why` is read by a person at the plane.
    pub fn refuse(mut self, why: &str) {
        if let Some(open) = self.open.take() {
            open.refuse(why);
        }
    }
}

impl Drop for PlaneIncoming {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.refuse("session not taken");
        }
    }
}

/// Keeps a session's place until its connection is closed.
fn keep(connection: Connection, place: Place) {
    tokio::spawn(async move {
        connection.closed().await;
        drop(place);
    });
}
