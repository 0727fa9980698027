//! What may happen next, in every state.

use crate::{
    arbiter::Process,
    coordinator::{HashedInput, cuts, is_idle, look},
    facts::AttemptKey,
    kept::Kept,
    member::Said,
    plane::Ending,
    truth::Broken,
    world::{Bounds, Message, World},
};
use shared::{
    barrier::{Milestone, Record, Timer as Clock},
    claims,
    member::{Timer, Work},
};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// A backup is made.
    Begin(usize),
    /// A barrier is told something; the process may die before an effect of it.
    Tell { by: Process, backup: usize, input: HashedInput, cut: Option<usize> },
    /// A word arrives in a plane.
    Arrive(Kept<Message>),
    /// A timer of a member runs out.
    Expire { plane: usize, of: AttemptKey, timer: Timer },
    /// Work ends.
    End { plane: usize, of: AttemptKey, number: u64, ending: Ending },
    /// A store answers the renewal that it was asked for.
    Renewed { plane: usize, of: AttemptKey },
    /// The member hears it.
    HearsRenewed { plane: usize, of: AttemptKey },
    /// A member hears that its stream is gone.
    StreamGone { plane: usize, of: AttemptKey },
    /// What was held has been let go.
    HoldsDropped { plane: usize, of: AttemptKey },
    /// A store's lease ends: it ran out, the store restarted, or somebody's `Finish` ended it.
    LeaseEnds(usize),
    /// Another client opens a stream to the store: ours ends, and the lease is that client's to end.
    TakenOver(usize),
    /// The coordinator's process dies and starts again.
    KillCoordinator,
    /// Another process takes over, and the one before does not know.
    Usurp,
    /// A timer of an arbiter runs out.
    Arbitrate { by: Process, timer: claims::Timer },
    /// The next save of a claim happens, and is answered by nobody.
    Unanswered,
    /// A plane actor's process dies and starts again.
    KillPlane(usize),
    /// A plane's ledger takes no save from here on, or takes them again.
    Ledger { plane: usize, unsaved: bool },
}

impl Action {
    /// The present process tells a barrier something and lives.
    pub(crate) fn good(backup: usize, input: HashedInput) -> Self {
        Self::Tell { by: Process::Present, backup, input, cut: None }
    }
}

impl World {
    pub(crate) fn actions(&self, bounds: &Bounds, actions: &mut Vec<Action>) {
        self.words(actions);
        for b in 0..self.coordinators.len() {
            self.of_backup(bounds, b, actions);
        }
        for p in 0..self.planes.len() {
            self.of_plane(p, actions);
        }
        self.of_claims(actions);
        if self.budget.coordinator > 0 {
            actions.push(if bounds.zombies { Action::Usurp } else { Action::KillCoordinator });
        }
    }

    fn words(&self, actions: &mut Vec<Action>) {
        for word in &self.net {
            match &**word {
                Message::Up { of, .. } => self.word_up(of.backup, word, actions),
                Message::Down { plane, to, .. } if !self.is_idle_order(*plane, *to, &Said::Ordered(word.clone())) => {
                    actions.push(Action::Arrive(word.clone()));
                }
                Message::Superseded { plane, to, epoch }
                    if !self.is_idle_order(*plane, *to, &Said::Superseded(*epoch)) =>
                {
                    actions.push(Action::Arrive(word.clone()));
                }
                _ => {}
            }
        }
    }

    fn word_up(&self, b: usize, word: &Kept<Message>, actions: &mut Vec<Action>) {
        for by in Process::BOTH {
            if self.run(by, b).is_some_and(|run| !is_idle(&run.machine, word)) {
                self.tells(by, b, HashedInput::PlaneMessage(word.clone()), actions);
            }
        }
    }

    /// The input, and the input with a death in the middle of its effects.
    fn tells(&self, by: Process, backup: usize, input: HashedInput, actions: &mut Vec<Action>) {
        let Some(run) = self.run(by, backup) else { return };
        if self.budget.coordinator > 0 && by == Process::Present {
            for at in cuts(&look(&run.machine, &input).1) {
                actions.push(Action::Tell { by, backup, input: input.clone(), cut: Some(at) });
            }
        }
        actions.push(Action::Tell { by, backup, input, cut: None });
    }

    fn of_backup(&self, bounds: &Bounds, b: usize, actions: &mut Vec<Action>) {
        let of = &self.coordinators[b];
        if of.run.is_none() {
            if !of.gone && !of.rests && (bounds.early || b.checked_sub(1).is_some_and(|before| self.is_over(before))) {
                actions.push(Action::Begin(b));
            }
            return;
        }
        if self.budget.wishes > 0 {
            self.tells(Process::Present, b, HashedInput::Cancel, actions);
            self.tells(Process::Present, b, HashedInput::Delete, actions);
        }
        for by in Process::BOTH {
            let Some(run) = self.run(by, b) else { continue };
            if let Some(answer) = run.mail.first() {
                self.tells(by, b, HashedInput::Claim(answer.clone()), actions);
            }
            for timer in run.machine.timers() {
                if self.may_run_out(bounds, b, &run.view, timer) {
                    self.tells(by, b, HashedInput::Expired(timer), actions);
                }
            }
        }
    }

    fn of_claims(&self, actions: &mut Vec<Action>) {
        for by in Process::BOTH {
            actions.extend(self.timers_of_claims(by).map(|timer| Action::Arbitrate { by, timer }));
        }
        if self.budget.answers > 0 && !self.unanswered {
            actions.push(Action::Unanswered);
        }
    }

    /// Complete, or failed and cleaned.
    pub(crate) fn is_over(&self, b: usize) -> bool {
        let saved = &self.coordinators[b].saved;
        let cleaned = saved.planes.values().all(|plane| plane.cleaned.is_some());
        saved.milestone == Milestone::Complete || saved.milestone == Milestone::Failed && cleaned
    }

    /// All clocks of the barrier end an attempt in the same way: the cap stands for them.
    fn may_run_out(&self, bounds: &Bounds, b: usize, view: &Record, timer: Clock) -> bool {
        let trouble = self.budget.troubles > 0;
        match timer {
            Clock::Again | Clock::Cover | Clock::Measure | Clock::Save => true,
            Clock::Retry => view.attempt < bounds.attempts,
            Clock::Renew => self.budget.renews > 0,
            Clock::HoldsGone => trouble && (bounds.early_clocks || self.holds_are_gone(b)),
            Clock::Prepare | Clock::Total | Clock::Recover => trouble,
            Clock::Connect | Clock::Settle | Clock::Reach | Clock::Hold | Clock::PlaneLost => false,
        }
    }

    /// The coordinator waits for longer than any hold can last (`design.md` §4, Clocks): when it stops waiting, planes'
    /// own leases have run out, and with them what they renewed.
    pub(crate) fn holds_are_gone(&self, b: usize) -> bool {
        let by = self.current(b);
        let lives = |p: usize| {
            let slot = self.slot(p, by);
            let renews = slot
                .is_some_and(|slot| slot.dropping > 0 || slot.member.timers().any(|timer| timer == Timer::PlaneLease));
            renews || self.truth.stores[p].holder == Some(by)
        };
        !(0..self.planes.len()).any(lives)
    }

    fn of_plane(&self, p: usize, actions: &mut Vec<Action>) {
        let trouble = self.budget.troubles > 0;
        for (of, slot) in &self.planes[p].slots {
            let (plane, of) = (p, *of);
            for timer in slot.member.timers() {
                let may = match timer {
                    Timer::PlaneLease | Timer::StoreLease => trouble,
                    Timer::RenewStores => self.budget.renewals > 0 && slot.asked.is_none() && slot.answered.is_none(),
                    Timer::RenewPd => false,
                };
                if may {
                    actions.push(Action::Expire { plane, of, timer });
                }
            }
            for (number, work) in &slot.works {
                let number = *number;
                actions.push(Action::End { plane, of, number, ending: Ending::Well });
                if trouble {
                    actions.push(Action::End { plane, of, number, ending: Ending::Badly });
                    if matches!(**work, Work::Cover { .. }) {
                        actions.push(Action::End { plane, of, number, ending: Ending::Hole });
                    }
                }
            }
            if slot.asked.is_some() && self.truth.stores[p].stream == Some(of) {
                actions.push(Action::Renewed { plane, of });
            }
            if slot.answered.is_some() {
                actions.push(Action::HearsRenewed { plane, of });
            }
            if self.stream_is_gone(p, of) {
                actions.push(Action::StreamGone { plane, of });
            }
            if slot.dropping > 0 {
                actions.push(Action::HoldsDropped { plane, of });
            }
        }
        if trouble && self.truth.stores[p].holder.is_some() {
            actions.push(Action::LeaseEnds(p));
        }
        if trouble && self.truth.stores[p].stream.is_some() {
            actions.push(Action::TakenOver(p));
        }
        if self.budget.plane > 0 && !self.planes[p].slots.is_empty() {
            actions.push(Action::KillPlane(p));
        }
        let unsaved = self.planes[p].unsaved;
        if unsaved || self.budget.ledger > 0 {
            actions.push(Action::Ledger { plane: p, unsaved: !unsaved });
        }
    }

    /// A member believes in a stream that is not there.
    pub(crate) fn stream_is_gone(&self, p: usize, of: AttemptKey) -> bool {
        let believes = |member: &shared::member::Member| member.timers().any(|timer| timer == Timer::StoreLease);
        self.truth.stores[p].stream != Some(of) && self.slot(p, of).is_some_and(|slot| believes(&slot.member))
    }

    /// Carries an action out. `None`: nothing came of it.
    pub(crate) fn after(&self, bounds: &Bounds, action: &Action) -> Option<World> {
        let mut next = self.clone();
        if !next.act(bounds, action) {
            return None;
        }
        next.normalise(bounds);
        (next != *self).then_some(next)
    }

    pub(crate) fn act(&mut self, bounds: &Bounds, action: &Action) -> bool {
        let done = self.begin_act(bounds, action);
        self.tell_taken();
        done
    }

    fn begin_act(&mut self, bounds: &Bounds, action: &Action) -> bool {
        match action {
            Action::Begin(b) => {
                if let Some(before) = b.checked_sub(1).filter(|before| !bounds.early && self.is_over(*before)) {
                    self.lay_to_rest(before);
                }
                self.start(*b);
            }
            Action::Tell { by, backup, input, cut } => self.tell_and_spend(*by, *backup, input, *cut),
            Action::Arrive(word) => return self.arrive(bounds, word),
            Action::Expire { plane, of, timer } => {
                match timer {
                    Timer::RenewStores => spend(&mut self.budget.renewals),
                    _ => spend(&mut self.budget.troubles),
                }
                return self.said(bounds, *plane, *of, &Said::Expired(*timer));
            }
            Action::End { plane, of, number, ending } => {
                if *ending != Ending::Well {
                    spend(&mut self.budget.troubles);
                }
                return self.end_work(bounds, *plane, *of, *number, *ending);
            }
            Action::Renewed { plane, of } => return self.answer_renewal(bounds, *plane, *of),
            Action::HearsRenewed { plane, of } => return self.hear_renewal(bounds, *plane, *of),
            Action::StreamGone { plane, of } => {
                if let Some(slot) = self.slot_mut(*plane, *of) {
                    slot.asked = None;
                }
                return self.said(bounds, *plane, *of, &Said::Broken);
            }
            Action::HoldsDropped { plane, of } => self.holds_dropped(bounds, *plane, *of),
            Action::LeaseEnds(p) => {
                spend(&mut self.budget.troubles);
                let store = &mut self.truth.stores[*p];
                (store.holder, store.whole) = (None, false);
            }
            Action::TakenOver(p) => {
                spend(&mut self.budget.troubles);
                self.truth.stores[*p] = Default::default();
            }
            Action::KillCoordinator => {
                spend(&mut self.budget.coordinator);
                self.restart();
            }
            Action::Usurp => {
                spend(&mut self.budget.coordinator);
                self.usurp();
            }
            Action::Arbitrate { by, timer } => self.arbitrate(*by, claims::Input::Expired(*timer)),
            Action::Unanswered => {
                spend(&mut self.budget.answers);
                self.unanswered = true;
            }
            Action::KillPlane(p) => {
                spend(&mut self.budget.plane);
                self.kill_plane(*p);
            }
            Action::Ledger { plane, unsaved } => {
                if *unsaved {
                    spend(&mut self.budget.ledger);
                }
                self.planes[*plane].unsaved = *unsaved;
            }
        }
        true
    }

    fn tell_and_spend(&mut self, by: Process, b: usize, input: &HashedInput, cut: Option<usize>) {
        match input {
            HashedInput::Cancel | HashedInput::Delete => spend(&mut self.budget.wishes),
            HashedInput::Expired(_) => self.spend_clock(input),
            HashedInput::Claim(_) => {
                if let Some(run) = self.run_mut(by, b) {
                    run.mail.remove(0);
                }
            }
            _ => {}
        }
        if cut.is_some() {
            spend(&mut self.budget.coordinator);
        }
        self.tell(by, b, input, cut);
    }

    fn spend_clock(&mut self, input: &HashedInput) {
        match input {
            HashedInput::Expired(Clock::Renew) => spend(&mut self.budget.renews),
            HashedInput::Expired(Clock::Again | Clock::Cover | Clock::Retry) => {}
            HashedInput::Expired(_) => spend(&mut self.budget.troubles),
            _ => {}
        }
    }

    pub(crate) fn arrive(&mut self, bounds: &Bounds, word: &Kept<Message>) -> bool {
        match &**word {
            Message::Down { plane, to, .. } => self.said(bounds, *plane, *to, &Said::Ordered(word.clone())),
            Message::Superseded { plane, to, epoch } => self.said(bounds, *plane, *to, &Said::Superseded(*epoch)),
            Message::Up { of, .. } => {
                self.tell(Process::Present, of.backup, &HashedInput::PlaneMessage(word.clone()), None);
                true
            }
        }
    }

    /// Certificates against the truth (E1–E5 as far as they are modelled).
    pub(crate) fn certificates_are_true(&self) -> bool {
        self.coordinators.iter().enumerate().all(|(backup, of)| {
            let Some(certificate) = of.saved.certificate.as_ref() else { return true };
            let by = AttemptKey { backup, number: certificate.attempt };
            let Some(truth) = self.truth.attempts.get(&by) else { return false };
            let everyone = crate::truth::all(self.planes.len());
            let named = (0..self.planes.len()).all(|p| {
                let part = certificate.planes.get(&crate::facts::plane(p));
                part.is_some_and(|part| {
                    part.evidence.snapshots.iter().map(|s| &s.snapshot).eq([&crate::facts::snapshot_id(p, by)])
                })
            });
            let least = truth.safe_ts.values().min() == Some(&certificate.commit_ts);
            named && least && truth.good == everyone && certificate.epoch == of.saved.epoch
        })
    }

    /// I7: whatever is held is held for the attempt that the claim names.
    pub(crate) fn holds_are_claimed(&self, bounds: &Bounds) -> bool {
        // A process that was deposed may ask for the same backup, with the attempt that it knows.
        let fits = |by: AttemptKey| self.claim.1.is_some_and(|at| at == by || bounds.zombies && at.backup == by.backup);
        let mut holders = self.truth.stores.iter().filter_map(|store| store.holder);
        let first = holders.next();
        bounds.early_clocks || first.is_none_or(|first| fits(first) && holders.all(|by| by == first))
    }

    pub(crate) fn is_unbroken(&self, broken: Broken) -> bool {
        !self.truth.broken.contains(&broken)
    }
}

fn spend(budget: &mut u8) {
    *budget = budget.saturating_sub(1);
}
