//! Preparing, the claim, reserving: everything before the first hold. Nothing is touched before the claim is saved.

use super::{
    admission::admit,
    input::{Effect, Timer},
    machine::Barrier,
    phase::Phase,
    record::Milestone,
    size::check_room,
};
use crate::{
    alarm::Alarm,
    epoch::Epoch,
    ids::PlaneId,
    reason::{Reason, Refusal},
    time::Now,
    wire::{Order, Prepare, Prepared, Settle},
};

impl Barrier {
    pub(super) fn start(&mut self, now: Now, effects: &mut Vec<Effect>) {
        match self.record.milestone {
            Milestone::Preparing => {
                self.save(effects);
                self.begin_preparing(now, effects);
            }
            Milestone::Barrier => self.fail(
                now,
                Refusal::new(Reason::CoordinatorRestarted, "the coordinator restarted before snapshots were asked for"),
                effects,
            ),
            Milestone::Aborting => self.begin_aborting(now, effects),
            Milestone::Snapshotting => self.begin_recovering(now, effects),
            Milestone::Certified => {
                self.set(Timer::HoldsGone, now.at + self.holds_end());
                self.enter(Phase::Releasing, effects);
            }
            Milestone::Complete => {}
            Milestone::Failed => self.begin_failed(now, effects),
            Milestone::Cleaning => self.begin_cleaning(now, effects),
            Milestone::Cleaned => effects.push(Effect::Gone),
        }
    }

    pub(super) fn begin_preparing(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.set(Timer::Connect, now.at + self.record.request.limits.connect);
        self.all_here(now);
        self.enter(Phase::Preparing, effects);
    }

    /// `Prepare` goes out only when every plane is connected, so that a missing plane costs the others nothing. True
    /// when the last one has just come: the connect clock gives way to the prepare clock.
    pub(super) fn all_here(&mut self, now: Now) -> bool {
        let all = self.planes.values().all(|live| live.connected);
        let last = all && self.timers.remove(&Timer::Connect).is_some();
        if last {
            self.set(Timer::Prepare, now.at + self.record.request.limits.prepare);
        }
        last
    }

    pub(super) fn preparing_expired(&mut self, now: Now, timer: Timer, effects: &mut Vec<Effect>) {
        let limits = &self.record.request.limits;
        let refusal = match timer {
            Timer::Connect => {
                let away: Vec<_> =
                    self.planes.iter().filter(|(_, live)| !live.connected).map(|(p, _)| p.as_str()).collect();
                Refusal::new(
                    Reason::PlaneNotConnected,
                    format!("no plane actor connected for {} within {}", away.join(", "), limits.connect),
                )
            }
            _ => Refusal::new(
                Reason::PrepareTimedOut,
                format!("not prepared within {}, waiting for {}", limits.prepare, self.silent()),
            ),
        };
        self.fail(now, refusal, effects);
    }

    pub(super) fn prepared(&mut self, now: Now, plane: &PlaneId, prepared: Prepared, effects: &mut Vec<Effect>) {
        if prepared.round > self.round && self.phase == Phase::Preparing {
            return self.overtake(prepared.round, effects);
        }
        if prepared.round != self.round || !self.mark(plane, Phase::Preparing) {
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
            Err(refusal) => self.fail(now, refusal, effects),
            Ok(admitted) => {
                self.record.cluster = Some(admitted.cluster);
                self.record.cluster_version = admitted.cluster_version;
                self.record.cluster_stores = admitted.cluster_stores;
                for (plane, answer) in answers {
                    let kept = self.record.planes.entry(plane).or_default();
                    kept.stores = answer.stores;
                    kept.account = answer.account;
                    kept.region = answer.region;
                }
                if let Err(refusal) = check_room(&self.record) {
                    return self.fail(now, refusal, effects);
                }
                self.phase = Phase::Claiming;
                self.claim_pending = true;
                self.stop(&[Timer::Prepare]);
                effects.push(Effect::Claim { cluster: admitted.cluster, floor: admitted.floor });
            }
        }
    }

    /// A coordinator before this one came further: it prepared anew, and no record says so. Every plane prepares once
    /// more, above that round; the prepare clock runs on, which bounds this.
    fn overtake(&mut self, round: u32, effects: &mut Vec<Effect>) {
        self.next_round_after(round);
        self.enter(Phase::Preparing, effects);
    }

    /// What was prepared up to `round` counts no more.
    fn next_round_after(&mut self, round: u32) {
        self.round = round.saturating_add(1);
        for live in self.planes.values_mut() {
            live.prepared = None;
        }
    }

    pub(super) fn claimed(&mut self, now: Now, epoch: Epoch, effects: &mut Vec<Effect>) {
        self.claim_pending = false;
        if self.phase != Phase::Claiming {
            if let Some(cluster) = self.record.cluster {
                effects.push(Effect::EndClaim { cluster });
            }
            return;
        }
        let floor = self.floor();
        if epoch <= floor {
            self.alarm(Alarm::ClaimBelowFloor { granted: epoch, floor }, effects);
            self.fail(
                now,
                Refusal::new(Reason::Internal, format!("claim granted epoch {epoch}, not above {floor}")),
                effects,
            );
            return;
        }
        self.record.epoch = epoch;
        self.record.milestone = Milestone::Barrier;
        self.save(effects);
        self.set(Timer::Prepare, now.at + self.record.request.limits.prepare);
        self.set(Timer::Renew, now.at + self.record.request.limits.plane_lease.quarter());
        self.enter(Phase::Reserving, effects);
    }

    fn floor(&self) -> Epoch {
        self.planes
            .values()
            .filter_map(|live| live.prepared.as_ref().map(|p| p.highest_epoch))
            .max()
            .unwrap_or(Epoch::NONE)
    }

    pub(super) fn claim_taken(&mut self, holder: String) {
        self.claim_pending = false;
        if self.phase == Phase::Claiming {
            self.claim_holder = holder;
        }
    }

    /// What was prepared while another attempt ran may be stale by now: prepare anew.
    pub(super) fn claim_free(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.phase == Phase::Claiming && !self.claim_pending {
            self.next_round_after(self.round);
            self.begin_preparing(now, effects);
        }
    }

    pub(super) fn reserved(&mut self, now: Now, plane: &PlaneId, effects: &mut Vec<Effect>) {
        if self.mark(plane, Phase::Reserving) && self.all_answered() {
            self.stop(&[Timer::Prepare]);
            self.begin_settling(now, effects);
        }
    }

    /// The order that a plane owes an answer to in the present step; `None` where it has no part.
    pub(super) fn order_for(&self, plane: &PlaneId) -> Option<Order> {
        let spec = || self.record.request.member_spec(plane);
        match self.phase {
            Phase::Preparing => {
                let all_here = self.planes.values().all(|live| live.connected);
                spec().filter(|_| all_here).map(|spec| Order::Prepare(Prepare { round: self.round, spec }))
            }
            Phase::Reserving => Some(Order::Reserve),
            Phase::Settling => match self.gc_hold {
                None => (self.record.request.init_plane() == Some(plane)).then_some(Order::Settle(Settle::HoldPd)),
                Some(gc_hold) => Some(Order::Settle(Settle::Leaders { gc_hold })),
            },
            Phase::Suspending => Some(Order::Suspend),
            Phase::Covering => Some(Order::Cover(self.cover_order())),
            Phase::Snapshotting => {
                self.record.commit_ts.map(|commit_ts| Order::Snapshot(crate::wire::Snapshot { commit_ts }))
            }
            Phase::Confirming => Some(Order::Confirm),
            Phase::Releasing => Some(Order::Release),
            Phase::Recovering => Some(Order::Recover),
            Phase::Completing => self.complete_order(plane),
            Phase::Aborting => self.abort_order(),
            Phase::Failed | Phase::Cleaning => self.clean_order(plane),
            Phase::Claiming | Phase::Complete | Phase::Cleaned => None,
        }
    }

    /// Planes that owe an answer, for messages.
    pub(super) fn silent(&self) -> String {
        self.planes
            .iter()
            .filter(|(plane, live)| {
                !live.answered && (self.phase == Phase::Preparing || self.order_for(plane).is_some())
            })
            .map(|(plane, live)| match (&live.progress, live.connected) {
                (_, false) => format!("{plane} (not connected)"),
                (Some(progress), true) => format!("{plane} ({})", progress.text),
                (None, true) => plane.to_string(),
            })
            .collect::<Vec<_>>()
            .join(", ")
    }
}
