//! One state of the whole: durable things, live machines, the network, the truth.

use crate::{
    arbiter::Arbiter,
    facts::{AttemptKey, request},
    kept::Kept,
    truth::{Store, Truth},
};
use shared::{
    barrier::{Barrier, Record},
    claims,
    epoch::Epoch,
    member::{Member, MemberLedger, Work},
    time::Timestamp,
    wire::{Answer, Order},
};
use std::fmt;

/// How large a model is. Every trouble is taken from a budget, so that all ways to spend it are searched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) planes: usize,
    /// Backups of the one TiDB cluster.
    pub(crate) backups: usize,
    /// Attempts of each.
    pub(crate) attempts: u32,
    /// The second backup may come while the first still prepares or runs, and not only once the claim is free.
    pub(crate) early: bool,
    /// Words of attempts that are over stay under way.
    pub(crate) late: bool,
    /// Every piece of work takes time; otherwise only those do during which it matters.
    pub(crate) slow: bool,
    /// Clocks lie: a coordinator may believe that holds have ended by themselves while they live.
    pub(crate) early_clocks: bool,
    /// A coordinator that is followed by another may go on for a while: it does not know yet.
    pub(crate) zombies: bool,
    pub(crate) budget: Budget,
}

/// What may still go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Deaths of the coordinator.
    pub(crate) coordinator: u8,
    /// Deaths of plane actors.
    pub(crate) plane: u8,
    /// Ledgers of planes that take no save for a while.
    pub(crate) ledger: u8,
    /// Saves of a claim that happen and are answered by nobody.
    pub(crate) answers: u8,
    /// Leases and streams that end, clocks that run out, work that is refused, covers with a hole.
    pub(crate) troubles: u8,
    /// Cancelled or deleted by a person.
    pub(crate) wishes: u8,
    /// Renewals of stores besides the confirmation's, per world.
    pub(crate) renewals: u8,
    /// Renewals of planes' own leases.
    pub(crate) renews: u8,
}

/// A word under way. The network only grows: any word may arrive at any time, again and again, or never.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Message {
    Down {
        plane: usize,
        to: AttemptKey,
        epoch: Epoch,
        order: Order,
    },
    Up {
        plane: usize,
        of: AttemptKey,
        epoch: Epoch,
        answer: Answer,
    },
    /// Inside a plane: another attempt's epoch was saved.
    Superseded {
        plane: usize,
        to: AttemptKey,
        epoch: Epoch,
    },
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: String| text.chars().take_while(|c| !"({".contains(*c)).collect::<String>();
        match self {
            Self::Down { plane, to, epoch, order } => {
                let order = match order {
                    Order::Settle(step) => format!("Settle {step:?}"),
                    Order::Cover(cover) => format!("Cover {}", cover.round),
                    Order::Snapshot(snapshot) => format!("Snapshot {}", snapshot.commit_ts),
                    Order::Renew(renew) => format!("Renew {}", renew.number),
                    other => short(format!("{other:?}")),
                };
                write!(f, "→p{plane} b{}/{}@{epoch} {order}", to.backup, to.number)
            }
            Self::Up { plane, of, epoch, answer } => {
                let answer = match answer {
                    Answer::Refused(refusal) => format!("Refused {} ({})", refusal.reason, refusal.message),
                    Answer::Aborted(aborted) => format!("{aborted:?}"),
                    Answer::Settled(step) => short(format!("Settled {step:?}")),
                    Answer::Recovered(what) => format!("Recovered {}", short(format!("{what:?}"))),
                    other => short(format!("{other:?}")),
                };
                write!(f, "←p{plane} b{}/{}@{epoch} {answer}", of.backup, of.number)
            }
            Self::Superseded { plane, to, epoch } => {
                write!(f, "p{plane} outbids b{}/{} with {epoch}", to.backup, to.number)
            }
        }
    }
}

/// A backup's barrier, as one process runs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) machine: Kept<Barrier>,
    /// What this process last saved or read; `Coordinator::saved` is what the ledger holds.
    pub(crate) view: Kept<Record>,
    /// The other process has saved since: the next save of this one is refused.
    pub(crate) stale: bool,
    /// What the arbiter has said and it has not heard yet.
    pub(crate) mail: Vec<claims::Answer>,
}

/// One backup at the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Coordinator {
    /// `None` before the backup was made, and after everything of it is gone.
    pub(crate) run: Option<Run>,
    /// The same in the process before, which still runs.
    pub(crate) zombie: Option<Run>,
    /// What the ledger holds.
    pub(crate) saved: Kept<Record>,
    pub(crate) gone: bool,
    /// It has come to its end and is left out from here on.
    pub(crate) rests: bool,
}

/// One member in a plane actor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) member: Kept<Member>,
    /// Under way.
    pub(crate) works: Vec<(u64, Kept<Work>)>,
    /// A renewal of its store that is not answered yet.
    pub(crate) asked: Option<u64>,
    /// The store's answer to one, not heard yet.
    pub(crate) answered: Option<(u64, bool)>,
    /// `DropHolds`s not yet answered.
    pub(crate) dropping: u8,
}

/// One plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Plane {
    pub(crate) ledger: Kept<MemberLedger>,
    /// It takes no save now.
    pub(crate) unsaved: bool,
    /// In the order of their attempts.
    pub(crate) slots: Vec<(AttemptKey, Slot)>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) coordinators: Vec<Coordinator>,
    /// The claim of the TiDB cluster: the highest epoch granted, and to whom.
    pub(crate) claim: (Epoch, Option<AttemptKey>),
    /// The next save of it happens, and is answered by nobody.
    pub(crate) unanswered: bool,
    /// Of the present process.
    pub(crate) arbiter: Arbiter,
    /// Of the process before, while it still runs.
    pub(crate) deposed: Option<Arbiter>,
    pub(crate) planes: Vec<Plane>,
    /// In the order of their keys, each once.
    pub(crate) net: Vec<Kept<Message>>,
    pub(crate) truth: Truth,
    pub(crate) budget: Budget,
}

impl World {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let coordinator = |backup| {
            let wish = request(backup, bounds.planes, bounds.attempts > 1);
            let saved = Kept::new(Record::new(wish, Timestamp(0)));
            Coordinator { run: None, zombie: None, saved, gone: false, rests: false }
        };
        let plane = Plane { ledger: Kept::new(MemberLedger::default()), unsaved: false, slots: Vec::new() };
        let mut world = Self {
            coordinators: (0..bounds.backups).map(coordinator).collect(),
            claim: (Epoch::NONE, None),
            unanswered: false,
            arbiter: Arbiter::default(),
            deposed: None,
            planes: vec![plane; bounds.planes],
            net: Vec::new(),
            truth: Truth { stores: vec![Store::default(); bounds.planes], ..Truth::default() },
            budget: bounds.budget.clone(),
        };
        world.start(0);
        world
    }

    pub(crate) fn say(&mut self, word: &Kept<Message>) {
        if let Err(at) = self.net.binary_search_by_key(&word.key(), Kept::key) {
            self.net.insert(at, word.clone());
        }
    }

    pub(crate) fn is_said(&self, word: &Kept<Message>) -> bool {
        self.net.binary_search_by_key(&word.key(), Kept::key).is_ok()
    }

    /// The attempt that a backup's record names.
    pub(crate) fn current(&self, backup: usize) -> AttemptKey {
        AttemptKey { backup, number: self.coordinators[backup].saved.attempt }
    }

    pub(crate) fn slot(&self, p: usize, by: AttemptKey) -> Option<&Slot> {
        self.planes[p].slots.iter().find(|(of, _)| *of == by).map(|(_, slot)| slot)
    }

    pub(crate) fn slot_mut(&mut self, p: usize, by: AttemptKey) -> Option<&mut Slot> {
        self.planes[p].slots.iter_mut().find(|(of, _)| *of == by).map(|(_, slot)| slot)
    }
}
