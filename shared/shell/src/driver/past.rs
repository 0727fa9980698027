//! The last steps of a machine, for people who look into what went wrong (`console diagnose`). Nothing steers by it.

use serde::Serialize;
use shared::{calendar::rfc3339, time::Timestamp};
use std::{
    collections::VecDeque,
    fmt::{self, Debug, Write},
};

/// Steps that came to something. A good attempt of a hundred planes has some six hundred, of three planes forty: enough
/// for the end of the one and all of the other.
pub(super) const MOVED: usize = 96;
/// Steps that came to nothing: progress and repeated answers, which would push out all others within seconds.
pub(super) const IDLE: usize = 32;
/// Bytes of one input. What it is and of whom stands at its beginning; stores and volumes of a plane fill kilobytes.
const INPUT_BYTES: usize = 200;
/// Bytes of one effect, and effects of one step: a batch tells the same to every plane.
const EFFECT_BYTES: usize = 120;
const EFFECTS: usize = 8;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stepped {
    /// Wall clock.
    pub at: Timestamp,
    /// Its beginning.
    pub input: String,
    /// The first ones, each by its beginning.
    pub effects: Vec<String>,
}

/// A line for people: when, what it was told, what it wanted done.
impl fmt::Display for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", rfc3339(self.at), self.input, self.effects.join(", "))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Past {
    moved: VecDeque<Stepped>,
    idle: VecDeque<Stepped>,
}

impl Past {
    /// An input, before the machine takes it.
    pub(super) fn input(input: &impl Debug) -> String {
        beginning(input, INPUT_BYTES)
    }

    /// What came of it.
    pub(super) fn note<E: Debug>(&mut self, at: Timestamp, input: String, effects: &[E]) {
        let effects: Vec<String> = effects.iter().take(EFFECTS).map(|one| beginning(one, EFFECT_BYTES)).collect();
        let (kept, most) = if effects.is_empty() { (&mut self.idle, IDLE) } else { (&mut self.moved, MOVED) };
        if kept.len() == most {
            kept.pop_front();
        }
        kept.push_back(Stepped { at, input, effects });
    }

    /// In the order in which they were taken, as far as the wall clock tells it.
    pub fn steps(&self) -> Vec<Stepped> {
        let mut all: Vec<Stepped> = self.moved.iter().chain(&self.idle).cloned().collect();
        all.sort_by_key(|step| step.at);
        all
    }
}

/// As `{:?}`, and no more of it is made than is kept.
fn beginning(what: &impl Debug, most: usize) -> String {
    let mut text = Bounded { text: String::new(), most };
    if write!(text, "{what:?}").is_err() {
        text.text.push('…');
    }
    text.text
}

/// Takes so many bytes and then refuses, which ends what is being written.
struct Bounded {
    text: String,
    most: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.most.saturating_sub(self.text.len());
        let fits = (0..=room.min(more.len())).rev().find(|end| more.is_char_boundary(*end)).unwrap_or(0);
        self.text.push_str(&more[..fits]);
        if fits == more.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_to_nothing_pushes_out_nothing_that_counts() {
        let mut past = Past::default();
        past.note(Timestamp(1), Past::input(&"Prepared"), &["Save"]);
        for number in 0..1_000 {
            past.note(Timestamp(2 + number), Past::input(&"Progress"), &[(); 0]);
        }
        let steps = past.steps();
        assert_eq!(steps.len(), 1 + IDLE);
        assert_eq!(
            (steps[0].input.as_str(), steps[0].effects.as_slice()),
            ("\"Prepared\"", ["\"Save\"".to_owned()].as_slice())
        );
        assert_eq!(steps.last().map(|step| step.at), Some(Timestamp(1_001)));
    }

    #[test]
    fn a_step_is_bounded_whatever_it_carries() {
        let mut past = Past::default();
        for number in 0..1_000 {
            let effects = vec!["é".repeat(10_000); 1_000];
            past.note(Timestamp(number), Past::input(&vec!["é".repeat(10_000); 100]), &effects);
        }
        let bytes: usize = past
            .steps()
            .iter()
            .map(|step| step.input.len() + step.effects.iter().map(String::len).sum::<usize>())
            .sum();
        assert!(bytes <= MOVED * (INPUT_BYTES + 3 + EFFECTS * (EFFECT_BYTES + 3)), "{bytes}");
        assert_eq!(past.steps().len(), MOVED);
        assert!(past.steps()[0].input.ends_with('…'));
    }
}
