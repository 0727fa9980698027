//! I3: a plane keeps, per TiDB cluster, the highest epoch it obeyed, saved before its first lease; an attempt once broken
//! is never confirmed, and evidence once saved is never made twice.

use super::checker::{Checker, Frame, Look, Message};
use shared::{
    member::{AttemptState, MemberLedger},
    wire::{Answer, Up},
};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Epochs {
    seen: BTreeMap<String, MemberLedger>,
}

impl Checker for Epochs {
    fn name(&self) -> &'static str {
        "I3"
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Vec<String> {
        let Message::Up(Up::Answer { attempt, epoch, answer }) = frame.message else { return Vec::new() };
        let obeys = matches!(
            answer,
            Answer::Settled(_)
                | Answer::Suspended(_)
                | Answer::Covered(_)
                | Answer::Snapshotted(_)
                | Answer::Confirmed(_)
        );
        if !obeys || frame.world.obeyed(frame.plane).is_some_and(|highest| highest >= *epoch) {
            return Vec::new();
        }
        vec![format!("{} obeys epoch {epoch} of {attempt} without having saved it", frame.plane)]
    }

    fn look(&mut self, look: &Look<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        for (plane, ledger) in look.facts.iter().flat_map(|facts| &facts.ledgers) {
            if let Some(before) = self.seen.get(plane).filter(|before| *before != ledger) {
                wrong.extend(step(before, ledger).map(|text| format!("{plane}: {text}")));
            }
            if self.seen.get(plane) != Some(ledger) {
                self.seen.insert(plane.clone(), ledger.clone());
            }
        }
        wrong
    }
}

fn step(before: &MemberLedger, after: &MemberLedger) -> Option<String> {
    for (cluster, epoch) in &before.epochs {
        if after.epochs.get(cluster).is_none_or(|now| now < epoch) {
            return Some(format!(
                "the highest epoch of {cluster} fell from {epoch} to {:?}",
                after.epochs.get(cluster)
            ));
        }
    }
    for kept in &before.attempts {
        let Some(now) = after.attempt(&kept.attempt) else { continue };
        let wrong = match (&kept.state, &now.state) {
            (AttemptState::Broken, AttemptState::Live | AttemptState::Confirmed(_))
            | (AttemptState::Confirmed(_), AttemptState::Live) => true,
            (AttemptState::Confirmed(first), AttemptState::Confirmed(second)) => first != second,
            _ => false,
        };
        if wrong {
            return Some(format!("attempt {} went from {} to {}", kept.attempt, word(&kept.state), word(&now.state)));
        }
    }
    None
}

fn word(state: &AttemptState) -> &'static str {
    match state {
        AttemptState::Live => "live",
        AttemptState::Broken => "broken",
        AttemptState::Confirmed(_) => "confirmed",
    }
}
