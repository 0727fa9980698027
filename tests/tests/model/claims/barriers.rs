//! Barriers as an arbiter sees them: each saves its record by compare-and-set before it asks, saves the epoch that it was
//! granted before it holds anything, and saves that it has ended before it gives the claim back.

use super::world::{Barrier, Phase, Record, Two};
use crate::facts::{CLUSTER, uid};
use shared::{
    claims::{Answer, Input, Want},
    epoch::Epoch,
};

impl Two {
    fn barrier(&mut self, p: usize, b: usize) -> Option<&mut Barrier> {
        self.processes[p].as_mut()?.barriers[b].as_mut()
    }

    /// It starts from the record. `again`: what its process knows of the claim may be another process's past.
    pub(super) fn begin(&mut self, p: usize, b: usize, again: bool) {
        let Some(process) = &mut self.processes[p] else { return };
        process.lost[b] = false;
        process.barriers[b] = Some(Barrier { phase: Phase::Found, current: true, mail: Vec::new() });
        self.tell(p, Input::BarrierStarted { backup: uid(b), name: String::new() });
        if again {
            let named = self.records[b].holds.map(|_| CLUSTER);
            self.tell(p, Input::Doubted { backup: uid(b), named });
        }
        if !self.records[b].under_way {
            self.over(p, b);
        }
    }

    /// What it does by itself: it saves what it found, and asks.
    pub(super) fn go_on(&mut self, p: usize, b: usize) {
        let holds = self.records[b].holds;
        match self.barrier(p, b).map(|barrier| barrier.phase) {
            // An attempt that was under way in the record is ended before the next begins.
            Some(Phase::Found) if self.save_record(p, b, holds, true) => {
                let phase = if holds.is_some() { Phase::Holds } else { Phase::Preparing };
                self.barrier(p, b).expect("it saved").phase = phase;
            }
            Some(Phase::Preparing) => {
                self.barrier(p, b).expect("it prepares").phase = Phase::Asks;
                let want = Want { backup: uid(b), attempt: 1, cluster: CLUSTER, floor: Epoch::NONE };
                self.tell(p, Input::Wanted(want));
            }
            _ => {}
        }
    }

    /// False: another process has saved since, and the barrier is gone.
    fn save_record(&mut self, p: usize, b: usize, holds: Option<Epoch>, under_way: bool) -> bool {
        let Some(process) = &mut self.processes[p] else { return false };
        let writer = Some(process.number);
        if process.barriers[b].as_ref().is_none_or(|barrier| !barrier.current) {
            self.lose(p, b);
            return false;
        }
        self.records[b] = Record { there: true, under_way, holds, writer };
        if let Some(other) = self.barrier(1 - p, b) {
            other.current = false;
        }
        self.tell(p, Input::BarrierSaved(uid(b)));
        true
    }

    pub(super) fn end(&mut self, p: usize, b: usize) {
        if self.save_record(p, b, None, false) {
            self.tell(p, Input::GivenBack { backup: uid(b), cluster: CLUSTER });
            self.over(p, b);
        }
    }

    fn over(&mut self, p: usize, b: usize) {
        if let Some(process) = &mut self.processes[p] {
            process.barriers[b] = None;
        }
        self.tell(p, Input::BarrierEnded { backup: uid(b), deleted: false });
    }

    /// An arbiter says something to a barrier.
    pub(super) fn mail(&mut self, p: usize, b: usize, answer: &Answer) {
        if let Answer::Granted(epoch) = answer
            && self.processes[p].as_mut().and_then(|process| process.grant.take()) != Some(*epoch)
        {
            self.broken = Some("an epoch is granted twice, or was saved by another process");
        }
        let Some(barrier) = self.barrier(p, b) else { return self.tell(p, Input::NotTold(uid(b))) };
        let asked = barrier.phase == Phase::Asks;
        // One look-up at a time.
        if *answer == Answer::Contradicted && barrier.mail.contains(answer) {
            return;
        }
        barrier.mail.push(answer.clone());
        if matches!(answer, Answer::Granted(_)) && !asked {
            self.broken = Some("a claim is granted to a barrier that did not ask");
        }
    }

    pub(super) fn read_mail(&mut self, p: usize, b: usize) {
        let Some(barrier) = self.barrier(p, b).filter(|barrier| !barrier.mail.is_empty()) else { return };
        match (barrier.mail.remove(0), barrier.phase) {
            (Answer::Granted(epoch), Phase::Asks) => {
                if self.save_record(p, b, Some(epoch), true) {
                    self.barrier(p, b).expect("it saved").phase = Phase::Holds;
                }
            }
            // It has been given up: nobody needs it.
            (Answer::Granted(_), _) => self.tell(p, Input::GivenBack { backup: uid(b), cluster: CLUSTER }),
            (Answer::Free, Phase::Asks) => barrier.phase = Phase::Preparing,
            // It looks its record up.
            (Answer::Contradicted, _) if !barrier.current => self.lose(p, b),
            (Answer::Taken(_) | Answer::Refused(_) | Answer::Free | Answer::Contradicted, _) => {}
        }
    }

    /// What it believes is another process's past.
    fn lose(&mut self, p: usize, b: usize) {
        if let Some(process) = &mut self.processes[p] {
            process.lost[b] = true;
        }
        self.over(p, b);
    }
}
