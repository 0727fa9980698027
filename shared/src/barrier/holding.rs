//! Settling to confirming: the part under holds. Each step starts only when every plane has answered the one before.

use super::{
    certify::certify,
    input::{Effect, Timer},
    machine::Barrier,
    phase::Phase,
    record::Milestone,
};
use crate::{
    alarm::Alarm,
    evidence::Evidence,
    ids::PlaneId,
    reason::{Reason, Refusal},
    tiling::Tiling,
    time::{Millis, Now},
    ts::Ts,
    wire::{Cover, Covered, Settled},
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
    pub(super) fn begin_settling(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let limits = &self.record.request.limits;
        let (settle, total) = (now.at + limits.settle, now.at + limits.total);
        self.set(Timer::Settle, settle);
        self.set(Timer::Total, total);
        self.clock_from = Some(now.at);
        self.enter(Phase::Settling, effects);
    }

    pub(super) fn settled(&mut self, now: Now, plane: &PlaneId, settled: Settled, effects: &mut Vec<Effect>) {
        match (settled, self.gc_hold) {
            (Settled::PdHeld { gc_hold, .. }, None) => {
                if self.record.request.init_plane() == Some(plane) && self.mark(plane, Phase::Settling) {
                    self.gc_hold = Some(gc_hold);
                    self.enter(Phase::Settling, effects);
                }
            }
            (Settled::Leaders { .. }, Some(_)) => {
                if self.mark(plane, Phase::Settling) && self.all_answered() {
                    self.begin_suspending(now, effects);
                }
            }
            (Settled::PdHeld { .. }, Some(_)) | (Settled::Leaders { .. }, None) => {}
        }
    }

    fn begin_suspending(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.record.barrier.settle = self.clock_from.map(|from| now.at.since(from));
        self.stop(&[Timer::Settle]);
        self.set(Timer::Reach, now.at + self.record.request.limits.reach);
        self.clock_from = Some(now.at);
        self.enter(Phase::Suspending, effects);
    }

    pub(super) fn suspended(&mut self, plane: &PlaneId, effects: &mut Vec<Effect>) {
        if self.mark(plane, Phase::Suspending) && self.all_answered() {
            self.cover_round = 1;
            self.enter(Phase::Covering, effects);
        }
    }

    pub(super) fn cover_order(&self) -> Cover {
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
    pub(super) fn cover_again(&mut self, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Covering {
            self.cover_round += 1;
            self.enter(Phase::Covering, effects);
        }
    }

    pub(super) fn covered(&mut self, now: Now, plane: &PlaneId, covered: Covered, effects: &mut Vec<Effect>) {
        if covered.round != self.cover_round || !self.mark(plane, Phase::Covering) {
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
            self.fix_commit_ts(now, effects);
        } else if let Some(pause) = self.cover_pause(now) {
            self.set(Timer::Cover, now.at + pause);
        } else {
            let missing: Vec<_> = self.planes.values().flat_map(|live| live.missing.iter().cloned()).take(20).collect();
            let named = if missing.is_empty() { "none was named by PD".to_owned() } else { missing.join(", ") };
            let rounds = self.cover_round;
            let text = format!("regions do not tile the key space after {rounds} rounds; missing: {named}");
            self.fail(now, Refusal::new(Reason::TilingBroken, text), effects);
        }
    }

    /// I4: commitTs is the least safe_ts over the exact tiling, saved before any snapshot is asked for.
    fn fix_commit_ts(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let least = self.planes.values().filter_map(|live| live.cover.as_ref()).map(|c| c.least_safe_ts).min();
        let commit_ts = least.unwrap_or(Ts::ZERO);
        let gc_hold = self.gc_hold.unwrap_or(Ts::NOT_INITIALIZED);
        if !commit_ts.is_real() || commit_ts <= gc_hold {
            let text = format!("the least safe_ts {commit_ts} is not above the GC hold {gc_hold}");
            self.fail(now, Refusal::new(Reason::SafeTsStuck, text), effects);
            return;
        }
        self.record.barrier.reach = self.clock_from.map(|from| now.at.since(from));
        self.stop(&[Timer::Reach]);
        self.set(Timer::Hold, now.at + self.record.request.limits.hold);
        self.clock_from = Some(now.at);
        self.record.commit_ts = Some(commit_ts);
        for (plane, live) in &self.planes {
            if let Some(kept) = self.record.planes.get_mut(plane) {
                kept.least_safe_ts = live.cover.as_ref().map(|c| c.least_safe_ts).filter(|ts| ts.is_real());
            }
        }
        self.record.milestone = Milestone::Snapshotting;
        self.save(effects);
        self.enter(Phase::Snapshotting, effects);
    }

    pub(super) fn snapshotted(&mut self, plane: &PlaneId, effects: &mut Vec<Effect>) {
        if self.mark(plane, Phase::Snapshotting) && self.all_answered() {
            self.enter(Phase::Confirming, effects);
        }
    }

    pub(super) fn confirmed(&mut self, now: Now, plane: &PlaneId, evidence: Evidence, effects: &mut Vec<Effect>) {
        let before = self.planes.get(plane).and_then(|live| live.evidence.clone());
        if before.as_ref().is_some_and(|before| before != &evidence) {
            self.alarm(Alarm::EvidenceChanged { plane: plane.clone() }, effects);
            self.fail(now, Refusal::new(Reason::Internal, format!("plane {plane} changed its evidence")), effects);
            return;
        }
        if !self.mark(plane, Phase::Confirming) {
            return;
        }
        if let Some(live) = self.planes.get_mut(plane) {
            live.evidence = Some(evidence);
        }
        if self.all_answered() {
            self.conclude(now, true, effects);
        }
    }

    /// All evidence is in: judge it. Planes are released before the certificate is saved, because their evidence is
    /// already durable with them and every moment of the hold counts.
    pub(super) fn conclude(&mut self, now: Now, release_first: bool, effects: &mut Vec<Effect>) {
        let evidence = self
            .planes
            .iter()
            .filter_map(|(plane, live)| live.evidence.clone().map(|seen| (plane.clone(), seen)))
            .collect();
        match certify(&self.record, &evidence, now.wall) {
            Err(refusal) => self.fail(now, refusal, effects),
            Ok(certificate) => {
                self.record.certificate = Some(certificate);
                self.record.milestone = Milestone::Certified;
                self.stop(&[Timer::Recover, Timer::Renew, Timer::PlaneLost]);
                self.set(Timer::HoldsGone, now.at + self.holds_end());
                if release_first {
                    self.enter(Phase::Releasing, effects);
                    self.save(effects);
                } else {
                    self.save(effects);
                    self.enter(Phase::Releasing, effects);
                }
            }
        }
    }

    pub(super) fn clock_expired(&mut self, now: Now, timer: Timer, effects: &mut Vec<Effect>) {
        if !self.holds() {
            return;
        }
        let limits = self.record.request.limits.clone();
        let (reason, name, limit) = match timer {
            Timer::Settle => (Reason::SettleTimedOut, "settle", limits.settle),
            Timer::Reach => (Reason::ReachTimedOut, "reach", limits.reach),
            Timer::Hold => (Reason::HoldTimedOut, "hold", limits.hold),
            Timer::Total => (Reason::HoldTimedOut, "whole barrier", limits.total),
            _ => (Reason::PlaneLost, "plane lease", limits.plane_lease),
        };
        let text = match timer {
            Timer::PlaneLost => format!("away for longer than its lease of {limit}: {}", self.away()),
            _ => format!("{name} limit of {limit} ran out, waiting for {}", self.silent()),
        };
        self.fail(now, Refusal::new(reason, text), effects);
    }

    fn away(&self) -> String {
        self.planes
            .iter()
            .filter(|(_, live)| live.away_since.is_some())
            .map(|(plane, _)| plane.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}
