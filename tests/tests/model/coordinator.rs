//! The coordinator's half: feeds a barrier, carries out its effects, and demands of each what `design.md` §4 demands.

use crate::{
    facts::{Try, plane, plane_number},
    kept::{Kept, Stepped, Steps, key_of, step},
    truth::{Broken, all},
    world::{Word, World, Zombie},
};
use shared::{
    barrier::{Barrier, Effect, Input, Record, Stage, Timer},
    epoch::Epoch,
    machine::Machine,
    request::CleanPolicy,
    time::Now,
    wire::{Answer, Order},
};

thread_local! {
    static STEPS: Steps<Barrier, Deed> = Steps::default();
}

/// An effect, with what is large in it hashed once.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Save(Kept<Record>),
    Say(Kept<Word>),
    Claim(Epoch),
    EndClaim,
    Alarm,
    Gone,
}

impl Deed {
    fn of(effect: Effect) -> Self {
        match effect {
            Effect::Save(record) => Self::Save(Kept::new(*record)),
            Effect::Send { plane, attempt, epoch, order } => {
                let (plane, to) = (plane_number(&plane), Try::of(&attempt));
                Self::Say(Kept::new(Word::Down { plane, to, epoch, order }))
            }
            Effect::Claim { floor, .. } => Self::Claim(floor),
            Effect::EndClaim { .. } => Self::EndClaim,
            Effect::Alarm(_) => Self::Alarm,
            Effect::Gone => Self::Gone,
        }
    }
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
            Self::Delete => Input::Delete(CleanPolicy::Delete),
            Self::Expired(timer) => Input::Expired(*timer),
        }
    }
}

/// What the step of a machine would be.
pub(crate) fn look(machine: &Kept<Barrier>, told: &Told) -> Stepped<Barrier, Deed> {
    step(&STEPS, machine, key_of(told), |machine| {
        machine.step(Now::default(), told.input()).into_iter().map(Deed::of).collect()
    })
}

/// Saves of a batch before which something else was done: dying there is not the same as dying before the batch.
pub(crate) fn cuts(deeds: &[Deed]) -> impl Iterator<Item = usize> {
    deeds.iter().enumerate().skip(1).filter(|(_, deed)| matches!(deed, Deed::Save(_))).map(|(at, _)| at)
}

impl World {
    /// A backup's machine, as a starting process makes it.
    pub(crate) fn start(&mut self, b: usize) {
        let of = &mut self.coordinators[b];
        of.machine = Some(Kept::new(Barrier::new(Record::clone(&of.saved))));
        (of.granted, of.waits, of.view, of.stale) = (None, false, of.saved.clone(), false);
        self.tell(b, &Told::Start, None);
        for p in 0..self.planes.len() {
            self.tell(b, &Told::Up(p), None);
        }
    }

    /// Another process takes over while the one before still runs.
    pub(crate) fn usurp(&mut self) {
        for of in &mut self.coordinators {
            let (view, stale) = (of.view.clone(), of.stale);
            of.zombie = of.machine.clone().map(|machine| Zombie { machine, view, stale });
        }
        self.restart();
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
        let (next, deeds) = look(machine, told);
        self.coordinators[b].machine = Some(next);
        for (at, deed) in deeds.iter().enumerate() {
            if cut == Some(at) {
                self.restart();
                return;
            }
            let gone = self.coordinators[b].gone;
            self.truth.demand(!gone, Broken::AfterGone);
            if matches!(deed, Deed::Save(_)) && self.coordinators[b].stale {
                // The save is refused: the rest of the batch is not carried out, and the ledger is read anew.
                self.start(b);
                return;
            }
            self.perform(b, deed);
        }
        if self.coordinators[b].gone {
            self.coordinators[b].machine = None;
        }
    }

    /// One step of a process that has been followed by another. Its first save that comes too late ends it.
    pub(crate) fn tell_zombie(&mut self, b: usize, told: &Told) {
        let Some(mut zombie) = self.coordinators[b].zombie.take() else { return };
        let (next, deeds) = look(&zombie.machine, told);
        zombie.machine = next;
        for deed in deeds.iter() {
            match deed {
                Deed::Save(_) if zombie.stale => return,
                Deed::Save(record) => {
                    self.save_record(b, record);
                    self.coordinators[b].stale = true;
                    zombie.view = record.clone();
                }
                Deed::Say(word) => {
                    self.check_order(&zombie.view, word);
                    self.say(word);
                }
                // The claim has another version by now, or it is as it was and nothing is gained.
                Deed::Claim(_) | Deed::Gone => return,
                Deed::EndClaim | Deed::Alarm => self.perform(b, deed),
            }
        }
        self.coordinators[b].zombie = Some(zombie);
    }

    fn perform(&mut self, b: usize, deed: &Deed) {
        match deed {
            Deed::Save(record) => {
                self.save_record(b, record);
                self.coordinators[b].view = record.clone();
                if let Some(zombie) = &mut self.coordinators[b].zombie {
                    zombie.stale = true;
                }
            }
            Deed::Say(word) => {
                let view = self.coordinators[b].view.clone();
                self.check_order(&view, word);
                self.say(word);
            }
            Deed::Claim(floor) => {
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
            Deed::EndClaim => {
                self.coordinators[b].waits = false;
                if self.claim.1.is_some_and(|holder| holder.backup == b) {
                    self.claim.1 = None;
                }
            }
            Deed::Alarm => self.truth.breaks(Broken::Alarm),
            Deed::Gone => self.coordinators[b].gone = true,
        }
    }

    fn save_record(&mut self, b: usize, record: &Kept<Record>) {
        let before = self.current(b);
        self.coordinators[b].saved = record.clone();
        let by = self.current(b);
        if by != before {
            let of = self.truth.of(before);
            let clean = of.taken & !of.deleted == 0;
            self.truth.demand(clean, Broken::LeftBehind);
        }
        let of = self.truth.of(by);
        let one = record.commit_ts.is_none_or(|ts| *of.commit_ts.get_or_insert(ts) == ts);
        of.ended |= matches!(record.stage, Stage::Aborting | Stage::Failed);
        let contradicted = of.ended && record.certificate.is_some();
        self.truth.demand(one, Broken::TwoCommitTs);
        self.truth.demand(!contradicted, Broken::EndedCertified);
    }

    /// I2, I4, and the order of steps: each order against what is saved and what was really answered.
    fn check_order(&mut self, saved: &Record, word: &Word) {
        let Word::Down { to, epoch, order, .. } = word else { return };
        let (to, epoch) = (*to, *epoch);
        let known = saved.attempt == to.number && saved.epoch == epoch;
        let everyone = all(self.planes.len());
        let (suspended, snapshotted, confirmed, least) = {
            let of = self.truth.of(to);
            let least =
                of.safe_ts.values().min().copied().filter(|_| of.safe_ts.len() == everyone.count_ones() as usize);
            (of.suspended, of.snapshotted, of.confirmed, least)
        };
        let (allowed, otherwise) = match order {
            Order::Prepare(_) => (saved.attempt == to.number && epoch == Epoch::NONE, Broken::SentUnsaved),
            Order::Reserve | Order::Settle(_) | Order::Suspend | Order::Renew(_) => (known, Broken::SentUnsaved),
            Order::Cover(_) => (known && suspended == everyone, Broken::OutOfStep),
            Order::Snapshot(snapshot) => {
                let fixed = saved.stage == Stage::Snapshotting && saved.commit_ts == Some(snapshot.commit_ts);
                self.truth.demand(least == Some(snapshot.commit_ts), Broken::OutOfStep);
                (known && fixed, Broken::TwoCommitTs)
            }
            Order::Confirm => (known && snapshotted == everyone, Broken::OutOfStep),
            Order::Release => (known && confirmed == everyone, Broken::EarlyRelease),
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
        let of = &self.coordinators[b];
        let zombie = of.zombie.as_ref().map(|zombie| &zombie.machine);
        of.machine.iter().chain(zombie).all(|machine| is_idle(machine, word))
    }
}

pub(crate) fn is_idle(machine: &Kept<Barrier>, word: &Kept<Word>) -> bool {
    let (next, deeds) = look(machine, &Told::Heard(word.clone()));
    next == *machine && deeds.is_empty()
}

/// `Renewed` and `Progress` are for people: a barrier does nothing with them.
pub(crate) fn is_small_talk(word: &Word) -> bool {
    matches!(word, Word::Up { answer: Answer::Renewed(_) | Answer::Progress(_), .. })
}
