//! The coordinator's half: feeds a barrier, carries out its effects, and demands of each what `design.md` §4 demands.

use crate::{
    arbiter::Process,
    facts::{AttemptKey, CLUSTER, plane, plane_number, uid},
    kept::{Kept, Stepped, Steps, key_of, step},
    truth::{Broken, all},
    world::{Message, Run, World},
};
use shared::{
    barrier::{Barrier, Effect, Input, Milestone, Record, Timer},
    claims,
    epoch::Epoch,
    machine::Machine,
    request::CleanPolicy,
    time::Now,
    wire::{Answer, Order},
};

thread_local! {
    static STEPS: Steps<Barrier, HashedEffect> = Steps::default();
}

/// An effect, with what is large in it hashed once.
#[derive(Clone, Debug)]
pub(crate) enum HashedEffect {
    Save(Kept<Record>),
    Say(Kept<Message>),
    Claim(Epoch),
    EndClaim,
    Alarm,
    Gone,
}

impl HashedEffect {
    fn of(effect: Effect) -> Self {
        match effect {
            Effect::Save(record) => Self::Save(Kept::new(*record)),
            Effect::Send { plane, attempt, epoch, order } => {
                let (plane, to) = (plane_number(&plane), AttemptKey::of(&attempt));
                Self::Say(Kept::new(Message::Down { plane, to, epoch, order }))
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
pub(crate) enum HashedInput {
    Start,
    Up(usize),
    Down(usize),
    PlaneMessage(Kept<Message>),
    /// Its process's arbiter answers.
    Claim(claims::Answer),
    Cancel,
    Delete,
    Expired(Timer),
}

impl HashedInput {
    fn input(&self) -> Input {
        match self {
            Self::Start | Self::Claim(claims::Answer::Contradicted) => Input::Start,
            Self::Up(p) => Input::PlaneUp(plane(*p)),
            Self::Down(p) => Input::PlaneDown(plane(*p)),
            Self::PlaneMessage(word) => match &**word {
                Message::Up { plane: p, of, epoch, answer } => {
                    Input::Answer { plane: plane(*p), attempt: of.attempt(), epoch: *epoch, answer: answer.clone() }
                }
                Message::Down { .. } | Message::Superseded { .. } => Input::Start,
            },
            Self::Claim(claims::Answer::Granted(epoch)) => Input::Claimed(*epoch),
            Self::Claim(claims::Answer::Taken(_)) => Input::ClaimTaken("another backup".to_owned()),
            Self::Claim(claims::Answer::Refused(refusal)) => Input::ClaimRefused(refusal.clone()),
            Self::Claim(claims::Answer::Free) => Input::ClaimFree,
            Self::Cancel => Input::Cancel,
            Self::Delete => Input::Delete(CleanPolicy::Delete),
            Self::Expired(timer) => Input::Expired(*timer),
        }
    }
}

/// What the step of a machine would be.
pub(crate) fn look(machine: &Kept<Barrier>, input: &HashedInput) -> Stepped<Barrier, HashedEffect> {
    step(&STEPS, machine, key_of(input), |machine| {
        machine.step(Now::default(), input.input()).into_iter().map(HashedEffect::of).collect()
    })
}

/// Effects of a batch that are durable, or end a claim, and before which something else was done: dying there is not the
/// same as dying before the batch.
pub(crate) fn cuts(effects: &[HashedEffect]) -> impl Iterator<Item = usize> {
    let matters = |effect: &HashedEffect| {
        matches!(effect, HashedEffect::Save(_) | HashedEffect::Claim(_) | HashedEffect::EndClaim)
    };
    effects.iter().enumerate().skip(1).filter(move |(_, effect)| matters(effect)).map(|(at, _)| at)
}

impl World {
    pub(crate) fn run(&self, by: Process, b: usize) -> Option<&Run> {
        match by {
            Process::Present => self.coordinators[b].run.as_ref(),
            Process::Deposed => self.coordinators[b].zombie.as_ref(),
        }
    }

    pub(crate) fn run_mut(&mut self, by: Process, b: usize) -> Option<&mut Run> {
        self.run_slot(by, b).as_mut()
    }

    fn run_slot(&mut self, by: Process, b: usize) -> &mut Option<Run> {
        match by {
            Process::Present => &mut self.coordinators[b].run,
            Process::Deposed => &mut self.coordinators[b].zombie,
        }
    }

    /// A backup's barrier, as a starting process makes it.
    pub(crate) fn start(&mut self, b: usize) {
        let saved = self.coordinators[b].saved.clone();
        let machine = Kept::new(Barrier::new(Record::clone(&saved)));
        self.coordinators[b].run = Some(Run { machine, view: saved, stale: false, mail: Vec::new() });
        self.arbitrate(Process::Present, claims::Input::BarrierStarted { backup: uid(b), name: String::new() });
        self.tell(Process::Present, b, &HashedInput::Start, None);
        for p in 0..self.planes.len() {
            self.tell(Process::Present, b, &HashedInput::Up(p), None);
        }
    }

    /// Another process takes over while the one before still runs.
    pub(crate) fn usurp(&mut self) {
        for of in &mut self.coordinators {
            of.zombie.clone_from(&of.run);
        }
        self.deposed = Some(self.arbiter.clone());
        self.restart();
    }

    /// The process dies and another reads the ledger: every backup goes on from its record.
    pub(crate) fn restart(&mut self) {
        self.new_arbiter();
        for b in 0..self.coordinators.len() {
            if self.coordinators[b].run.is_some() {
                self.truth.died_late |= self.coordinators[b].saved.milestone == Milestone::Snapshotting;
                self.start(b);
            }
        }
    }

    /// One step of a barrier. `cut`: the process dies just before this effect of the batch.
    pub(crate) fn tell(&mut self, by: Process, b: usize, input: &HashedInput, cut: Option<usize>) {
        let Some(run) = self.run_mut(by, b) else { return };
        let (next, effects) = look(&run.machine, input);
        run.machine = next;
        for (at, effect) in effects.iter().enumerate() {
            if cut == Some(at) {
                return self.restart();
            }
            let gone = self.coordinators[b].gone;
            self.truth.demand(!gone, Broken::AfterGone);
            if !self.perform(by, b, effect) {
                return self.lost(by, b);
            }
        }
        if effects.iter().any(|effect| matches!(effect, HashedEffect::Save(_))) {
            self.arbitrate(by, claims::Input::BarrierSaved(uid(b)));
        }
        if self.coordinators[b].gone {
            self.coordinators[b].run = None;
            self.arbitrate(by, claims::Input::BarrierEnded { backup: uid(b), deleted: true });
        }
    }

    /// A save was refused: the rest of the batch is not carried out. The present process reads the ledger anew; the other
    /// one learns meanwhile that it is deposed.
    fn lost(&mut self, by: Process, b: usize) {
        *self.run_slot(by, b) = None;
        self.arbitrate(by, claims::Input::BarrierEnded { backup: uid(b), deleted: false });
        if by == Process::Present {
            self.start(b);
            let named = self.coordinators[b].saved.cluster;
            self.arbitrate(by, claims::Input::Doubted { backup: uid(b), named });
        }
    }

    /// What is under way comes from its arbiter: that somebody else has the claim, or the record, is heard at once.
    pub(crate) fn tell_taken(&mut self) {
        for by in Process::BOTH {
            for b in 0..self.coordinators.len() {
                while let Some(run) = self.run_mut(by, b) {
                    match &run.mail[..] {
                        [claims::Answer::Taken(_), ..] => {
                            let input = HashedInput::Claim(run.mail.remove(0));
                            self.tell(by, b, &input, None);
                        }
                        [claims::Answer::Contradicted, ..] => {
                            run.mail.remove(0);
                            if run.stale {
                                self.lost(by, b);
                            }
                        }
                        _ => break,
                    }
                }
            }
        }
    }

    /// False: refused.
    fn perform(&mut self, by: Process, b: usize, effect: &HashedEffect) -> bool {
        match effect {
            HashedEffect::Save(record) => {
                let Some(run) = self.run_mut(by, b).filter(|run| !run.stale) else { return false };
                run.view = record.clone();
                self.save_record(b, record);
                if let Some(other) = self.run_mut(by.other(), b) {
                    other.stale = true;
                }
            }
            HashedEffect::Say(word) => {
                let Some(view) = self.run(by, b).map(|run| run.view.clone()) else { return false };
                self.check_order(&view, word);
                self.say(word);
            }
            HashedEffect::Claim(floor) => {
                let Some(run) = self.run(by, b) else { return false };
                let attempt = run.machine.record().attempt;
                let want = claims::Want { backup: uid(b), attempt, cluster: CLUSTER, floor: *floor };
                self.arbitrate(by, claims::Input::Wanted(want));
            }
            HashedEffect::EndClaim => {
                self.arbitrate(by, claims::Input::GivenBack { backup: uid(b), cluster: CLUSTER });
            }
            HashedEffect::Alarm => self.truth.breaks(Broken::Alarm),
            // Only its own process lets an object go: the other one is left there.
            HashedEffect::Gone if by == Process::Deposed => return false,
            HashedEffect::Gone => self.coordinators[b].gone = true,
        }
        true
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
        of.ended |= matches!(record.milestone, Milestone::Aborting | Milestone::Failed);
        let contradicted = of.ended && record.certificate.is_some();
        self.truth.demand(one, Broken::TwoCommitTs);
        self.truth.demand(!contradicted, Broken::EndedCertified);
    }

    /// I2, I4, and the order of steps: each order against what is saved and what was really answered.
    fn check_order(&mut self, saved: &Record, word: &Message) {
        let Message::Down { to, epoch, order, .. } = word else { return };
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
                let fixed = saved.milestone == Milestone::Snapshotting && saved.commit_ts == Some(snapshot.commit_ts);
                self.truth.demand(least == Some(snapshot.commit_ts), Broken::OutOfStep);
                (known && fixed, Broken::TwoCommitTs)
            }
            Order::Confirm => (known && snapshotted == everyone, Broken::OutOfStep),
            Order::Release => (known && confirmed == everyone, Broken::EarlyRelease),
            Order::Abort(_) => (known && saved.milestone == Milestone::Aborting, Broken::SentUnsaved),
            Order::Recover => (known && saved.milestone == Milestone::Snapshotting, Broken::SentUnsaved),
            Order::Complete(_) | Order::Measure(_) => (known && saved.certificate.is_some(), Broken::SentUnsaved),
            Order::Clean(_) => {
                (known && matches!(saved.milestone, Milestone::Failed | Milestone::Cleaning), Broken::SentUnsaved)
            }
        };
        self.truth.demand(known || matches!(order, Order::Prepare(_)), Broken::SentUnsaved);
        self.truth.demand(allowed, otherwise);
    }

    /// Words that change nothing and start nothing need not be delivered.
    pub(crate) fn is_idle_word(&self, b: usize, word: &Kept<Message>) -> bool {
        let mut runs = Process::BOTH.into_iter().filter_map(|by| self.run(by, b));
        runs.all(|run| is_idle(&run.machine, word))
    }
}

pub(crate) fn is_idle(machine: &Kept<Barrier>, word: &Kept<Message>) -> bool {
    let (next, effects) = look(machine, &HashedInput::PlaneMessage(word.clone()));
    next == *machine && effects.is_empty()
}

/// `Renewed` and `Progress` are for people: a barrier does nothing with them.
pub(crate) fn is_small_talk(word: &Message) -> bool {
    matches!(word, Message::Up { answer: Answer::Renewed(_) | Answer::Progress(_), .. })
}
