//! Is the backup whole, and may the target take it? The first step of every restore, and all of a drill of level 1.

use super::{
    super::{
        inspect::{self, target},
        question::{Look, Said},
        retry::tried,
    },
    folder::{self, Certified, Folder},
    with::{owner, ports},
};
use crate::{actors::plane_context::PlaneContext, ports::Gate};
use shared::{
    epoch::Epoch,
    ids::ClusterId,
    reason::{Reason, Refusal},
    restore::{Subject, mapping},
    restorer::Work,
    ts::Ts,
    verify::Subject as OfBackup,
    wire::{Finding, FindingState, Inspect, LookedAt, RestoreAnswer, Target},
};
use std::time::Duration;

/// As long as a plan has.
const LIMIT: Duration = Duration::from_secs(120);
/// Findings of these count: the others are about deleting the backup, or a certificate that is judged elsewhere.
const COUNTING: [OfBackup; 6] = [
    OfBackup::Backupmeta,
    OfBackup::Snapshots,
    OfBackup::StorageTier,
    OfBackup::Sizes,
    OfBackup::Volumes,
    OfBackup::Blocks,
];

pub(super) async fn look(env: &PlaneContext, work: &Work) -> Result<RestoreAnswer, Refusal> {
    let spec = &work.spec;
    let folder = folder::read(env, spec).await?;
    let ask = Inspect {
        verify: folder.question(spec),
        cluster_version: folder.cluster_version.clone(),
        wish: spec.wish.clone(),
        target: spec.target.clone(),
    };
    let look = Look::new(env, LIMIT, inspect::calls_at_most(ask.verify.snapshots.len()));
    let (mut findings, sources, place) = inspect::of_folder(&look, &folder.cloud, &ask).await;
    for finding in &mut findings {
        let counts = COUNTING.iter().any(|subject| subject.as_str() == finding.subject);
        if !counts && OfBackup::ALL.iter().any(|subject| subject.as_str() == finding.subject) {
            finding.state = finding.state.min(FindingState::Doubtful);
        }
    }
    let mapped = mapping(&sources).amiss;
    let said = Said::all(FindingState::Broken, &mapped, || "every volume goes to a pod of its own store".to_owned());
    findings.push(look.finding(Subject::Mapping.as_str(), look.now(), said));
    let (mut target, mut now) = (None, None);
    if let Some(of) = &spec.target {
        findings.extend(target::look(&look, &ask, of).await);
        findings.extend(place_for(env, work, of, &look).await?);
        (target, now) = pd(env, of).await?;
    }
    unchecked(&findings)?;
    let Folder { attempt, commit_ts, certified, cluster_stores, stores, snapshots, cloud, .. } = folder;
    let consistent = certified.as_ref().is_some_and(|of| of.consistent);
    let highest = target.map_or(Epoch::NONE, |cluster| env.ledger.highest(cluster));
    Ok(RestoreAnswer::Looked(Box::new(LookedAt {
        findings,
        backup: attempt.backup,
        attempt: attempt.number,
        commit_ts,
        ceiling: certified.as_ref().and_then(|of| of.ceiling),
        proven: consistent,
        certificate: certified.map(|Certified { digest, .. }| digest).unwrap_or_default(),
        cluster_stores,
        stores,
        snapshots: snapshots.into_iter().map(|one| one.snapshot).collect(),
        gib: sources.iter().map(|source| source.gib).sum(),
        account: cloud.account,
        region: place.map_or(cloud.region, |place| place.region),
        target,
        now,
        highest_epoch: highest,
    })))
}

/// What was not looked at, because a barrier needs every call or time ran out, is looked at again.
fn unchecked(findings: &[Finding]) -> Result<(), Refusal> {
    let of = |one: &&Finding| one.state == FindingState::Unchecked;
    match findings.iter().find(of) {
        None => Ok(()),
        Some(one) => Err(Refusal::new(Reason::PlaneBusy, format!("{} was not looked at: {}", one.subject, one.text))),
    }
}

/// May this plane write what is written, and does TiKV wait for it?
async fn place_for(env: &PlaneContext, work: &Work, target: &Target, look: &Look<'_>) -> Result<Vec<Finding>, Refusal> {
    let (placement, owner) = (&ports(env)?.placement, owner(work, target));
    let begun = look.now();
    let gate = tried(Reason::TidbClusterNotFound, || placement.gate(&owner)).await?;
    let missing = match &gate {
        Ok(gate) => tried(Reason::TidbClusterNotFound, || placement.may_place(&owner, gate)).await?,
        Err(_) => Vec::new(),
    };
    let said = match gate {
        Ok(Gate::RecoveryMode) => Said::sound("TiKV waits for an annotation of its TidbCluster"),
        Ok(Gate::StaticClass(class)) => Said::sound(format!("TiKV's claims wait in storage class {class}")),
        Err(why) => Said::broken(why),
    };
    let rights = Said::all(FindingState::Broken, &missing, || "everything may be written".to_owned());
    Ok(vec![look.finding(Subject::Gate.as_str(), begun, said), look.finding(Subject::Rights.as_str(), begun, rights)])
}

async fn pd(env: &PlaneContext, target: &Target) -> Result<(Option<ClusterId>, Option<Ts>), Refusal> {
    let located =
        tried(Reason::TidbClusterNotFound, || env.ports.topology.locate(&target.namespace, &target.name)).await?;
    let connect = || ports(env).map(|ports| ports.marked.clone());
    let marked = connect()?;
    let marked = tried(Reason::PdUnavailable, || marked.connect(&located.endpoint)).await?;
    let cluster = tried(Reason::PdUnavailable, || marked.cluster()).await?;
    let now = tried(Reason::PdUnavailable, || marked.now()).await?;
    Ok((Some(cluster), Some(now)))
}
