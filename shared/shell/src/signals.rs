//! How a program is asked to end.

use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Ends at the first SIGTERM or SIGINT; a second one ends the process at once, as if nobody listened.
pub fn stopped() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("signal received; ending");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("second signal received; ending at once");
            std::process::exit(130);
        });
    })
}
