//! Ctrl-C in an interactive console: it ends what is being watched, and not the console.

use std::{
    process::exit,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

static PRESSED: AtomicBool = AtomicBool::new(false);

/// From now on it is noted here; pressed again before anybody has looked, it ends the process. Where that cannot be had it
/// ends the process at once, as ever.
pub(crate) fn note() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let noting = async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if PRESSED.swap(true, Ordering::Relaxed) {
                    // As a shell tells of who was ended by this signal.
                    exit(130);
                }
            }
        };
        thread::spawn(move || runtime.block_on(noting));
    });
}

/// Was it pressed since the last look?
pub(crate) fn pressed() -> bool {
    PRESSED.swap(false, Ordering::Relaxed)
}
