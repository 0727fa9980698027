//! A plane's half: feeds members, carries out their effects on ledger, stores and snapshots.

use crate::{
    coordinator::is_small_talk,
    facts::{CLUSTER, GC_HOLD, Try, covered, plane, prepared, read_back, snapshot, store},
    kept::{Kept, Stepped, Steps, key_of, step},
    truth::{Broken, bit},
    world::{Bounds, Plane, Slot, Word, World},
};
use shared::{
    barrier::Stage,
    epoch::Epoch,
    machine::Machine,
    member::{AttemptRecord, AttemptState, Done, Effect, Input, Member, MemberLedger, Timer, Work},
    reason::{Reason, Refusal},
    time::{Millis, Now},
    wire::{Answer, CleanReport, CleanScope, Recovered},
};

thread_local! {
    static STEPS: Steps<Member, Effect> = Steps::default();
}

/// What a member is told, with its key made only once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    Ordered(Kept<Word>),
    Outbid(Epoch),
    Done(u64, Result<Kept<Done>, Reason>),
    Held(u64),
    Leased { number: u64, valid: bool },
    Broken,
    LetGone,
    Expired(Timer),
}

impl Said {
    fn input(&self, p: usize) -> Input {
        match self {
            Self::Ordered(word) => match &**word {
                Word::Down { epoch, order, .. } => Input::Order { epoch: *epoch, order: order.clone() },
                Word::Up { .. } | Word::Outbid { .. } => Input::LinkLost,
            },
            Self::Outbid(epoch) => Input::Outbid { cluster: CLUSTER, epoch: *epoch },
            Self::Done(number, result) => {
                let refusal = |reason: &Reason| Refusal::new(*reason, "it went wrong");
                let result = match result {
                    Ok(done) => Ok(Done::clone(done)),
                    Err(reason) => Err(refusal(reason)),
                };
                Input::Done { number: *number, result }
            }
            Self::Held(_) => Input::StoreHeld { store: store(p), age: Millis(0) },
            Self::Leased { number, valid } => Input::StoreLeased { store: store(p), number: *number, valid: *valid },
            Self::Broken => {
                let refusal = Refusal::new(Reason::StoreHoldLost, "the stream was taken over");
                Input::StoreBroken { store: store(p), refusal }
            }
            Self::LetGone => Input::LetGone,
            Self::Expired(timer) => Input::Expired(*timer),
        }
    }
}

fn look(p: usize, member: &Kept<Member>, said: &Said) -> Stepped<Member, Effect> {
    step(&STEPS, member, key_of(&(p, said)), |member| member.step(Now::default(), said.input(p)))
}

/// Work during which something may happen that matters; all other work ends as it begins, unless the model is slow.
fn takes_time(work: &Work) -> bool {
    matches!(work, Work::OpenHolds { .. } | Work::Snapshot { .. } | Work::ReadBack { .. })
}

impl Plane {
    fn open(&mut self, by: Try) {
        if self.slots.iter().any(|(of, _)| *of == by) {
            return;
        }
        let restored = self.ledger.attempt(&by.attempt()).cloned();
        let member = Kept::new(Member::new(by.attempt(), restored));
        let slot = Slot { member, works: Vec::new(), asked: None, letting_go: 0 };
        let at = self.slots.partition_point(|(of, _)| *of < by);
        self.slots.insert(at, (by, slot));
    }
}

impl World {
    /// The plane actor dies: nothing is renewed any more, and what was live is broken.
    pub(crate) fn kill_plane(&mut self, p: usize) {
        let ledger = MemberLedger::clone(&self.planes[p].ledger);
        for kept in ledger.attempts.iter().filter(|kept| kept.state == AttemptState::Live) {
            self.truth.of(Try::of(&kept.attempt)).broke |= bit(p);
        }
        self.planes[p] = Plane { ledger: Kept::new(ledger.after_restart()), slots: Vec::new() };
        self.truth.stores[p] = Default::default();
    }

    /// True if this order or outbidding would change anything in its plane.
    pub(crate) fn is_idle_order(&self, p: usize, to: Try, said: &Said) -> bool {
        let Some(slot) = self.slot(p, to) else { return matches!(said, Said::Outbid(_)) };
        let (next, effects) = look(p, &slot.member, said);
        next == slot.member
            && effects.iter().all(|effect| match effect {
                Effect::Send { epoch, answer } => {
                    let word = Word::Up { plane: p, of: to, epoch: *epoch, answer: answer.clone() };
                    is_small_talk(answer) || self.net.binary_search_by_key(&key_of(&word), Kept::key).is_ok()
                }
                _ => false,
            })
    }

    /// One step of a member. False if there is no such member.
    pub(crate) fn said(&mut self, bounds: &Bounds, p: usize, by: Try, said: &Said) -> bool {
        if matches!(said, Said::Ordered(_)) {
            self.planes[p].open(by);
        }
        let Some(slot) = self.slot_mut(p, by) else { return false };
        let (next, effects) = look(p, &slot.member, said);
        slot.member = next;
        for effect in effects.iter() {
            if !self.carry_out(bounds, p, by, effect) {
                // The ledger refused: the member lets go without a word and is made anew from the ledger.
                self.finish(p, by);
                self.planes[p].slots.retain(|(of, _)| *of != by);
                break;
            }
        }
        true
    }

    fn carry_out(&mut self, bounds: &Bounds, p: usize, by: Try, effect: &Effect) -> bool {
        match effect {
            Effect::Save(record) => return self.save_attempt(p, by, record),
            Effect::Send { epoch, answer } => {
                self.check_answer(p, by, answer);
                if !is_small_talk(answer) {
                    self.say(Word::Up { plane: p, of: by, epoch: *epoch, answer: answer.clone() });
                }
            }
            Effect::Work { number, work } => {
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.works.push((*number, Kept::new(work.clone())));
                }
                if !bounds.slow && !takes_time(work) {
                    self.end_work(bounds, p, by, *number, Ending::Well);
                }
            }
            Effect::CancelWork { number } => {
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.works.retain(|(known, _)| known != number);
                }
            }
            Effect::RenewStores { number, .. } => {
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.asked = Some(*number);
                }
            }
            Effect::LetGo { .. } => {
                self.finish(p, by);
                if let Some(slot) = self.slot_mut(p, by) {
                    slot.asked = None;
                    slot.letting_go += 1;
                }
                if !bounds.slow {
                    self.let_gone(bounds, p, by);
                }
            }
            Effect::Alarm(_) => self.truth.breaks(Broken::Alarm),
        }
        true
    }

    pub(crate) fn let_gone(&mut self, bounds: &Bounds, p: usize, by: Try) {
        if let Some(slot) = self.slot_mut(p, by) {
            slot.letting_go -= 1;
            self.said(bounds, p, by, &Said::LetGone);
        }
    }

    /// `Finish` ends the lease for everybody, but only a stream that still lives can say it.
    fn finish(&mut self, p: usize, by: Try) {
        let store = &mut self.truth.stores[p];
        if store.stream == Some(by) {
            *store = Default::default();
        }
    }

    /// As the plane's ledger does it (I3): a new attempt below an epoch already obeyed is refused.
    fn save_attempt(&mut self, p: usize, by: Try, record: &AttemptRecord) -> bool {
        let mut ledger = MemberLedger::clone(&self.planes[p].ledger);
        let known = ledger.attempt(&record.attempt).is_some();
        if record.state == AttemptState::Live && !known && record.epoch <= ledger.highest(record.cluster) {
            return false;
        }
        let saved = &self.coordinators[by.backup].saved;
        let ended = saved.attempt > by.number
            || matches!(saved.stage, Stage::Aborting | Stage::Failed | Stage::Cleaning | Stage::Cleaned);
        let of = self.truth.of(by);
        match &record.state {
            AttemptState::Live => {
                for (to, _) in self.planes[p].slots.clone().into_iter().filter(|(of, _)| *of != by) {
                    self.say(Word::Outbid { plane: p, to, epoch: record.epoch });
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
        ledger.put(record.clone());
        self.planes[p].ledger = Kept::new(ledger);
        true
    }

    fn check_answer(&mut self, p: usize, by: Try, answer: &Answer) {
        let state = self.planes[p].ledger.attempt(&by.attempt()).map(|kept| kept.state.clone());
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
                let may = matches!(state, Some(AttemptState::Live | AttemptState::Confirmed(_)));
                self.truth.demand(!may, Broken::SentUnsaved);
                return;
            }
            Answer::Confirmed(confirmed) => &confirmed.evidence,
            Answer::Recovered(Recovered::Evidence(evidence)) => evidence,
            _ => return,
        };
        let broke = of.broke & bit(p) != 0;
        self.truth.demand(!broke, Broken::ConfirmedAfterEnd);
        self.truth.demand(state == Some(AttemptState::Confirmed(evidence.clone())), Broken::SentUnsaved);
    }

    /// Work ends. False: it cannot end this way now.
    pub(crate) fn end_work(&mut self, bounds: &Bounds, p: usize, by: Try, number: u64, ending: Ending) -> bool {
        let Some(slot) = self.slot_mut(p, by) else { return false };
        let Some(at) = slot.works.iter().position(|(known, _)| *known == number) else { return false };
        let work = slot.works[at].1.clone();
        if ending == Ending::Well && matches!(*work, Work::OpenHolds { .. }) && self.truth.stores[p].holder.is_some() {
            return false;
        }
        if let Some(slot) = self.slot_mut(p, by) {
            slot.works.remove(at);
        }
        let result = match ending {
            Ending::Well => Ok(self.do_work(bounds, p, by, &work, false)),
            Ending::Hole => Ok(self.do_work(bounds, p, by, &work, true)),
            Ending::Badly => Err(match *work {
                Work::Snapshot { .. } | Work::Complete(_) => Reason::SnapshotFailed,
                _ => Reason::StoreUnavailable,
            }),
        };
        if let (Ok(_), Work::OpenHolds { .. }) = (&result, &*work) {
            self.said(bounds, p, by, &Said::Held(number));
        }
        self.said(bounds, p, by, &Said::Done(number, result.map(Kept::new)))
    }

    fn do_work(&mut self, bounds: &Bounds, p: usize, by: Try, work: &Work, hole: bool) -> Done {
        let planes = bounds.planes;
        match work {
            Work::Prepare(prepare) => {
                let highest = self.planes[p].ledger.highest(CLUSTER);
                Done::Prepared(prepared(p, planes, prepare.round, highest))
            }
            Work::Reserve => Done::Reserved,
            Work::HoldPd { .. } => Done::PdHeld { gc_hold: GC_HOLD, schedulers: Vec::new() },
            Work::RenewPd { .. } => Done::PdRenewed,
            Work::Leaders { .. } => Done::Leaders { regions: 1, least_safe_ts: GC_HOLD },
            Work::OpenHolds { .. } => {
                let store = &mut self.truth.stores[p];
                (store.holder, store.whole, store.stream) = (Some(by), true, Some(by));
                Done::HoldsOpen
            }
            Work::Cover { round, .. } => {
                let covered = covered(p, planes, *round, hole);
                self.truth.cover(p, by, covered.digest.least_safe_ts);
                Done::Covered(covered)
            }
            Work::Snapshot { .. } => {
                self.truth.take(p, by);
                Done::Snapshotted(vec![snapshot(p, by)])
            }
            Work::ReadBack { .. } => Done::ReadBack(read_back(p, planes)),
            Work::Complete(_) => Done::Completed { full_bytes: 0 },
            Work::Clean { order: clean, .. } => {
                self.delete(p, by, clean.scope);
                Done::Cleaned(CleanReport::default())
            }
        }
    }

    /// By tags: the attempt's snapshots of this plane, or the backup's.
    fn delete(&mut self, p: usize, by: Try, scope: CleanScope) {
        let saved = &self.coordinators[by.backup].saved;
        let kept = saved.certificate.as_ref().filter(|_| matches!(saved.stage, Stage::Certified | Stage::Complete));
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
    pub(crate) fn answer_renewal(&mut self, bounds: &Bounds, p: usize, by: Try) -> bool {
        let store = &mut self.truth.stores[p];
        if store.stream != Some(by) {
            return false;
        }
        let valid = store.holder == Some(by);
        store.whole &= valid;
        store.holder = Some(by);
        let Some(number) = self.slot_mut(p, by).and_then(|slot| slot.asked.take()) else { return false };
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
