//! Laws over two processes that both believe that they lead, one ledger, and everything that may go wrong between them:
//! saves whose answers are lost, reads that fail, deaths, barriers that end at any moment, any order of all of it.

use proptest::prelude::*;
use shared::{
    barrier::Claim,
    claims::{Answer, Claims, Effect, HolderRecord, Input, Standing, Want},
    epoch::Epoch,
    ids::{BackupUid, ClusterId},
    machine::Machine,
    time::{Instant, Millis, Now, Timestamp},
};
use std::collections::BTreeMap;

const CLUSTER: ClusterId = ClusterId(7);
const BACKUPS: usize = 3;

fn uid(backup: usize) -> BackupUid {
    BackupUid::new(format!("u{backup}"))
}

/// A backup's record: under way since its barrier began, and the epoch that was saved into it.
#[derive(Clone, Default)]
struct Record {
    version: u64,
    under_way: bool,
    epoch: Option<Epoch>,
}

#[derive(Default)]
struct Ledger {
    claim: Option<Claim>,
    version: u64,
    records: BTreeMap<BackupUid, Record>,
}

/// A barrier of one process: the version of its record that it saved last.
struct Barrier {
    version: u64,
    asks: bool,
    granted: Option<Epoch>,
}

#[derive(Default)]
struct Process {
    claims: Claims,
    now: Instant,
    /// Version of the claim that was last read or saved.
    seen: u64,
    barriers: BTreeMap<BackupUid, Barrier>,
    /// What is under way.
    doing: Vec<Effect>,
}

#[derive(Default)]
struct World {
    ledger: Ledger,
    two: [Process; 2],
    /// Every epoch that a barrier was told, and those that were saved into a record.
    granted: Vec<Epoch>,
}

#[derive(Clone, Debug)]
enum Event {
    Begin(usize, usize),
    Ask(usize, usize),
    SaveRecord(usize, usize),
    End(usize, usize),
    Do { process: usize, which: usize, happens: bool, answered: bool },
    Wait(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let (process, backup) = (0..2usize, 0..BACKUPS);
    prop_oneof![
        2 => (process.clone(), backup.clone()).prop_map(|(p, b)| Event::Begin(p, b)),
        3 => (process.clone(), backup.clone()).prop_map(|(p, b)| Event::Ask(p, b)),
        3 => (process.clone(), backup.clone()).prop_map(|(p, b)| Event::SaveRecord(p, b)),
        1 => (process.clone(), backup).prop_map(|(p, b)| Event::End(p, b)),
        8 => (process.clone(), 0..4usize, prop::bool::weighted(0.9), prop::bool::weighted(0.9))
            .prop_map(|(process, which, happens, answered)| Event::Do { process, which, happens, answered }),
        4 => process.prop_map(Event::Wait),
    ]
}

impl World {
    fn tell(&mut self, p: usize, input: Input) {
        let process = &mut self.two[p];
        let now = Now { at: process.now, wall: Timestamp(0) };
        for effect in process.claims.step(now, input) {
            match effect {
                Effect::Tell(backup, answer) => self.hear(p, &backup, &answer),
                other => self.two[p].doing.push(other),
            }
        }
        assert_eq!(self.two[p].claims.check(), Ok(()));
        let saves = self.two[p].doing.iter().filter(|effect| matches!(effect, Effect::Save(_))).count();
        assert!(saves <= 1, "two saves of one claim under way");
    }

    fn hear(&mut self, p: usize, backup: &BackupUid, answer: &Answer) {
        if let Some(barrier) = self.two[p].barriers.get_mut(backup) {
            match answer {
                Answer::Granted(epoch) => {
                    assert!(!self.granted.contains(epoch), "epoch {epoch} twice");
                    self.granted.push(*epoch);
                    barrier.granted = Some(*epoch);
                    barrier.asks = false;
                }
                Answer::Free | Answer::Refused(_) => barrier.asks = false,
                Answer::Contradicted => {
                    // It looks its record up, and is gone if another process saved it.
                    if self.ledger.records.get(backup).is_some_and(|record| record.version != barrier.version) {
                        self.two[p].barriers.remove(backup);
                        self.tell(p, Input::BarrierEnded { backup: backup.clone(), deleted: false });
                    }
                }
                Answer::Taken(_) => {}
            }
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Begin(p, b) => {
                if self.two[p].barriers.contains_key(&uid(b)) {
                    return;
                }
                let record = self.ledger.records.entry(uid(b)).or_default();
                let named = record.epoch.map(|_| CLUSTER);
                let barrier = Barrier { version: record.version, asks: false, granted: None };
                self.two[p].barriers.insert(uid(b), barrier);
                self.tell(p, Input::BarrierStarted { backup: uid(b), name: format!("ns/u{b}") });
                self.tell(p, Input::Doubted { backup: uid(b), named });
                // An attempt that was under way in a record found is ended, and only then does the next one begin.
                if named.is_some() {
                    return self.end(p, b);
                }
                self.save_record(p, b, None);
            }
            Event::Ask(p, b) => {
                // One that was granted its epoch asks no more before it has ended (`barrier/step/claim.rs`): a second grant would
                // leave it with an epoch that the claim does not name.
                let may_ask = |barrier: &&mut Barrier| !barrier.asks && barrier.granted.is_none();
                let Some(barrier) = self.two[p].barriers.get_mut(&uid(b)).filter(may_ask) else { return };
                barrier.asks = true;
                let want = Want { backup: uid(b), attempt: 1, cluster: CLUSTER, floor: Epoch::NONE };
                self.tell(p, Input::Wanted(want));
            }
            Event::SaveRecord(p, b) => {
                if let Some(epoch) = self.two[p].barriers.get(&uid(b)).and_then(|barrier| barrier.granted) {
                    self.save_record(p, b, Some(epoch));
                }
            }
            Event::End(p, b) => self.end(p, b),
            Event::Do { process, which, happens, answered } => {
                if which < self.two[process].doing.len() {
                    let effect = self.two[process].doing.remove(which);
                    self.carry_out(process, effect, happens, answered);
                }
            }
            Event::Wait(p) => {
                if let Some((at, timer)) = self.two[p].claims.deadline() {
                    self.two[p].now = at.max(self.two[p].now + Millis(1));
                    self.tell(p, Claims::expired(timer));
                }
            }
        }
    }

    /// By compare-and-set: a barrier whose record was saved by another process is gone.
    fn save_record(&mut self, p: usize, b: usize, epoch: Option<Epoch>) {
        let Some(barrier) = self.two[p].barriers.get_mut(&uid(b)) else { return };
        let record = self.ledger.records.entry(uid(b)).or_default();
        if record.version != barrier.version {
            self.two[p].barriers.remove(&uid(b));
            return self.tell(p, Input::BarrierEnded { backup: uid(b), deleted: false });
        }
        record.version += 1;
        (record.under_way, record.epoch) = (true, epoch);
        barrier.version = record.version;
        if let Some(epoch) = epoch {
            self.may_hold(b, epoch);
        }
        self.tell(p, Input::BarrierSaved(uid(b)));
    }

    /// The law (I7): whoever has saved an epoch of the claim may hold stores until its record says that it has ended. No
    /// other backup may come to hold meanwhile. (The claim may be above: a deposed process asked for the same backup, and
    /// cannot save the record any more.)
    fn may_hold(&self, b: usize, epoch: Epoch) {
        let live = self.ledger.claim.as_ref().and_then(|claim| claim.live.as_ref().map(|live| (claim.epoch, live)));
        assert!(
            live.is_some_and(|(at, live)| at >= epoch && live.backup == uid(b)),
            "u{b} saved epoch {epoch}, the claim is {live:?}"
        );
        for (other, record) in &self.ledger.records {
            assert!(*other == uid(b) || record.epoch.is_none(), "{other} holds under {:?}, u{b} too", record.epoch);
        }
    }

    /// Its record says that nothing is held any more; then it gives the claim back.
    fn end(&mut self, p: usize, b: usize) {
        let Some(barrier) = self.two[p].barriers.get(&uid(b)) else { return };
        let record = self.ledger.records.entry(uid(b)).or_default();
        if record.version == barrier.version {
            record.version += 1;
            (record.under_way, record.epoch) = (false, None);
            self.tell(p, Input::GivenBack { backup: uid(b), cluster: CLUSTER });
        }
        self.two[p].barriers.remove(&uid(b));
        self.tell(p, Input::BarrierEnded { backup: uid(b), deleted: false });
    }

    fn carry_out(&mut self, p: usize, effect: Effect, happens: bool, answered: bool) {
        let input = match effect {
            Effect::Save(claim) => {
                let fits = self.two[p].seen == self.ledger.version;
                if happens && fits {
                    self.ledger.version += 1;
                    self.ledger.claim = Some(claim);
                }
                if happens && fits && answered {
                    self.two[p].seen = self.ledger.version;
                    Input::Saved(CLUSTER)
                } else {
                    Input::NotSaved { cluster: CLUSTER, error: "conflict, or no answer".to_owned() }
                }
            }
            Effect::Read(cluster) if answered => {
                self.two[p].seen = self.ledger.version;
                Input::Read { cluster, claim: self.ledger.claim.clone() }
            }
            Effect::Read(cluster) => Input::NotRead(cluster),
            Effect::ReadHolder { cluster, epoch, backup } => {
                let record = match self.ledger.records.get(&backup) {
                    _ if !answered => HolderRecord::NotRead,
                    None => HolderRecord::Absent,
                    Some(record) => HolderRecord::Read {
                        standing: Standing {
                            under_way: record.under_way,
                            may_hold: record.epoch.map(|epoch| (CLUSTER, epoch)),
                        },
                        ours: self.two[p].barriers.get(&backup).is_some_and(|one| one.version == record.version),
                    },
                };
                Input::HolderRead { cluster, epoch, backup, record }
            }
            Effect::List | Effect::Tell(..) => return,
        };
        self.tell(p, input);
    }

    /// No more faults, and only the second process: every claim that is held is some barrier's, and whoever asks gets one.
    fn heals(&mut self) {
        for b in 0..BACKUPS {
            self.two[0].barriers.remove(&uid(b));
            self.end(1, b);
        }
        for round in 0..200 {
            if let Some(effect) = (!self.two[1].doing.is_empty()).then(|| self.two[1].doing.remove(0)) {
                self.carry_out(1, effect, true, true);
            } else if self.two[1].claims.deadline().is_some() {
                self.happen(&Event::Wait(1));
            } else if round > 0 {
                break;
            }
        }
        self.two[1].barriers.clear();
        // A process that begins to lead: it reads, judges, grants.
        self.two[1].claims = Claims::default();
        self.two[1].doing.clear();
        self.two[1].seen = self.ledger.version;
        self.ledger.records.values_mut().for_each(|record| (record.under_way, record.epoch) = (false, None));
        self.tell(1, Input::Read { cluster: CLUSTER, claim: self.ledger.claim.clone() });
        self.happen(&Event::Begin(1, 0));
        self.happen(&Event::Ask(1, 0));
        for _ in 0..50 {
            if self.two[1].barriers[&uid(0)].granted.is_some() {
                return;
            }
            if self.two[1].doing.is_empty() {
                self.happen(&Event::Wait(1));
                self.happen(&Event::Ask(1, 0));
            } else {
                let effect = self.two[1].doing.remove(0);
                self.carry_out(1, effect, true, true);
            }
        }
        panic!("nobody gets the claim: {:?}, {:?}", self.ledger.claim, self.two[1].claims);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_holds_beside_another_and_no_epoch_comes_twice(events in prop::collection::vec(event(), 1..80)) {
        let mut world = World::default();
        for event in &events {
            world.happen(event);
        }
        world.heals();
    }
}
