//! Regions proved: rounds until the covered regions tile the key space.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::Barrier,
        phase::Phase,
    },
    ids::PlaneId,
    reason::{Reason, Refusal},
    tiling::Tiling,
    time::{Millis, Now},
    wire::{Cover, Covered},
};

/// Before the second round of `Cover`; doubled before each later one. Regions that the first rounds miss are between
/// leaders, and TiKV elects one within 10 to 20 s.
const COVER_PAUSE: Millis = Millis::secs(1);

/// No pause is longer, so that a leader that has come is soon seen.
const COVER_PAUSE_CAP: Millis = Millis::secs(8);

/// Quarters of the reach clock after which no round is begun: the verdict then names the hole, which the clock cannot.
const COVER_QUARTERS: u64 = 3;

/// From this round on planes name what is missing: the first hole is an election most of the time.
const NAMING_FROM: u32 = 2;

impl Barrier {
    pub(in crate::barrier) fn cover_order(&self) -> Cover {
        Cover { round: self.cover_round, name_missing: self.cover_round >= NAMING_FROM }
    }

    /// The pause before the next round; `None`: the reach clock leaves no time for it.
    fn cover_pause(&self, now: Now) -> Option<Millis> {
        let doublings = self.cover_round.saturating_sub(1).min(8);
        let pause = Millis((COVER_PAUSE.0 << doublings).min(COVER_PAUSE_CAP.0));
        let used = self.clock_from.map_or(Millis(0), |from| now.at.since(from));
        let share = self.record.request.limits.reach.0 / 4 * COVER_QUARTERS;
        (used.plus(pause).0 <= share).then_some(pause)
    }

    /// The pause between two rounds is over.
    pub(in crate::barrier) fn cover_again(&mut self, step: &mut Step) {
        if self.phase == Phase::Covering {
            self.cover_round += 1;
            self.enter(Phase::Covering, step);
        }
    }

    pub(in crate::barrier) fn covered(&mut self, plane: &PlaneId, covered: Covered, step: &mut Step) {
        if covered.round != self.cover_round || !self.accept_answer(plane, Phase::Covering, step) {
            return;
        }
        if let Some(live) = self.planes.get_mut(plane) {
            live.cover = Some(covered.digest);
            live.missing = covered.missing;
        }
        if !self.all_answered() {
            return;
        }
        let tiling: Tiling = self.planes.values().filter_map(|live| live.cover.as_ref()).map(|c| c.tiling).sum();
        if tiling.is_whole() {
            self.fix_commit_ts(step);
        } else if let Some(pause) = self.cover_pause(step.now) {
            self.set(Timer::Cover, step.now.at + pause);
        } else {
            let missing: Vec<_> = self.planes.values().flat_map(|live| live.missing.iter().cloned()).take(20).collect();
            let named = if missing.is_empty() { "none was named by PD".to_owned() } else { missing.join(", ") };
            let rounds = self.cover_round;
            let text = format!("regions do not tile the key space after {rounds} rounds; missing: {named}");
            self.fail(Refusal::new(Reason::TilingBroken, text), step);
        }
    }
}
