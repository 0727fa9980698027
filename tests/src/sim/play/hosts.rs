//! Processes that ended: started again, as Kubernetes would; and what those must have done that were told to end.

use super::{Kind, Play, Told};
use coordinator::{config::STOP_GRACE, ending::ABORT_LIMIT};
use shared::{barrier::Milestone, ids::StoreId};

/// Until a process that ended by itself is started again.
const RESTART_MS: u64 = 1_000;
/// A plane that was told to end is given what is about to finish (10 s), a save and its holds (3 s each), and Kubernetes'
/// patience ends at 30 s.
const PLANE_ENDS_MS: u64 = 25_000;
/// A coordinator: its grace, an abort, and a claim that was being saved.
const COORDINATOR_ENDS_MS: u64 = STOP_GRACE.0 + ABORT_MS + 5_000;
const ABORT_MS: u64 = ABORT_LIMIT.as_secs() * 1_000;
/// What may happen to a process that was told to end so that it still has to do all that it must.
const TOLD: [Kind; 3] = [Kind::PlaneSigterm, Kind::CoordinatorSigterm, Kind::CoordinatorSigtermTwice];

impl Play<'_> {
    fn runs(&self, host: &str) -> bool {
        if host.is_empty() { self.rig.coordinator_runs() } else { self.rig.plane_runs(host) }
    }

    /// Kubernetes starts a process again that ended by itself.
    pub(super) fn restart_ended(&mut self, now: u64) {
        self.judge_told(now);
        for host in self.planes.iter().map(String::as_str).chain([""]) {
            if self.runs(host) || self.down.contains(host) {
                self.ended.remove(host);
                continue;
            }
            let since = *self.ended.entry(host.to_owned()).or_insert(now);
            if now >= since + RESTART_MS {
                self.observer.say(&format!("{host:?} had ended by itself and is started again"));
                if host.is_empty() {
                    self.rig.kill_coordinator();
                    self.rig.start_coordinator();
                } else {
                    self.rig.start_plane(host);
                }
            }
        }
    }

    /// Who was told to end does so in time, and has let go by then if nothing else was wrong.
    fn judge_told(&mut self, now: u64) {
        // Of one that another fault replaced, whoever stands in its place was not told.
        let process = self.rig.coordinator_starts();
        self.told.retain(|host, told| !host.is_empty() || told.process == process);
        for (host, Told { since, times, .. }) in self.told.clone() {
            let limit = if host.is_empty() { COORDINATOR_ENDS_MS } else { PLANE_ENDS_MS };
            if !self.runs(&host) {
                self.told.remove(&host);
                // Told again and again, a process just ends.
                if times == 1 && self.faults.keys().all(|kind| TOLD.iter().any(|told| told.name() == *kind)) {
                    self.expect_in_order(&host);
                }
            } else if now > since + limit {
                self.told.remove(&host);
                self.observer.broken("ends", format!("{host:?} was told to end {} ms ago and runs on", now - since));
            }
        }
        // One that was deposed was not told, and goes on.
        let alone = self.rig.coordinator_runs() && !self.rig.deposed_run();
        let draining = self.told.get("").map(|told| told.since).filter(|_| alone);
        self.observer.lock().draining = draining;
    }

    /// What a process leaves that was told to end and has ended.
    fn expect_in_order(&self, host: &str) {
        let held = self.held_in(host);
        if !held.is_empty() {
            self.observer.broken("lets go", format!("{host:?} was told to end, ended, and {held:?} are held"));
        }
        let under_way = |rig| matches!(rig, Milestone::Barrier | Milestone::Snapshotting);
        if host.is_empty() && self.observer.lock().books.records.values().any(|record| under_way(record.milestone)) {
            self.observer.broken("drains", format!("told to end, it left barriers under way: {}", self.states()));
        }
    }

    /// Stores of a plane that are held; of all planes, for "". A probe under way is no hold: whose lease it would find is
    /// not known, so it is not finished, and it ends within its second.
    fn held_in(&self, plane: &str) -> Vec<StoreId> {
        let own = |store: &StoreId| {
            plane.is_empty() || self.rig.world.stores().iter().any(|(id, of)| id == store && of == plane)
        };
        self.rig.world.leased_for_longer().into_iter().filter(own).collect()
    }
}
