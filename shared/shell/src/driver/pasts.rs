//! Of several machines: the last steps of those that have ended, and all of them as people read them (`console diagnose`).

use super::past::Stepped;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// Machines that are remembered: who asks comes after the failure, and not hours later.
const ENDED: usize = 32;

/// The last steps of machines that have ended, to be shown.
pub struct Pasts<K>(VecDeque<(K, Vec<Stepped>)>);

impl<K> Default for Pasts<K> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K> Pasts<K> {
    /// This one has ended.
    pub fn keep(&mut self, of: K, steps: Vec<Stepped>) {
        self.0.push_back((of, steps));
        if self.0.len() > ENDED {
            self.0.pop_front();
        }
    }

    /// The newest first.
    pub fn all(&self) -> impl Iterator<Item = (&K, &Vec<Stepped>)> {
        self.0.iter().rev().map(|(of, steps)| (of, steps))
    }
}

/// By machine, each step a line; what each is called, the most wanted first. Whose turn comes when `most` bytes are used up is
/// named without its steps.
pub fn steps_told(machines: Vec<(String, Vec<Stepped>)>, most: usize) -> Value {
    let mut bytes = 0;
    let told = machines.into_iter().map(|(name, steps)| {
        let lines: Vec<String> = steps.iter().map(Stepped::to_string).collect();
        bytes += lines.iter().map(String::len).sum::<usize>();
        let told = if bytes <= most { json!(lines) } else { json!("left out; ask for it by its name") };
        (name, told)
    });
    Value::Object(told.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::time::Timestamp;

    fn step(input: &str) -> Stepped {
        Stepped { at: Timestamp(0), input: input.to_owned(), effects: vec!["Save".to_owned(), "Send".to_owned()] }
    }

    #[test]
    fn the_newest_are_kept_and_told_first() {
        let mut pasts = Pasts::default();
        for number in 0..2 * ENDED {
            pasts.keep(number, vec![step("x")]);
        }
        let kept: Vec<_> = pasts.all().map(|(number, _)| *number).collect();
        assert_eq!((kept.len(), kept.first(), kept.last()), (ENDED, Some(&(2 * ENDED - 1)), Some(&ENDED)));
    }

    #[test]
    fn whose_steps_have_no_room_is_named() {
        let machines = vec![("a".to_owned(), vec![step("Start")]), ("b".to_owned(), vec![step("Start"); 3])];
        let told = steps_told(machines, 100);
        assert_eq!(told["a"], json!(["1970-01-01T00:00:00Z Start -> Save, Send"]));
        assert_eq!(told["b"], "left out; ask for it by its name");
    }
}
