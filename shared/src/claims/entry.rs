//! One claim: what is stored of it as far as this process knows, and what is still to be done with it.

use super::input::{Effect, Step};
use crate::{
    barrier::Claim,
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
};
use std::collections::BTreeSet;

/// One claim as this process knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) claim: Claim,
    pub(super) state: State,
    /// This process granted it to a barrier that lives: the barrier's record may not name the epoch yet.
    pub(super) granted: Option<(BackupUid, Epoch)>,
    /// It was given back, and nobody knows what is stored: if it is still this very claim, it is given back then. Under
    /// another epoch it is another process's grant to the same backup.
    pub(super) owed: Option<Claim>,
    /// To be given back once what is being saved is stored.
    pub(super) giving: BTreeSet<BackupUid>,
}

/// What is stored, as far as this process knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// The claim.
    Known,
    /// This is being saved.
    Saving(Claim, Purpose),
    /// It has to be read.
    Unknown,
}

/// What a claim is being saved for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// To grant it to the barrier that asked.
    Grant(BackupUid),
    /// The same, and that barrier is gone. Another one of the same backup did not ask.
    GrantToNobody,
    /// To end it.
    GiveBack,
}

impl Entry {
    pub(super) fn free(cluster: ClusterId) -> Self {
        let claim = Claim { cluster, epoch: Epoch::NONE, live: None };
        Self { claim, state: State::Known, granted: None, owed: None, giving: BTreeSet::new() }
    }

    /// Who holds it, under which epoch.
    pub(super) fn held(&self) -> Option<(Epoch, &BackupUid)> {
        self.claim.live.as_ref().map(|live| (self.claim.epoch, &live.backup))
    }

    /// The holder has it from this process.
    pub(super) fn is_granted(&self) -> bool {
        match (&self.granted, self.held()) {
            (Some((backup, epoch)), Some((held, by))) => *epoch == held && backup == by,
            _ => false,
        }
    }

    /// Ends it if this backup holds it: at once, or when what is being saved is stored. The epoch stays, because it must
    /// grow. Where nobody knows what is stored, it ends if it is still what was known last; otherwise it may be another
    /// process's grant to the same backup, and its holder's record says whether it ends.
    pub(super) fn give_back(&mut self, backup: &BackupUid, step: &mut Step) {
        let held = self.held().is_some_and(|(_, by)| by == backup);
        if self.state != State::Known {
            self.granted.take_if(|(granted, _)| granted == backup);
        }
        match self.state {
            State::Known if held => {
                let claim = Claim { live: None, ..self.claim.clone() };
                self.state = State::Saving(claim.clone(), Purpose::GiveBack);
                step.push(Effect::Save(claim));
            }
            State::Unknown if held => self.owed = Some(self.claim.clone()),
            State::Known | State::Unknown => {}
            State::Saving(..) => {
                self.giving.insert(backup.clone());
            }
        }
    }

    /// What was to be given back while it was busy.
    pub(super) fn give_what_waited(&mut self, step: &mut Step) {
        let owed = self.owed.take().filter(|owed| self.claim == *owed).and_then(|owed| owed.live);
        for backup in owed.map(|live| live.backup).into_iter().chain(std::mem::take(&mut self.giving)) {
            self.give_back(&backup, step);
        }
    }
}
