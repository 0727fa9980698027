//! What people do in a play besides striking: they wish, put back what was torn down, and stop all faults.

use super::{Play, Scheduled};
use crate::{
    control::{Scope, Torn},
    rig::NAMESPACE,
    world::Faults,
};

impl Play<'_> {
    /// A wish. Where it has no place now, it is made again when it has one.
    pub(super) fn apply(&mut self, name: &'static str, manifest: String) {
        if let Err(error) = self.rig.control.apply(&manifest) {
            if self.is_torn() {
                self.observer.say(&format!("{name} is refused: {error:#}"));
            } else {
                self.observer.broken("play", format!("manifest: {error:#}"));
            }
        }
        self.wishes.insert(name, manifest);
    }

    /// The plan's schedule, if it has one; paused it makes no further runs.
    pub(super) fn schedule(&mut self, paused: bool) {
        let Some(Scheduled { every_s, limits, policy }) = self.plan.scheduled else { return };
        let manifest = self.rig.schedule_of("nightly", "n", policy, &format!("@every {every_s}s"), limits, paused);
        self.apply("nightly", manifest);
    }

    fn scopes() -> [Scope; 2] {
        [Scope::Crd, Scope::Namespace(NAMESPACE.to_owned())]
    }

    pub(super) fn is_torn(&self) -> bool {
        Self::scopes().iter().any(|scope| self.rig.control.torn(scope).is_some())
    }

    /// What was torn down is gone for a while, and then it is there again, mostly with the same manifests.
    pub(super) fn put_back(&mut self, now: u64) {
        let states = Self::scopes().map(|scope| self.rig.control.torn(&scope));
        if states.contains(&Some(Torn::Terminating)) || states == [None, None] {
            self.gone = None;
            return;
        }
        if now < *self.gone.get_or_insert(now) + self.plan.back_ms {
            return;
        }
        let back = Self::scopes().iter().all(|scope| self.rig.control.put_back(scope));
        if back && self.plan.applies_again {
            self.observer.say("what was torn down is there again, and the manifests are applied again");
            for (name, manifest) in self.wishes.clone() {
                self.apply(name, manifest);
            }
        }
    }

    /// Faults stop.
    pub(super) fn heal(&mut self) {
        self.observer.say("faults stop");
        self.schedule(true);
        self.waiting.clear();
        for (_, undo, _) in std::mem::take(&mut self.undo) {
            undo(self.rig);
        }
        self.down.clear();
        self.rig.world.faults(|faults| {
            let skew = std::mem::take(&mut faults.wall_skew);
            *faults = Faults { wall_skew: skew, ..Faults::default() };
        });
        self.rig.control.ledger_down(false);
        self.rig.control.objects_down(false);
        self.rig.control.lose_ledger_answers(0);
        self.rig.kill_deposed();
    }
}
