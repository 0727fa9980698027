//! One end of the wire, as quinn wants a UDP socket.

use super::{
    inbox::{Datagram, Inbox},
    wire::Wire,
};
use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A socket of a simulated process.
#[derive(Debug)]
pub(super) struct Socket {
    wire: Wire,
    at: SocketAddr,
    inbox: Arc<Inbox>,
}

impl Socket {
    /// Takes the address; who had it before gets nothing any more.
    pub(super) fn open(wire: &Wire, at: SocketAddr) -> Arc<Self> {
        let inbox = Arc::new(Inbox::new());
        wire.bind(at, &inbox);
        Arc::new(Self { wire: wire.clone(), at, inbox })
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
            self.wire.carry(&self.inbox, datagram, transmit.destination);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inbox = self.inbox.lock();
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
