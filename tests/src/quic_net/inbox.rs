//! What is on its way to one socket.

use quinn::udp::EcnCodepoint;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
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

/// Of one socket, for as long as that is open.
#[derive(Debug)]
pub(super) struct Inbox(Mutex<Queue>);

#[derive(Debug)]
pub(super) struct Queue {
    /// By time of arrival, then in the order of sending.
    coming: BTreeMap<(Instant, u64), Datagram>,
    alarm: Pin<Box<Sleep>>,
    reader: Option<Waker>,
    put: u64,
}

impl Inbox {
    pub(super) fn new() -> Self {
        let alarm = Box::pin(sleep_until(Instant::now()));
        Self(Mutex::new(Queue { coming: BTreeMap::new(), alarm, reader: None, put: 0 }))
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

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// The next datagram that has come and `arrives`; otherwise the reader is woken when there is one.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>, arrives: impl Fn(&Datagram) -> bool) -> Poll<Datagram> {
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
