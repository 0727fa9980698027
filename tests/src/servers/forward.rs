//! TCP from one address to another: how a program in a network of its own reaches a server on this one's loopback.

use super::accept::accept;
use anyhow::Result;
use std::net::{IpAddr, SocketAddr};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Connections at a time: a program keeps a handful to its API server.
const MOST: usize = 64;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Forward {
    /// Where.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forward {
    /// From a free port of `host` to `server`.
    ///
    /// # Errors
    /// No socket.
    pub async fn from(host: impl Into<IpAddr>, server: SocketAddr) -> Result<Self> {
        let front = TcpListener::bind((host.into(), 0)).await?;
        let address = front.local_addr()?;
        let carry = move |mut client: TcpStream| async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                // How it ended, both ends see.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        };
        Ok(Self { address, task: tokio::spawn(accept("forward", front, MOST, carry)) })
    }
}
