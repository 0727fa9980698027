//! One end of the wire, as quinn wants a UDP socket.

use super::wire::Wire;
use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{EcnCodepoint, RecvMeta, Transmit},
};
use std::{
    collections::BTreeMap,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// Datagrams on their way to one socket; more are lost, as in a full kernel buffer (212 992 bytes by default).
const INBOX: usize = 150;

/// What arrives.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
struct Inbox {
    /// By time of arrival, then in the order of sending.
    coming: BTreeMap<(Instant, u64), Datagram>,
    alarm: Pin<Box<Sleep>>,
    reader: Option<Waker>,
    put: u64,
}

/// A socket of a simulated process.
#[derive(Debug)]
pub(super) struct Socket {
    wire: Wire,
    at: SocketAddr,
    inbox: Mutex<Inbox>,
}

impl Socket {
    /// Takes the address; who had it before gets nothing any more.
    pub(super) fn open(wire: &Wire, at: SocketAddr) -> Arc<Self> {
        let inbox =
            Inbox { coming: BTreeMap::new(), alarm: Box::pin(sleep_until(Instant::now())), reader: None, put: 0 };
        let socket = Arc::new(Self { wire: wire.clone(), at, inbox: Mutex::new(inbox) });
        wire.bind(at, &socket);
        socket
    }

    /// A datagram that will arrive at `due`. False: there is no room for it.
    pub(super) fn put(&self, due: Instant, datagram: Datagram) -> bool {
        let mut inbox = self.lock();
        if inbox.coming.len() >= INBOX {
            return false;
        }
        inbox.put += 1;
        let number = inbox.put;
        inbox.coming.insert((due, number), datagram);
        if let Some(reader) = inbox.reader.take() {
            reader.wake();
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// The next datagram that has come and `arrives`; otherwise the reader is woken when there is one.
    fn poll_next(&mut self, cx: &mut Context<'_>, arrives: impl Fn(&Datagram) -> bool) -> Poll<Datagram> {
        loop {
            self.reader = Some(cx.waker().clone());
            let Some(first) = self.coming.first_entry() else { return Poll::Pending };
            let due = first.key().0;
            if due <= Instant::now() {
                let datagram = first.remove();
                if arrives(&datagram) {
                    return Poll::Ready(datagram);
                }
                continue;
            }
            self.alarm.as_mut().reset(due);
            if Future::poll(self.alarm.as_mut(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for bytes in transmit.contents.chunks(size) {
            let datagram = Datagram { from: self.at, ecn: transmit.ecn, bytes: bytes.to_vec() };
            self.wire.carry(self, datagram, transmit.destination);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbox = self.lock();
        let mut taken = 0;
        for (buffer, meta) in buffers.iter_mut().zip(metas) {
            let Poll::Ready(datagram) = inbox.poll_next(cx, |coming| self.wire.arrives(coming, self.at)) else { break };
            let length = datagram.bytes.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram.bytes[..length]);
            *meta = RecvMeta {
                addr: datagram.from,
                len: length,
                stride: length,
                ecn: datagram.ecn,
                dst_ip: Some(self.at.ip()),
            };
            taken += 1;
        }
        if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.at)
    }

    /// quinn probes for the largest datagram then, as over a real socket.
    fn may_fragment(&self) -> bool {
        false
    }
}

/// The wire takes everything; what it cannot carry is lost.
#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
