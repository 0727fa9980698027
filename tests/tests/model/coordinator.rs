//! The coordinator's half: feeds a barrier, carries out its effects, and demands of each what DESIGN §4 demands.

use crate::{
    facts::{Try, plane, plane_number},
    kept::{Kept, Stepped, Steps, key_of, step},
    truth::{Broken, all},
    world::{Word, World},
};
use shared::{
    barrier::{Barrier, Effect, Input, Record, Stage, Timer},
    epoch::Epoch,
    machine::Machine,
    time::Now,
    wire::{Answer, Order},
};

thread_local! {
    static STEPS: Steps<Barrier, Effect> = Steps::default();
}

/// What a barrier is told, with its key made only once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Start,
    Up(usize),
    Down(usize),
    Heard(Kept<Word>),
    Claimed(Epoch),
    ClaimTaken,
    ClaimFree,
    Cancel,
    Delete,
    Expired(Timer),
}

impl Told {
    fn input(&self) -> Input {
        match self {
            Self::Start => Input::Start,
            Self::Up(p) => Input::PlaneUp(plane(*p)),
            Self::Down(p) => Input::PlaneDown(plane(*p)),
            Self::Heard(word) => match &**word {
                Word::Up { plane: p, of, epoch, answer } => {
                    Input::Answer { plane: plane(*p), attempt: of.attempt(), epoch: *epoch, answer: answer.clone() }
                }
                Word::Down { .. } | Word::Outbid { .. } => Input::Start,
            },
            Self::Claimed(epoch) => Input::Claimed(*epoch),
            Self::ClaimTaken => Input::ClaimTaken("another backup".to_owned()),
            Self::ClaimFree => Input::ClaimFree,
            Self::Cancel => Input::Cancel,
            Self::Delete => Input::Delete,
            Self::Expired(timer) => Input::Expired(*timer),
        }
    }
}

/// What the step of a machine would be.
pub(crate) fn look(machine: &Kept<Barrier>, told: &Told) -> Stepped<Barrier, Effect> {
    step(&STEPS, machine, key_of(told), |machine| machine.step(Now::default(), told.input()))
}

/// Saves of a batch before which something else was done: dying there is not the same as dying before the batch.
pub(crate) fn cuts(effects: &[Effect]) -> impl Iterator<Item = usize> {
    effects.iter().enumerate().skip(1).filter(|(_, effect)| matches!(effect, Effect::Save(_))).map(|(at, _)| at)
}

impl World {
    /// A backup's machine, as a starting process makes it.
    pub(crate) fn start(&mut self, b: usize) {
        let of = &mut self.coordinators[b];
        of.machine = Some(Kept::new(Barrier::new(Record::clone(&of.saved))));
        (of.granted, of.waits) = (None, false);
        self.tell(b, &Told::Start, None);
        for p in 0..self.planes.len() {
            self.tell(b, &Told::Up(p), None);
        }
    }

    /// The process dies and another reads the ledger: claims that granted nothing end, every backup goes on from its
    /// record.
    pub(crate) fn restart(&mut self) {
        if let (epoch, Some(by)) = self.claim {
            let record = &self.coordinators[by.backup].saved;
            let may_hold =
                matches!(record.stage, Stage::Barrier | Stage::Snapshotting | Stage::Certified | Stage::Aborting);
            if record.epoch != epoch || !may_hold {
                self.claim.1 = None;
            }
        }
        for b in 0..self.coordinators.len() {
            if self.coordinators[b].machine.is_some() {
                self.truth.died_late |= self.coordinators[b].saved.stage == Stage::Snapshotting;
                self.start(b);
            }
        }
    }

    /// One step of a barrier. `cut`: the process dies just before this effect of the batch.
    pub(crate) fn tell(&mut self, b: usize, told: &Told, cut: Option<usize>) {
        let Some(machine) = &self.coordinators[b].machine else { return };
        let (next, effects) = look(machine, told);
        self.coordinators[b].machine = Some(next);
        for (at, effect) in effects.iter().enumerate() {
            if cut == Some(at) {
                self.restart();
                return;
            }
            let gone = self.coordinators[b].gone;
            self.truth.demand(!gone, Broken::AfterGone);
            self.perform(b, effect);
        }
        if self.coordinators[b].gone {
            self.coordinators[b].machine = None;
        }
    }

    fn perform(&mut self, b: usize, effect: &Effect) {
        match effect {
            Effect::Save(record) => self.save_record(b, record),
            Effect::Send { plane, attempt, epoch, order } => {
                let (p, to) = (plane_number(plane), Try::of(attempt));
                self.check_order(b, to, *epoch, order);
                self.say(Word::Down { plane: p, to, epoch: *epoch, order: order.clone() });
            }
            Effect::Claim { floor, .. } => {
                let by = self.current(b);
                if self.claim.1.is_some_and(|holder| holder.backup != b) {
                    self.coordinators[b].waits = true;
                    self.tell(b, &Told::ClaimTaken, None);
                } else {
                    let epoch = Epoch::above([self.claim.0, *floor]).expect("epochs are few here");
                    self.claim = (epoch, Some(by));
                    self.coordinators[b].granted = Some(epoch);
                }
            }
            Effect::EndClaim { .. } => {
                self.coordinators[b].waits = false;
                if self.claim.1.is_some_and(|holder| holder.backup == b) {
                    self.claim.1 = None;
                }
            }
            Effect::Alarm(_) => self.truth.breaks(Broken::Alarm),
            Effect::Gone => self.coordinators[b].gone = true,
        }
    }

    fn save_record(&mut self, b: usize, record: &Record) {
        self.coordinators[b].saved = Kept::new(record.clone());
        let by = self.current(b);
        let of = self.truth.of(by);
        let one = record.commit_ts.is_none_or(|ts| *of.commit_ts.get_or_insert(ts) == ts);
        of.ended |= matches!(record.stage, Stage::Aborting | Stage::Failed);
        let contradicted = of.ended && record.certificate.is_some();
        self.truth.demand(one, Broken::TwoCommitTs);
        self.truth.demand(!contradicted, Broken::EndedCertified);
    }

    /// I2, I4, and the order of steps: each order against what is saved and what was really answered.
    fn check_order(&mut self, b: usize, to: Try, epoch: Epoch, order: &Order) {
        let saved = self.coordinators[b].saved.clone();
        let known = saved.attempt == to.number && saved.epoch == epoch;
        let everyone = all(self.planes.len());
        let of = self.truth.of(to).clone();
        let (allowed, otherwise) = match order {
            Order::Prepare(_) => (saved.attempt == to.number && epoch == Epoch::NONE, Broken::SentUnsaved),
            Order::Reserve | Order::Settle(_) | Order::Suspend | Order::Renew(_) => (known, Broken::SentUnsaved),
            Order::Cover(_) => (known && of.suspended == everyone, Broken::OutOfStep),
            Order::Snapshot(snapshot) => {
                let fixed = saved.stage == Stage::Snapshotting && saved.commit_ts == Some(snapshot.commit_ts);
                let least = of.safe_ts.values().min() == Some(&snapshot.commit_ts);
                self.truth.demand(of.safe_ts.len() == self.planes.len() && least, Broken::OutOfStep);
                (known && fixed, Broken::TwoCommitTs)
            }
            Order::Confirm => (known && of.snapshotted == everyone, Broken::OutOfStep),
            Order::Release => (known && of.confirmed == everyone, Broken::EarlyRelease),
            Order::Abort(_) => (known && saved.stage == Stage::Aborting, Broken::SentUnsaved),
            Order::Recover => (known && saved.stage == Stage::Snapshotting, Broken::SentUnsaved),
            Order::Complete(_) => (known && saved.certificate.is_some(), Broken::SentUnsaved),
            Order::Clean(_) => (known && matches!(saved.stage, Stage::Failed | Stage::Cleaning), Broken::SentUnsaved),
        };
        self.truth.demand(known || matches!(order, Order::Prepare(_)), Broken::SentUnsaved);
        self.truth.demand(allowed, otherwise);
    }

    /// Words that change nothing and start nothing need not be delivered.
    pub(crate) fn is_idle_word(&self, b: usize, word: &Kept<Word>) -> bool {
        let Some(machine) = &self.coordinators[b].machine else { return true };
        let (next, effects) = look(machine, &Told::Heard(word.clone()));
        next == *machine && effects.is_empty()
    }
}

/// `Renewed` and `Progress` are for people: a barrier does nothing with them.
pub(crate) fn is_small_talk(answer: &Answer) -> bool {
    matches!(answer, Answer::Renewed(_) | Answer::Progress(_))
}
