//! All of them: who may take snapshots now, and who gets which part of what an account may call.

use super::{
    Calls, Place,
    calls::Together,
    level::Level,
    owed::Owed,
    taking::{Demand, Taking, Wait},
};
use crate::{
    ids::{BackupUid, PlaneId},
    limiter::Budget,
    time::{Instant, Millis},
    wire::{AccountPart, CallShare, Divided},
};
use std::collections::{BTreeMap, BTreeSet};

/// Nobody is asked to wait for less.
const LEAST_WAIT: Millis = Millis::secs(1);

/// Of one place: CreateSnapshots, CreateSnapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Levels {
    sets: Level,
    ones: Level,
}

/// Calls of one plane that have time.
#[derive(Clone, Copy, Default)]
struct InTime {
    deletions: u32,
    listings: u32,
}

/// What one coordinator knows of the accounts in which its backups work. Gone with the process: a successor takes the buckets for
/// full, and whoever took snapshots before it is aborted or only tells its evidence.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    levels: BTreeMap<Place, Levels>,
    taking: BTreeMap<BackupUid, Taking>,
    /// In the order in which they came. As many as backups that wait for a claim.
    waiting: Vec<(BackupUid, Demand)>,
    owed: BTreeMap<BackupUid, Vec<Owed>>,
}

impl Accounts {
    /// A backup is prepared and would begin: everything it calls, with what all others have still to call, must be through
    /// before the first of their holds ends. Else it waits; whoever came first begins first.
    ///
    /// # Errors
    /// What it waits for. It is kept until [`Accounts::ready`] or [`Accounts::over`] says otherwise.
    pub fn wants(&mut self, backup: &BackupUid, demand: Demand, now: Instant) -> Result<(), Wait> {
        let expected = self.taking.remove(backup).is_some();
        let ahead = self.waiting.iter().take_while(|(other, _)| other != backup);
        let first = if expected { None } else { ahead.map(|(_, other)| other).find(|other| other.meets(&demand)) };
        let room = match first {
            Some(first) => {
                let text = format!("{}, which waits for the same account's calls and came first", first.name);
                Err(Wait { again: LEAST_WAIT, text })
            }
            None => self.room(&demand, now),
        };
        match room {
            Ok(()) => {
                self.waiting.retain(|(other, _)| other != backup);
                self.taking.insert(backup.clone(), Taking { demand, ordered: None });
                Ok(())
            }
            Err(wait) => {
                match self.waiting.iter_mut().find(|(other, _)| other == backup) {
                    Some((_, kept)) => *kept = demand,
                    None => self.waiting.push((backup.clone(), demand)),
                }
                Err(wait)
            }
        }
    }

    /// Those that waited and may begin now; their place is kept. And when to look again, if others still wait.
    pub fn ready(&mut self, now: Instant) -> (Vec<BackupUid>, Option<Millis>) {
        let (mut ready, mut again): (Vec<BackupUid>, Option<Millis>) = (Vec::new(), None);
        let mut still: Vec<(BackupUid, Demand)> = Vec::new();
        for (backup, demand) in std::mem::take(&mut self.waiting) {
            let behind = still.iter().any(|(_, other)| other.meets(&demand));
            match if behind { None } else { Some(self.room(&demand, now)) } {
                Some(Ok(())) => {
                    self.taking.insert(backup.clone(), Taking { demand, ordered: None });
                    ready.push(backup);
                }
                Some(Err(wait)) => {
                    again = Some(again.map_or(wait.again, |known| known.min(wait.again)));
                    still.push((backup, demand));
                }
                None => still.push((backup, demand)),
            }
        }
        self.waiting = still;
        (ready, again)
    }

    /// Its calls are being made: planes are told to.
    pub fn ordered(&mut self, backup: &BackupUid, now: Instant) {
        let Some(taking) = self.taking.get_mut(backup).filter(|taking| taking.ordered.is_none()) else { return };
        taking.ordered = Some(now);
        // Those that are as good as new are forgotten.
        let taken: BTreeSet<&Place> = self.taking.values().flat_map(|taking| taking.demand.places()).collect();
        self.levels.retain(|place, _| taken.contains(place));
        let Some(Taking { demand, .. }) = self.taking.get(backup) else { return };
        for place in demand.places() {
            let all = Together::of(demand.at(place));
            let (through, _) = all.best();
            let levels = self.levels.entry(place.clone()).or_default();
            levels.sets.order(now, all.budgets.sets, through);
            if let Some(one) = all.budgets.one_volume {
                levels.ones.order(now, one, all.calls.all() - through);
            }
        }
    }

    /// It takes no snapshots any more, or never will. True: that was news.
    pub fn over(&mut self, backup: &BackupUid) -> bool {
        let waited = self.waiting.len();
        self.waiting.retain(|(other, _)| other != backup);
        self.taking.remove(backup).is_some() || self.waiting.len() < waited
    }

    /// What its planes have still to delete, and to list. True: that is news.
    pub fn owes(&mut self, backup: &BackupUid, owed: Vec<Owed>) -> bool {
        if owed.is_empty() {
            return self.owed.remove(backup).is_some();
        }
        self.owed.insert(backup.clone(), owed.clone()).is_none_or(|before| before != owed)
    }

    /// Does it wait for its turn?
    #[cfg(test)]
    pub(super) fn waits(&self, backup: &BackupUid) -> bool {
        self.waiting.iter().any(|(other, _)| other == backup)
    }

    fn room(&self, demand: &Demand, now: Instant) -> Result<(), Wait> {
        demand.places().into_iter().try_for_each(|place| self.room_in(place, demand, now))
    }

    fn room_in(&self, place: &Place, demand: &Demand, now: Instant) -> Result<(), Wait> {
        let others: Vec<&Taking> =
            self.taking.values().filter(|taking| taking.demand.places().contains(place)).collect();
        let to_order = others.iter().filter(|other| other.ordered.is_none());
        let all = Together::of(demand.at(place).chain(to_order.flat_map(|other| other.demand.at(place))));
        let levels = self.levels.get(place).copied().unwrap_or_default();
        let from = |levels: Levels| {
            let ones = move |one: Budget, calls| levels.ones.time_for(now, one, calls);
            all.best_from(|calls| levels.sets.time_for(now, all.budgets.sets, calls), ones).1
        };
        let needs = from(levels);
        // Alone and from full buckets admission has judged it.
        if others.is_empty() && needs == from(Levels::default()) {
            return Ok(());
        }
        let strictest = others.iter().map(|other| (other.left(now), other.demand.name.as_str()));
        let own = (demand.hold, "its own");
        let (limit, whose) = strictest.chain([own]).min().unwrap_or(own);
        if needs < limit {
            return Ok(());
        }
        let again = if whose == own.1 { Millis(needs.0 - limit.0 + 1) } else { limit };
        let who = match others.as_slice() {
            [] => "the backup that took snapshots just before".to_owned(),
            [one] => one.demand.name.clone(),
            [one, ..] => format!("{} and {} others", one.demand.name, others.len() - 1),
        };
        let own_calls = Together::of(demand.at(place)).calls.all();
        let text = format!(
            "{who}, in account {}, region {}: with its own {own_calls} calls EC2 needs {needs} to take all of them, and the hold \
             limit ({whose}) leaves {limit}",
            place.account, place.region
        );
        Err(Wait { again: again.max(LEAST_WAIT), text })
    }

    /// Which part of its account's calls each plane gets; who gets all of them is not named. `here`: deletes and lists now.
    pub fn division(&self, here: impl Fn(&PlaneId) -> bool) -> BTreeMap<PlaneId, Vec<AccountPart>> {
        let mut parts: BTreeMap<PlaneId, Vec<AccountPart>> = BTreeMap::new();
        let mut give = |plane: &PlaneId, place: &Place, action: Divided, share: Option<CallShare>| {
            if let Some(share) = share {
                let Place { account, region } = place.clone();
                parts.entry(plane.clone()).or_default().push(AccountPart { account, region, action, share });
            }
        };
        for (place, planes) in self.takes() {
            let all = Together::of(planes.values().map(|all| (all.calls, Some(all.budgets))));
            for (plane, own) in planes {
                let (sets, ones) = all.parts(own.calls);
                give(plane, place, Divided::CreateSnapshots, sets);
                give(plane, place, Divided::CreateSnapshot, ones);
            }
        }
        let mut in_time: BTreeMap<&Place, BTreeMap<&PlaneId, InTime>> = BTreeMap::new();
        for owed in self.owed.values().flatten().filter(|owed| here(&owed.plane)) {
            let own = in_time.entry(&owed.place).or_default().entry(&owed.plane).or_default();
            own.deletions = own.deletions.saturating_add(owed.deletions);
            own.listings = own.listings.saturating_add(owed.listings);
        }
        for (place, planes) in in_time {
            let all = |of: fn(&InTime) -> u32| planes.values().map(of).fold(0, u32::saturating_add);
            let part = |calls: u32, of: u32| (calls > 0 && calls < of).then_some(CallShare { calls, of });
            let (deletions, listings) = (all(|own| own.deletions), all(|own| own.listings));
            for (plane, own) in &planes {
                give(plane, place, Divided::DeleteSnapshot, part(own.deletions, deletions));
                give(plane, place, Divided::ListBlocks, part(own.listings, listings));
            }
        }
        parts
    }

    /// Who takes snapshots where, over all backups.
    fn takes(&self) -> BTreeMap<&Place, BTreeMap<&PlaneId, Together>> {
        let mut all: BTreeMap<&Place, BTreeMap<&PlaneId, Together>> = BTreeMap::new();
        for (plane, takes) in self.taking.values().flat_map(|taking| &taking.demand.planes) {
            let new = Together::of([(takes.calls, takes.budgets)].into_iter());
            let planes = all.entry(&takes.place).or_default();
            let own = planes.entry(plane).or_insert(Together { calls: Calls::default(), ..new });
            *own = Together { calls: own.calls.plus(new.calls), budgets: own.budgets.at_most(new.budgets) };
        }
        all
    }
}
