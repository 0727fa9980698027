//! A plane's half: feeds members, carries out their effects on ledger, stores and snapshots.

use crate::{
    coordinator::is_small_talk,
    facts::{AttemptKey, CLUSTER, plane, safe_ts},
    kept::{Kept, Steps, step},
    member::{HashedEffect, Outcome, Said, look},
    truth::{Broken, bit},
    world::{Bounds, Message, Plane, Slot, World},
};
use shared::{
    barrier::Milestone,
    member::{AttemptRecord, AttemptState, Member, MemberLedger, Work},
    reason::{Reason, Refusal},
    time::Instant,
    ts::Ts,
    wire::{Answer, CleanScope, Recovered},
};

thread_local! {
    static LEDGERS: Steps<MemberLedger, ()> = Steps::default();
}

/// Work during which something may happen that matters; all other work ends as it begins, unless the model is slow.
fn takes_time(work: &Work) -> bool {
    matches!(work, Work::OpenHolds { .. } | Work::Cover { .. } | Work::Snapshot { .. } | Work::ReadBack { .. })
}

impl Plane {
    fn open(&mut self, by: AttemptKey) {
        if self.slots.iter().any(|(of, _)| *of == by) {
            return;
        }
        let restored = self.ledger.attempt(&by.attempt()).cloned();
        let member = Kept::new(Member::new(by.attempt(), restored, Instant::default()));
        let slot = Slot { member, works: Vec::new(), asked: None, answered: None, dropping: 0 };
        let at = self.slots.partition_point(|(of, _)| *of < by);
        self.slots.insert(at, (by, slot));
    }
}

impl World {
    /// The plane actor dies: nothing is renewed any more, and what was live is broken.
    pub(crate) fn kill_plane(&mut self, p: usize) {
        let ledger = MemberLedger::clone(&self.planes[p].ledger);
        for kept in ledger.attempts.iter().filter(|kept| kept.state == AttemptState::Live) {
            self.truth.of(AttemptKey::of(&kept.attempt)).broke |= bit(p);
        }
        let unsaved = self.planes[p].unsaved;
        self.planes[p] = Plane { ledger: Kept::new(ledger.after_restart()), unsaved, slots: Vec::new() };
        self.truth.stores[p] = Default::default();
    }

    /// True if this order or outbidding would change anything in its plane.
    pub(crate) fn is_idle_order(&self, p: usize, to: AttemptKey, said: &Said) -> bool {
        let Some(slot) = self.slot(p, to) else { return matches!(said, Said::Superseded(_)) };
        let (next, effects) = look(self.planes.len(), p, to, &slot.member, said);
        let idle = |effect: &HashedEffect| matches!(effect, HashedEffect::Say(word) if is_small_talk(word) || self.is_said(word));
        next == slot.member && effects.iter().all(idle)
    }

    /// One step of a member. False if there is no such member.
    pub(crate) fn said(&mut self, bounds: &Bounds, p: usize, by: AttemptKey, said: &Said) -> bool {
        if matches!(said, Said::Ordered(_)) {
            self.planes[p].open(by);
        }
        let Some(slot) = self.slot(p, by) else { return false };
        let (next, effects) = look(self.planes.len(), p, by, &slot.member, said);
        if let Some(slot) = self.slot_mut(p, by) {
            slot.member = next;
        }
        for effect in effects.iter() {
            if !self.carry_out(bounds, p, by, effect) {
                self.end_unsaved(p, by);
                break;
            }
        }
        true
    }

    /// The member lets go, says that it could not save, and is made anew from the ledger: what was live is broken.
    fn end_unsaved(&mut self, p: usize, by: AttemptKey) {
        self.finish(p, by);
        let Some(epoch) = self.slot(p, by).map(|slot| slot.member.answers_under()) else { return };
        self.planes[p].slots.retain(|(of, _)| *of != by);
        let ledger = self.planes[p].ledger.clone();
        if ledger.attempt(&by.attempt()).is_some_and(|kept| kept.state == AttemptState::Live) {
            self.truth.of(by).broke |= bit(p);
        }
        let answer = Answer::Refused(Refusal::new(Reason::LedgerLost, "ledger not saved"));
        self.say(&Kept::new(Message::Up { plane: p, of: by, epoch, answer }));
    }

    fn carry_out(&mut self, bounds: &Bounds, p: usize, by: AttemptKey, effect: &HashedEffect) -> bool {
        match effect {
            HashedEffect::Save(record) => return self.save_attempt(p, by, record),
            HashedEffect::Say(word) => {
                self.check_answer(p, by, word);
                if !is_small_talk(word) {
                    self.say(word);
                }
            }
            HashedEffect::Work(number, work) => {
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.works.push((*number, work.clone()));
                }
                if !bounds.slow && !takes_time(work) {
                    self.end_work(bounds, p, by, *number, Ending::Well);
                }
            }
            HashedEffect::Cancel(number) => {
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.works.retain(|(known, _)| known != number);
                }
            }
            HashedEffect::Renew(number) => {
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.asked = Some(*number);
                }
            }
            HashedEffect::DropHolds => {
                self.finish(p, by);
                if let Some(slot) = self.slot_mut(p, by) {
                    (slot.asked, slot.answered) = (None, None);
                    slot.dropping += 1;
                }
                if !bounds.slow {
                    self.holds_dropped(bounds, p, by);
                }
            }
            HashedEffect::Alarm => self.truth.breaks(Broken::Alarm),
        }
        true
    }

    pub(crate) fn holds_dropped(&mut self, bounds: &Bounds, p: usize, by: AttemptKey) {
        if let Some(slot) = self.slot_mut(p, by) {
            slot.dropping -= 1;
            self.said(bounds, p, by, &Said::HoldsDropped);
        }
    }

    /// `Finish` ends the lease for everybody, but only a stream that still lives can say it.
    fn finish(&mut self, p: usize, by: AttemptKey) {
        let store = &mut self.truth.stores[p];
        if store.stream == Some(by) {
            *store = Default::default();
        }
    }

    /// As the plane's ledger does it (I3): a new attempt below an epoch already obeyed is refused. False: not saved.
    fn save_attempt(&mut self, p: usize, by: AttemptKey, record: &Kept<AttemptRecord>) -> bool {
        if self.planes[p].unsaved {
            return false;
        }
        let ledger = self.planes[p].ledger.clone();
        let known = ledger.attempt(&record.attempt).is_some();
        if record.state == AttemptState::Live && !known && record.epoch <= ledger.highest(record.cluster) {
            return false;
        }
        let saved = &self.coordinators[by.backup].saved;
        let ended = saved.attempt > by.number
            || matches!(
                saved.milestone,
                Milestone::Aborting | Milestone::Failed | Milestone::Cleaning | Milestone::Cleaned
            );
        let of = self.truth.of(by);
        match &record.state {
            AttemptState::Live => {
                for (to, _) in self.planes[p].slots.clone().into_iter().filter(|(of, _)| *of != by) {
                    self.say(&Kept::new(Message::Superseded { plane: p, to, epoch: record.epoch }));
                }
            }
            AttemptState::Broken => {
                of.broke |= bit(p);
                let lost = of.confirmed & bit(p) != 0 && !ended;
                self.truth.demand(!lost, Broken::EvidenceLost);
            }
            AttemptState::Confirmed(_) => {
                of.confirmed |= bit(p);
                let broke = of.broke & bit(p) != 0;
                self.truth.demand(!broke, Broken::ConfirmedAfterEnd);
            }
        }
        let put = |ledger: &mut MemberLedger| {
            ledger.put(AttemptRecord::clone(record));
            Vec::new()
        };
        self.planes[p].ledger = step(&LEDGERS, &ledger, record.key(), put).0;
        true
    }

    fn check_answer(&mut self, p: usize, by: AttemptKey, word: &Message) {
        let Message::Up { answer, .. } = word else { return };
        let ledger = self.planes[p].ledger.clone();
        let state = || ledger.attempt(&by.attempt()).map(|kept| &kept.state);
        let of = self.truth.of(by);
        let evidence = match answer {
            Answer::Suspended(_) => {
                of.suspended |= bit(p);
                return;
            }
            Answer::Snapshotted(_) => {
                of.snapshotted |= bit(p);
                return;
            }
            Answer::Aborted(_) | Answer::Recovered(Recovered::Aborted) => {
                // What is live for a member that was made anew can only become broken.
                let broke = of.broke & bit(p) != 0;
                let may = match state() {
                    Some(AttemptState::Confirmed(_)) => true,
                    Some(AttemptState::Live) => !broke,
                    Some(AttemptState::Broken) | None => false,
                };
                self.truth.demand(!may, Broken::SentUnsaved);
                return;
            }
            Answer::Confirmed(confirmed) => &confirmed.evidence,
            Answer::Recovered(Recovered::Evidence(evidence)) => evidence,
            _ => return,
        };
        let broke = of.broke & bit(p) != 0;
        let saved = matches!(state(), Some(AttemptState::Confirmed(saved)) if saved == evidence);
        self.truth.demand(!broke, Broken::ConfirmedAfterEnd);
        self.truth.demand(saved, Broken::SentUnsaved);
    }

    /// Work ends. False: it cannot end this way now.
    pub(crate) fn end_work(&mut self, bounds: &Bounds, p: usize, by: AttemptKey, number: u64, ending: Ending) -> bool {
        let Some(slot) = self.slot_mut(p, by) else { return false };
        let Some(at) = slot.works.iter().position(|(known, _)| *known == number) else { return false };
        let work = slot.works[at].1.clone();
        if ending == Ending::Well && matches!(*work, Work::OpenHolds { .. }) && self.truth.stores[p].holder.is_some() {
            return false;
        }
        if let Some(slot) = self.slot_mut(p, by) {
            slot.works.remove(at);
        }
        let outcome = match ending {
            Ending::Well => self.do_work(p, by, &work, false),
            Ending::Hole => self.do_work(p, by, &work, true),
            Ending::Badly => Outcome::Refused(match *work {
                Work::Snapshot { .. } | Work::Complete { .. } => Reason::SnapshotFailed,
                _ => Reason::StoreUnavailable,
            }),
        };
        if outcome == Outcome::HoldsOpen {
            self.said(bounds, p, by, &Said::Held(number));
        }
        self.said(bounds, p, by, &Said::Done(number, outcome))
    }

    fn do_work(&mut self, p: usize, by: AttemptKey, work: &Work, hole: bool) -> Outcome {
        match work {
            Work::Prepare(prepare) => {
                Outcome::Prepared { round: prepare.round, highest: self.planes[p].ledger.highest(CLUSTER) }
            }
            Work::Reserve => Outcome::Reserved,
            Work::HoldPd { .. } => Outcome::PdHeld,
            Work::RenewPd { .. } => Outcome::PdRenewed,
            Work::Leaders { .. } => Outcome::Leaders,
            Work::OpenHolds { .. } => {
                let store = &mut self.truth.stores[p];
                (store.holder, store.whole, store.stream) = (Some(by), true, Some(by));
                Outcome::HoldsOpen
            }
            Work::Cover { round, .. } => {
                self.truth.cover(p, by, if hole { Ts::NOT_INITIALIZED } else { safe_ts(p, *round) });
                Outcome::Covered { round: *round, hole }
            }
            Work::Snapshot { .. } => {
                self.truth.take(p, by);
                Outcome::Snapshotted
            }
            Work::ReadBack { .. } => Outcome::ReadBack,
            Work::Complete { .. } => Outcome::Completed,
            Work::Measure(order) => Outcome::Measured { from: order.from },
            Work::Clean { order, .. } => {
                self.delete(p, by, order.scope);
                Outcome::Cleaned
            }
        }
    }

    /// By tags: the attempt's snapshots of this plane, or the backup's.
    fn delete(&mut self, p: usize, by: AttemptKey, scope: CleanScope) {
        let saved = &self.coordinators[by.backup].saved;
        let kept = saved
            .certificate
            .as_ref()
            .filter(|_| matches!(saved.milestone, Milestone::Certified | Milestone::Complete));
        let kept = kept.filter(|certificate| certificate.planes.contains_key(&plane(p))).map(|c| c.attempt);
        for (of, truth) in &mut self.truth.attempts {
            let meant = match scope {
                CleanScope::Attempt => *of == by,
                CleanScope::Backup => of.backup == by.backup,
                CleanScope::Surplus => false,
            };
            if meant {
                truth.deleted |= truth.taken & bit(p);
                if kept == Some(of.number) {
                    self.truth.broken.insert(Broken::KeptDeleted);
                }
            }
        }
    }

    /// The renewal that was asked for reaches the store, if its stream still lives.
    pub(crate) fn answer_renewal(&mut self, bounds: &Bounds, p: usize, by: AttemptKey) -> bool {
        let store = &mut self.truth.stores[p];
        if store.stream != Some(by) {
            return false;
        }
        let valid = store.holder == Some(by);
        store.whole &= valid;
        store.holder = Some(by);
        let Some(slot) = self.slot_mut(p, by) else { return false };
        slot.answered = slot.asked.take().map(|number| (number, valid));
        // The confirmation's own renewal is asked for after all snapshots: when its answer is heard matters only where
        // there are others.
        if bounds.budget.renewals == 0 { self.hear_renewal(bounds, p, by) } else { true }
    }

    /// Its answer reaches the member.
    pub(crate) fn hear_renewal(&mut self, bounds: &Bounds, p: usize, by: AttemptKey) -> bool {
        let Some((number, valid)) = self.slot_mut(p, by).and_then(|slot| slot.answered.take()) else { return false };
        self.said(bounds, p, by, &Said::Leased { number, valid })
    }
}

/// How a piece of work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Well,
    Badly,
    /// A cover in which a region is missing.
    Hole,
}
