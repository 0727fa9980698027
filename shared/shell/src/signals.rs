//! How a program is asked to end.

use std::io;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Signals that somebody may have sent before the first of them was looked at; more say nothing new.
const QUEUE: usize = 4;

/// Each SIGTERM or SIGINT, in order. After two of them the third ends the process at once, as if nobody listened.
pub fn each() -> io::Result<mpsc::Receiver<()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (tell, told) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        for number in 1_u32.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!(number, "signal received");
            if number > 2 {
                tracing::warn!("third signal received; ending at once");
                std::process::exit(130);
            }
            // Nobody listens any more: the program is ending.
            let _ = tell.try_send(());
        }
    });
    Ok(told)
}

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
