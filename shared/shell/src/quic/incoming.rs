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
    wire::{self, Hello, Welcome},
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
    pub(super) until: Timestamp,
    /// What it said.
    pub hello: Hello,
    /// Wire version that both understand; goes into `Welcome`.
    pub wire: u16,
    pub(super) open: Option<Open>,
}

pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    pub(super) place: Place,
}

impl PlaneIncoming {
    /// Lets it in: `welcome` is sent first, then whatever goes into the link.
    pub fn accept(mut self, welcome: &Welcome) -> Result<Link, FrameError> {
        let first = Bytes::from(wire::encode(welcome)?);
        let open = self.open.take().ok_or(FrameError::Ended)?;
        let peer = Peer { identity: self.identity.clone(), serial: self.serial.clone(), until: self.until };
        keep(open.connection.clone(), open.place);
        Ok(frames::link(open.connection, peer, open.writer, open.reader, Some(first)))
    }

    /// Sends it away with a `Welcome` (`leading: false`), so that it dials the next replica.
    pub fn turn_away(mut self, welcome: &Welcome) -> Result<(), FrameError> {
        let answer = Bytes::from(wire::encode(welcome)?);
        if let Some(mut open) = self.open.take() {
            tokio::spawn(async move {
                let _place = open.place;
                if open.writer.send(answer).await.is_ok() {
                    frames::finish(open.writer).await;
                }
                open.connection.close(Close::Done.code(), b"not leading");
            });
        }
        Ok(())
    }

    /// Refuses it; `why` is read by a person at the plane.
    pub fn refuse(mut self, why: &str) {
        if let Some(open) = self.open.take() {
            open.connection.close(Close::Refused.code(), why.as_bytes());
        }
    }
}

impl Drop for PlaneIncoming {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.connection.close(Close::Refused.code(), b"session not taken");
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
