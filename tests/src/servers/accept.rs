//! Connections of our HTTP servers, bounded in number.

use std::{future::Future, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

/// Pause after a failed accept.
const RETRY: Duration = Duration::from_millis(50);

/// Serves up to `most` connections at a time, for ever. When this future is dropped, so is every connection.
pub(super) async fn accept<F>(who: &'static str, listener: TcpListener, most: usize, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= most {
            connections.join_next().await;
        }
        tokio::select! {
            Some(_) = connections.join_next() => (),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream)); }
                // Out of file handles: some connection has to end first.
                Err(error) => { tracing::warn!(%error, who, "cannot accept"); sleep(RETRY).await; }
            },
        }
    }
}
