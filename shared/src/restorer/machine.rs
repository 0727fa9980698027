//! The machine of one restore in one plane.

use super::{
    input::{Done, Effect, Input, Work},
    ledger::{Reached, RestoreEntry},
};
use crate::{
    epoch::Epoch,
    ids::RestoreUid,
    machine::{Machine, Step},
    reason::{Reason, Refusal},
    time::{Instant, Now},
    wire::{Restore, RestoreAnswer, RestoreOrder, RestoreProgress},
};

/// One restore in one plane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Restorer {
    restore: RestoreUid,
    /// What the ledger says.
    entry: Option<RestoreEntry>,
    /// The order that is being carried out, and the number of its work.
    current: Option<(u64, Box<Restore>)>,
    /// The last order that was answered, with its answer.
    last: Option<(Box<Restore>, RestoreAnswer)>,
    numbers: u64,
    progress: Option<RestoreProgress>,
}

/// How it stands, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which restore.
    pub restore: RestoreUid,
    /// What the ledger says.
    pub entry: Option<RestoreEntry>,
    /// The order that is being carried out.
    pub order: Option<&'static str>,
    /// How far that has come.
    pub progress: Option<RestoreProgress>,
}

impl Restorer {
    /// The machine of a restore: unknown yet, or found in the ledger when the plane actor started.
    pub fn new(restore: RestoreUid, entry: Option<RestoreEntry>) -> Self {
        Self { restore, entry, current: None, last: None, numbers: 0, progress: None }
    }

    /// What is to be seen.
    pub fn standing(&self) -> Standing {
        Standing {
            restore: self.restore.clone(),
            entry: self.entry.clone(),
            order: self.current.as_ref().map(|(_, order)| order.order.name()),
            progress: self.progress.clone(),
        }
    }

    /// Work is under way.
    pub fn is_busy(&self) -> bool {
        self.current.is_some()
    }

    fn reached(&self) -> Option<Reached> {
        self.entry.as_ref().map(|entry| entry.reached)
    }

    fn order(&mut self, order: Box<Restore>, highest: Epoch, step: &mut Step<Effect>) {
        if let Err(refusal) = self.judge(&order, highest) {
            return send(order.epoch, RestoreAnswer::Refused(refusal), step);
        }
        if self.current.as_ref().is_some_and(|(_, current)| *current == order) {
            if let Some(progress) = &self.progress {
                send(order.epoch, RestoreAnswer::Progress(progress.clone()), step);
            }
            return;
        }
        if let Some((_, answer)) = self.last.as_ref().filter(|(last, _)| *last == order) {
            return send(order.epoch, answer.clone(), step);
        }
        if let Some((number, _)) = self.current.take() {
            step.push(Effect::CancelWork { number });
        }
        self.last = None;
        self.progress = None;
        let again = self.entry.is_some();
        self.remember(&order, step);
        self.numbers = self.numbers.saturating_add(1);
        let work = Work {
            restore: order.restore.clone(),
            epoch: order.epoch,
            cluster: order.cluster,
            spec: order.spec.clone(),
            order: order.order.clone(),
            again,
        };
        self.current = Some((self.numbers, order));
        step.push(Effect::Work { number: self.numbers, work: Box::new(work) });
    }

    /// Of this time, and nothing that is over here?
    fn judge(&self, order: &Restore, highest: Epoch) -> Result<(), Refusal> {
        let refuse = |reason, text: String| Err(Refusal::new(reason, text));
        let name = order.order.name();
        if matches!(order.order, RestoreOrder::Look) {
            return Ok(());
        }
        let own = self.entry.as_ref().map_or(Epoch::NONE, |entry| entry.epoch);
        // What is taken away is this restore's own, whoever came after it.
        let undo = matches!(order.order, RestoreOrder::Undo { .. });
        if order.epoch < own || order.epoch < highest && !undo {
            let text = format!("epoch {} is below {}, which this plane has obeyed", order.epoch, highest.max(own));
            return refuse(Reason::EpochStale, text);
        }
        let is_of_cluster = order.spec.target.is_some();
        if is_of_cluster && !undo && (order.epoch == Epoch::NONE || order.cluster.is_none()) {
            return refuse(Reason::NotPrepared, format!("{name} without a claim"));
        }
        match (self.reached(), begins(&order.order)) {
            (Some(Reached::Undone), None | Some(Reached::Touched | Reached::Started | Reached::Unmarked)) => {
                refuse(Reason::RestoreOver, format!("{name}: what this restore made here was taken away"))
            }
            (Some(Reached::Unmarked), Some(Reached::Touched | Reached::Started)) => refuse(
                Reason::RestoreOver,
                format!("{name}: PD's mark was taken away, users may write; nothing is made or flashed back any more"),
            ),
            (Some(Reached::Started | Reached::Unmarked), Some(Reached::Undone))
                if !matches!(order.order, RestoreOrder::Undo { started: true, .. }) =>
            {
                refuse(Reason::RestoreOver, format!("{name}: TiKV was let start on these volumes"))
            }
            _ => Ok(()),
        }
    }

    /// What cannot be taken back is saved before it is begun.
    fn remember(&mut self, order: &Restore, step: &mut Step<Effect>) {
        let Some(begun) = begins(&order.order) else { return };
        let reached = self.reached().map_or(begun, |reached| reached.max(begun));
        let entry = RestoreEntry { restore: self.restore.clone(), epoch: order.epoch, cluster: order.cluster, reached };
        if self.entry.as_ref() != Some(&entry) {
            self.entry = Some(entry.clone());
            step.push(Effect::Save(entry));
        }
    }

    fn done(&mut self, number: u64, result: Result<Done, Refusal>, step: &mut Step<Effect>) {
        let Some((_, order)) = self.current.take_if(|(current, _)| *current == number) else { return };
        self.progress = None;
        let epoch = order.epoch;
        match result {
            // What left something over is done again when it is asked for again.
            Ok(answer) => {
                let is_final = !matches!(answer.as_ref(), RestoreAnswer::Undone(undone) if !undone.left.is_empty());
                if is_final {
                    self.last = Some((order, (*answer).clone()));
                }
                send(epoch, *answer, step);
            }
            Err(refusal) => send(epoch, RestoreAnswer::Refused(refusal), step),
        }
    }
}

fn send(epoch: Epoch, answer: RestoreAnswer, step: &mut Step<Effect>) {
    step.push(Effect::Send { epoch, answer });
}

/// What an order may do that is not taken back; `None`: it only looks or waits.
fn begins(order: &RestoreOrder) -> Option<Reached> {
    match order {
        RestoreOrder::Look | RestoreOrder::Warm | RestoreOrder::Settle { .. } | RestoreOrder::Finish { .. } => None,
        RestoreOrder::Mark { .. } | RestoreOrder::Build | RestoreOrder::Place => Some(Reached::Touched),
        RestoreOrder::Start
        | RestoreOrder::Meet { .. }
        | RestoreOrder::Lead { .. }
        | RestoreOrder::Time { .. }
        | RestoreOrder::RollBack(_)
        | RestoreOrder::Check { .. } => Some(Reached::Started),
        // Pods start anew only after the mark is gone: whoever restarts them takes it for gone.
        RestoreOrder::Unmark | RestoreOrder::Restart { .. } => Some(Reached::Unmarked),
        RestoreOrder::Undo { .. } => Some(Reached::Undone),
    }
}

impl Machine for Restorer {
    type Input = Input;
    type Effect = Effect;
    type Timer = ();

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut step = Step::new(now);
        match input {
            Input::Order { order, highest } => self.order(order, highest, &mut step),
            Input::Done { number, result } => self.done(number, result, &mut step),
            Input::Progress { number, progress } => {
                if let Some((_, order)) = self.current.as_ref().filter(|(current, _)| *current == number) {
                    send(order.epoch, RestoreAnswer::Progress(progress.clone()), &mut step);
                    self.progress = Some(progress);
                }
            }
        }
        step.out
    }

    /// It waits for nothing by itself.
    fn deadline(&self) -> Option<(Instant, ())> {
        None
    }

    fn expired((): ()) -> Input {
        // Nothing is ever due; work that was never begun ends without effect.
        Input::Done { number: 0, result: Err(Refusal::new(Reason::Internal, "no timer runs")) }
    }
}
