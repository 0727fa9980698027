//! A connection, as those see it who may end it: QUIC or not.

use super::Close;
use futures::future::BoxFuture;
use quinn::Connection;

pub(crate) trait Ends: Send + Sync {
    /// Ends it, and tells the peer why.
    fn end(&self, close: Close, why: &str);

    /// It has ended, by whomever.
    fn is_over(&self) -> bool;

    /// Until it has.
    fn over(&self) -> BoxFuture<'static, ()>;
}

impl Ends for Connection {
    fn end(&self, close: Close, why: &str) {
        self.close(close.code(), why.as_bytes());
    }

    fn is_over(&self) -> bool {
        self.close_reason().is_some()
    }

    fn over(&self) -> BoxFuture<'static, ()> {
        let connection = self.clone();
        Box::pin(async move {
            connection.closed().await;
        })
    }
}
