//! TCP from one address to another: how a program in a network of its own reaches a server on this one's loopback.

use anyhow::Result;
use std::net::{IpAddr, SocketAddr};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

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
        Ok(Self { address, task: tokio::spawn(carry(front, server)) })
    }
}

async fn carry(front: TcpListener, server: SocketAddr) {
    // Connections end with this task.
    let mut connections = JoinSet::new();
    loop {
        // Out of files, or the client is gone again: the next one may fare better.
        let Ok((mut client, _)) = front.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                // How it ended, both ends see.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
