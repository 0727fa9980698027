//! Links over TCP that a process has, and waits for at its end: what QUIC's endpoint does by itself.

use crate::quic::FLUSH_LIMIT;
use tokio::{sync::watch, time::timeout};

/// Links over TCP that still have something to say.
#[derive(Clone, Default)]
pub(super) struct OpenLinks(watch::Sender<usize>);

/// One of them.
pub(super) struct OpenLink(OpenLinks);

impl OpenLinks {
    pub(super) fn one(&self) -> OpenLink {
        self.0.send_modify(|open| *open += 1);
        OpenLink(self.clone())
    }

    /// Until they have said it, or would not in time.
    pub(super) async fn over(&self) {
        let mut open = self.0.subscribe();
        let _ = timeout(FLUSH_LIMIT, open.wait_for(|open| *open == 0)).await;
    }
}

impl Drop for OpenLink {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| *open = open.saturating_sub(1));
    }
}
