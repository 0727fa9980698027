//! Frames on a QUIC stream: four bytes of length, big-endian, then that many bytes. And the two tasks that turn a
//! stream into a [`Link`].

use super::{Close, FLUSH_LIMIT};
use crate::{
    link::{LINK_BYTES, LINK_QUEUE, Link, Over, Superseded},
    tls::Peer,
};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use quinn::{Connection, RecvStream, SendStream};
use shared::wire::MAX_FRAME_BYTES;
use std::{collections::VecDeque, io};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::timeout,
};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

/// Why no frame came or went.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream broke, or a frame over the limit was announced or handed in.
    #[error("stream broke or frame too large")]
    Broken(#[from] io::Error),
    /// The peer ended the stream where a frame was due.
    #[error("stream ended before a frame came")]
    Ended,
    /// It took too long.
    #[error("no frame in time")]
    TimedOut,
    /// The frame is no message that was due here.
    #[error(transparent)]
    Codec(#[from] shared::wire::CodecError),
}

/// To whoever reads a plane's log.
pub(crate) const SUPERSEDED: &str = "a newer session of our name took this link's place: if that goes on, two processes share one name and one \
     certificate";

/// What a link's buffers begin with, each way. Most frames fit, longer ones make it grow; the codecs' own 8 KiB would be a
/// third of what an idle session takes (`facts/tech.md` §2).
const BUFFER: usize = 512;

/// A buffer that has grown beyond this is given back: of a thousand links few send anything as long again.
const LONG: usize = 32 * 1024;

pub(super) type Framing = LengthDelimitedCodec;
pub(super) type Reader = FramedRead<RecvStream, Framing>;
pub(super) type Writer = FramedWrite<SendStream, Framing>;

fn codec(limit: usize) -> Framing {
    LengthDelimitedCodec::builder().big_endian().length_field_length(4).max_frame_length(limit).new_codec()
}

/// Reads frames of at most `limit` bytes. Cancel-safe, unlike `read_exact`.
pub(super) fn reader<R: AsyncRead>(stream: R, limit: usize) -> FramedRead<R, Framing> {
    FramedRead::with_capacity(stream, codec(limit), BUFFER)
}

/// Writes frames of at most [`MAX_FRAME_BYTES`].
pub(super) fn writer<W: AsyncWrite>(stream: W) -> FramedWrite<W, Framing> {
    FramedWrite::with_capacity(stream, codec(MAX_FRAME_BYTES), BUFFER)
}

/// Sends one frame.
pub(super) async fn say<W: AsyncWrite + Unpin>(writer: &mut FramedWrite<W, Framing>, frame: Bytes) -> io::Result<()> {
    let long = frame.len() > LONG;
    // Kept until all of it is in the transport's hands: whoever made it may have been given room for it.
    let kept = frame.clone();
    let sent = writer.send(frame).await;
    drop(kept);
    if long {
        *writer.write_buffer_mut() = BytesMut::with_capacity(BUFFER);
    }
    sent
}

/// The one frame that is due now.
pub(super) async fn read_one<R: AsyncRead + Unpin>(reader: &mut FramedRead<R, Framing>) -> Result<Bytes, FrameError> {
    match reader.next().await {
        Some(frame) => Ok(frame?.freeze()),
        None => Err(FrameError::Ended),
    }
}

/// Ends the stream and waits, not for long, until the peer has all of it.
pub(super) async fn finish(writer: Writer) {
    // Every send has flushed, so the codec holds nothing back.
    let mut stream = writer.into_inner();
    if stream.finish().is_ok() {
        // Not acknowledged in time, or the peer is gone: nothing more that we could do for it.
        let _ = timeout(FLUSH_LIMIT, stream.stopped()).await;
    }
}

/// A stream after its handshake, as a link. `first` goes out before all that the link's owner sends.
pub(super) fn link(
    connection: Connection,
    peer: Peer,
    writer: Writer,
    mut reader: Reader,
    first: Option<Bytes>,
) -> Link {
    reader.decoder_mut().set_max_frame_length(MAX_FRAME_BYTES);
    let (tx, outgoing) = mpsc::channel(LINK_QUEUE);
    let (incoming, rx) = mpsc::channel(LINK_QUEUE);
    let name = peer.identity.to_string();
    let ending = connection.clone();
    let superseded = Superseded::by(move || ending.close(Close::Superseded.code(), b"a newer session took its place"));
    tokio::spawn(async move {
        // Each direction ends by itself, so that what was said before a close is still heard; the connection ends
        // with the second.
        tokio::join!(send(&connection, writer, first, outgoing), receive(&connection, &name, reader, incoming));
        connection.close(Close::Done.code(), b"");
    });
    Link { peer: peer.identity, serial: peer.serial, until: Some(peer.until), over: Over::Quic, superseded, tx, rx }
}

async fn send(connection: &Connection, mut writer: Writer, first: Option<Bytes>, mut outgoing: mpsc::Receiver<Bytes>) {
    let mut next = first;
    loop {
        let frame = match next.take() {
            Some(frame) => frame,
            None => tokio::select! {
                biased;
                _ = connection.closed() => return,
                frame = outgoing.recv() => match frame {
                    Some(frame) => frame,
                    None => break,
                },
            },
        };
        if let Err(error) = say(&mut writer, frame).await {
            // Only our own oversize frame leaves the connection open here; half a conversation is of no use to anybody.
            if error.kind() == io::ErrorKind::InvalidInput {
                tracing::error!(error = %error, "own frame is over the limit, link closed");
                connection.close(Close::Protocol.code(), b"own frame is over the limit");
            }
            return;
        }
    }
    finish(writer).await;
}

/// Lengths of the last frames that went into a queue of [`LINK_QUEUE`], newest first.
#[derive(Default)]
pub(super) struct Queued(VecDeque<usize>);

impl Queued {
    /// Waits until a frame of this length can go in without more than [`LINK_BYTES`] waiting there.
    pub(super) async fn make_room(&mut self, queue: &mpsc::Sender<Bytes>, length: usize) {
        let mut left = LINK_BYTES.saturating_sub(length);
        let fits = |known: &&usize| {
            let room = left.checked_sub(**known);
            left = room.unwrap_or(0);
            room.is_some()
        };
        // So many of the newest may still be there; a queue that is empty takes any.
        let may_wait = self.0.iter().take_while(fits).count().min(LINK_QUEUE - 1);
        // A queue whose owner is gone says so at the next send.
        drop(queue.reserve_many(LINK_QUEUE - may_wait).await);
        self.0.push_front(length);
        self.0.truncate(LINK_QUEUE);
    }
}

async fn receive(connection: &Connection, name: &str, mut reader: Reader, incoming: mpsc::Sender<Bytes>) {
    let mut queued = Queued::default();
    loop {
        let frame = tokio::select! {
            biased;
            () = incoming.closed() => {
                // Nobody listens here any more: tell the peer, whose next send then fails.
                let _ = reader.get_mut().stop(Close::Done.code());
                return;
            }
            frame = reader.next() => frame,
        };
        match frame {
            Some(Ok(frame)) => {
                // A full queue stops the reading and, through flow control, the peer.
                queued.make_room(&incoming, frame.len()).await;
                if incoming.send(frame.freeze()).await.is_err() {
                    continue;
                }
            }
            Some(Err(error)) => {
                match connection.close_reason().map(|reason| Close::of(&reason)) {
                    None => {
                        tracing::warn!(peer = name, error = %error, "bad frame or broken stream, link closed");
                        connection.close(Close::Protocol.code(), b"bad frame");
                    }
                    Some(Some(Close::Superseded)) => tracing::warn!(peer = name, "{SUPERSEDED}"),
                    Some(_) => {}
                }
                return;
            }
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_queue_holds_so_many_bytes_whatever_the_frames() {
        let (tx, mut rx) = mpsc::channel(LINK_QUEUE);
        let mut queued = Queued::default();
        let mut waiting = 0;
        let lengths = [10, 300_000, 500_000, 300_000, 4 << 20, 1, 2, 600_000, 600_000].into_iter();
        for length in lengths.chain(std::iter::repeat_n(100, 200)) {
            // Without a budget of tokio's, which a test that never waits would use up.
            while tokio::task::unconstrained(queued.make_room(&tx, length)).now_or_never().is_none() {
                let taken: Bytes = rx.try_recv().expect("it waits only while something is there");
                waiting -= taken.len();
            }
            tx.try_send(Bytes::from(vec![0; length])).expect("there is room");
            waiting += length;
            assert!(waiting <= LINK_BYTES.max(length), "{waiting}");
        }
    }
}
