//! Work of some milliseconds, done beside the one thread on which all barriers wait for each other: long texts are
//! written and packed here.

/// The work did not come to its end: it panicked, or the process ends.
#[derive(Debug, thiserror::Error)]
#[error("work beside the actors was broken off: {0}")]
pub(crate) struct BrokenOff(String);

/// Threads that a coordinator's runtime has for it, for its disk and for looking up names. Packers beyond the cores mostly wait for
/// each other, each with some hundred KiB of tables; a few names that nobody answers for must not take all of them.
pub const THREADS: usize = 16;

/// Waits for the work. Given up, it ends by itself and its result is dropped.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, BrokenOff> {
    tokio::task::spawn_blocking(work).await.map_err(|error| BrokenOff(error.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::mpsc;

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
    async fn a_panic_is_told() {
        let broken = aside(|| assert_eq!(1, 2, "on purpose")).await.unwrap_err();
        assert!(broken.to_string().contains("panic"), "{broken}");
    }
}
