//! One seed, played: the wish, the faults at their moments, then healing, and what must be true when all has ended.

mod ends;
mod heal;
mod hosts;

use super::{
    inject::{Undo, inject},
    kinds::Kind,
    observer::Observer,
    options::{Options, Outcome},
    plan::{Moment, Plan, Scheduled, Strike},
};
use crate::rig::Rig;
use serde_json::Value;
use shared::{
    barrier::{Milestone, Record},
    ids::BackupUid,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// Between two looks: while faults wait for their moment, while something is live, and while nothing is. Ledger writes and
/// frames are seen when they happen, whatever this is.
const CLOSE_MS: u64 = 10;
const LIVE_MS: u64 = 50;
const FAR_MS: u64 = 1_000;
/// No fault strikes later than this after the wish, and all end by then.
const FAULTS_MS: u64 = 90_000;
/// A schedule makes runs for so long after the wish.
const RUNS_MS: u64 = 170_000;
/// After healing everything ends within this: connect 60 s, prepare 120 s twice, clocks 300 s, recovery 120 s, holds 32 s,
/// and cleaning with its five quiet minutes; all of it again where the user allowed attempts for ten minutes.
const ENDS_MS: u64 = 2_600_000;
/// A resync, and a second one if the first finds the API server away.
const RESYNCS_MS: u64 = 70_000;
/// A coordinator that was started last has seen every object by then.
const SEEN_MS: u64 = 30_000;
/// Nothing was written for so long: no new attempt is about to start (16 s after a clean).
const QUIET_MS: u64 = 25_000;

struct Play<'a> {
    rig: &'a Rc<Rig>,
    plan: Plan,
    planes: Vec<String>,
    observer: Observer,
    /// When the wish was made.
    wished: u64,
    waiting: Vec<Strike>,
    undo: Vec<(u64, Undo, Vec<String>)>,
    /// Down on purpose.
    down: BTreeSet<String>,
    ended: BTreeMap<String, u64>,
    /// Told to end.
    told: BTreeMap<String, Told>,
    /// When members and records first came so far.
    members: BTreeMap<shared::member::Phase, u64>,
    records: BTreeMap<Milestone, u64>,
    second: bool,
    faults: BTreeMap<&'static str, u64>,
    /// A part of the ledger was lost at least, or a plane was given up.
    lost: bool,
    /// Manifests applied so far, by name.
    wishes: BTreeMap<&'static str, String>,
    /// When something torn down was first seen to be gone.
    gone: Option<u64>,
    ends: BTreeMap<String, String>,
}

/// A process was told to end.
#[derive(Clone, Copy)]
struct Told {
    since: u64,
    /// By how many faults.
    times: u32,
    /// Number of the coordinator process that ran then.
    process: u64,
}

pub(super) async fn play(rig: &Rc<Rig>, plan: Plan, options: &Options) -> Outcome {
    let observer = Observer::new(&rig.control, &rig.world, options.trace);
    observer.say(&plan.to_string());
    let tapped = observer.clone();
    rig.net.tap(Arc::new(move |plane, way, bytes| tapped.frame(plane, way, bytes)));
    rig.net.delay(plan.net.0, plan.net.1);
    rig.control.ledger_takes(plan.ledger_way.0, plan.ledger_way.1, plan.seed);
    let mut play = Play {
        rig,
        waiting: plan.strikes.clone(),
        planes: plan.world.planes.iter().map(|plane| plane.name.clone()).collect(),
        plan,
        observer,
        wished: 0,
        undo: Vec::new(),
        down: BTreeSet::new(),
        ended: BTreeMap::new(),
        told: BTreeMap::new(),
        members: BTreeMap::new(),
        records: BTreeMap::new(),
        second: false,
        faults: BTreeMap::new(),
        lost: false,
        wishes: BTreeMap::new(),
        gone: None,
        ends: BTreeMap::new(),
    };
    play.whole().await;
    let (violations, hash, trace) = play.observer.finish();
    Outcome {
        seed: play.plan.seed,
        ends: play.ends.into_values().collect(),
        faults: play.faults,
        violations,
        hash,
        trace,
        virtual_ms: rig.world.elapsed_ms(),
    }
}

impl Play<'_> {
    fn now(&self) -> u64 {
        self.rig.world.elapsed_ms()
    }

    /// Of the backup that the seed asks for.
    fn manifest(&self) -> String {
        self.rig.manifest_of("backup", "p", self.plan.policy, &self.plan.more)
    }

    async fn whole(&mut self) {
        sleep(self.plan.warm_up_ms).await;
        self.wished = self.now();
        let manifest = self.manifest();
        self.apply("backup", manifest);
        self.schedule(false);
        self.under_faults().await;
        self.heal();
        let healed = self.now();
        if !self.wait(ENDS_MS, |play| play.has_ended()).await {
            let states = self.states();
            self.observer.broken("ends", format!("not ended {} ms after healing: {states}", self.now() - healed));
        }
        // What came with a status of another object looks as if it had ended. Where records are lost, none tells whether
        // it has: the coordinator has to have seen it.
        if self.lost {
            self.wait(SEEN_MS, |_| false).await;
        }
        self.wait(RESYNCS_MS, |play| play.are_bound() && play.has_ended()).await;
        self.note_ends();
        // The last holds end by themselves.
        self.wait(80_000, |play| play.rig.world.holds() == (Vec::new(), false, 0)).await;
        let holds = self.rig.world.holds();
        if !holds.0.is_empty() || holds.1 {
            self.observer.broken("lets go", format!("held after the end: {holds:?}"));
        }
        self.expect_finalizers().await;
        self.expect_orphans_told().await;
        self.observer.end(self.is_undisturbed(), self.lost);
        if self.plan.delete {
            self.delete_all().await;
        }
        self.observer.look();
    }

    /// Faults strike and end, until none can strike any more.
    async fn under_faults(&mut self) {
        loop {
            self.turn();
            let since = self.now() - self.wished;
            let over = self.undo.is_empty() && !self.second_is_due_later();
            let nothing = self.waiting.is_empty() || (self.has_ended() && self.none_to_come());
            let runs = self.plan.scheduled.is_some() && since < RUNS_MS;
            if !runs && (since >= FAULTS_MS || (over && nothing)) {
                return;
            }
            sleep(self.pace()).await;
        }
    }

    fn second_is_due_later(&self) -> bool {
        self.plan.second.is_some() && !self.second
    }

    /// No fault that waits has a moment yet; what they wait for does not come any more.
    fn none_to_come(&self) -> bool {
        self.waiting.iter().all(|strike| self.due_at(strike).is_none())
    }

    /// Close looks while something happens.
    fn pace(&self) -> u64 {
        let inner = self.observer.lock();
        let quiet = self.now() - inner.written_at.max(self.wished);
        let live = inner.books.records.values().any(is_live);
        if (live && quiet < 10_000 || quiet < 500) && !self.waiting.is_empty() { CLOSE_MS } else { LIVE_MS * 2 }
    }

    /// Everything that is due now.
    fn turn(&mut self) {
        self.observer.look();
        let now = self.now();
        self.note_progress(now);
        if let Some(second) = self.plan.second.filter(|second| !self.second && now >= self.wished + second.after_ms) {
            self.second = true;
            self.observer.say("a second backup is wished");
            let manifest = self.rig.manifest_of("second", "q", second.policy, "");
            self.apply("second", manifest);
        }
        self.put_back(now);
        let due: Vec<Strike> =
            self.waiting.iter().copied().filter(|strike| self.due_at(strike).is_some_and(|at| at <= now)).collect();
        self.waiting.retain(|strike| due.iter().all(|other| other.seed != strike.seed));
        for wanted in due {
            self.let_strike(&wanted, now);
        }
        let over: Vec<usize> =
            self.undo.iter().enumerate().filter(|(_, (at, ..))| *at <= now).map(|(nth, _)| nth).rev().collect();
        for nth in over {
            let (_, undo, down) = self.undo.remove(nth);
            undo(self.rig);
            for host in &down {
                self.down.remove(host);
            }
            self.observer.say("a fault ends");
        }
        self.restart_ended(now);
    }

    /// `None`: what it hangs on has not come about.
    fn due_at(&self, strike: &Strike) -> Option<u64> {
        match strike.moment {
            Moment::After(ms) => Some(self.wished + ms),
            Moment::Member(rig, ms) => self.members.get(&rig).map(|at| at + ms),
            Moment::Record(rig, ms) => self.records.get(&rig).map(|at| at + ms),
        }
    }

    fn let_strike(&mut self, wanted: &Strike, now: u64) {
        let Some(struck) = inject(self.rig, wanted) else { return };
        self.observer.say(&format!("FAULT {}: {}", wanted.kind.name(), struck.text));
        *self.faults.entry(wanted.kind.name()).or_default() += 1;
        self.lost |= matches!(
            wanted.kind,
            Kind::ControlPlaneLost | Kind::LedgerLostInPart | Kind::LedgerFromBefore | Kind::Abandoned
        );
        self.down.extend(struck.down.iter().cloned());
        for host in &struck.down {
            self.told.remove(host);
        }
        if let Some(host) = struck.told {
            let process = self.rig.coordinator_starts();
            self.told.entry(host).or_insert(Told { since: now, times: 0, process }).times += 1;
        }
        let mut down = struck.down;
        for (ms, undo) in struck.undo {
            self.undo.push((now + ms, undo, std::mem::take(&mut down)));
        }
    }

    fn note_progress(&mut self, now: u64) {
        for plane in &self.planes {
            let members = &mut self.members;
            self.rig.plane_view(plane, |view| {
                for member in &view.members {
                    members.entry(member.phase).or_insert(now);
                }
            });
        }
        for record in self.observer.lock().books.records.values() {
            self.records.entry(record.milestone).or_insert(now);
        }
    }

    /// Waits until `over`, looking on.
    async fn wait(&mut self, limit_ms: u64, over: impl Fn(&Self) -> bool) -> bool {
        let begun = self.now();
        loop {
            self.turn();
            if over(self) {
                return true;
            }
            if self.now() - begun >= limit_ms {
                return false;
            }
            if !self.is_live() {
                self.rig.world.calm();
            }
            let live = self.is_live() && self.now() - self.observer.lock().written_at < 10_000;
            sleep(if live { LIVE_MS } else { FAR_MS }).await;
        }
    }

    /// Some attempt is before its snapshots, or an object has no record yet.
    fn is_live(&self) -> bool {
        let inner = self.observer.lock();
        let unseen = !self.rig.control.all(|object| !phase(object).is_empty());
        unseen || inner.books.records.values().any(is_live)
    }

    fn has_ended(&self) -> bool {
        let quiet = {
            let inner = self.observer.lock();
            let ended = |record: &Record| match record.milestone {
                Milestone::Complete => !record.deleting,
                Milestone::Failed => {
                    !record.deleting && record.planes.values().all(|plane| plane.cleaned.is_some() || plane.abandoned)
                }
                _ => false,
            };
            let patient = inner.books.records.values().any(|record| record.request.retry_within.is_some());
            let quiet = self.now() - inner.written_at >= if patient { QUIET_MS } else { 1_500 };
            // Of one whose object is not there nothing is to come; what it may hold, I6 bounds.
            let there = self.rig.control.uids();
            quiet && inner.books.records.iter().all(|(uid, record)| ended(record) || !there.contains(uid))
        };
        let over =
            |object: &Value| self.says_how_it_ended(object) && !object["metadata"]["deletionTimestamp"].is_string();
        quiet && self.rig.control.all(over) && !self.is_torn()
    }

    /// What its record says: a status may be a copy of another object's until its own is written.
    fn says_how_it_ended(&self, object: &Value) -> bool {
        let inner = self.observer.lock();
        let uid = BackupUid::new(object["metadata"]["uid"].as_str().unwrap_or_default());
        match inner.books.records.get(&uid).map(|record| record.milestone) {
            Some(Milestone::Complete) => phase(object) == "Complete",
            Some(Milestone::Failed) => phase(object) == "Failed",
            _ => matches!(phase(object), "Complete" | "Failed" | "Invalid"),
        }
    }
}

fn is_live(record: &Record) -> bool {
    matches!(
        record.milestone,
        Milestone::Preparing | Milestone::Barrier | Milestone::Snapshotting | Milestone::Certified
    )
}

fn phase(object: &Value) -> &str {
    object["status"]["phase"].as_str().unwrap_or_default()
}

async fn sleep(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms.max(1))).await;
}
