//! One state: the ledger, the processes, what is under way.

use crate::{
    facts::backup_of,
    kept::{Kept, Stepped, Steps, key_of, step},
};
use shared::{
    claims::{Answer, Claims, Effect, Input, Timer},
    epoch::Epoch,
    machine::Machine,
    time::{Instant, Millis, Now, Timestamp},
};

thread_local! {
    static STEPS: Steps<Claims, Effect> = Steps::default();
}

/// How large.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Backups that are under way: one or two.
    pub(super) backups: usize,
    /// Processes that begin to lead after the first.
    pub(super) leads: u8,
    /// Saves and reads that fail, saves that are answered by nobody, barriers that are cancelled while they wait.
    pub(super) faults: u8,
    /// Calls that nobody follows for a minute.
    pub(super) minutes: u8,
    /// Nobody asks above this epoch.
    pub(super) epochs: u64,
    /// Barriers that begin again in a process that does not know yet that it is deposed.
    pub(super) agains: u8,
}

/// A backup's record in the ledger, as much as a claim depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) there: bool,
    pub(super) under_way: bool,
    /// Under which something may be held.
    pub(super) holds: Option<Epoch>,
    /// Who saved it last.
    pub(super) writer: Option<u8>,
}

/// What a barrier does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// It has read the record and saved nothing yet.
    Found,
    Preparing,
    /// It asked, and waits.
    Asks,
    Holds,
}

/// A barrier of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Barrier {
    pub(super) phase: Phase,
    /// Nobody has saved the record since it read or saved it.
    pub(super) current: bool,
    pub(super) mail: Vec<Answer>,
}

/// What takes time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum UnderWay {
    Effect(Effect),
    /// It has happened, and is not heard yet.
    Answer(Input),
}

/// A process that leads, or believes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    /// Each that begins is another one.
    pub(super) number: u8,
    pub(super) claims: Kept<Claims>,
    pub(super) now: Instant,
    /// Nobody has saved the claim since it read or saved it.
    pub(super) current: bool,
    /// The last epoch that it saved for somebody and told nobody yet.
    pub(super) grant: Option<Epoch>,
    pub(super) barriers: [Option<Barrier>; 2],
    /// A save of its record was refused: it is read anew.
    pub(super) lost: [bool; 2],
    pub(super) doing: Vec<UnderWay>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Two {
    /// The highest epoch granted, and the backup that has the claim.
    pub(super) claim: (Epoch, Option<usize>),
    pub(super) records: [Record; 2],
    pub(super) processes: [Option<Process>; 2],
    /// The one that began last.
    pub(super) present: usize,
    pub(super) last_number: u8,
    pub(super) leads: u8,
    pub(super) faults: u8,
    pub(super) minutes: u8,
    pub(super) agains: u8,
    pub(super) epochs: Epoch,
    pub(super) broken: Option<&'static str>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    /// A process begins to lead, here in the place of one that is gone or ends with it.
    Lead(usize),
    /// An effect reaches the ledger.
    Happen {
        p: usize,
        at: usize,
    },
    /// It does not, and the process hears so.
    Fail {
        p: usize,
        at: usize,
    },
    /// It does, and the process hears that it did not.
    Lose {
        p: usize,
        at: usize,
    },
    Hear {
        p: usize,
        at: usize,
    },
    /// A barrier reads what its arbiter said.
    Mail {
        p: usize,
        b: usize,
    },
    /// A barrier goes on: see `Two::go_on`.
    Go {
        p: usize,
        b: usize,
    },
    /// An attempt ends.
    End {
        p: usize,
        b: usize,
    },
    /// A barrier that waits is cancelled.
    GiveUp {
        p: usize,
        b: usize,
    },
    /// A barrier that lost its record begins again.
    Again {
        p: usize,
        b: usize,
    },
    Timer {
        p: usize,
        timer: Timer,
    },
}

impl Two {
    pub(super) fn new(bounds: &Bounds) -> Self {
        let record = |under_way| Record { there: true, under_way, ..Record::default() };
        let mut two = Self {
            claim: (Epoch::NONE, None),
            records: [record(true), record(bounds.backups > 1)],
            processes: [None, None],
            present: 0,
            last_number: 0,
            leads: bounds.leads,
            faults: bounds.faults,
            minutes: bounds.minutes,
            agains: bounds.agains,
            epochs: Epoch(bounds.epochs),
            broken: None,
        };
        two.lead(0);
        two
    }

    pub(super) fn actions(&self, actions: &mut Vec<Action>) {
        if self.leads > 0 {
            actions.extend([Action::Lead(0), Action::Lead(1)]);
        }
        for (p, process) in self.processes.iter().enumerate().filter_map(|(p, one)| Some((p, one.as_ref()?))) {
            for (at, doing) in process.doing.iter().enumerate() {
                match doing {
                    UnderWay::Answer(_) => actions.push(Action::Hear { p, at }),
                    UnderWay::Effect(effect) => {
                        actions.push(Action::Happen { p, at });
                        if self.faults > 0 {
                            actions.push(Action::Fail { p, at });
                            actions.extend(matches!(effect, Effect::Save(_)).then_some(Action::Lose { p, at }));
                        }
                    }
                }
            }
            actions.extend(
                process
                    .claims
                    .timers()
                    .filter(|timer| *timer != Timer::Call || self.minutes > 0)
                    .map(|timer| Action::Timer { p, timer }),
            );
            for b in 0..2 {
                self.of_barrier(p, b, actions);
            }
        }
    }

    fn of_barrier(&self, p: usize, b: usize, actions: &mut Vec<Action>) {
        let Some(process) = &self.processes[p] else { return };
        let may_begin = p == self.present || self.agains > 0;
        actions.extend((process.lost[b] && may_begin).then_some(Action::Again { p, b }));
        let Some(barrier) = &process.barriers[b] else { return };
        actions.extend((!barrier.mail.is_empty()).then_some(Action::Mail { p, b }));
        match barrier.phase {
            Phase::Found => actions.push(Action::Go { p, b }),
            Phase::Preparing if self.claim.0 < self.epochs => actions.push(Action::Go { p, b }),
            Phase::Asks if self.faults > 0 => actions.push(Action::GiveUp { p, b }),
            Phase::Preparing | Phase::Asks => {}
            Phase::Holds => actions.push(Action::End { p, b }),
        }
    }

    pub(super) fn act(&mut self, action: &Action) {
        match *action {
            Action::Lead(p) => {
                self.leads -= 1;
                self.lead(p);
            }
            Action::Happen { p, at } => self.happen(p, at, true),
            Action::Fail { p, at } => {
                self.faults -= 1;
                self.fail(p, at);
            }
            Action::Lose { p, at } => {
                self.faults -= 1;
                self.happen(p, at, false);
            }
            Action::Hear { p, at } => self.hear(p, at),
            Action::Mail { p, b } => self.read_mail(p, b),
            Action::Go { p, b } => self.go_on(p, b),
            Action::End { p, b } => self.end(p, b),
            Action::GiveUp { p, b } => {
                self.faults -= 1;
                self.end(p, b);
            }
            Action::Again { p, b } => {
                self.agains -= u8::from(p != self.present);
                self.begin(p, b, true);
            }
            Action::Timer { p, timer } => {
                if let Some(process) = self.processes[p].as_mut().filter(|_| timer == Timer::Call) {
                    self.minutes -= 1;
                    process.now = process.now + Millis::secs(60);
                }
                self.tell(p, Claims::expired(timer));
            }
        }
    }

    /// Tells an arbiter something; what it wants is under way from here on.
    pub(super) fn tell(&mut self, p: usize, input: Input) {
        let Some(process) = &mut self.processes[p] else { return };
        let now = Now { at: process.now, wall: Timestamp(0) };
        let (next, effects) = look(&process.claims, now, &input);
        process.claims = next;
        for effect in effects.iter() {
            match effect {
                Effect::Tell(backup, answer) => self.mail(p, backup_of(backup), answer),
                other => self.put(p, UnderWay::Effect(other.clone())),
            }
        }
        let doing = self.processes[p].iter().flat_map(|process| &process.doing);
        if doing.filter(|doing| matches!(doing, UnderWay::Effect(Effect::Save(_)))).count() > 1 {
            self.broken = Some("two saves of one claim are under way");
        }
    }

    /// What is under way happens in any order: the list says nothing, so it is kept in one order.
    pub(super) fn put(&mut self, p: usize, doing: UnderWay) {
        if let Some(process) = &mut self.processes[p] {
            process.doing.push(doing);
            process.doing.sort_by_key(key_of);
        }
    }

    pub(super) fn holds(&self, p: usize, b: usize) -> bool {
        let barriers = self.processes[p].as_ref().map(|process| &process.barriers);
        barriers.and_then(|all| all[b].as_ref()).is_some_and(|barrier| barrier.phase == Phase::Holds)
    }

    /// I7, I1: whoever may hold has the claim under its epoch, or the same backup was granted a later one by a process
    /// that cannot save the record any more. Nobody else may hold.
    pub(super) fn held_alone(&self) -> bool {
        let holds = |b: usize| self.records[b].holds;
        let has = |b: usize| holds(b).is_none_or(|epoch| self.claim.1 == Some(b) && self.claim.0 >= epoch);
        has(0) && has(1) && (holds(0).is_none() || holds(1).is_none())
    }
}

fn look(claims: &Kept<Claims>, now: Now, input: &Input) -> Stepped<Claims, Effect> {
    step(&STEPS, claims, key_of(&(now, input)), |claims| claims.step(now, input.clone()))
}
