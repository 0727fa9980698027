//! What must be true when a play has ended, and what must be gone once everything was deleted.

use super::{ENDS_MS, Kind, Play, RESYNCS_MS, phase, sleep};
use crate::rig::{KEY, NAMESPACE};
use serde_json::Value;
use shared::{barrier::Record, ids::BackupUid};
use std::collections::BTreeSet;

/// A deletion after the end: cleaning with its five quiet minutes, one object after the other, and retries.
const GONE_MS: u64 = 1_500_000;
/// Each of these alone costs a backup time and nothing else.
const SURVIVED: &[Kind] = &[
    Kind::LeadersMove,
    Kind::MergeUnderLease,
    Kind::AdminStorm,
    Kind::PdLeader,
    Kind::PdErrors,
    Kind::GcTick,
    Kind::Throttle,
    Kind::LostReply,
    Kind::PartialSet,
    Kind::CutShort,
    Kind::LedgerAnswersLost,
    Kind::ObjectsDown,
    Kind::ClockJump,
    Kind::SpecEdited,
    Kind::Annotated,
    Kind::ObjectCopiedWithStatus,
    Kind::FinalizerStripped,
    Kind::ClockJumped,
    Kind::ForeignLabelOnLedger,
    Kind::ForeignVolume,
    Kind::CoordinatorSigterm,
];
/// Whoever adopts what others left behind does so once for each object that had the name.
const ROUNDS: u32 = 4;

impl Play<'_> {
    pub(super) fn states(&self) -> String {
        let inner = self.observer.lock();
        let records: Vec<_> = inner
            .books
            .records
            .values()
            .map(|record| {
                let clean: Vec<_> = record.planes.values().map(|p| (p.aborted, p.cleaned.is_some())).collect();
                (record.request.name.clone(), record.milestone, record.attempt, record.deleting, clean)
            })
            .collect();
        let objects: Vec<_> =
            self.rig.control.objects().into_iter().map(|(name, object)| (name, phase(&object).to_owned())).collect();
        format!("{records:?}, {objects:?}")
    }

    pub(super) fn note_ends(&mut self) {
        let records: Vec<Record> = self.observer.lock().books.records.values().cloned().collect();
        let objects = self.rig.control.objects();
        for (name, object) in &objects {
            let record = records.iter().find(|r| format!("{}/{}", r.request.namespace, r.request.name) == *name);
            let reason = record.and_then(|record| record.failure.as_ref()).map(|refusal| refusal.reason.to_string());
            let reason = reason.or_else(|| last_reason(object)).unwrap_or_default();
            let end = match phase(object) {
                "Complete" => "Complete".to_owned(),
                other => format!("{other}/{reason}"),
            };
            self.ends.insert(name.clone(), end);
        }
        if !objects.contains_key(KEY) {
            let end = if self.lost { "control plane lost" } else { "deleted in the middle" };
            self.ends.insert(KEY.to_owned(), end.to_owned());
        }
        self.expect_good_ends();
        let ends = format!("ends: {:?}", self.ends);
        self.observer.say(&ends);
    }

    /// Without any fault, or with one that a backup survives, it is Complete, or ran out of a clock that the seed made
    /// short, or was refused for one that is too short for the seed's EC2.
    fn expect_good_ends(&self) {
        let clocks = [
            "SettleTimedOut",
            "ReachTimedOut",
            "HoldTimedOut",
            "HoldTooShort",
            "SafeTsStuck",
            "CoverageUnstable",
            "TilingBroken",
        ];
        let good = |end: &str| end == "Complete" || clocks.iter().any(|clock| end.ends_with(clock));
        let must = match self.plan.strikes.as_slice() {
            [] => true,
            [one] => SURVIVED.contains(&one.kind) && self.plan.second.is_none() && self.plan.scheduled.is_none(),
            _ => false,
        };
        // A copy may be refused for its prefix, which is another one's; and a copy that was quicker has it.
        let wished = |name: &str| !name.ends_with("/copy");
        let copied = self.ends.iter().any(|(name, end)| !wished(name) && end == "Complete");
        let good = |end: &str| good(end) || copied && end.ends_with("PrefixInUse");
        for (name, end) in self.ends.iter().filter(|(name, end)| must && wished(name) && !good(end)) {
            let faults: Vec<_> = self.plan.strikes.iter().map(|strike| strike.kind.name()).collect();
            self.observer.broken("survives", format!("{name} ended as {end} with {faults:?} alone"));
        }
    }

    /// Nothing was done to the coordinator or to what it writes to.
    pub(super) fn is_undisturbed(&self) -> bool {
        let harmful = [
            Kind::CoordinatorKilled,
            Kind::CoordinatorRestarted,
            Kind::CoordinatorDeposed,
            Kind::CoordinatorSigterm,
            Kind::CoordinatorSigtermTwice,
            Kind::EverybodyKilled,
            Kind::LedgerAnswersLost,
            Kind::LedgerDown,
            Kind::ObjectsDown,
            Kind::ControlPlaneLost,
            Kind::ControlPlaneRestored,
            Kind::LedgerLostInPart,
            Kind::LedgerFromBefore,
            Kind::CrdTornDown,
            Kind::NamespaceTornDown,
            Kind::LedgerRefusesBySize,
            Kind::OldManagersObject,
        ];
        harmful.iter().all(|kind| !self.faults.contains_key(kind.name()))
    }

    /// Every object that says how it ended has a record of its own, or needs none.
    pub(super) fn are_bound(&self) -> bool {
        let inner = self.observer.lock();
        let foreign = |uid: &BackupUid| {
            self.rig.control.with_lives(|lives| lives.get(uid).is_some_and(|life| life.of_old_manager))
        };
        let objects = self.rig.control.objects().into_values();
        let ended = objects.filter(|object| matches!(phase(object), "Complete" | "Failed"));
        let mut uids = ended.filter_map(|object| object["metadata"]["uid"].as_str().map(BackupUid::new));
        self.lost || uids.all(|uid| inner.books.records.contains_key(&uid) || foreign(&uid))
    }

    /// A finalizer that somebody stripped is put back.
    pub(super) async fn expect_finalizers(&mut self) {
        let held = |play: &Self| {
            let inner = play.observer.lock();
            let of_old_manager = play.rig.control.with_lives(|lives| {
                let foreign = lives.iter().filter(|(_, life)| life.of_old_manager);
                foreign.map(|(uid, _)| uid.clone()).collect::<BTreeSet<BackupUid>>()
            });
            let guarded = |object: &Value| {
                let uid = BackupUid::new(object["metadata"]["uid"].as_str().unwrap_or_default());
                !(inner.books.records.contains_key(&uid) || of_old_manager.contains(&uid))
                    || object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
            };
            play.rig.control.all(guarded)
        };
        if !self.wait(RESYNCS_MS, held).await {
            let objects = self.rig.control.objects();
            self.observer.broken("finalizer", format!("of {:?} one is missing for {RESYNCS_MS} ms", objects.keys()));
        }
    }

    /// Who has lost what, people learn by an alarm and see at the console: the same number, the true one.
    pub(super) async fn expect_orphans_told(&mut self) {
        let begun = self.now();
        loop {
            self.turn();
            let there = self.orphans().iter().filter(|record| !record.deleting).count();
            let told = self.rig.orphans_told().await;
            if told == (Some(there), Some(there)) {
                return;
            }
            if self.now() - begun > RESYNCS_MS {
                let states = self.states();
                let text = format!("{there} orphans, told as {told:?} by metric and console: {states}");
                return self.observer.broken("orphans", text);
            }
            sleep(1_000).await;
        }
    }

    /// Records whose objects are not there.
    fn orphans(&self) -> Vec<Record> {
        let there = self.rig.control.uids();
        let inner = self.observer.lock();
        inner.books.records.iter().filter(|(uid, _)| !there.contains(*uid)).map(|(_, record)| record.clone()).collect()
    }

    /// Every object is deleted; what the policy does not keep must go. What has no object gets one first, of its name.
    pub(super) async fn delete_all(&mut self) {
        self.rig.control.limit_ledger(None);
        self.rig.control.delete_schedule(&format!("{NAMESPACE}/nightly"));
        for round in 0..ROUNDS {
            self.adopt().await;
            self.give_specs_back();
            self.observer.say("every object is deleted");
            for name in self.rig.control.objects().keys() {
                self.rig.control.delete(name);
            }
            let gone = |play: &Self| {
                let left: BTreeSet<BackupUid> =
                    play.orphans().into_iter().map(|record| record.request.backup).collect();
                let records = play.observer.lock().books.records.len();
                play.rig.control.all(|_| false) && (records == 0 || round + 1 < ROUNDS && left.len() == records)
            };
            if !self.wait(GONE_MS, gone).await {
                let states = self.states();
                self.observer.broken("is deleted", format!("still there {GONE_MS} ms after deletion: {states}"));
                return;
            }
            if self.observer.lock().books.records.is_empty() {
                break;
            }
        }
        self.expect_nothing().await;
    }

    /// Whose record is lost and whose spec was edited stays, and says: give it the spec that it was made with.
    fn give_specs_back(&self) {
        let known = self.observer.lock().books.records.values().any(|record| record.request.name == "backup");
        if !known && self.faults.contains_key(Kind::SpecEdited.name()) && self.rig.control.get(KEY).is_some() {
            let made_with = self.manifest();
            self.observer.say("the object that has no record gets the spec that it was made with");
            if let Err(error) = self.rig.control.apply(&made_with) {
                self.observer.broken("play", format!("manifest: {error:#}"));
            }
        }
    }

    /// A person applies the manifest of whatever lost its object.
    async fn adopt(&mut self) {
        let orphans = self.orphans();
        if orphans.is_empty() {
            return;
        }
        for record in orphans {
            let request = &record.request;
            if self.rig.control.get(&format!("{}/{}", request.namespace, request.name)).is_none() {
                let policy = format!("{:?}", request.clean_policy);
                let manifest = self.rig.manifest_of(&request.name, &request.storage.prefix, &policy, "");
                self.observer.say(&format!("{} is applied again, for what lost its object", request.name));
                if let Err(error) = self.rig.control.apply(&manifest) {
                    self.observer.broken("play", format!("manifest: {error:#}"));
                }
            }
        }
        if !self.wait(ENDS_MS, |play| play.has_ended()).await {
            let states = self.states();
            self.observer.broken("ends", format!("not ended {ENDS_MS} ms after adoption: {states}"));
        }
    }

    async fn expect_nothing(&mut self) {
        sleep(1_000).await;
        self.observer.end(false, self.lost);
        if self.lost {
            return;
        }
        let kept = self.observer.lock().kept.clone();
        let objects = self.rig.world.objects();
        let left: Vec<_> =
            objects.keys().filter(|key| !kept.iter().any(|prefix| key.starts_with(&format!("{prefix}-")))).collect();
        if !left.is_empty() {
            self.observer.broken("leaves nothing", format!("objects left in S3: {left:?}"));
        }
        let live: Vec<_> = {
            let inner = self.observer.lock();
            inner.books.claims.values().filter(|claim| claim.live.is_some()).cloned().collect()
        };
        if !live.is_empty() {
            self.observer.broken("leaves nothing", format!("claims that nobody holds: {live:?}"));
        }
        let safe_points = self.rig.world.holds().2;
        if safe_points > 0 {
            self.wait(500_000, |play| play.rig.world.holds().2 == 0).await;
            let left = self.rig.world.holds().2;
            if left > 0 {
                self.observer.broken("leaves nothing", format!("{left} safe points"));
            }
        }
    }
}

fn last_reason(object: &Value) -> Option<String> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.last()?["reason"].as_str().map(str::to_owned)
}
