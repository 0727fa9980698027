//! The plane actor: one per Kubernetes cluster that holds TiKV. It owns the holds and the snapshots there, obeys one
//! coordinator, and lets go by itself when that falls silent.
//!
//! [`run`] joins actors to ports and nothing else; `main.rs` makes the ports from edges, the demo and the simulation from
//! doubles.

pub mod actors;
pub mod config;
pub mod edge;
pub mod ports;

use actix::Actor;
use actors::{Env, PlaneActor, keep_linked, preflight};
use config::PlaneConfig;
use ports::Ports;
use shared::{request::MemberSpec, wire::PreflightCheck};
use tokio::task::LocalSet;

/// Runs a plane on this thread until `shutdown`, or until its ledger is written by somebody else (an error: two plane
/// actors of one name must not both act). What is held when it ends lets go by itself.
///
/// Its actors live in a `LocalSet` of their own and are gone when this returns.
pub async fn run(config: PlaneConfig, ports: Ports, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    LocalSet::new().run_until(act(config, ports, shutdown)).await
}

async fn act(config: PlaneConfig, ports: Ports, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let env = Env::open(config, ports).await?;
    let mut lost = env.lost();
    let plane = PlaneActor::new(env.clone()).start();
    tokio::task::spawn_local(keep_linked(env, plane));
    tokio::select! {
        biased;
        () = shutdown => Ok(()),
        why = lost.wait_for(Option::is_some) => match why.as_deref() {
            Ok(Some(why)) => Err(anyhow::anyhow!("the plane's ledger is written by another process: {why}")),
            _ => Ok(()),
        },
    }
}

/// What a backup would need, checked; nothing is changed. `spec` as the coordinator would send it.
pub async fn check(config: PlaneConfig, ports: Ports, spec: &MemberSpec) -> anyhow::Result<Vec<PreflightCheck>> {
    let env = Env::open(config, ports).await?;
    Ok(preflight(&env, spec).await)
}
