//! What is so of every decoder.

use serde::{Serialize, de::DeserializeOwned};
use shared::{
    machine::Machine,
    time::{Instant, Now, Timestamp},
    wire::TEXT_MAX,
};
use std::fmt::Debug;

/// An error quotes what is wrong, which is cut; a path or a name may stand before it.
const ERROR_MAX: usize = TEXT_MAX + 1024;
/// Timers that are let run out in a row: as many as one word may set off.
const TIMERS: usize = 8;

/// 1 May 2024 at 03:00:20, with a clock that has run for a while.
pub(super) const NOW: Now = Now { at: Instant(1_000_000), wall: Timestamp(1_714_532_420_000) };

/// An error that a person or a log gets to see.
pub(super) fn refused(error: &str) {
    assert!(!error.is_empty(), "an error says something");
    assert!(error.len() <= ERROR_MAX, "an error of {} bytes", error.len());
}

/// As a file or an object of Kubernetes has it.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What JSON says is said again in the same way, and read the same.
pub(super) fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_vec(value);
    let text = text.unwrap_or_else(|error| panic!("what was read cannot be written: {error}: {value:?}"));
    let again = serde_json::from_slice::<T>(&text);
    let again = again.unwrap_or_else(|error| panic!("what was written cannot be read: {error}: {value:?}"));
    assert_eq!(&again, value, "it comes back as something else");
}

/// `step` is total: whatever state was read, whatever is said to it. Then its timers run out, one after the other.
pub(super) fn total<M: Machine>(machine: &mut M, inputs: impl IntoIterator<Item = M::Input>) {
    let mut now = NOW;
    for input in inputs {
        machine.step(now, input);
    }
    for _ in 0..TIMERS {
        let Some((due, timer)) = machine.deadline() else { return };
        now.at = now.at.max(due);
        machine.step(now, M::expired(timer));
    }
}
