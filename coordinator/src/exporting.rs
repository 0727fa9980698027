//! Joins the traces of attempts to whoever takes them, in a program that was built for it.

use coordinator::{config::Tracing, ports::Ports};
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};

/// What has ended shortly before the process does is still sent, if the receiver answers by then.
const LAST: Duration = Duration::from_secs(3);

/// From now on traces go there; `None`: nobody wants any.
///
/// # Errors
/// The endpoint is none, or this program cannot speak to one.
pub(crate) fn begin(tracing: &Tracing, ports: &mut Ports) -> anyhow::Result<Option<JoinHandle<()>>> {
    if tracing.endpoint.is_empty() {
        return Ok(None);
    }
    to(tracing, ports).map(Some)
}

#[cfg(feature = "otlp")]
fn to(Tracing { endpoint, ca }: &Tracing, ports: &mut Ports) -> anyhow::Result<JoinHandle<()>> {
    let (traces, sending) = coordinator::edge::otlp::start(endpoint, ca)?;
    ports.traces = traces;
    Ok(sending)
}

#[cfg(not(feature = "otlp"))]
fn to(_: &Tracing, _: &mut Ports) -> anyhow::Result<JoinHandle<()>> {
    anyhow::bail!(
        "tracing.endpoint is set, and this coordinator was built without feature otlp: build it with, or leave it empty"
    )
}

/// Nobody hands anything over any more.
pub(crate) async fn end(sending: Option<JoinHandle<()>>) {
    let Some(sending) = sending else { return };
    let gone = sending.abort_handle();
    if timeout(LAST, sending).await.is_err() {
        tracing::warn!("traces are lost: tracing.endpoint does not take them");
        gone.abort();
    }
}
