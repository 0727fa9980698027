//! What reaches the ledger, and what a process hears of it.

use super::world::{Process, Record, Two, UnderWay};
use crate::{
    facts::{AttemptKey, CLUSTER, backup_of, stored_claim, uid},
    kept::Kept,
};
use shared::{
    barrier::Claim,
    claims::{Claims, Effect, HolderRecord, Input, Standing},
    time::Instant,
};

impl Two {
    /// A process begins: it reads the claim and starts a barrier for each record that is under way.
    pub(super) fn lead(&mut self, p: usize) {
        self.last_number += 1;
        self.processes[p] = Some(Process {
            number: self.last_number,
            claims: Kept::new(Claims::default()),
            now: Instant(0),
            current: true,
            barriers: [None, None],
            grant: None,
            lost: [false; 2],
            doing: Vec::new(),
        });
        self.present = p;
        if let Some(claim) = self.stored() {
            self.tell(p, Input::Read { cluster: CLUSTER, claim: Some(claim) });
        }
        for b in 0..2 {
            if self.records[b].under_way {
                self.begin(p, b, false);
            }
        }
    }

    fn stored(&self) -> Option<Claim> {
        stored_claim(self.claim.0, self.claim.1.map(|backup| AttemptKey { backup, number: 1 }))
    }

    fn take(&mut self, p: usize, at: usize) -> Option<Effect> {
        match self.processes[p].as_mut()?.doing.remove(at) {
            UnderWay::Effect(effect) => Some(effect),
            UnderWay::Answer(_) => None,
        }
    }

    pub(super) fn hear(&mut self, p: usize, at: usize) {
        let Some(process) = &mut self.processes[p] else { return };
        if let UnderWay::Answer(input) = process.doing.remove(at) {
            self.tell(p, input);
        }
    }

    pub(super) fn fail(&mut self, p: usize, at: usize) {
        let input = match self.take(p, at) {
            Some(Effect::Save(_)) => not_saved(),
            Some(Effect::Read(cluster)) => Input::NotRead(cluster),
            Some(Effect::ReadHolder { cluster, epoch, backup }) => {
                Input::HolderRead { cluster, epoch, backup, record: HolderRecord::NotRead }
            }
            Some(Effect::List) => Input::NotListed,
            Some(Effect::Tell(..)) | None => return,
        };
        self.tell(p, input);
    }

    pub(super) fn happen(&mut self, p: usize, at: usize, answered: bool) {
        let input = match self.take(p, at) {
            Some(Effect::Save(claim)) if self.save_claim(p, &claim) && answered => Input::Saved(CLUSTER),
            Some(Effect::Save(_)) => not_saved(),
            Some(Effect::Read(cluster)) => {
                if let Some(process) = &mut self.processes[p] {
                    process.current = true;
                }
                Input::Read { cluster, claim: self.stored() }
            }
            Some(Effect::ReadHolder { cluster, epoch, backup }) => {
                let record = self.holder(p, &self.records[backup_of(&backup)]);
                Input::HolderRead { cluster, epoch, backup, record }
            }
            Some(Effect::List) => Input::Listed(self.claim.1.map(|b| (CLUSTER, uid(b))).into_iter().collect()),
            Some(Effect::Tell(..)) | None => return,
        };
        if let Some(process) = self.processes[p].as_mut().filter(|_| !answered) {
            process.current = false;
        }
        self.put(p, UnderWay::Answer(input));
    }

    fn holder(&self, p: usize, record: &Record) -> HolderRecord {
        if !record.there {
            return HolderRecord::Absent;
        }
        let may_hold = record.holds.map(|epoch| (CLUSTER, epoch));
        let ours = record.writer == self.processes[p].as_ref().map(|process| process.number);
        HolderRecord::Read { standing: Standing { under_way: record.under_way, may_hold }, ours }
    }

    /// By compare-and-set.
    fn save_claim(&mut self, p: usize, claim: &Claim) -> bool {
        if !self.processes[p].as_ref().is_some_and(|process| process.current) {
            return false;
        }
        let live = claim.live.as_ref().map(|live| backup_of(&live.backup));
        if live.is_some() && claim.epoch <= self.claim.0 || claim.epoch < self.claim.0 {
            self.broken = Some("an epoch is stored that was granted before");
        }
        if live.zip(self.claim.1).is_some_and(|(new, old)| new != old) {
            self.broken = Some("a claim is granted that another backup has");
        }
        self.claim = (claim.epoch, live);
        if let Some(process) = self.processes[p].as_mut().filter(|_| live.is_some()) {
            process.grant = Some(claim.epoch);
        }
        if let Some(other) = &mut self.processes[1 - p] {
            other.current = false;
        }
        true
    }
}

fn not_saved() -> Input {
    Input::NotSaved { cluster: CLUSTER, error: "conflict, or no answer".to_owned() }
}
