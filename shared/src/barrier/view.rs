//! What status, console and metrics see of a barrier. Derived, never stored.

use super::{
    input::Timer,
    machine::{Barrier, PlaneState},
    phase::{LastRefusal, Phase},
    record::Record,
};
use crate::{alarm::Alarm, ids::PlaneId, reason::Reason, time::Instant};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Which clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Clock {
    /// Waiting for planes to connect.
    Connect,
    /// Preparing.
    Prepare,
    /// PD held.
    Settle,
    /// First `Suspend` to last `Covered`.
    Reach,
    /// Last `Covered` to last release.
    Hold,
    /// A plane that is away has let go by itself then: earlier than the step's own clock.
    PlaneLost,
    /// Evidence is asked for after a restart of the coordinator.
    Recover,
    /// Every hold has ended by itself then: the end of releasing or aborting, whoever answers.
    HoldsEnd,
    /// The next attempt begins.
    Retry,
}

/// One plane as the coordinator sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlaneView {
    /// A session is up.
    pub connected: bool,
    /// The present step's answer is in.
    pub answered: bool,
    /// The present step waits for it.
    pub owes: bool,
    /// The order of the present step was refused, and has not been answered otherwise since.
    pub refused: Option<LastRefusal>,
    /// Units done of `total` (0: unknown).
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// Its own words.
    pub text: String,
}

/// A snapshot of the machine, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// The durable part.
    pub record: Record,
    /// Where it stands.
    #[serde(rename = "step")] // Its name in what the console shows.
    pub phase: Phase,
    /// Which clock runs and when it runs out: what is left of it is asked for later than this is made.
    #[serde(skip)]
    pub clock: Option<(Clock, Instant)>,
    /// Per plane.
    pub planes: BTreeMap<PlaneId, PlaneView>,
    /// What is waited for, one sentence.
    pub waiting_for: String,
    /// Must be empty.
    pub alarms: Vec<Alarm>,
}

impl View {
    /// Planes that said no, the one that did so first in front.
    pub fn refused(&self) -> Vec<(&PlaneId, &LastRefusal)> {
        let mut refused: Vec<_> =
            self.planes.iter().filter_map(|(plane, live)| Some((plane, live.refused.as_ref()?))).collect();
        refused.sort_by_key(|(plane, last)| (last.since, *plane));
        refused
    }

    /// Planes that are waited for and not connected, where no clock ends that.
    pub fn disconnected(&self) -> impl Iterator<Item = &PlaneId> {
        let waits = matches!(self.phase, Phase::Completing | Phase::Failed | Phase::Cleaning);
        self.planes.iter().filter(move |(_, live)| waits && live.owes && !live.connected).map(|(plane, _)| plane)
    }

    /// Why it does not move, for a closed label set: what planes say, and that some are not there.
    pub fn blocked_by(&self) -> BTreeSet<Reason> {
        let refused = self.planes.values().filter_map(|live| live.refused.as_ref()).map(|last| last.refusal.reason);
        refused.chain(self.disconnected().map(|_| Reason::PlaneNotConnected)).collect()
    }
}

impl Barrier {
    /// What status, console and metrics see.
    pub fn view(&self) -> View {
        View {
            record: self.record.clone(),
            phase: self.phase,
            clock: self.clock(),
            planes: self.planes.iter().map(|(plane, live)| (plane.clone(), self.plane_view(plane, live))).collect(),
            waiting_for: self.waiting_for(),
            alarms: self.alarms.clone(),
        }
    }

    /// What each plane says no to now, in the order of planes: as in a view, without the making of one.
    pub fn refused_now(&self) -> impl Iterator<Item = Option<&LastRefusal>> {
        self.planes.iter().map(|(plane, live)| live.refused.as_ref().filter(|_| self.owes(plane)))
    }

    fn plane_view(&self, plane: &PlaneId, live: &PlaneState) -> PlaneView {
        let progress = live.progress.clone();
        PlaneView {
            connected: live.connected,
            answered: live.answered,
            owes: self.owes(plane),
            refused: live.refused.clone().filter(|_| self.owes(plane)),
            done: progress.as_ref().map_or(0, |p| p.done),
            total: progress.as_ref().map_or(0, |p| p.total),
            text: progress.map(|p| p.text).unwrap_or_default(),
        }
    }

    /// The clock that ends the present step; some steps have none.
    fn clock(&self) -> Option<(Clock, Instant)> {
        let at = |timer: Timer| self.timers.at(timer);
        let held = |timer: Timer| [at(timer), at(Timer::Total)].into_iter().flatten().min();
        let (clock, ends) = match self.phase {
            Phase::Preparing if at(Timer::Connect).is_some() => (Clock::Connect, at(Timer::Connect)),
            Phase::Preparing | Phase::Reserving => (Clock::Prepare, at(Timer::Prepare)),
            Phase::Settling => (Clock::Settle, held(Timer::Settle)),
            Phase::Suspending | Phase::Covering => (Clock::Reach, held(Timer::Reach)),
            Phase::Snapshotting | Phase::Confirming => (Clock::Hold, held(Timer::Hold)),
            Phase::Releasing | Phase::Aborting => (Clock::HoldsEnd, at(Timer::HoldsGone)),
            Phase::Recovering => (Clock::Recover, at(Timer::Recover)),
            Phase::Failed => (Clock::Retry, at(Timer::Retry)),
            Phase::Claiming | Phase::Completing | Phase::Complete | Phase::Cleaning | Phase::Cleaned => return None,
        };
        let ends = ends?;
        // It is armed only while something is held and a plane is away.
        Some(match at(Timer::PlaneLost).filter(|lost| self.holds() && *lost < ends) {
            Some(lost) => (Clock::PlaneLost, lost),
            None => (clock, ends),
        })
    }

    /// The present step waits for this plane. While not all are connected, `Prepare` is owed to nobody, and waited for.
    pub(super) fn owes(&self, plane: &PlaneId) -> bool {
        let answered = self.planes.get(plane).is_none_or(|live| live.answered);
        !answered && (self.phase == Phase::Preparing || self.has_part(plane))
    }

    fn waiting_for(&self) -> String {
        let waits = |plane: &PlaneId| self.holds() || self.owes(plane);
        let away: Vec<_> = self
            .planes
            .iter()
            .filter(|(plane, live)| !live.connected && waits(plane))
            .map(|(plane, _)| plane.as_str())
            .collect();
        let silent: Vec<_> = self
            .planes
            .iter()
            .filter(|(plane, live)| live.connected && !live.answered && self.has_part(plane))
            .map(|(plane, live)| match (&live.refused, &live.progress) {
                (Some(last), _) => format!("{plane} (refused last: {})", last.refusal.reason),
                (None, Some(progress)) => format!("{plane} ({})", progress.text),
                (None, None) => plane.to_string(),
            })
            .collect();
        match self.phase {
            Phase::Claiming => format!("the claim of the TiDB cluster, held by {}", self.claim_holder),
            Phase::Complete | Phase::Cleaned => String::new(),
            Phase::Preparing if !away.is_empty() => format!("planes to connect: {}", away.join(", ")),
            Phase::Preparing
            | Phase::Reserving
            | Phase::Settling
            | Phase::Suspending
            | Phase::Covering
            | Phase::Snapshotting
            | Phase::Confirming
            | Phase::Releasing
            | Phase::Recovering
            | Phase::Completing
            | Phase::Aborting
            | Phase::Failed
            | Phase::Cleaning => {
                let silent = (!silent.is_empty()).then(|| format!("answers of planes: {}", silent.join(", ")));
                let away = (!away.is_empty()).then(|| format!("planes to come back: {}", away.join(", ")));
                silent.into_iter().chain(away).collect::<Vec<_>>().join("; ")
            }
        }
    }
}
