//! A TLS stream as a link: two tasks, a farewell, and keep-alives.

use crate::{
    link::{LINK_QUEUE, Link, Over, Superseded},
    quic::{
        Close, FLUSH_LIMIT, IDLE_LIMIT, KEEP_ALIVE,
        ends::Ends,
        frames::{self, Framing, Queued, SUPERSEDED},
    },
    tls::Peer,
};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{SinkExt, StreamExt, future::BoxFuture};
use shared::wire::MAX_FRAME_BYTES;
use std::sync::Arc;
use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsStream;
use tokio_util::codec::{FramedRead, FramedWrite};

/// No MessagePack text begins with it.
const FAREWELL: u8 = 0xc1;
/// Characters of a farewell's text; the rest is cut off.
const FAREWELL_TEXT: usize = 512;

type Reader = FramedRead<ReadHalf<TlsStream<TcpStream>>, Framing>;
type Writer = FramedWrite<WriteHalf<TlsStream<TcpStream>>, Framing>;

/// A TLS stream, in frames.
pub(in crate::quic) struct Stream {
    reader: Reader,
    writer: Writer,
}

/// What a frame is.
pub(super) enum Said {
    Frame(Bytes),
    KeepAlive,
    Farewell(Close, String),
}

impl Said {
    fn of(frame: Bytes) -> Self {
        match frame.as_ref() {
            [] => Self::KeepAlive,
            [FAREWELL, code, text @ ..] => {
                // One of a newer version is a refusal in words.
                let close = Close::of_number(u32::from(*code)).unwrap_or(Close::Refused);
                Self::Farewell(close, String::from_utf8_lossy(text).into_owned())
            }
            _ => Self::Frame(frame),
        }
    }
}

fn farewell(close: Close, why: &str) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(FAREWELL);
    frame.put_u8(close as u8);
    let text: String = why.chars().take(FAREWELL_TEXT).collect();
    frame.put(text.as_bytes());
    frame.freeze()
}

impl Stream {
    /// Frames of at most `limit` bytes are read.
    pub(super) fn new(stream: TlsStream<TcpStream>, limit: usize) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self { reader: frames::reader(read, limit), writer: frames::writer(write) }
    }

    pub(super) async fn say(&mut self, frame: Bytes) -> Result<(), frames::FrameError> {
        Ok(self.writer.send(frame).await?)
    }

    /// The one frame that is due now, or a farewell.
    pub(super) async fn hear(&mut self) -> Result<Said, frames::FrameError> {
        loop {
            match Said::of(frames::read_one(&mut self.reader).await?) {
                Said::KeepAlive => {}
                said => return Ok(said),
            }
        }
    }

    /// Says farewell. What the peer still sends is heard and dropped, or its kernel would throw the farewell away.
    pub(super) async fn part(mut self, close: Close, why: &str) {
        let parting = async {
            self.writer.send(farewell(close, why)).await?;
            self.writer.get_mut().shutdown().await?;
            while let Some(Ok(_)) = self.reader.next().await {}
            Ok::<_, std::io::Error>(())
        };
        // Who does not take it is gone.
        let _ = timeout(FLUSH_LIMIT, parting).await;
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The farewell is due.
    Ends(Close, String),
    Over,
}

/// Ends a stream from elsewhere.
#[derive(Clone)]
pub(in crate::quic) struct Ending(Arc<watch::Sender<State>>);

impl Ending {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::Open)))
    }

    fn until(&self, test: fn(&State) -> bool) -> BoxFuture<'static, ()> {
        let mut state = self.0.subscribe();
        Box::pin(async move {
            // Its sender is gone with everybody who could end it. Nothing is kept of the answer, which is a lock.
            let _ = state.wait_for(test).await;
        })
    }

    /// Nobody is there any more.
    pub(super) fn is_over_now(&self) {
        self.0.send_replace(State::Over);
    }
}

impl Ends for Ending {
    fn end(&self, close: Close, why: &str) {
        self.0.send_if_modified(|state| {
            let open = *state == State::Open;
            if open {
                *state = State::Ends(close, why.to_owned());
            }
            open
        });
    }

    fn is_over(&self) -> bool {
        *self.0.borrow() != State::Open
    }

    fn over(&self) -> BoxFuture<'static, ()> {
        self.until(|state| *state == State::Over)
    }
}

/// A stream after its handshake, as a link. `first` goes out before all that the link's owner sends; `kept` lives as long as the
/// stream.
pub(in crate::quic) fn link(
    stream: Stream,
    ending: &Ending,
    peer: Peer,
    first: Option<Bytes>,
    kept: impl Send + 'static,
) -> Link {
    let Stream { mut reader, writer } = stream;
    reader.decoder_mut().set_max_frame_length(MAX_FRAME_BYTES);
    let (tx, outgoing) = mpsc::channel(LINK_QUEUE);
    let (incoming, rx) = mpsc::channel(LINK_QUEUE);
    let name = peer.identity.to_string();
    let (superseding, ends) = (ending.clone(), ending.clone());
    tokio::spawn(async move {
        tokio::join!(send(writer, first, outgoing, &ends), receive(reader, incoming, &name, &ends));
        ends.is_over_now();
        drop(kept);
    });
    let superseded = Superseded::by(move || superseding.end(Close::Superseded, "a newer session took its place"));
    Link { peer: peer.identity, serial: peer.serial, until: Some(peer.until), over: Over::Tcp, superseded, tx, rx }
}

/// What is queued goes first, a farewell last.
async fn send(mut writer: Writer, first: Option<Bytes>, mut outgoing: mpsc::Receiver<Bytes>, ending: &Ending) {
    let (mut over, mut ends) = (ending.over(), ending.until(|state| *state != State::Open));
    let mut next = first;
    loop {
        let frame = match next.take() {
            Some(frame) => frame,
            None => tokio::select! {
                biased;
                () = &mut over => return,
                frame = outgoing.recv() => match frame {
                    Some(frame) => frame,
                    None => {
                        ending.end(Close::Done, "");
                        break;
                    }
                },
                () = &mut ends => break,
                () = sleep(KEEP_ALIVE) => Bytes::new(),
            },
        };
        let oversize = frame.len() > MAX_FRAME_BYTES;
        // A peer that takes nothing for so long is gone.
        if !matches!(timeout(IDLE_LIMIT, frames::say(&mut writer, frame)).await, Ok(Ok(()))) {
            if oversize {
                tracing::error!("own frame is over the limit, link closed");
            }
            return ending.is_over_now();
        }
    }
    let last = ending.0.borrow().clone();
    let State::Ends(close, why) = last else { return };
    let parting = async {
        writer.send(farewell(close, &why)).await?;
        writer.get_mut().shutdown().await
    };
    let _ = timeout(FLUSH_LIMIT, parting).await;
}

async fn receive(mut reader: Reader, incoming: mpsc::Sender<Bytes>, name: &str, ending: &Ending) {
    let mut queued = Queued::default();
    let mut ends = ending.until(|state| *state != State::Open);
    loop {
        let frame = tokio::select! {
            biased;
            () = &mut ends => break,
            () = incoming.closed() => {
                // Nobody listens here any more. The peer is told once what is queued for it has gone.
                ending.end(Close::Done, "");
                break;
            }
            frame = timeout(IDLE_LIMIT, reader.next()) => frame,
        };
        let said = match frame {
            Ok(Some(Ok(frame))) => Said::of(frame.freeze()),
            Ok(Some(Err(error))) => {
                tracing::warn!(peer = name, error = %error, "bad frame or broken stream, link closed");
                return ending.end(Close::Protocol, "bad frame");
            }
            Ok(None) => return ending.is_over_now(),
            Err(_) => {
                tracing::warn!(peer = name, limit = ?IDLE_LIMIT, "nothing was heard, link given up");
                return ending.is_over_now();
            }
        };
        match said {
            Said::KeepAlive => {}
            Said::Farewell(close, why) => {
                match close {
                    Close::Superseded => tracing::warn!(peer = name, "{SUPERSEDED}"),
                    Close::Done => {}
                    _ => tracing::warn!(peer = name, ?close, why, "link closed by the peer"),
                }
                return ending.is_over_now();
            }
            Said::Frame(frame) => {
                queued.make_room(&incoming, frame.len()).await;
                if incoming.send(frame).await.is_err() {
                    continue;
                }
            }
        }
    }
    // Until the peer has the farewell, or is gone.
    let rest = async { while let Some(Ok(_)) = reader.next().await {} };
    let _ = timeout(FLUSH_LIMIT, rest).await;
}
