//! What is written into the plane's API server: volumes and claims, the gate, pods that start anew.

use super::{
    super::{
        retry::{refusal_of, tried},
        storage,
    },
    bound::objects,
    folder,
    telling::Telling,
    volumes,
    with::{owner, ports, target},
};
use crate::{
    actors::plane_context::PlaneContext,
    ports::{Gate, Owner, Placement, PortError, Put},
};
use serde_json::Value;
use shared::{
    reason::{Reason, Refusal},
    recovery::MetStore,
    restorer::Work,
    wire::{PlacedVolume, RestoreAnswer},
};

type Answered = Result<RestoreAnswer, Refusal>;

/// Of a port that writes: what may pass by itself is an API server that did not answer.
fn unwritten(error: PortError) -> Refusal {
    refusal_of(error, Reason::TidbClusterNotFound)
}

/// Which gate it has, whether it is closed or has been opened by this restore.
async fn gate(env: &PlaneContext, work: &Work, placement: &dyn Placement, owner: &Owner) -> Result<Gate, Refusal> {
    if let Ok(gate) = tried(Reason::TidbClusterNotFound, || placement.gate(owner)).await? {
        return Ok(gate);
    }
    let target = target(work)?;
    let located =
        tried(Reason::TidbClusterNotFound, || env.ports.topology.locate(&target.namespace, &target.name)).await?;
    let mode = located.tidb_cluster.pointer("/spec/recoveryMode") == Some(&Value::Bool(true));
    Ok(if mode { Gate::RecoveryMode } else { Gate::StaticClass(String::new()) })
}

pub(super) async fn place(env: &PlaneContext, work: &Work, telling: &Telling) -> Answered {
    let (target, placement) = (target(work)?, ports(env)?.placement.clone());
    let owner = owner(work, target);
    let folder = folder::read(env, &work.spec).await?;
    let made = volumes::made(env, work, &folder, telling).await?;
    let sources = volumes::sources(work, &folder);
    let gate = gate(env, work, placement.as_ref(), &owner).await?;
    let claims = match &gate {
        Gate::RecoveryMode => Vec::new(),
        Gate::StaticClass(_) => tried(Reason::TidbClusterNotFound, || placement.claims(&owner)).await?,
    };
    let objects = objects(&env.config.plane, &owner, &folder.read, &sources, &made, &gate, &claims)?;
    let of = objects.len() as u64;
    let mut placed = Vec::with_capacity(objects.len());
    for (done, object) in (0_u64..).zip(objects) {
        telling.tell(done, of, "volumes are told to Kubernetes");
        match placement.put(&owner, &object.bound).await.map_err(unwritten)? {
            Put::Made | Put::There => {}
            Put::InTheWay(text) => return Err(Refusal::new(Reason::ObjectInTheWay, text)),
        }
        placed.push(PlacedVolume {
            store: object.store,
            snapshot: object.snapshot,
            volume: object.volume,
            claim: object.claim,
        });
    }
    Ok(RestoreAnswer::Placed { volumes: placed })
}

pub(super) async fn start(env: &PlaneContext, work: &Work) -> Answered {
    let (target, placement) = (target(work)?, &ports(env)?.placement);
    let owner = owner(work, target);
    let gate = gate(env, work, placement.as_ref(), &owner).await?;
    placement.open_gate(&owner, &gate).await.map_err(unwritten)?;
    Ok(RestoreAnswer::Started)
}

/// Pods that were there before the newest of the processes that were met: whoever started since has started without the mark.
pub(super) async fn restart(env: &PlaneContext, work: &Work, stores: &[MetStore]) -> Answered {
    let (target, placement) = (target(work)?, &ports(env)?.placement);
    let newest = stores.iter().map(|store| store.start_timestamp).max().unwrap_or(0);
    let restarted = placement.restart_stores(&owner(work, target), newest.saturating_add(1)).await;
    Ok(RestoreAnswer::Restarted { pods: restarted.map_err(unwritten)? })
}

pub(super) async fn finish(env: &PlaneContext, work: &Work, certificate: &str) -> Answered {
    let (target, placement) = (target(work)?, &ports(env)?.placement);
    let owner = owner(work, target);
    let gate = gate(env, work, placement.as_ref(), &owner).await?;
    placement.end_recovery_mode(&owner, &gate).await.map_err(unwritten)?;
    if !certificate.is_empty() {
        let cloud = folder::connect(env, &work.spec).await?;
        let key = work.spec.storage.key(&format!("isochron-restore-{}.json", work.restore));
        storage::put(cloud.objects.as_ref(), &key, certificate.as_bytes()).await?;
    }
    Ok(RestoreAnswer::Finished)
}
