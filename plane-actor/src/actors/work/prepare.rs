//! Discovery and checks: everything slow or likely to fail, before anything is held. Nothing is touched, no prepare
//! stream is opened (`facts/pd-tikv.md` §2.3: opening one cuts off another client's).

use super::{
    ahead::ask_ahead,
    checks::{Checked, Checks, For},
    cloud,
    connect::{Connected, Dialled, connect_tikv},
    context::WorkContext,
    discovery::Discovery,
    outcome::Carried,
    quotas::check_quotas,
    rest::rest,
    retry::{refusal_of, tried},
    rights::{Asked, Rights, check_rights},
    storage,
    stores::{check_versions, list_stores, wait_until_well},
    tags::VolumeTags,
    volumes::{Volumes, find_volumes},
};
use crate::{
    actors::plane_context::{PlaneContext, length},
    ports::{Cloud, LocalStore, Located, Pd, PdCluster},
};
use futures::{FutureExt, TryFutureExt};
use shared::{
    evidence::ClusterStore,
    ids::BackupUid,
    member::Done,
    reason::{Reason, Refusal},
    request::MemberSpec,
    wire::{PreflightCheck, Prepare, Prepared},
};
use std::{future::ready, sync::Arc, time::Duration};
use tokio::time::Instant;

/// What a person is told who asks.
pub(crate) struct Findings {
    pub(crate) checks: Vec<PreflightCheck>,
    /// What `Prepare` would have been answered; `None`: not every check was passed.
    pub(crate) prepared: Option<Prepared>,
}

/// What a backup would need, checked as far as it can be, within `limit`. `ours`: whose files below the prefix are no
/// stranger's.
pub(crate) async fn preflight(
    env: &PlaneContext,
    spec: &MemberSpec,
    ours: Option<&BackupUid>,
    limit: Option<Duration>,
) -> Findings {
    let until = limit.map(|limit| Instant::now() + limit);
    let mut checks = Checks::new(env, For::Person { until });
    let found = survey(env, spec, ours, &mut checks).await;
    Findings { checks: checks.list(), prepared: found.map(|discovery| prepared(env, 0, &discovery)) }
}

pub(super) async fn prepare(context: &WorkContext, prepare: Prepare) -> Result<(Done, Carried), Refusal> {
    let env = &context.env;
    let mut checks = Checks::new(env, For::Backup(context));
    let begun = Instant::now();
    let Some(discovery) = survey(env, &prepare.spec, Some(&context.attempt.backup), &mut checks).await else {
        let nothing = || Refusal::new(Reason::Internal, "a survey found nothing, and nothing was refused");
        return Err(checks.refused().cloned().unwrap_or_else(nothing));
    };
    let prepared = prepared(env, prepare.round, &discovery);
    let said = ask_ahead(context, &discovery.spec.limits, &discovery.tikv, begun).await;
    Ok((Done::Prepared(prepared), Carried::Discovery(Arc::new(discovery), said)))
}

fn prepared(env: &PlaneContext, round: u32, discovery: &Discovery) -> Prepared {
    Prepared {
        round,
        cluster: discovery.cluster.id,
        cluster_version: discovery.cluster.version.clone(),
        stores: discovery.stores.clone(),
        cluster_stores: discovery.cluster_stores.clone(),
        account: discovery.cloud.account.clone(),
        region: discovery.cloud.region.clone(),
        highest_epoch: env.ledger.highest(discovery.cluster.id),
        budgets: Some(discovery.budgets),
    }
}

/// `None`: a check was refused.
async fn survey(
    env: &PlaneContext,
    spec: &MemberSpec,
    ours: Option<&BackupUid>,
    checks: &mut Checks<'_>,
) -> Option<Discovery> {
    let context = checks.context();
    let located = checks.step("TidbCluster and PD's address", locate(env, spec)).await;
    let pd = checks.after("PD answers", located.as_ref(), |located| connect_pd(env, located)).await;
    let cluster = checks.after("PD's cluster", pd.as_deref(), cluster_of).await;
    checks.after("PD's settings", cluster.as_ref(), |cluster| ready(check_pd(cluster))).await;
    let listed = checks.after("TiKV stores", pd.as_deref(), list_stores).await;
    let weaker = spec.allow_weaker_holds;
    checks.after("TiKV versions", listed.as_deref(), |stores| ready(check_versions(stores, weaker))).await;
    let looked = pd.as_deref().zip(listed.clone());
    let well =
        checks.after("TiKV stores are up", looked, |(pd, stores)| wait_until_well(pd, stores, spec, context)).await;
    // Stores that are not well are looked at all the same, where a person asks.
    let cluster_stores = well.or(listed);
    let local = checks
        .after("TiKV pods, claims and volumes", cluster_stores.as_deref(), |stores| find_local(env, spec, stores))
        .await;
    let stores = cluster_stores.as_deref().zip(local.as_deref());
    let connected = checks
        .after("TiKV answers", located.as_ref().zip(stores), |(located, (stores, local))| {
            connect_tikv(env, located, stores, local, context.is_none())
        })
        .await;
    let is_connected = connected.is_some();
    let (Dialled { tikv, leases }, directories): Connected = connected.unwrap_or_default();
    let cloud = checks.step("credentials", connect_cloud(env, spec)).await;
    let named = |cloud: &Cloud, refusal| cloud::named(spec, in_region(cloud, refusal));
    let volumes = checks
        .after("volumes in EC2", cloud.as_ref().zip(stores), |(cloud, (stores, local))| {
            find_volumes(env, cloud, stores, local, &directories).map_err(move |refusal| named(cloud, refusal))
        })
        .await;
    checks
        .after("snapshot quotas", cloud.as_ref().zip(volumes.as_ref()), |(cloud, volumes)| {
            let wanted = volumes.calls.values().map(|(volumes, _)| volumes.len()).sum();
            check_quotas(env, cloud, wanted, length(spec.limits.prepare) / 4)
                .map_err(move |refusal| named(cloud, refusal))
        })
        .await;
    let attempt = context.map(|context| &context.attempt);
    let of_calls = cloud.as_ref().zip(cluster.as_ref()).zip(volumes.as_ref());
    let rights = checks
        .after("right to take snapshots", of_calls, |((cloud, cluster), volumes)| {
            let asked = Asked { attempt, spec, cluster: cluster.id, calls: &volumes.calls, volume_tags: &volumes.tags };
            check_rights(env, cloud, asked).map_err(move |refusal| named(cloud, refusal))
        })
        .await;
    checks
        .after("target in S3", cloud.as_ref(), |cloud| {
            let checking = match context {
                Some(_) => storage::check_prefix(cloud, spec, ours).boxed_local(),
                None => storage::look_at_prefix(cloud, spec, ours).boxed_local(),
            };
            checking.map_err(move |refusal| cloud::named_in_s3(spec, in_region(cloud, refusal)))
        })
        .await;
    // Last, because nobody may wait for it in vain.
    if let Some((context, volumes)) = context.zip(volumes.as_ref()) {
        checks.step("volumes at rest", rest(context, &volumes.calls, volumes.youngest)).await;
    }
    if checks.refused().is_some() || !is_connected {
        return None;
    }
    let Volumes { stores, calls, tags, .. } = volumes?;
    let Rights { budgets, copies_tags } = rights?;
    Some(Discovery {
        spec: spec.clone(),
        located: located?,
        pd: pd?,
        cloud: cloud?,
        tikv,
        leases,
        local: local?,
        stores,
        cluster: cluster?,
        cluster_stores: cluster_stores?,
        calls,
        volume_tags: if copies_tags { tags } else { VolumeTags::new() },
        budgets,
    })
}

async fn connect_cloud(env: &PlaneContext, spec: &MemberSpec) -> Checked<Cloud> {
    let cloud = cloud::connect(env, spec).await?;
    let guessed = if cloud.region_guessed { " (fallback: nobody told the plane's own; set aws.region)" } else { "" };
    let text = format!("account {}, region {}{guessed}", cloud.account, cloud.region);
    Ok((cloud, text))
}

/// What EC2 does not know may be in another region, if this one is a fallback.
fn in_region(cloud: &Cloud, refusal: Refusal) -> Refusal {
    let about_ec2 = matches!(refusal.reason, Reason::VolumeMoved | Reason::Ec2Unavailable);
    if !(about_ec2 && cloud.region_guessed) {
        return refusal;
    }
    let text = format!(
        "{}. Region {} was asked, a fallback: nobody told this plane's own; set aws.region in its configuration",
        refusal.message, cloud.region
    );
    Refusal::new(refusal.reason, text)
}

async fn locate(env: &PlaneContext, spec: &MemberSpec) -> Checked<Located> {
    let locating = || env.ports.topology.locate(&spec.tc_namespace, &spec.tc_name);
    let located = tried(Reason::TidbClusterNotFound, locating).await?;
    let text = located.endpoint.urls.join(", ");
    Ok((located, text))
}

async fn connect_pd(env: &PlaneContext, located: &Located) -> Checked<Arc<dyn Pd>> {
    let pd = tried(Reason::PdUnavailable, || env.ports.pd.connect(&located.endpoint)).await?;
    Ok((pd, located.endpoint.urls.join(", ")))
}

/// After a restart nobody here remembers where PD was, so the safe point would stand until its ttl is over. Best effort:
/// it still ends by itself.
pub(super) async fn drop_forgotten_gc_hold(context: &WorkContext, spec: &MemberSpec, service: &str) {
    let dropping = async {
        let (located, _) = locate(&context.env, spec).await?;
        let (pd, _) = connect_pd(&context.env, &located).await?;
        tried(Reason::PdUnavailable, || pd.drop_gc_hold(service)).await
    };
    if let Err(refusal) = dropping.await {
        tracing::warn!(%refusal, service, "service safe point was not dropped; it ends by itself");
    }
}

async fn cluster_of(pd: &dyn Pd) -> Checked<PdCluster> {
    let cluster = tried(Reason::PdUnavailable, || pd.cluster()).await?;
    let text = format!("TiDB cluster {}, version {}", cluster.id, cluster.version);
    Ok((cluster, text))
}

fn check_pd(cluster: &PdCluster) -> Checked<()> {
    if cluster.recovering {
        let text = format!("PD of TiDB cluster {} is marked as being restored from snapshots", cluster.id);
        return Err(Refusal::new(Reason::ClusterRecovering, text));
    }
    if !cluster.min_resolved_ts_enabled {
        let text = "pd-server.min-resolved-ts-persistence-interval is 0s in PD";
        return Err(Refusal::new(Reason::ResolvedTsDisabled, text));
    }
    Ok(((), "resolved ts is kept, no restore is under way".to_owned()))
}

async fn find_local(env: &PlaneContext, spec: &MemberSpec, stores: &[ClusterStore]) -> Checked<Vec<LocalStore>> {
    let finding = || env.ports.topology.local_stores(&spec.tc_namespace, &spec.tc_name, stores);
    let local = tried(Reason::TidbClusterNotFound, finding).await?;
    if local.is_empty() {
        let text = format!(
            "none of the {} stores of {}/{} runs in this Kubernetes cluster",
            stores.len(),
            spec.tc_namespace,
            spec.tc_name
        );
        return Err(Refusal::new(Reason::NoStores, text));
    }
    if let Some(bare) = local.iter().find(|store| store.volumes.is_empty()) {
        let text = format!("pod {} of store {} has no EBS volume", bare.pod, bare.store);
        return Err(Refusal::new(Reason::VolumeUnsupported, text));
    }
    let volumes: usize = local.iter().map(|store| store.volumes.len()).sum();
    let text = format!("{} stores with {volumes} volumes", local.len());
    Ok((local, text))
}

/// PD's stores, as they are now.
pub(super) async fn stores_now(pd: &dyn Pd) -> Result<Vec<ClusterStore>, Refusal> {
    pd.stores().await.map_err(|error| refusal_of(error, Reason::PdUnavailable))
}
