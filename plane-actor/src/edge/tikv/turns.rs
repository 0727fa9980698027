//! Whose wait-apply goes out. A plane asks for a million regions at once, and what is answered shares a thread, and each
//! store's stream, with renewals: so only some of them are under way at a time.

use std::{future::poll_fn, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};
use tokio_util::sync::PollSemaphore;

/// Requests of [`super::mux`] under way at a time, of all stores of a plane: 32,768 regions, whose replies keep the
/// thread for some 0.1 s. A renewal waits for no more.
const AT_ONCE: usize = 32;

/// How long regions that do not answer keep others waiting: a store answers for those that have applied within
/// milliseconds, and the rest are waited for without a turn.
const LONGEST: Duration = Duration::from_millis(250);

/// Of all streams of a plane.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Turns {
    /// For one stream.
    pub(super) fn queue(&self) -> Queue {
        Queue { turns: PollSemaphore::new(self.0.clone()), turn: Turn::None }
    }
}

enum Turn {
    None,
    Granted(OwnedSemaphorePermit),
    Used { unanswered: usize, until: Instant, _permit: OwnedSemaphorePermit },
}

/// A stream's own place: it has one turn at most.
pub(super) struct Queue {
    turns: PollSemaphore,
    turn: Turn,
}

impl Queue {
    /// A request may go out.
    pub(super) fn granted(&self) -> bool {
        matches!(self.turn, Turn::Granted(_))
    }

    /// A request with so many regions goes out. With none, the turn is over.
    pub(super) fn sent(&mut self, regions: usize) {
        self.turn = match std::mem::replace(&mut self.turn, Turn::None) {
            Turn::Granted(permit) if regions > 0 => {
                Turn::Used { unanswered: regions, until: Instant::now() + LONGEST, _permit: permit }
            }
            _ => Turn::None,
        };
    }

    /// A region was answered.
    pub(super) fn answered(&mut self) {
        if let Turn::Used { unanswered, .. } = &mut self.turn {
            *unanswered = unanswered.saturating_sub(1);
            if *unanswered == 0 {
                self.turn = Turn::None;
            }
        }
    }

    /// Until the turn changes: granted where `wanted`, or over. Can be dropped without losing the place in the queue.
    pub(super) async fn change(&mut self, wanted: bool) {
        if !wanted {
            // A place in the queue that nobody looks after would be given a turn all the same, and keep it.
            self.turns = self.turns.clone();
        }
        match &self.turn {
            Turn::None if wanted => match poll_fn(|context| self.turns.poll_acquire(context)).await {
                Some(permit) => self.turn = Turn::Granted(permit),
                // Nobody closes it.
                None => std::future::pending().await,
            },
            Turn::Used { until, .. } => {
                sleep_until(*until).await;
                self.turn = Turn::None;
            }
            Turn::None | Turn::Granted(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use tokio::time::timeout;

    fn taken(turns: &Turns) -> Vec<Queue> {
        let mut queues: Vec<_> = (0..AT_ONCE).map(|_| turns.queue()).collect();
        for queue in &mut queues {
            assert!(queue.change(true).now_or_never().is_some() && queue.granted());
            queue.sent(2);
        }
        queues
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_over_with_its_last_answer() {
        let turns = Turns::default();
        let mut others = taken(&turns);
        let mut late = turns.queue();
        assert!(late.change(true).now_or_never().is_none());
        others[0].answered();
        assert!(late.change(true).now_or_never().is_none());
        others[0].answered();
        assert!(late.change(true).now_or_never().is_some() && late.granted());
        // Whoever was given one and has nothing to send any more.
        late.sent(0);
        assert!(turns.queue().change(true).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn regions_that_do_not_answer_keep_nobody_waiting() {
        let turns = Turns::default();
        let mut others = taken(&turns);
        let mut late = turns.queue();
        assert!(late.change(true).now_or_never().is_none());
        let begun = Instant::now();
        timeout(LONGEST * 2, others[7].change(true)).await.unwrap();
        assert_eq!(begun.elapsed(), LONGEST);
        timeout(LONGEST, late.change(true)).await.unwrap();
        assert!(late.granted());
        // It queues again, behind those that wait already.
        assert!(others[7].change(true).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_none_any_more_leaves_the_queue() {
        let turns = Turns::default();
        let mut others = taken(&turns);
        let mut over = turns.queue();
        assert!(over.change(true).now_or_never().is_none());
        assert!(over.change(false).now_or_never().is_none());
        drop(others.pop());
        assert!(turns.queue().change(true).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_a_turn_without_regions() {
        let turns = Turns::default();
        assert!(turns.queue().change(false).now_or_never().is_none());
        assert_eq!(turns.0.available_permits(), AT_ONCE);
    }
}
