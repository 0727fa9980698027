//! The way between a plane and the coordinator, which can be cut.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::UdpSocket, task::JoinHandle, time::Instant};

/// Largest datagram.
const DATAGRAM: usize = 65_536;
/// Sockets of a plane that are remembered: every dial comes from a fresh one, and only the last ones live.
const CLIENTS: usize = 16;

/// Dropping it cuts the way for good.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    cut_until: Arc<Mutex<Option<Instant>>>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

impl Relay {
    pub(super) async fn to(server: SocketAddr) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind(loopback()).await?);
        let (address, cut_until) = (front.local_addr()?, Arc::new(Mutex::new(None)));
        let task = tokio::spawn(carry(front, server, cut_until.clone()));
        Ok(Self { address, cut_until, task })
    }

    /// Nothing gets through from now on, in either direction.
    pub(super) fn cut(&self, length: Duration) {
        *self.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + length);
    }

    pub(super) fn mend(&self) {
        *self.cut_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

type Cut = Arc<Mutex<Option<Instant>>>;

fn is_cut(cut: &Cut) -> bool {
    cut.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
}

async fn carry(front: Arc<UdpSocket>, server: SocketAddr, cut: Cut) {
    let mut backs: BTreeMap<SocketAddr, (Arc<UdpSocket>, JoinHandle<()>)> = BTreeMap::new();
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let Ok((length, client)) = front.recv_from(&mut datagram).await else { continue };
        if is_cut(&cut) {
            continue;
        }
        if !backs.contains_key(&client) {
            if backs.len() >= CLIENTS
                && let Some((_, (_, task))) = backs.pop_first()
            {
                task.abort();
            }
            let Ok(back) = UdpSocket::bind(loopback()).await else { continue };
            let back = Arc::new(back);
            let task = tokio::spawn(carry_back(back.clone(), front.clone(), client, cut.clone()));
            backs.insert(client, (back, task));
        }
        if let Some((back, _)) = backs.get(&client) {
            // What the kernel drops, a network would have dropped.
            let _ = back.send_to(&datagram[..length], server).await;
        }
    }
}

async fn carry_back(back: Arc<UdpSocket>, front: Arc<UdpSocket>, client: SocketAddr, cut: Cut) {
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let Ok((length, _)) = back.recv_from(&mut datagram).await else { continue };
        if !is_cut(&cut) {
            let _ = front.send_to(&datagram[..length], client).await;
        }
    }
}
