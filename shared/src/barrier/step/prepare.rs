//! Every plane looks at what is there; nothing is touched.

use crate::{
    barrier::{
        admission::admit,
        input::{Effect, Step, Timer},
        machine::Barrier,
        moments::Moments,
        phase::Phase,
        size::check_room,
    },
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::Now,
    wire::Prepared,
};

impl Barrier {
    pub(in crate::barrier) fn begin_preparing(&mut self, step: &mut Step) {
        self.set(Timer::Connect, step.now.at + self.record.request.limits.connect);
        self.clock_prepare(step.now);
        self.attempt_from = Some(step.now.at);
        self.record.moments = Moments::default();
        self.enter(Phase::Preparing, step);
    }

    /// `Prepare` goes out only when every plane is connected, so that a missing plane costs the others nothing.
    pub(in crate::barrier) fn all_connected(&self) -> bool {
        self.away == 0
    }

    /// When the last plane has just come, the connect clock gives way to the prepare clock.
    pub(in crate::barrier) fn clock_prepare(&mut self, now: Now) {
        if self.all_connected() && self.timers.stop(Timer::Connect).is_some() {
            self.set(Timer::Prepare, now.at + self.record.request.limits.prepare);
        }
    }

    pub(in crate::barrier) fn connect_expired(&mut self, step: &mut Step) {
        let limit = self.record.request.limits.connect;
        let away = self.names_of(|live| !live.connected);
        let text = format!("no plane actor connected for {away} within {limit}");
        self.fail(Refusal::new(Reason::PlaneNotConnected, text), step);
    }

    pub(in crate::barrier) fn prepare_expired(&mut self, step: &mut Step) {
        let limit = self.record.request.limits.prepare;
        let text = format!("not prepared within {limit}, waiting for {}", self.unanswered());
        self.fail(Refusal::new(Reason::PrepareTimedOut, text), step);
    }

    pub(in crate::barrier) fn prepared(&mut self, plane: &PlaneId, prepared: Prepared, step: &mut Step) {
        if prepared.round > self.round && self.phase == Phase::Preparing {
            return self.adopt_round(prepared.round, step);
        }
        if prepared.round != self.round || !self.accept_answer(plane, Phase::Preparing, step) {
            return;
        }
        if let Some(live) = self.planes.get_mut(plane) {
            live.prepared = Some(prepared);
        }
        // Every plane has a part in this, also one that is away just now and so is owed no order.
        if self.planes.values().any(|live| !live.answered) {
            return;
        }
        let answers = self
            .planes
            .iter()
            .filter_map(|(p, live)| live.prepared.clone().map(|answer| (p.clone(), answer)))
            .collect();
        match admit(&self.record.request, &answers) {
            Err(refusal) => self.fail(refusal, step),
            Ok(admitted) => {
                let (cluster, floor) = (admitted.cluster, admitted.floor);
                self.record.take_prepared(admitted, answers);
                if let Err(refusal) = check_room(&self.record) {
                    return self.fail(refusal, step);
                }
                self.stand_at(Phase::Claiming, step);
                self.claim_pending = true;
                self.stop(&[Timer::Prepare]);
                step.push(Effect::Claim { cluster, floor });
            }
        }
    }

    /// A coordinator before this one came further: it prepared anew, and no record says so. Every plane prepares once
    /// more, above that round; the prepare clock runs on, which bounds this.
    fn adopt_round(&mut self, round: u32, step: &mut Step) {
        self.next_round_after(round);
        self.enter(Phase::Preparing, step);
    }

    /// What was prepared up to `round` counts no more.
    pub(in crate::barrier) fn next_round_after(&mut self, round: u32) {
        self.round = round.saturating_add(1);
        for live in self.planes.values_mut() {
            live.prepared = None;
        }
    }
}
