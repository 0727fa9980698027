//! What is really so, kept apart from what any machine believes: who holds each store, which snapshots were taken under
//! which holds, what was said and saved. Rules that speak of one moment are checked at that moment and leave a mark.

use crate::facts::AttemptKey;
use shared::ts::Ts;
use std::collections::{BTreeMap, BTreeSet};

/// Planes as bits.
pub(crate) type Planes = u8;

/// One plane's store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Store {
    /// For whom its lease lives.
    pub(crate) holder: Option<AttemptKey>,
    /// The lease has not ended since this holder took it.
    pub(crate) whole: bool,
    /// Whose stream it serves: the newest one.
    pub(crate) stream: Option<AttemptKey>,
}

impl Store {
    pub(crate) fn is_whole_for(&self, by: AttemptKey) -> bool {
        self.holder == Some(by) && self.whole
    }
}

/// One attempt, plane by plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct OfAttempt {
    /// Said `Suspended`.
    pub(crate) suspended: Planes,
    /// Its last cover was taken while every store of every plane was held for this attempt.
    pub(crate) covered: Planes,
    /// Its snapshot was taken.
    pub(crate) taken: Planes,
    /// It was taken while every store of every plane was held, without a break since all were covered.
    pub(crate) good: Planes,
    /// It was deleted.
    pub(crate) deleted: Planes,
    /// Said `Snapshotted`.
    pub(crate) snapshotted: Planes,
    /// Saved evidence.
    pub(crate) confirmed: Planes,
    /// Saved that it will never confirm, or died in the middle.
    pub(crate) broke: Planes,
    /// The first commitTs that was saved or said.
    pub(crate) commit_ts: Option<Ts>,
    /// The least safe_ts of the last round of covers.
    pub(crate) safe_ts: BTreeMap<usize, Ts>,
    /// The record said that it ends badly.
    pub(crate) ended: bool,
}

/// A rule that was seen broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Broken {
    /// I2: sent before it was saved.
    SentUnsaved,
    /// `design.md` §4: a step began before all planes had ended the one before.
    OutOfStep,
    /// A plane that broke said that it confirms.
    ConfirmedAfterEnd,
    /// I4: two commitTs in one attempt.
    TwoCommitTs,
    /// Evidence was given up although the coordinator had not recorded a bad end.
    EvidenceLost,
    /// `Release` before all had confirmed.
    EarlyRelease,
    /// An attempt that was recorded as ended was certified.
    EndedCertified,
    /// I8: a snapshot that a kept certificate names was deleted.
    KeptDeleted,
    /// P4: an attempt was followed by another while snapshots of it were left.
    LeftBehind,
    /// I1: an epoch was granted that was granted before, or the claim although another backup held it.
    GrantedTwice,
    /// A machine raised an alarm.
    Alarm,
    /// A machine said twice that all is gone, or spoke after that.
    AfterGone,
}

/// Everything that is true of the past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Truth {
    pub(crate) stores: Vec<Store>,
    pub(crate) attempts: BTreeMap<AttemptKey, OfAttempt>,
    pub(crate) broken: BTreeSet<Broken>,
    /// The coordinator died after commitTs was saved.
    pub(crate) died_late: bool,
}

impl Truth {
    pub(crate) fn of(&mut self, by: AttemptKey) -> &mut OfAttempt {
        self.attempts.entry(by).or_default()
    }

    pub(crate) fn breaks(&mut self, broken: Broken) {
        self.broken.insert(broken);
    }

    pub(crate) fn demand(&mut self, holds: bool, otherwise: Broken) {
        if !holds {
            self.broken.insert(otherwise);
        }
    }

    fn all_whole(&self, by: AttemptKey) -> bool {
        self.stores.iter().all(|store| store.is_whole_for(by))
    }

    /// A plane's cover ended just now.
    pub(crate) fn cover(&mut self, p: usize, by: AttemptKey, safe_ts: Ts) {
        let whole = self.all_whole(by);
        let of = self.of(by);
        of.covered = if whole { of.covered | bit(p) } else { of.covered & !bit(p) };
        of.safe_ts.insert(p, safe_ts);
    }

    /// A plane's snapshots were accepted just now.
    pub(crate) fn take(&mut self, p: usize, by: AttemptKey) {
        let good = self.all_whole(by) && self.of(by).covered == all(self.stores.len());
        let of = self.of(by);
        of.taken |= bit(p);
        if good {
            of.good |= bit(p);
        }
    }
}

pub(crate) fn bit(p: usize) -> Planes {
    1 << p
}

pub(crate) fn all(planes: usize) -> Planes {
    (1 << planes) - 1
}
