//! Questions to planes outside of any attempt: one of a kind at a time for each session, tied to its answer by a number.

use crate::actors::messages::Channel;
use shared::{
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::Timestamp,
    wire::{self, Down},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// One kind of question, answered by a `T`.
pub(super) struct Questions<T> {
    /// Number of the last one.
    asked: u64,
    waiting: BTreeMap<PlaneId, Waiting<T>>,
}

/// Somebody waits for this plane's answer.
struct Waiting<T> {
    number: u64,
    generation: u64,
    answer: oneshot::Sender<T>,
}

impl<T> Default for Questions<T> {
    fn default() -> Self {
        Self { asked: 0, waiting: BTreeMap::new() }
    }
}

impl<T> Questions<T> {
    /// Asks a plane; `question` is given its number, which is above whatever a process before this one asked, whose answer
    /// may still come.
    pub(super) fn ask(
        &mut self,
        plane: &PlaneId,
        channel: &Channel,
        now: Timestamp,
        question: impl FnOnce(u64) -> Down,
    ) -> Result<oneshot::Receiver<T>, Refusal> {
        if self.waiting.get(plane).is_some_and(|waiting| !waiting.answer.is_closed()) {
            return Err(Refusal::new(
                Reason::PlaneBusy,
                "another check asks this plane; ask again when that has ended",
            ));
        }
        let least = u64::try_from(now.0).unwrap_or_default();
        let number = self.asked.max(least).saturating_add(1);
        let frame =
            wire::encode(&question(number)).map_err(|error| Refusal::new(Reason::Internal, error.to_string()))?;
        if channel.tx.try_send(frame.into()).is_err() {
            return Err(Refusal::new(Reason::PlaneBusy, "more orders wait for this plane than its link takes"));
        }
        let (answer, heard) = oneshot::channel();
        self.asked = number;
        self.waiting.insert(plane.clone(), Waiting { number, generation: channel.generation, answer });
        Ok(heard)
    }

    /// A plane has answered. What nobody waits for any more is dropped.
    pub(super) fn answered(&mut self, plane: &PlaneId, number: u64, answer: T) {
        if self.waiting.get(plane).is_some_and(|waiting| waiting.number == number)
            && let Some(waiting) = self.waiting.remove(plane)
        {
            // Who asked has given up.
            let _ = waiting.answer.send(answer);
        }
    }

    /// Its session is over, or another has taken its place: nobody answers any more.
    pub(super) fn session_over(&mut self, plane: &PlaneId, generation: u64) {
        if self.waiting.get(plane).is_some_and(|waiting| waiting.generation <= generation) {
            self.waiting.remove(plane);
        }
    }
}

/// What came within `limit`, or why nothing did.
pub(super) async fn heard<T>(answer: oneshot::Receiver<T>, limit: Duration) -> Result<T, Refusal> {
    match timeout(limit, answer).await {
        Ok(Ok(heard)) => Ok(heard),
        Ok(Err(_)) => {
            let text = "its session ended while it was asked; one of another version may not know the question";
            Err(Refusal::new(Reason::PlaneNotConnected, text))
        }
        Err(_) => {
            let text =
                format!("no answer within {} s; one of another version may not know the question", limit.as_secs());
            Err(Refusal::new(Reason::PrepareTimedOut, text))
        }
    }
}
