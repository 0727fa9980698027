//! What is always so of the machine, looked at after every step of a build with debug assertions (tests, models,
//! simulation): a rule that is broken is a fault in Isochron, never in the world. `PROTOCOL.md` says what the rules are for.

use super::{
    input::{Effect, Timer},
    machine::Barrier,
    phase::Phase,
    record::{Milestone, Record},
};
use crate::{epoch::Epoch, rules::check, ts::Ts, wire::Order};

/// What everything rests on of what was stored last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Saved {
    epoch: Epoch,
    milestone: Milestone,
    commit_ts: Option<Ts>,
}

impl Saved {
    fn of(record: &Record) -> Self {
        Self { epoch: record.epoch, milestone: record.milestone, commit_ts: record.commit_ts }
    }
}

impl Barrier {
    /// Looks at a step that was made from `before`, and at the whole state after it.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_step(&self, before: &Self, effects: &[Effect]) -> Result<(), &'static str> {
        self.check()?;
        self.check_effects(Saved::of(&before.record), effects)
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.check_record()?;
        self.check_clocks()?;
        self.check_ends()
    }

    /// What the record says against where the machine stands.
    fn check_record(&self) -> Result<(), &'static str> {
        let record = &self.record;
        let certified = matches!(record.milestone, Milestone::Certified | Milestone::Complete);
        let ended_badly = matches!(record.milestone, Milestone::Aborting | Milestone::Failed);
        let early = matches!(record.milestone, Milestone::Preparing | Milestone::Barrier | Milestone::Snapshotting);
        let named = matches!(self.phase, Phase::Claiming) || self.is_under_way();
        let commit_ts = record.certificate.as_ref().map(|certificate| certificate.commit_ts);
        let above_gc = |ts: Ts| self.gc_hold.is_none_or(|gc_hold| ts > gc_hold);
        check(&[
            ("the record's milestone is the phase's", record.milestone == milestone_of(self.phase)),
            ("planes are the record's", self.planes.keys().eq(record.planes.keys())),
            ("I2: what is under way has its epoch", !self.is_under_way() || record.epoch != Epoch::NONE),
            ("I2: no epoch before the claim", record.milestone != Milestone::Preparing || record.epoch == Epoch::NONE),
            ("I7: what is claimed is named", !named || record.cluster.is_some()),
            (
                "I4: no commitTs before the last Covered",
                !matches!(record.milestone, Milestone::Preparing | Milestone::Barrier) || record.commit_ts.is_none(),
            ),
            (
                "I4: commitTs is saved before any snapshot",
                !(certified || record.milestone == Milestone::Snapshotting) || record.commit_ts.is_some(),
            ),
            (
                "E5: commitTs is above the GC hold",
                !(certified || record.milestone == Milestone::Snapshotting) || record.commit_ts.is_none_or(above_gc),
            ),
            ("I5: what is good has its certificate", !certified || record.certificate.is_some()),
            ("I5: what is bad has none", !ended_badly || record.certificate.is_none()),
            ("I5: no certificate before its milestone", !early || commit_ts.is_none()),
            ("I4: one commitTs", !certified || commit_ts == record.commit_ts),
            ("what ends badly says why", !ended_badly || record.failure.is_some()),
            ("I8: what is gone was deleted", record.milestone != Milestone::Cleaned || record.deleting),
        ])
    }

    /// I6: whatever is waited for has its clock, and no clock runs for what is over.
    fn check_clocks(&self) -> Result<(), &'static str> {
        let runs = |timer: Timer| self.timers.runs(timer);
        let needed: &[Timer] = match self.phase {
            Phase::Preparing if runs(Timer::Connect) => &[],
            Phase::Preparing => &[Timer::Prepare],
            Phase::Reserving => &[Timer::Renew, Timer::Prepare],
            Phase::Settling => &[Timer::Renew, Timer::Settle, Timer::Total],
            Phase::Suspending => &[Timer::Renew, Timer::Reach, Timer::Total],
            Phase::Covering if self.all_answered() => &[Timer::Renew, Timer::Reach, Timer::Total, Timer::Cover],
            Phase::Covering => &[Timer::Renew, Timer::Reach, Timer::Total],
            Phase::Snapshotting | Phase::Confirming => &[Timer::Renew, Timer::Hold, Timer::Total],
            Phase::Releasing | Phase::Aborting => &[Timer::HoldsGone],
            Phase::Recovering => &[Timer::Recover],
            Phase::Complete if self.record.measures() => &[Timer::Measure],
            Phase::Claiming
            | Phase::Completing
            | Phase::Complete
            | Phase::Failed
            | Phase::Cleaning
            | Phase::Cleaned => &[],
        };
        check(&[
            ("I6: what is waited for has its clock", needed.iter().all(|timer| runs(*timer))),
            ("no clock runs for what is over", self.timers.names().all(|timer| self.has_use_for(timer))),
            (
                "those that are away are counted",
                self.planes.values().filter(|live| !live.connected).count() == self.away,
            ),
            (
                "a plane that is away is not connected",
                self.planes.values().all(|live| live.away_since.is_none() || !live.connected),
            ),
        ])
    }

    fn has_use_for(&self, timer: Timer) -> bool {
        let releasing = self.phase == Phase::Releasing;
        match timer {
            Timer::Connect => self.phase == Phase::Preparing,
            Timer::Prepare => matches!(self.phase, Phase::Preparing | Phase::Reserving),
            Timer::Cover => self.phase == Phase::Covering,
            Timer::Settle => self.phase == Phase::Settling,
            Timer::Reach => matches!(self.phase, Phase::Suspending | Phase::Covering),
            Timer::Hold => matches!(self.phase, Phase::Snapshotting | Phase::Confirming) || releasing,
            Timer::Total => self.holds() || releasing,
            Timer::Renew => self.holds(),
            Timer::PlaneLost => self.holds() && self.planes.values().any(|live| live.away_since.is_some()),
            Timer::HoldsGone => releasing || self.phase == Phase::Aborting,
            Timer::Recover => self.phase == Phase::Recovering,
            Timer::Again => self.planes.values().any(|live| live.refused.is_some()),
            Timer::Retry => self.phase == Phase::Failed && !self.record.deleting,
            Timer::Measure => self.phase == Phase::Complete && self.record.measures(),
            Timer::Save => matches!(self.phase, Phase::Completing | Phase::Failed | Phase::Cleaning),
        }
    }

    /// Nothing is left standing: what everybody has answered has gone on.
    fn check_ends(&self) -> Result<(), &'static str> {
        let stands = self.all_answered();
        let pauses = self.planes.values().any(|live| live.refused.as_ref().is_some_and(|last| last.again.is_some()));
        let moves_on = matches!(
            self.phase,
            Phase::Reserving
                | Phase::Settling
                | Phase::Suspending
                | Phase::Snapshotting
                | Phase::Confirming
                | Phase::Releasing
                | Phase::Recovering
                | Phase::Aborting
        );
        check(&[
            ("a step that everybody has answered is over", !(moves_on && stands)),
            ("who is asked again has the clock for it", !pauses || self.timers.runs(Timer::Again)),
            ("settled planes know what GC stands still at", {
                let after = [Phase::Suspending, Phase::Covering, Phase::Snapshotting, Phase::Confirming];
                !after.contains(&self.phase) || self.gc_hold.is_some()
            }),
        ])
    }

    /// What a step wants done, in its order, against what was `saved` before it: nothing is sent before what it rests on
    /// is stored (I2), and everything that it rests on is.
    fn check_effects(&self, mut saved: Saved, effects: &[Effect]) -> Result<(), &'static str> {
        for effect in effects {
            let milestone = saved.milestone;
            let broken = match effect {
                Effect::Save(record) => {
                    saved = Saved::of(record);
                    continue;
                }
                Effect::Send { epoch, .. } if *epoch != saved.epoch => "I2: an epoch is saved before it is sent",
                Effect::Send { order: Order::Snapshot(snapshot), .. }
                    if saved.commit_ts != Some(snapshot.commit_ts) =>
                {
                    "I4: commitTs is saved before any snapshot is asked for"
                }
                Effect::Send { order: Order::Abort(_), .. } if milestone != Milestone::Aborting => {
                    "the bad end is saved before evidence is taken back"
                }
                Effect::Send { order: Order::Clean(_), .. }
                    if !matches!(milestone, Milestone::Failed | Milestone::Cleaning) =>
                {
                    "I8: the end is saved before anything is deleted"
                }
                Effect::Send { order: Order::Complete(_), .. } if milestone != Milestone::Certified => {
                    "I5: the certificate is saved before metadata is written"
                }
                Effect::Send { order: Order::Measure(_), .. } if milestone != Milestone::Complete => {
                    "the good end is saved before anything is measured"
                }
                Effect::EndClaim { .. } if matches!(milestone, Milestone::Barrier | Milestone::Snapshotting) => {
                    "I7: the claim is not ended while something may be held"
                }
                Effect::Gone if milestone != Milestone::Cleaned => "what is gone is saved as gone",
                Effect::Send { .. }
                | Effect::Claim { .. }
                | Effect::EndClaim { .. }
                | Effect::Alarm(_)
                | Effect::Gone => continue,
            };
            return Err(broken);
        }
        check(&[("I1: what everything rests on is saved in its step", saved == Saved::of(&self.record))])
    }
}

/// What the record keeps of a phase.
fn milestone_of(phase: Phase) -> Milestone {
    match phase {
        Phase::Preparing | Phase::Claiming => Milestone::Preparing,
        Phase::Reserving | Phase::Settling | Phase::Suspending | Phase::Covering => Milestone::Barrier,
        Phase::Snapshotting | Phase::Confirming | Phase::Recovering => Milestone::Snapshotting,
        Phase::Releasing | Phase::Completing => Milestone::Certified,
        Phase::Complete => Milestone::Complete,
        Phase::Aborting => Milestone::Aborting,
        Phase::Failed => Milestone::Failed,
        Phase::Cleaning => Milestone::Cleaning,
        Phase::Cleaned => Milestone::Cleaned,
    }
}
