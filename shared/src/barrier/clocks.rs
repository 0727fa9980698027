//! What runs out while something is held: the clocks of settle, reach and hold, planes that are away, renewals.

use crate::{
    barrier::{
        input::{Step, Timer},
        machine::{Barrier, PlaneState},
        phase::Phase,
    },
    reason::{Reason, Refusal},
    time::Millis,
    wire::{Order, Renew},
};

/// Margin on top of a lease before what it held may be believed gone: TiKV counts whole seconds
/// (`facts/pd-tikv.md` §2.1), so one second, and one for scheduling.
pub(super) const HOLD_MARGIN: Millis = Millis::secs(2);

impl Barrier {
    /// A plane that is away lets go by itself once its own lease is over; from then on waiting for it is pointless.
    pub(super) fn arm_plane_lost(&mut self) {
        let lease = self.record.request.limits.plane_lease;
        match self.planes.values().filter_map(|live| live.away_since).min() {
            Some(since) if self.holds() => self.set(Timer::PlaneLost, since + lease),
            _ => self.stop(&[Timer::PlaneLost]),
        }
    }

    pub(super) fn renew(&mut self, step: &mut Step) {
        if !self.holds() {
            return;
        }
        self.renewals += 1;
        let order = Order::Renew(Renew { number: self.renewals });
        for (plane, live) in &self.planes {
            if live.connected {
                step.push(self.send(plane, order.clone()));
            }
        }
        self.set(Timer::Renew, step.now.at + self.record.request.limits.plane_lease.quarter());
    }

    pub(super) fn total_expired(&mut self, step: &mut Step) {
        let limit = self.record.request.limits.total;
        self.clock_expired(Reason::HoldTimedOut, "whole barrier", limit, step);
    }

    /// A clock ran out while something is held.
    pub(super) fn clock_expired(&mut self, reason: Reason, name: &str, limit: Millis, step: &mut Step) {
        if self.holds() {
            let text = format!("{name} limit of {limit} ran out, waiting for {}", self.unanswered());
            self.fail(Refusal::new(reason, text), step);
        }
    }

    pub(super) fn plane_lost(&mut self, step: &mut Step) {
        if self.holds() {
            let limit = self.record.request.limits.plane_lease;
            let away = self.names_of(|live| live.away_since.is_some());
            let text = format!("away for longer than its lease of {limit}: {away}");
            self.fail(Refusal::new(Reason::PlaneLost, text), step);
        }
    }

    /// Planes of which this is so, for messages.
    pub(super) fn names_of(&self, is_so: impl Fn(&PlaneState) -> bool) -> String {
        let planes = self.planes.iter().filter(|(_, live)| is_so(live));
        planes.map(|(plane, _)| plane.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Planes that owe an answer, for messages.
    pub(super) fn unanswered(&self) -> String {
        self.planes
            .iter()
            .filter(|(plane, live)| !live.answered && (self.phase == Phase::Preparing || self.has_part(plane)))
            .map(|(plane, live)| match (&live.progress, live.connected) {
                (_, false) => format!("{plane} (not connected)"),
                (Some(progress), true) => format!("{plane} ({})", progress.text),
                (None, true) => plane.to_string(),
            })
            .collect::<Vec<_>>()
            .join(", ")
    }
}
