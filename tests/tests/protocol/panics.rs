//! Panics of actors, heard by the thread that runs them: tokio keeps those of its tasks to itself, and the rest of a story
//! may go on without them.

use std::{cell::RefCell, panic, sync::Once};

thread_local! {
    static HEARD: RefCell<Vec<String>> = RefCell::default();
}

/// Forgets what this thread has heard.
pub(crate) fn begin() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A thread that is ending says nothing that counts.
            let _ = HEARD.try_with(|heard| heard.borrow_mut().push(info.to_string()));
            before(info);
        }));
    });
    HEARD.take();
}

/// Panics since [`begin`].
pub(crate) fn heard() -> Vec<String> {
    HEARD.take()
}
