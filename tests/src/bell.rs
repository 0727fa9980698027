//! Tells everybody who listens that something changed, in the order in which they began to wait. (tokio's `watch` wakes
//! its receivers in an order of its own choice, so the same seed would not give the same bytes.)

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::Notify;

#[derive(Default)]
struct Rung {
    times: AtomicU64,
    notify: Notify,
}

/// Clones are the same bell.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<Rung>);

impl Bell {
    /// Something changed.
    pub(crate) fn ring(&self) {
        self.0.times.fetch_add(1, Ordering::Relaxed);
        self.0.notify.notify_waiters();
    }

    /// Hears what rings from now on.
    pub(crate) fn listen(&self) -> Ear {
        Ear { bell: self.clone(), heard: self.0.times.load(Ordering::Relaxed) }
    }

    /// Hears what has rung since the beginning as well.
    pub(crate) fn listen_back(&self) -> Ear {
        Ear { bell: self.clone(), heard: 0 }
    }
}

/// One listener.
pub(crate) struct Ear {
    bell: Bell,
    heard: u64,
}

impl Ear {
    /// Waits until the bell has rung since the last call.
    pub(crate) async fn rung(&mut self) {
        loop {
            let next = self.bell.0.notify.notified();
            tokio::pin!(next);
            // From here on no ring is missed.
            next.as_mut().enable();
            let times = self.bell.0.times.load(Ordering::Relaxed);
            if times != self.heard {
                self.heard = times;
                return;
            }
            next.await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::task::yield_now;

    #[tokio::test(start_paused = true)]
    async fn listeners_wake_in_the_order_in_which_they_waited() {
        let (bell, woken) = (Bell::default(), Arc::new(Mutex::new(Vec::new())));
        // Tasks, because `join!` polls its branches in an order of its own.
        let tasks: Vec<_> = (1..=4)
            .map(|nth| {
                let (mut ear, woken) = (bell.listen(), woken.clone());
                tokio::spawn(async move {
                    ear.rung().await;
                    woken.lock().unwrap().push(nth);
                })
            })
            .collect();
        yield_now().await;
        bell.ring();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), [1, 2, 3, 4]);
        bell.listen_back().rung().await;
    }
}
