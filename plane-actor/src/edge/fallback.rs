//! When a plane goes by TCP: QUIC was silent for a time that is configured. And when it comes back.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Between two looks whether UDP comes through again.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The way over TCP.
#[derive(Debug)]
pub struct Fallback {
    /// `host:port` of coordinators that listen on TCP.
    pub servers: Vec<String>,
    /// So long nothing may come back over UDP before they are dialled.
    pub after: Duration,
    /// Between two looks whether UDP comes through again.
    pub look_every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first dial since which nothing came back over UDP.
    silent_since: Option<Instant>,
    /// The newest link goes over TCP.
    taken: bool,
}

impl Fallback {
    /// Not taken yet.
    #[must_use]
    pub fn new(servers: Vec<String>, after: Duration, look_every: Duration) -> Self {
        Self { servers, after, look_every, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing has come back for long enough.
    pub(super) fn is_due(&self) -> bool {
        self.state().silent_since.is_some_and(|since| since.elapsed() >= self.after)
    }

    /// A dial over QUIC ended: nothing came back, or somebody answered, for better or worse.
    pub(super) fn dialled(&self, began: Instant, silent: bool) {
        let mut state = self.state();
        state.taken = false;
        state.silent_since = silent.then(|| state.silent_since.unwrap_or(began));
    }

    /// A link over TCP.
    pub(super) fn taken(&self) {
        self.state().taken = true;
    }

    /// The newest link goes over it.
    pub(super) fn is_taken(&self) -> bool {
        self.state().taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn it_is_due_after_silence_alone_and_for_long_enough() {
        let fallback = Fallback::new(vec!["c:7444".to_owned()], Duration::from_secs(30), LOOK_EVERY);
        assert!(!fallback.is_due());
        for _ in 0..6 {
            let began = Instant::now();
            sleep(Duration::from_secs(4)).await;
            fallback.dialled(began, true);
            assert!(!fallback.is_due());
        }
        sleep(Duration::from_secs(6)).await;
        assert!(fallback.is_due());
        // A refusal is an answer.
        fallback.dialled(Instant::now(), false);
        assert!(!fallback.is_due() && !fallback.is_taken());
    }
}
