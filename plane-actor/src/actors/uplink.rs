//! The way up: the one place where frames to the coordinator are queued.

use bytes::Bytes;
use shared::{
    epoch::Epoch,
    ids::Attempt,
    wire::{self, Answer, RestoreAnswer, Up},
};
use std::{cell::RefCell, rc::Rc, sync::Arc};
use tokio::sync::{Notify, mpsc};

/// Progress is for people: it gives way when the queue is this far from full.
const ROOM_FOR_ANSWERS: usize = 16;

/// Clones share one link.
#[derive(Clone, Default)]
pub(crate) struct Uplink(Rc<RefCell<Option<Open>>>);

struct Open {
    tx: mpsc::Sender<Bytes>,
    stalled: Arc<Notify>,
}

impl Uplink {
    /// A new link took the place of any other. The returned signal asks its owner to drop it.
    pub(crate) fn open(&self, tx: mpsc::Sender<Bytes>) -> Arc<Notify> {
        let stalled = Arc::new(Notify::new());
        *self.0.borrow_mut() = Some(Open { tx, stalled: stalled.clone() });
        stalled
    }

    /// The link is over.
    pub(crate) fn close(&self) {
        self.0.borrow_mut().take();
    }

    /// A session is up.
    pub(crate) fn is_open(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Drops the link, because something that was due on it got lost here; the coordinator asks again on the next one.
    pub(crate) fn give_up(&self) {
        if let Some(open) = self.0.borrow_mut().take() {
            open.stalled.notify_one();
        }
    }

    /// Sends an answer. Without a link it is dropped: the coordinator repeats what it has no answer to.
    pub(crate) fn answer(&self, attempt: &Attempt, epoch: Epoch, answer: Answer) {
        self.send(&Up::Answer { attempt: attempt.clone(), epoch, answer });
    }

    /// Overflow rule: progress is dropped when the queue is nearly full (the next one says more); for anything else a
    /// full queue means a stalled link, which is dropped.
    pub(crate) fn send(&self, up: &Up) {
        let outcome = {
            let link = self.0.borrow();
            let Some(open) = link.as_ref() else { return };
            let progress = match up {
                Up::Answer { answer, .. } => matches!(answer, Answer::Progress(_)),
                Up::Restored(restored) => matches!(restored.answer, RestoreAnswer::Progress(_)),
                _ => false,
            };
            if progress && open.tx.capacity() < ROOM_FOR_ANSWERS {
                return;
            }
            match wire::encode(up) {
                Ok(frame) => open.tx.try_send(Bytes::from(frame)).is_ok(),
                Err(error) => {
                    tracing::error!(%error, "answer cannot be encoded");
                    return;
                }
            }
        };
        if !outcome {
            tracing::warn!("link to the coordinator is stalled or gone; dropping it");
            self.give_up();
        }
    }
}
