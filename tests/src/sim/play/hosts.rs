//! Processes that ended: started again, as Kubernetes would; and what those must have done that were told to end.

use super::{Kind, Play};

/// Until a process that ended by itself is started again.
const RESTART_MS: u64 = 1_000;
/// A plane that was told to end is given what is about to finish (10 s), a save and its holds (3 s each), and Kubernetes'
/// patience ends at 30 s.
const PLANE_ENDS_MS: u64 = 25_000;

impl Play<'_> {
    fn runs(&self, host: &str) -> bool {
        if host.is_empty() { self.stage.coordinator_runs() } else { self.stage.plane_runs(host) }
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
                    self.stage.kill_coordinator();
                    self.stage.start_coordinator();
                } else {
                    self.stage.start_plane(host);
                }
            }
        }
    }

    /// Who was told to end does so in time, and has let go by then if nothing else was wrong.
    fn judge_told(&mut self, now: u64) {
        for (host, since) in self.told.clone() {
            if !self.runs(&host) {
                self.told.remove(&host);
                let alone = self.faults.keys().all(|kind| *kind == Kind::PlaneSigterm.name());
                let held = self.held_in(&host);
                if alone && !held.is_empty() {
                    self.observer.broken("lets go", format!("{host} was told to end, ended, and still holds {held:?}"));
                }
            } else if now > since + PLANE_ENDS_MS {
                self.told.remove(&host);
                self.observer.broken("ends", format!("{host} was told to end {} ms ago and runs on", now - since));
            }
        }
    }

    fn held_in(&self, plane: &str) -> Vec<shared::ids::StoreId> {
        let own: Vec<_> = self.stage.world.stores().into_iter().filter(|(_, of)| of == plane).collect();
        self.stage.world.holds().0.into_iter().filter(|store| own.iter().any(|(id, _)| id == store)).collect()
    }
}
