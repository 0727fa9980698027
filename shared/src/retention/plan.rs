//! The plan: a verdict with its reason for every backup, and the one deletion that may begin.

use super::{Backup, BackupState, Policy, STUCK_AFTER, Tier, last_good};
use crate::{
    calendar::rfc3339,
    duration::human,
    ids::BackupUid,
    time::{Millis, Timestamp},
};
use std::{collections::BTreeMap, fmt};

/// What is to happen to every backup of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// One for each backup, the newest first.
    pub rows: Vec<Row>,
    /// The one that may be deleted now: the oldest that has to go, unless a deletion is under way.
    pub delete_now: Option<(String, BackupUid, Why)>,
    /// A deletion that is waited for, and until when at most.
    pub waiting: Option<(String, Timestamp)>,
    /// When the next one may go if nothing else happens.
    pub next: Option<Next>,
}

/// The next deletion to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Next {
    /// Whose.
    pub name: String,
    /// Not before this; `now` if it may go at once.
    pub at: Timestamp,
}

/// One backup's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Whose.
    pub name: String,
    /// Its object's.
    pub uid: BackupUid,
    /// Its age counts from here.
    pub created: Timestamp,
    /// How far it is.
    pub state: BackupState,
    /// Stay or go.
    pub verdict: Verdict,
    /// For one that stays: when age alone will let it go, if nothing else happens. New backups may push it out earlier.
    pub expires: Option<Timestamp>,
}

/// Stay or go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It stays.
    Keep(Keep),
    /// It has to go, when its turn comes.
    Delete(Why),
    /// It is being deleted since.
    Leaving(Timestamp),
}

/// Why a backup stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// It has not ended.
    Running,
    /// `skipGC: true`
    SkipGc,
    /// The on-hold annotation.
    OnHold,
    /// The schedule limits nothing.
    NoLimit,
    /// Within `maxBackups` and `maxReservedTime`, as far as set.
    WithinLimits,
    /// Beyond them, but these tiers keep it.
    Tiers(Vec<Tier>),
    /// Beyond them, but it is the last good one.
    LastGood,
    /// It failed not long ago.
    FailedRecently,
}

/// Why a backup goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// That many newer Complete ones are kept by `maxBackups`.
    TooMany(u32),
    /// Older than `maxReservedTime`.
    TooOld(Millis),
    /// Only tiers are set, and none keeps it.
    NoTier,
    /// That many newer failed ones are kept.
    FailedTooMany(u32),
    /// It failed longer ago than failed ones are kept.
    FailedTooOld(Millis),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("it has not ended"),
            Self::SkipGc => f.write_str("skipGC is true"),
            Self::OnHold => f.write_str("it is on hold"),
            Self::NoLimit => f.write_str("the schedule limits nothing"),
            Self::WithinLimits => f.write_str("within the limits"),
            Self::Tiers(tiers) => {
                write!(f, "kept as {}", tiers.iter().map(|tier| tier.as_str()).collect::<Vec<_>>().join(", "))
            }
            Self::LastGood => f.write_str("the last good backup"),
            Self::FailedRecently => f.write_str("it failed recently"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(max) => write!(f, "maxBackups {max} is reached by newer ones"),
            Self::TooOld(limit) => write!(f, "older than maxReservedTime {}", human(*limit)),
            Self::NoTier => f.write_str("no tier keeps it"),
            Self::FailedTooMany(max) => write!(f, "{max} newer failed ones are kept"),
            Self::FailedTooOld(limit) => write!(f, "it failed more than {} ago", human(*limit)),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(why) => write!(f, "keep: {why}"),
            Self::Delete(why) => write!(f, "delete: {why}"),
            Self::Leaving(since) => write!(f, "leaving since {}", rfc3339(*since)),
        }
    }
}

/// Says for each backup of a schedule whether it stays at `now`, and why.
#[must_use]
pub fn plan<'a>(history: impl IntoIterator<Item = &'a Backup>, policy: &Policy, now: Timestamp) -> Plan {
    let mut newest_first: Vec<&Backup> = history.into_iter().collect();
    newest_first.sort_unstable_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
    let judged = Judged::new(&newest_first, policy, now);
    let rows: Vec<Row> = newest_first
        .iter()
        .map(|backup| {
            let (verdict, expires) = judged.verdict(backup);
            let Backup { name, uid, created, state, .. } = (*backup).clone();
            Row { name, uid, created, state, verdict, expires }
        })
        .collect();
    let goes = newest_first.iter().zip(&rows).rev().find_map(|(backup, row)| match &row.verdict {
        Verdict::Delete(why) => Some((backup.name.clone(), backup.uid.clone(), why.clone())),
        Verdict::Keep(_) | Verdict::Leaving(_) => None,
    });
    let waiting = waiting(&rows, now);
    let not_before = waiting.as_ref().map_or(now, |(_, until)| *until);
    let next = next(&rows, goes.is_some().then_some(now), not_before);
    Plan { rows, delete_now: goes.filter(|_| waiting.is_none()), waiting, next }
}

/// The oldest of those that may go at the first moment from `not_before` on at which any may; `due`: one has to already.
fn next(rows: &[Row], due: Option<Timestamp>, not_before: Timestamp) -> Option<Next> {
    let first = due.or_else(|| rows.iter().filter_map(|row| row.expires).min())?;
    let at = first.max(not_before);
    let by_then =
        |row: &&Row| matches!(row.verdict, Verdict::Delete(_)) || row.expires.is_some_and(|expires| expires <= at);
    rows.iter().rev().find(by_then).map(|row| Next { name: row.name.clone(), at })
}

/// The deletion that began last, if it may still end by itself.
fn waiting(rows: &[Row], now: Timestamp) -> Option<(String, Timestamp)> {
    rows.iter()
        .filter_map(|row| match row.verdict {
            Verdict::Leaving(since) => Some((since, row)),
            Verdict::Keep(_) | Verdict::Delete(_) => None,
        })
        .max_by_key(|(since, row)| (*since, &row.name))
        .map(|(since, row)| (row.name.clone(), since + STUCK_AFTER))
        .filter(|(_, until)| *until > now)
}

/// The first moment at which something created then is older than `limit`.
fn expiry(created: Timestamp, limit: Millis) -> Timestamp {
    created + limit + Millis(1)
}

/// What of a history its verdicts depend on.
struct Judged<'a> {
    policy: &'a Policy,
    now: Timestamp,
    last_good: Option<&'a str>,
    /// Place among the newest of its kind, from 0; only of those that count.
    places: BTreeMap<&'a str, usize>,
    tiers: BTreeMap<&'a str, Vec<Tier>>,
}

impl<'a> Judged<'a> {
    fn new(newest_first: &[&'a Backup], policy: &'a Policy, now: Timestamp) -> Self {
        let counts = |backup: &Backup| backup.deleting.is_none() && !backup.skip_gc && !backup.on_hold;
        let of = |failed: bool| {
            newest_first
                .iter()
                .copied()
                .filter(|backup| counts(backup) && !backup.is_running())
                .filter(move |backup| (backup.state == BackupState::Failed) == failed)
        };
        let good: Vec<&'a Backup> = of(false).collect();
        let mut tiers = policy.tiers.kept(&good, &policy.zone);
        Self {
            policy,
            now,
            last_good: last_good(newest_first.iter().copied()).map(|backup| backup.name.as_str()),
            places: of(false)
                .enumerate()
                .chain(of(true).enumerate())
                .map(|(at, backup)| (backup.name.as_str(), at))
                .collect(),
            tiers: good
                .iter()
                .enumerate()
                .filter_map(|(at, backup)| Some((backup.name.as_str(), tiers.remove(&at)?)))
                .collect(),
        }
    }

    fn verdict(&self, backup: &Backup) -> (Verdict, Option<Timestamp>) {
        let keep = |why| (Verdict::Keep(why), None);
        if let Some(since) = backup.deleting {
            return (Verdict::Leaving(since), None);
        }
        match backup.state {
            BackupState::Running => keep(Keep::Running),
            _ if backup.skip_gc => keep(Keep::SkipGc),
            _ if backup.on_hold => keep(Keep::OnHold),
            BackupState::Failed => self.failed(backup),
            BackupState::Complete { .. } if !self.policy.limits_good() => keep(Keep::NoLimit),
            BackupState::Complete { .. } => self.good(backup),
        }
    }

    fn good(&self, backup: &Backup) -> (Verdict, Option<Timestamp>) {
        let tiers = self.tiers.get(backup.name.as_str());
        let is_last = self.last_good == Some(backup.name.as_str());
        let why = if self.policy.has_maximum() {
            self.beyond(backup, self.policy.max_backups, self.policy.max_reserved).map(|beyond| match beyond {
                Beyond::Count(max) => Why::TooMany(max),
                Beyond::Age(limit) => Why::TooOld(limit),
            })
        } else {
            Some(Why::NoTier)
        };
        match (why, tiers) {
            (None, tiers) => {
                let expires = self.policy.max_reserved.map(|limit| expiry(backup.created, limit));
                (Verdict::Keep(Keep::WithinLimits), expires.filter(|_| tiers.is_none() && !is_last))
            }
            (Some(_), Some(tiers)) => (Verdict::Keep(Keep::Tiers(tiers.clone())), None),
            (Some(_), None) if is_last => (Verdict::Keep(Keep::LastGood), None),
            (Some(why), None) => (Verdict::Delete(why), None),
        }
    }

    fn failed(&self, backup: &Backup) -> (Verdict, Option<Timestamp>) {
        let (max, limit) = self.policy.failed();
        match self.beyond(backup, max, limit) {
            Some(Beyond::Count(max)) => (Verdict::Delete(Why::FailedTooMany(max)), None),
            Some(Beyond::Age(limit)) => (Verdict::Delete(Why::FailedTooOld(limit)), None),
            None if max.is_none() => (Verdict::Keep(Keep::NoLimit), None),
            None => (Verdict::Keep(Keep::FailedRecently), limit.map(|limit| expiry(backup.created, limit))),
        }
    }

    fn beyond(&self, backup: &Backup, max: Option<u32>, limit: Option<Millis>) -> Option<Beyond> {
        let place = self.places.get(backup.name.as_str()).copied().unwrap_or_default();
        let too_many = max.filter(|max| place >= usize::try_from(*max).unwrap_or(usize::MAX)).map(Beyond::Count);
        let too_old = limit.filter(|limit| self.now >= expiry(backup.created, *limit)).map(Beyond::Age);
        too_many.or(too_old)
    }
}

enum Beyond {
    Count(u32),
    Age(Millis),
}
