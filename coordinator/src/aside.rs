//! Work of some milliseconds, done beside the one thread on which all barriers wait for each other: long texts are
//! written and packed here.

use std::num::NonZeroUsize;
use tokio::sync::Semaphore;

/// Pieces at a time. More than there are cores would only wait for each other, each with a packer's tables (some
/// hundred KiB) in memory; the chart gives the coordinator one or two.
const AT_A_TIME: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

static PLACES: Semaphore = Semaphore::const_new(AT_A_TIME.get());

/// The work did not come to its end: it panicked, or the process ends.
#[derive(Debug, thiserror::Error)]
#[error("work beside the actors was broken off: {0}")]
pub(crate) struct BrokenOff(String);

/// Waits for a place, then for the work. Given up while it waits, nothing was begun; given up later, the work ends by
/// itself and its result is dropped.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BrokenOff> {
    let place = PLACES.acquire().await.map_err(|error| BrokenOff(error.to_string()))?;
    let done = tokio::task::spawn_blocking(move || {
        // Its place is free when it is done, not when somebody has stopped waiting.
        let _place = place;
        work()
    });
    done.await.map_err(|error| BrokenOff(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier, mpsc};

    #[tokio::test]
    async fn the_thread_of_the_actors_is_free_meanwhile() {
        let (go, wait) = mpsc::channel::<()>();
        let work = tokio::spawn(aside(move || wait.recv().is_ok()));
        tokio::task::yield_now().await;
        // On this one thread: were the work done here, nobody would be left to let it go on.
        go.send(()).unwrap();
        assert!(work.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_panic_is_told_and_takes_no_place_with_it() {
        for _ in 0..AT_A_TIME.get() * 2 {
            let broken = aside(|| assert_eq!(1, 2, "on purpose")).await.unwrap_err();
            assert!(broken.to_string().contains("panic"), "{broken}");
        }
        assert_eq!(aside(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn as_many_at_a_time_as_there_are_places() {
        // All of them meet inside: with one place fewer this would not end.
        let meeting = Arc::new(Barrier::new(AT_A_TIME.get()));
        let works = (0..AT_A_TIME.get() * 4).map(|_| {
            let meeting = meeting.clone();
            aside(move || meeting.wait().is_leader())
        });
        let leaders = futures::future::join_all(works).await;
        assert_eq!(leaders.into_iter().filter(|led| matches!(led, Ok(true))).count(), 4);
    }
}
