//! A way for UDP between one client program and a server, which can be cut in each direction: what a broken network does
//! to QUIC. It needs nothing; a `namespace` shows programs the kernel's own answers, but needs rights and tools.

use super::{ports, process};
use anyhow::Result;
use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    net::UdpSocket,
    task::{JoinHandle, JoinSet},
};

/// Largest datagram of loopback.
const DATAGRAM: usize = 65_536;

/// Sockets of clients that are remembered; a program uses one, and its successor another.
const CLIENTS: usize = 8;

/// Which way is cut.
#[derive(Debug, Default)]
struct Cuts {
    up: AtomicBool,
    down: AtomicBool,
}

/// One way. Dropping it cuts it for good.
#[derive(Debug)]
pub struct Relay {
    /// Where the client dials.
    pub address: SocketAddr,
    cuts: Arc<Cuts>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    /// A way to `server`, open in both directions.
    ///
    /// # Errors
    /// No socket.
    pub async fn to(server: SocketAddr) -> Result<Self> {
        let front = Arc::new(UdpSocket::bind(process::loopback(ports::free()?)).await?);
        let (address, cuts) = (front.local_addr()?, Arc::new(Cuts::default()));
        let task = tokio::spawn(carry(front, server, cuts.clone()));
        Ok(Self { address, cuts, task })
    }

    /// Drops what goes to the server (`up`), to the client (`down`), from now on.
    pub fn cut(&self, up: bool, down: bool) {
        self.cuts.up.store(up, Ordering::SeqCst);
        self.cuts.down.store(down, Ordering::SeqCst);
    }
}

async fn carry(front: Arc<UdpSocket>, server: SocketAddr, cuts: Arc<Cuts>) {
    let mut clients: VecDeque<(SocketAddr, Arc<UdpSocket>)> = VecDeque::new();
    // Ended with this task.
    let mut answers = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        // An error is the answer to an earlier datagram that found nobody.
        let Ok((length, client)) = front.recv_from(&mut buffer).await else { continue };
        if cuts.up.load(Ordering::SeqCst) {
            continue;
        }
        let known = clients.iter().find(|(address, _)| *address == client).map(|(_, socket)| socket.clone());
        let socket = match known {
            Some(socket) => socket,
            None => {
                let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { continue };
                if socket.connect(server).await.is_err() {
                    continue;
                }
                let socket = Arc::new(socket);
                answers.spawn(answer(socket.clone(), front.clone(), client, cuts.clone()));
                clients.push_back((client, socket.clone()));
                if clients.len() > CLIENTS {
                    clients.pop_front();
                }
                socket
            }
        };
        // A server that is away loses what is sent to it.
        let _ = socket.send(&buffer[..length]).await;
    }
}

async fn answer(socket: Arc<UdpSocket>, front: Arc<UdpSocket>, client: SocketAddr, cuts: Arc<Cuts>) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let Ok(length) = socket.recv(&mut buffer).await else { continue };
        if !cuts.down.load(Ordering::SeqCst) {
            let _ = front.send_to(&buffer[..length], client).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(5);
    const SILENCE: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn each_direction_is_cut_by_itself() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let relay = Relay::to(server.local_addr().unwrap()).await.unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(relay.address).await.unwrap();
        let mut buffer = [0; 16];

        client.send(b"one").await.unwrap();
        let (length, from) = timeout(SOON, server.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"one");
        server.send_to(b"two", from).await.unwrap();
        let length = timeout(SOON, client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"two");

        relay.cut(true, false);
        client.send(b"lost").await.unwrap();
        assert!(timeout(SILENCE, server.recv_from(&mut buffer)).await.is_err(), "up is cut");
        server.send_to(b"three", from).await.unwrap();
        let length = timeout(SOON, client.recv(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"three");

        relay.cut(false, true);
        server.send_to(b"lost", from).await.unwrap();
        assert!(timeout(SILENCE, client.recv(&mut buffer)).await.is_err(), "down is cut");
        client.send(b"four").await.unwrap();
        let (length, _) = timeout(SOON, server.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!(&buffer[..length], b"four");
    }
}
