//! Lines that somebody else can cause as often as he likes, told so often and no more.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Lines in one [`WHILE`]: enough to see who it is.
const LINES: u32 = 20;
const WHILE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Told {
    since: Instant,
    lines: u32,
    left_out: u64,
}

/// One kind of line.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Told>>);

impl Seldom {
    /// `None`: not this one. Else it may be told, and so many were left out since the last one that was.
    pub fn may_tell(&self) -> Option<u64> {
        let now = Instant::now();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.get_or_insert(Told { since: now, lines: 0, left_out: 0 });
        if now.duration_since(told.since) >= WHILE {
            (told.since, told.lines) = (now, 0);
        }
        if told.lines >= LINES {
            told.left_out = told.left_out.saturating_add(1);
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_by_its_number() {
        let seldom = Seldom::default();
        let told = (0..1_000).filter_map(|_| seldom.may_tell()).count();
        assert_eq!(told, 20);
        tokio::time::sleep(WHILE).await;
        assert_eq!(seldom.may_tell(), Some(980));
        assert_eq!(seldom.may_tell(), Some(0));
    }
}
