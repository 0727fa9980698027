//! The plane's ledger in memory and behind it the port: every save is the whole small object.

use crate::ports::{PlaneLedger, PortError};
use shared::{
    epoch::Epoch,
    ids::{Attempt, ClusterId, RestoreUid},
    member::{AttemptRecord, AttemptState, MemberLedger},
    reason::Reason,
    restorer::{Reached, RestoreEntry},
};
use shell::driver::FenceError;
use std::{cell::RefCell, rc::Rc, sync::Arc};
use tokio::sync::{Mutex, oneshot, watch};

/// Clones share one ledger.
#[derive(Clone)]
pub(crate) struct LedgerHandle(Rc<Inner>);

struct Inner {
    port: Arc<dyn PlaneLedger>,
    kept: RefCell<MemberLedger>,
    /// One save at a time, in the order in which they were asked for.
    turn: Mutex<()>,
    /// Set once, when another process writes this ledger: this one must end.
    lost: watch::Sender<Option<String>>,
}

impl LedgerHandle {
    /// Reads the ledger as a starting process: what was live is broken. `new`: the name of one that has none yet; the first
    /// save keeps it, and that comes before anything bears it.
    pub(crate) async fn open(port: Arc<dyn PlaneLedger>, new: &str) -> Result<Self, PortError> {
        let mut read = port.load().await?.after_restart();
        if read.name.is_empty() {
            new.clone_into(&mut read.name);
        }
        let kept = RefCell::new(read);
        Ok(Self(Rc::new(Inner { port, kept, turn: Mutex::new(()), lost: watch::Sender::new(None) })))
    }

    /// Its name among all ledgers.
    pub(crate) fn name(&self) -> String {
        self.0.kept.borrow().name.clone()
    }

    /// All of it, as this process believes it to be saved.
    pub(crate) fn whole(&self) -> MemberLedger {
        self.0.kept.borrow().clone()
    }

    /// What is saved of an attempt.
    pub(crate) fn attempt(&self, attempt: &Attempt) -> Option<AttemptRecord> {
        self.0.kept.borrow().attempt(attempt).cloned()
    }

    /// The highest epoch obeyed for a TiDB cluster.
    pub(crate) fn highest(&self, cluster: ClusterId) -> Epoch {
        self.0.kept.borrow().highest(cluster)
    }

    /// The coordinator has the certificate of this attempt. Nothing is written for this: the next save is without it.
    pub(crate) fn forget(&self, attempt: &Attempt) {
        self.0.kept.borrow_mut().forget(attempt);
    }

    /// Becomes `Some(why)` when this process must end.
    pub(crate) fn lost(&self) -> watch::Receiver<Option<String>> {
        self.0.lost.subscribe()
    }

    /// What is saved of a restore.
    pub(crate) fn restore(&self, restore: &RestoreUid) -> Option<RestoreEntry> {
        self.0.kept.borrow().restores.of(restore).cloned()
    }

    /// Saves one attempt's state.
    pub(crate) async fn save(&self, record: AttemptRecord) -> Result<(), FenceError> {
        self.change(Change::Attempt(record)).await
    }

    /// Saves how far a restore has come.
    pub(crate) async fn save_restore(&self, entry: RestoreEntry) -> Result<(), FenceError> {
        self.change(Change::Restore(entry)).await
    }

    /// The save itself goes on when the caller's limit ends the wait: what the ledger holds and what this process believes must
    /// not part.
    async fn change(&self, change: Change) -> Result<(), FenceError> {
        let (done, outcome) = oneshot::channel();
        let ledger = self.clone();
        tokio::task::spawn_local(async move {
            // The waiting side may have given up; the save counts all the same.
            let _ = done.send(ledger.write(change).await);
        });
        outcome.await.unwrap_or_else(|_| Err(FenceError::Unknown("the save was dropped".to_owned())))
    }

    async fn write(&self, change: Change) -> Result<(), FenceError> {
        let _turn = self.0.turn.lock().await;
        let mut next = self.0.kept.borrow().clone();
        change.may_be_made(&next).map_err(FenceError::Lost)?;
        change.clone().make(&mut next);
        match self.0.port.save(&next).await {
            Ok(()) => {
                // Made once more, not taken over whole: something may have been forgotten meanwhile.
                change.make(&mut self.0.kept.borrow_mut());
                Ok(())
            }
            Err(PortError::Unavailable(text)) => Err(FenceError::Unknown(text)),
            // Nothing is wrong with the ledger, nor with what it holds.
            Err(PortError::Refused(refusal)) if refusal.reason == Reason::TooLarge => Err(FenceError::Refused(refusal)),
            Err(PortError::Refused(refusal)) => {
                self.0.lost.send_replace(Some(refusal.to_string()));
                Err(FenceError::Lost(refusal.to_string()))
            }
        }
    }
}

#[derive(Clone)]
enum Change {
    Attempt(AttemptRecord),
    Restore(RestoreEntry),
}

impl Change {
    /// What has come between since it was asked for may forbid it: nothing is obeyed under an epoch below one that was (I3).
    fn may_be_made(&self, kept: &MemberLedger) -> Result<(), String> {
        match self {
            Self::Attempt(record) => {
                let (epoch, highest) = (record.epoch, kept.highest(record.cluster));
                let known = kept.attempt(&record.attempt).is_some();
                if record.state == AttemptState::Live && !known && epoch <= highest {
                    return Err(format!("epoch {epoch} is not above {highest}, which another attempt has reserved"));
                }
            }
            Self::Restore(entry) => {
                let highest = entry.cluster.map_or(Epoch::NONE, |cluster| kept.highest(cluster));
                if entry.epoch < highest && entry.reached != Reached::Undone {
                    return Err(format!("epoch {} is below {highest}, which was obeyed meanwhile", entry.epoch));
                }
            }
        }
        Ok(())
    }

    fn make(self, ledger: &mut MemberLedger) {
        match self {
            Self::Attempt(record) => ledger.put(record),
            Self::Restore(entry) => ledger.restores.put(entry),
        }
    }
}
