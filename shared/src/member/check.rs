//! What is always so of the machine, looked at after every step of a build with debug assertions (tests, models,
//! simulation): a rule that is broken is a fault in Isochron, never in the world. `PROTOCOL.md` says what the rules are for.

use super::{
    effect::{Effect, Work},
    input::Timer,
    ledger::{AttemptRecord, AttemptState},
    machine::Member,
    phase::Phase,
};
use crate::{
    epoch::Epoch,
    rules::check,
    wire::{Answer, Order, Recovered, Settle},
};

impl Member {
    /// Looks at a step that was made from `before`, and at the whole state after it.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check_step(&self, before: &Self, effects: &[Effect]) -> Result<(), &'static str> {
        self.check()?;
        self.check_effects(before.record.as_ref(), effects)
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.check_saved()?;
        self.check_holds()?;
        self.check_clocks()?;
        self.check_work()?;
        self.check_proof()
    }

    /// What the ledger says against where the machine stands.
    fn check_saved(&self) -> Result<(), &'static str> {
        let record = self.record.as_ref();
        let saved = record.map(|record| &record.state);
        let under = record.is_some_and(|record| record.epoch == self.epoch);
        let evidence = self.evidence.as_ref();
        let confirmed = under && matches!(saved, Some(AttemptState::Confirmed(seen)) if Some(seen) == evidence);
        let untouched = self.phase < Phase::Reserving;
        check(&[
            ("I3: no epoch is obeyed above the highest", self.epoch <= self.highest),
            ("I3: nothing is obeyed before Reserve", !untouched || self.epoch == Epoch::NONE && record.is_none()),
            ("I3: what is live is saved as such", !self.phase.is_live() || under && saved == Some(&AttemptState::Live)),
            ("E1-E6: what is confirmed is saved with its evidence", !self.phase.is_confirmed() || confirmed),
            ("evidence is the confirmed attempt's", evidence.is_none() || self.phase.is_confirmed()),
            (
                "a broken attempt is saved as such",
                self.phase != Phase::Broken || self.restored || matches!(saved, None | Some(AttemptState::Broken)),
            ),
        ])
    }

    /// Stores held against where the machine stands.
    fn check_holds(&self) -> Result<(), &'static str> {
        let stores = self.ready.as_ref().map(|ready| ready.prepared.stores.as_slice()).unwrap_or_default();
        let weaker = self.ready.as_ref().is_some_and(|ready| ready.spec.allow_weaker_holds);
        let all_held = self.holds.are(stores);
        let within = |from: Phase, to: Phase| (from..=to).contains(&self.phase);
        check(&[
            (
                "a store is held from Suspend to the release",
                self.holds.is_empty() || within(Phase::Suspending, Phase::Confirmed),
            ),
            (
                "E2: every store is held until the evidence is saved",
                !within(Phase::Suspended, Phase::ReadingBack) || all_held,
            ),
            ("E2: every renewal but the one on its way was answered true", self.holds.all_answered()),
            ("E2: no hold of a kind that is not allowed", weaker || self.holds.all_full()),
            ("E2: no store is confirmed before Confirm", self.phase >= Phase::Confirming || self.holds.none_confirms()),
            ("E2: Confirm asks every store", self.phase != Phase::Confirming || self.holds.all_confirm()),
            (
                "E2: nothing is read back before every store is confirmed",
                self.phase < Phase::ReadingBack || self.holds.all_confirmed(),
            ),
        ])
    }

    /// I6: every hold ends by itself, because its clock runs.
    fn check_clocks(&self) -> Result<(), &'static str> {
        let init = self.ready.as_ref().is_some_and(|ready| ready.spec.init);
        let within = |from: Phase, to: Phase| (from..=to).contains(&self.phase);
        let renews = self.timers.runs(Timer::RenewStores) || self.timers.runs(Timer::RenewPd);
        check(&[
            ("I6: the plane's own lease runs while it is live", !self.phase.is_live() || self.lease.runs()),
            ("I6: the plane's own lease runs while something is held", !self.touched || self.lease.runs()),
            ("what is held is known to be", self.touched || self.holds.is_empty()),
            (
                "something is held between Settle and the release only",
                !self.touched || within(Phase::HoldingPd, Phase::Confirmed),
            ),
            ("nothing is renewed that is not held", self.touched || !renews),
            ("store leases are renewed", self.holds.is_empty() || self.timers.runs(Timer::RenewStores)),
            (
                "E5: PD's holds are renewed",
                !(init && within(Phase::PdHeld, Phase::ReadingBack)) || self.timers.runs(Timer::RenewPd),
            ),
            ("a renewal of PD's holds ends with them", !self.pd.is_renewing() || self.timers.runs(Timer::RenewPd)),
            ("what is pending waits for something to be let go", self.pending.is_none() || self.dropping > 0),
        ])
    }

    /// The order in hand and its work.
    fn check_work(&self) -> Result<(), &'static str> {
        let order = self.current.as_ref().map(|(_, order)| order);
        let afterwards = matches!(order, Some(Order::Complete(_) | Order::Measure(_) | Order::Clean(_)));
        let (in_hand, works) = match self.phase {
            Phase::Idle | Phase::Released | Phase::Broken => (order.is_none() || afterwards, afterwards),
            Phase::Preparing => (matches!(order, Some(Order::Prepare(_))), true),
            Phase::Reserving => (matches!(order, Some(Order::Reserve)), true),
            Phase::HoldingPd => (matches!(order, Some(Order::Settle(Settle::HoldPd))), true),
            Phase::Asking => (matches!(order, Some(Order::Settle(Settle::Leaders { .. }))), true),
            Phase::Suspending => (matches!(order, Some(Order::Suspend)), !self.holds.all_open()),
            Phase::Covering => (matches!(order, Some(Order::Cover(cover)) if cover.round == self.cover_round), true),
            Phase::Snapshotting => (matches!(order, Some(Order::Snapshot(_))), true),
            Phase::Confirming => (matches!(order, Some(Order::Confirm)), false),
            Phase::ReadingBack => (matches!(order, Some(Order::Confirm)), true),
            Phase::Prepared
            | Phase::Reserved
            | Phase::PdHeld
            | Phase::Settled
            | Phase::Suspended
            | Phase::Covered
            | Phase::Snapshotted
            | Phase::Confirmed => (order.is_none(), false),
        };
        let ours = self.current.as_ref().is_none_or(|(epoch, _)| *epoch == self.epoch);
        check(&[
            ("the order in hand is the phase's", in_hand),
            ("work is under way where the phase waits for it", self.work.is_some() == works),
            ("I3: what is live is ordered under its epoch", !self.phase.is_live() || ours),
        ])
    }

    /// What a confirmation rests on.
    fn check_proof(&self) -> Result<(), &'static str> {
        let comes_from = |from: Phase| !self.restored && (from..=Phase::Released).contains(&self.phase);
        let evidence = self.evidence.as_ref();
        check(&[
            ("what was prepared is known", !comes_from(Phase::Prepared) || self.ready.is_some()),
            ("E5: what GC stands still at is known", !comes_from(Phase::Settled) || self.pd.gc_hold().is_some()),
            ("E3: the cover is known", !comes_from(Phase::Covered) || self.cover.is_some()),
            ("I4: commitTs is known", !comes_from(Phase::Snapshotting) || self.commit_ts.is_some()),
            (
                "I4: one commitTs",
                self.restored || evidence.is_none_or(|evidence| Some(evidence.commit_ts) == self.commit_ts),
            ),
            ("evidence is of this epoch", evidence.is_none_or(|evidence| evidence.epoch == self.epoch)),
        ])
    }

    /// What a step wants done, in its order, against what was `saved` before it: nothing is begun, let go or said before
    /// what it rests on is stored (I2, I3).
    fn check_effects(&self, saved: Option<&AttemptRecord>, effects: &[Effect]) -> Result<(), &'static str> {
        let mut saved = saved.map(|record| &record.state);
        for effect in effects {
            let live = matches!(saved, Some(AttemptState::Live)) && !self.restored;
            let open = matches!(saved, Some(AttemptState::Live | AttemptState::Confirmed(_))) && !self.restored;
            let confirmed = match saved {
                Some(AttemptState::Confirmed(evidence)) => Some(evidence),
                Some(AttemptState::Live | AttemptState::Broken) | None => None,
            };
            let fine = match effect {
                Effect::Save(record) => {
                    saved = Some(&record.state);
                    true
                }
                Effect::Send { answer: Answer::Confirmed(said), .. } => confirmed == Some(&said.evidence),
                Effect::Send { answer: Answer::Recovered(Recovered::Evidence(said)), .. } => confirmed == Some(said),
                Effect::Send { answer: Answer::Aborted(_) | Answer::Recovered(Recovered::Aborted), .. } => {
                    !live && confirmed.is_none()
                }
                Effect::Work { work, .. } => !touches(work) || open,
                Effect::RenewStores { .. } => open,
                Effect::DropHolds { .. } => !live,
                Effect::Send { .. } | Effect::CancelWork { .. } | Effect::Alarm(_) => true,
            };
            if !fine {
                return Err("I2: it is stored before it is begun, let go or said");
            }
        }
        Ok(())
    }
}

/// Work that touches the world under the attempt's epoch.
fn touches(work: &Work) -> bool {
    match work {
        Work::Reserve
        | Work::HoldPd { .. }
        | Work::RenewPd { .. }
        | Work::Leaders { .. }
        | Work::OpenHolds { .. }
        | Work::Cover { .. }
        | Work::Snapshot { .. }
        | Work::ReadBack { .. } => true,
        Work::Prepare(_) | Work::Complete { .. } | Work::Measure(_) | Work::Clean { .. } => false,
    }
}
