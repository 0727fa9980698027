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
        let (tell, installed) = std::sync::mpsc::channel();
        let noting = async move {
            let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
            // Whoever waits for it is there.
            let _ = tell.send(());
            let Ok(mut signal) = signal else { return };
            while signal.recv().await.is_some() {
                if PRESSED.swap(true, Ordering::Relaxed) {
                    // As a shell tells of who was ended by this signal.
                    exit(130);
                }
            }
        };
        thread::spawn(move || runtime.block_on(noting));
        // The editor puts back, after every line, what it found when it was made.
        let _ = installed.recv();
    });
}

/// Was it pressed since the last look?
pub(crate) fn pressed() -> bool {
    PRESSED.swap(false, Ordering::Relaxed)
}
