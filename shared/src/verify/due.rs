//! Which backup is verified next. Only what is stored counts, so a process that restarts goes on where the one before it
//! stopped; one is looked at after the other, however many are late.

use crate::{
    ids::BackupUid,
    time::{Millis, Timestamp},
};
use std::collections::BTreeMap;

/// The newest of a group that was never verified is due so long after its end: what EC2 and S3 show settles within minutes.
const FIRST: Millis = Millis::secs(600);

/// A Complete backup, as far as this needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub backup: BackupUid,
    /// The schedule and TiDB cluster that it belongs to: the newest of each is looked at more often.
    pub group: String,
    /// When it became Complete.
    pub completed: Timestamp,
    /// When it was verified last.
    pub verified: Option<Timestamp>,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The newest of each group.
    pub newest: Millis,
    /// All others.
    pub rest: Millis,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Which is next: the one that is late for longest, newest ones of their groups before all others.
    pub next: Option<BackupUid>,
    /// For how long the newest of any group is late at the most.
    pub newest_late: Millis,
    /// How many are due.
    pub late: usize,
}

/// What is due at this moment. `not_before`: those that could not be looked at lately, and when they are tried again.
pub fn due(kept: &[Kept], pace: Pace, now: Timestamp, not_before: &BTreeMap<BackupUid, Timestamp>) -> Due {
    let mut newest: BTreeMap<&str, &Kept> = BTreeMap::new();
    for one in kept {
        let last = newest.entry(&one.group).or_insert(one);
        if (one.completed, &one.backup) > (last.completed, &last.backup) {
            *last = one;
        }
    }
    let (mut due, mut best) = (Due::default(), None);
    for one in kept {
        let is_newest = newest.get(one.group.as_str()).is_some_and(|last| last.backup == one.backup);
        // A clock that was set back has seen what is to come: that counts for nothing.
        let at = match (one.verified.filter(|at| *at <= now), is_newest) {
            (Some(verified), true) => verified + pace.newest,
            (Some(verified), false) => verified + pace.rest,
            (None, true) => one.completed + FIRST.min(pace.newest),
            (None, false) => one.completed + pace.rest,
        };
        if at > now {
            continue;
        }
        due.late = due.late.saturating_add(1);
        if is_newest {
            due.newest_late = due.newest_late.max(now.since(at));
        }
        if not_before.get(&one.backup).is_some_and(|again| *again > now) {
            continue;
        }
        let rank = (!is_newest, at, &one.backup);
        if best.is_none_or(|best| rank < best) {
            best = Some(rank);
        }
    }
    due.next = best.map(|(_, _, backup)| backup.clone());
    due
}
