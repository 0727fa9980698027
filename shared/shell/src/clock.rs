//! The two clocks that machines are told of. Monotonic time is tokio's, so that paused time drives it in tests and in the
//! simulation; wall time is the system's, or whatever a test says.

use shared::time::{Instant, Now, Timestamp};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Reads the wall clock.
pub type Wall = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One process's clocks. Its clones share one zero; instants of two clocks made apart do not compare.
#[derive(Clone)]
pub struct Clock {
    zero: tokio::time::Instant,
    wall: Wall,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish()
    }
}

impl Clock {
    /// Monotonic from here on, wall time from the system.
    pub fn system() -> Self {
        Self::with_wall(Arc::new(system_wall))
    }

    /// Monotonic from here on, wall time from `wall`.
    pub fn with_wall(wall: Wall) -> Self {
        Self { zero: tokio::time::Instant::now(), wall }
    }

    /// Wall time starts at `start` and moves with tokio's clock: the whole world in virtual time.
    pub fn starting_at(start: Timestamp) -> Self {
        let zero = tokio::time::Instant::now();
        let wall = move || Timestamp(start.0.saturating_add(signed(zero.elapsed())));
        Self { zero, wall: Arc::new(wall) }
    }

    /// One reading of each clock. Whole milliseconds, rounded down: a timer set for `deadline - now` is never early.
    pub fn now(&self) -> Now {
        Now { at: self.at(), wall: (self.wall)() }
    }

    /// The monotonic clock.
    pub fn at(&self) -> Instant {
        Instant(u64::try_from(self.zero.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The wall clock.
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }
}

/// The system's wall clock; before 1970 counts backwards.
pub fn system_wall() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp(signed(after)),
        Err(before) => Timestamp(-signed(before.duration())),
    }
}

fn signed(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn both_clocks_follow_paused_time() {
        let clock = Clock::starting_at(Timestamp(1_000));
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), Now { at: Instant(3_600_000), wall: Timestamp(3_601_000) });
    }
}
