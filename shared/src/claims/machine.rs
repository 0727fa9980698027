//! The arbiter. See the module.

use super::{
    entry::{Entry, Purpose, State},
    epochs::above,
    input::{Answer, Effect, Input, Step, Timer, Want},
    queue::Queue,
    standing::{Barrier, HolderRecord},
};
use crate::{
    barrier::{Claim, ClaimHolder},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    machine::Machine,
    reason::Refusal,
    time::{Instant, Millis, Now},
    timers::Timers,
};
use std::collections::{BTreeMap, BTreeSet};

/// Between tries to read what is stored.
const AGAIN: Millis = Millis::secs(1);
/// How often it is looked whether a claim that is waited for is free and nobody was called, or came.
const CALL_AGAIN: Millis = Millis::secs(30);

/// Every claim that this process has heard of. One per process that leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Claims {
    pub(super) entries: BTreeMap<ClusterId, Entry>,
    pub(super) barriers: BTreeMap<BackupUid, Barrier>,
    queue: Queue,
    /// Backups that are deleted: a process that was deposed may have claimed for them what this one never heard of.
    deleted: BTreeSet<BackupUid>,
    /// Those of them for which the claims are being listed.
    listing: BTreeSet<BackupUid>,
    timers: Timers<Timer>,
    draining: bool,
}

/// What becomes of a barrier's question.
enum Verdict {
    Save(Claim),
    Taken(String),
    Refused(Refusal),
}

impl Claims {
    /// Claims that are held.
    pub fn held(&self) -> impl Iterator<Item = (&Claim, &ClaimHolder)> {
        self.entries.values().filter_map(|entry| entry.claim.live.as_ref().map(|live| (&entry.claim, live)))
    }

    /// Its timers that run, whenever they are due: for a model without a clock.
    pub fn timers(&self) -> impl Iterator<Item = Timer> {
        self.timers.names()
    }

    /// Something is being saved.
    pub fn is_saving(&self) -> bool {
        self.entries.values().any(|entry| matches!(entry.state, State::Saving(..)))
    }

    fn entry(&mut self, cluster: ClusterId) -> &mut Entry {
        self.entries.entry(cluster).or_insert_with(|| Entry::free(cluster))
    }

    fn wanted(&mut self, want: Want, step: &mut Step) {
        let Want { backup, cluster, .. } = &want;
        if self.draining || !self.barriers.contains_key(backup) {
            return;
        }
        let first = self.queue.first(*cluster, step.now.at);
        if first.is_some_and(|first| first != backup) {
            self.queue.join(*cluster, backup.clone());
            step.push(Effect::Tell(want.backup, Answer::Taken("one that has waited longer".to_owned())));
            return;
        }
        match self.verdict(&want) {
            Verdict::Save(claim) => {
                self.entry(want.cluster).state = State::Saving(claim.clone(), Purpose::Grant(want.backup));
                step.push(Effect::Save(claim));
            }
            Verdict::Taken(holder) => {
                self.queue_anew(want.cluster, &want.backup);
                step.push(Effect::Tell(want.backup, Answer::Taken(holder)));
            }
            Verdict::Refused(refusal) => {
                // Whoever waits behind it asks with numbers of its own.
                self.queue.leave(want.cluster, &want.backup);
                step.push(Effect::Tell(want.backup, Answer::Refused(refusal)));
                self.call(want.cluster, step);
            }
        }
    }

    fn verdict(&mut self, want: &Want) -> Verdict {
        let entry = self.entries.entry(want.cluster).or_insert_with(|| Entry::free(want.cluster));
        if let Some((_, by)) = entry.held().filter(|(_, by)| **by != want.backup) {
            let name = self.barriers.get(by).map(|barrier| barrier.name.as_str());
            return Verdict::Taken(name.unwrap_or("a backup of another process").to_owned());
        }
        if entry.state != State::Known {
            return Verdict::Taken("another request for it".to_owned());
        }
        match above(entry.claim.epoch, want.floor) {
            Ok(epoch) => {
                let live = Some(ClaimHolder { backup: want.backup.clone(), attempt: want.attempt });
                Verdict::Save(Claim { cluster: want.cluster, epoch, live })
            }
            Err(refusal) => Verdict::Refused(refusal),
        }
    }

    /// The last place.
    fn queue_anew(&mut self, cluster: ClusterId, backup: &BackupUid) {
        self.queue.leave(cluster, backup);
        self.queue.join(cluster, backup.clone());
    }

    fn given_back(&mut self, cluster: ClusterId, backup: &BackupUid, step: &mut Step) {
        let called = self.queue.leave(cluster, backup);
        self.entry(cluster).give_back(backup, step);
        if called {
            self.call(cluster, step);
        }
    }

    fn saved(&mut self, cluster: ClusterId, step: &mut Step) {
        let Some(entry) = self.entries.get_mut(&cluster) else { return };
        let State::Saving(claim, purpose) = std::mem::replace(&mut entry.state, State::Known) else {
            // Nobody asked: what is stored is not what is believed.
            return self.doubt(step.now, cluster);
        };
        let epoch = claim.epoch;
        (entry.claim, entry.granted) = (claim, None);
        if let Purpose::Grant(backup) = purpose {
            self.queue.taken(cluster);
            entry.granted = Some((backup.clone(), epoch));
            step.push(Effect::Tell(backup, Answer::Granted(epoch)));
        }
        self.known(cluster, step);
    }

    /// What is stored is known again.
    fn known(&mut self, cluster: ClusterId, step: &mut Step) {
        if let Some(entry) = self.entries.get_mut(&cluster) {
            entry.give_what_waited(step);
        }
        self.judge(cluster, step);
    }

    fn not_saved(&mut self, cluster: ClusterId, error: &str, step: &mut Step) {
        let entry = self.entry(cluster);
        let before = std::mem::replace(&mut entry.state, State::Unknown);
        entry.giving.clear();
        self.timers.set(Timer::Read(cluster), step.now.at + AGAIN);
        match before {
            State::Saving(_, Purpose::Grant(backup)) => {
                self.queue_anew(cluster, &backup);
                step.push(Effect::Tell(backup, Answer::Taken(format!("nobody: {error}"))));
            }
            State::Saving(_, Purpose::GiveBack) => {
                let entry = self.entry(cluster);
                entry.owed = Some(entry.claim.clone());
            }
            State::Saving(_, Purpose::GrantToNobody) | State::Known | State::Unknown => {}
        }
    }

    fn read(&mut self, cluster: ClusterId, claim: Option<Claim>, step: &mut Step) {
        let entry = self.entry(cluster);
        if matches!(entry.state, State::Saving(..)) {
            return; // What it says is older than what is being written.
        }
        entry.claim = claim.unwrap_or(Claim { cluster, epoch: Epoch::NONE, live: None });
        entry.state = State::Known;
        self.timers.stop(Timer::Read(cluster));
        self.known(cluster, step);
    }

    /// Until it is read, nothing is granted and nothing given back.
    fn doubt(&mut self, now: Now, cluster: ClusterId) {
        let entry = self.entry(cluster);
        if entry.state == State::Known {
            entry.state = State::Unknown;
            self.timers.set(Timer::Read(cluster), now.at + AGAIN);
        }
    }

    /// A claim that is held, but not by an attempt that may hold anything, granted nothing (I2) and is ended. What its
    /// holder's record says is read from the ledger: what this process knows of it may be another process's past. A
    /// grant of this very process is its barrier's, which has not saved it yet.
    fn judge(&mut self, cluster: ClusterId, step: &mut Step) {
        let Some(entry) = self.entries.get(&cluster).filter(|entry| entry.state == State::Known) else { return };
        match entry.held() {
            None => self.call(cluster, step),
            Some(_) if entry.is_granted() => {}
            Some((epoch, backup)) => step.push(Effect::ReadHolder { cluster, epoch, backup: backup.clone() }),
        }
    }

    fn holder_read(
        &mut self,
        cluster: ClusterId,
        epoch: Epoch,
        backup: &BackupUid,
        record: HolderRecord,
        step: &mut Step,
    ) {
        let saved = self.barriers.get(backup).is_some_and(|barrier| barrier.saved);
        let Some(entry) = self.entries.get_mut(&cluster) else { return };
        if entry.held() != Some((epoch, backup)) || entry.is_granted() || entry.state != State::Known {
            return; // The question is settled, or will be asked anew.
        }
        match record {
            HolderRecord::NotRead => {
                self.timers.set(Timer::Judge(cluster), step.now.at + AGAIN);
            }
            HolderRecord::Unreadable => {}
            // A barrier of ours that waits would wait for ever: it saves nothing, so no refused save tells it.
            HolderRecord::Read { standing, ours: false } if standing.under_way && saved => {
                self.timers.set(Timer::Judge(cluster), step.now.at + AGAIN);
                step.push(Effect::Tell(backup.clone(), Answer::Contradicted));
            }
            HolderRecord::Read { standing, .. } if standing.may_hold == Some((cluster, epoch)) => {}
            // Whoever saved it last may still save this epoch into it: another process, or a barrier before ours (I1).
            HolderRecord::Read { standing, ours } if standing.under_way && !(saved && ours) => {
                self.timers.set(Timer::Judge(cluster), step.now.at + AGAIN);
            }
            HolderRecord::Read { .. } | HolderRecord::Absent => entry.give_back(backup, step),
        }
    }

    /// Calls the first that waits and has a barrier, if nobody holds the claim.
    fn call(&mut self, cluster: ClusterId, step: &mut Step) {
        let free = |entry: &Entry| entry.state == State::Known && entry.held().is_none();
        if !self.entries.get(&cluster).is_none_or(free) {
            return;
        }
        while let Some(backup) = self.queue.call(cluster, step.now.at) {
            if self.barriers.contains_key(&backup) {
                step.push(Effect::Tell(backup, Answer::Free));
                return;
            }
            self.queue.leave(cluster, &backup);
        }
    }

    /// It has no place in a queue any more, and nothing that was granted to it is its own.
    fn forget(&mut self, backup: &BackupUid, step: &mut Step) {
        for entry in self.entries.values_mut() {
            entry.granted.take_if(|(granted, _)| granted == backup);
            if let State::Saving(_, purpose) = &mut entry.state
                && matches!(purpose, Purpose::Grant(to) if to == backup)
            {
                *purpose = Purpose::GrantToNobody;
            }
        }
        for cluster in self.entries.keys().copied().collect::<Vec<_>>() {
            if self.queue.leave(cluster, backup) {
                self.call(cluster, step);
            }
        }
    }

    fn barrier_ended(&mut self, backup: BackupUid, deleted: bool, step: &mut Step) {
        self.barriers.remove(&backup);
        self.forget(&backup, step);
        if deleted {
            self.deleted.insert(backup);
            self.list(step);
        }
    }

    /// It knows nothing of what it was told, so it has nothing.
    fn not_told(&mut self, backup: &BackupUid, step: &mut Step) {
        let granted = |entry: &&Entry| entry.granted.as_ref().is_some_and(|(to, _)| to == backup);
        let lost: Vec<ClusterId> = self.entries.values().filter(granted).map(|entry| entry.claim.cluster).collect();
        self.forget(backup, step);
        for cluster in lost {
            self.judge(cluster, step);
        }
    }

    fn doubted(&mut self, now: Now, backup: &BackupUid, named: Option<ClusterId>) {
        let held = self.held().filter(|(_, live)| &live.backup == backup).map(|(claim, _)| claim.cluster);
        let all: BTreeSet<ClusterId> = held.chain(named).collect();
        for cluster in all {
            self.doubt(now, cluster);
        }
    }

    fn list(&mut self, step: &mut Step) {
        if self.listing.is_empty() && !self.deleted.is_empty() && !self.timers.runs(Timer::List) {
            self.listing = std::mem::take(&mut self.deleted);
            step.push(Effect::List);
        }
    }

    fn listed(&mut self, held: Vec<(ClusterId, BackupUid)>, step: &mut Step) {
        let left = std::mem::take(&mut self.listing);
        for (cluster, _) in held.into_iter().filter(|(_, backup)| left.contains(backup)) {
            self.doubt(step.now, cluster);
        }
        self.list(step);
    }

    fn not_listed(&mut self, now: Now) {
        self.deleted.append(&mut self.listing);
        self.timers.set(Timer::List, now.at + AGAIN);
    }

    /// Whatever else is due is due with it: a process that begins to lead may have to look at hundreds of claims again.
    fn expired(&mut self, timer: Timer, step: &mut Step) {
        let due = self.timers.due().filter(|(at, other)| *other == timer || *at <= step.now.at);
        for timer in due.map(|(_, timer)| timer).collect::<Vec<_>>() {
            self.timers.stop(timer);
            match timer {
                Timer::Read(cluster) => step.push(Effect::Read(cluster)),
                Timer::Judge(cluster) => self.judge(cluster, step),
                Timer::List => self.list(step),
                Timer::Call => {
                    for cluster in self.queue.clusters() {
                        if self.is_elsewhere(cluster) {
                            self.doubt(step.now, cluster)
                        } else {
                            self.call(cluster, step)
                        }
                    }
                }
            }
        }
    }

    /// Held by a backup of another coordinator, who tells nobody here when it is given back.
    fn is_elsewhere(&self, cluster: ClusterId) -> bool {
        let held = self.entries.get(&cluster).and_then(Entry::held);
        held.is_some_and(|(_, by)| !self.barriers.contains_key(by))
    }

    /// The call timer runs while somebody waits.
    fn wind_up(&mut self, now: Now) {
        if self.queue.is_empty() {
            self.timers.stop(Timer::Call);
        } else if !self.timers.runs(Timer::Call) {
            self.timers.set(Timer::Call, now.at + CALL_AGAIN);
        }
    }
}

impl Machine for Claims {
    type Input = Input;
    type Effect = Effect;
    type Timer = Timer;

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut step = Step::new(now);
        match input {
            Input::BarrierStarted { backup, name } => {
                self.barriers.insert(backup, Barrier { name, saved: false });
            }
            Input::BarrierSaved(backup) => {
                if let Some(barrier) = self.barriers.get_mut(&backup) {
                    barrier.saved = true;
                }
            }
            Input::BarrierEnded { backup, deleted } => self.barrier_ended(backup, deleted, &mut step),
            Input::NotTold(backup) => self.not_told(&backup, &mut step),
            Input::Wanted(want) => self.wanted(want, &mut step),
            Input::GivenBack { backup, cluster } => self.given_back(cluster, &backup, &mut step),
            Input::Saved(cluster) => self.saved(cluster, &mut step),
            Input::NotSaved { cluster, error } => self.not_saved(cluster, &error, &mut step),
            Input::Read { cluster, claim } => self.read(cluster, claim, &mut step),
            Input::NotRead(cluster) => {
                self.timers.set(Timer::Read(cluster), now.at + AGAIN);
            }
            Input::HolderRead { cluster, epoch, backup, record } => {
                self.holder_read(cluster, epoch, &backup, record, &mut step);
            }
            Input::Doubted { backup, named } => self.doubted(now, &backup, named),
            Input::Listed(held) => self.listed(held, &mut step),
            Input::NotListed => self.not_listed(now),
            Input::Draining => self.draining = true,
            Input::Expired(timer) => self.expired(timer, &mut step),
        }
        self.wind_up(now);
        debug_assert_eq!(self.check(), Ok(()));
        step.out
    }

    fn deadline(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    fn expired(timer: Timer) -> Input {
        Input::Expired(timer)
    }
}
