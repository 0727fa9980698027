//! The plane actor: one per Kubernetes cluster that holds TiKV. It owns the holds and the snapshots there, obeys one
//! coordinator, and lets go by itself when that falls silent.
//!
//! [`run`] joins actors to ports and nothing else; `main.rs` makes the ports from edges, the demo and the simulation from
//! doubles.

pub mod actors;
mod budgets;
pub mod config;
#[cfg(feature = "testing")]
pub mod decoders;
pub mod edge;
pub mod metrics;
pub mod ports;
mod unread;
mod user_tags;

use actix::{Actor, Addr};
use actors::{End, FINISH, PlaneActor, PlaneContext, keep_linked, preflight};
use config::PlaneConfig;
use ports::Ports;
use shared::{request::MemberSpec, wire::PreflightCheck};
use std::time::Duration;
use tokio::{sync::oneshot, task::LocalSet, time::timeout};

/// Letting go when told to end, over all: what may finish, a save (3 s at most), then every hold (3 s at most). Below the
/// 30 s that Kubernetes waits, with room for the way out.
const END_LIMIT: Duration = FINISH.saturating_add(Duration::from_secs(8));

/// Runs a plane on this thread until `shutdown`, or until its ledger is written by somebody else (an error: two plane
/// actors of one name must not both act). At `shutdown` it takes nothing on, lets go of what it holds, tells the
/// coordinator, and then ends; what is held when it ends in any other way lets go by itself.
///
/// Its actors live in a `LocalSet` of their own and are gone when this returns.
pub async fn run(config: PlaneConfig, ports: Ports, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    LocalSet::new().run_until(act(config, ports, shutdown)).await
}

async fn act(config: PlaneConfig, ports: Ports, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let env = PlaneContext::open(config, ports).await?;
    let mut lost = env.lost();
    let plane = PlaneActor::new(env.clone()).start();
    let dialer = env.ports.dialer.clone();
    let link = tokio::task::spawn_local(keep_linked(env, plane.clone()));
    tokio::select! {
        biased;
        () = shutdown => {
            end(&plane).await;
            // Its end of the link goes with it: what was said on it is sent, then the link is closed.
            link.abort();
            let _ = link.await;
            dialer.close().await;
            Ok(())
        }
        why = lost.wait_for(Option::is_some) => match why.as_deref() {
            Ok(Some(why)) => Err(anyhow::anyhow!("the plane's ledger is written by another process: {why}")),
            _ => Ok(()),
        },
    }
}

/// Until nothing is held, or [`END_LIMIT`] has passed.
async fn end(plane: &Addr<PlaneActor>) {
    let (done, over) = oneshot::channel();
    let ending = async {
        // An actor that has stopped holds nothing, and drops the word that is waited for.
        let _ = plane.send(End(done)).await;
        let _ = over.await;
    };
    if timeout(END_LIMIT, ending).await.is_err() {
        tracing::warn!("ending although something may still be held; it ends by itself");
    }
}

/// What a backup would need, checked; nothing is changed. `spec` as the coordinator would send it.
pub async fn check(config: PlaneConfig, ports: Ports, spec: &MemberSpec) -> anyhow::Result<Vec<PreflightCheck>> {
    let env = PlaneContext::open(config, ports).await?;
    Ok(preflight(&env, spec, None, None).await.checks)
}
