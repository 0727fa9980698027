//! Discovery and checks: everything slow or likely to fail, before anything is held. Nothing is touched, no prepare
//! stream is opened (`facts/pd-tikv.md` §2.3: opening one cuts off another client's).

use super::{
    ahead::ask_ahead,
    cloud,
    connect::{Dialled, connect_tikv},
    context::WorkContext,
    discovery::Discovery,
    outcome::Carried,
    rest::rest,
    retry::{refusal_of, tried},
    rights::{Asked, check_rights},
    storage, versions,
    volumes::{Volumes, find_volumes},
};
use crate::{
    actors::plane_context::{PlaneContext, length},
    ports::{Cloud, LocalStore, Located, Pd, PdCluster},
};
use futures::TryFutureExt;
use shared::{
    evidence::ClusterStore,
    ids::BackupUid,
    member::Done,
    reason::{Reason, Refusal},
    request::{Limits, MemberSpec},
    time::Millis,
    wire::{PlanePhase, PreflightCheck, Prepare, Prepared},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Makes one check after the other and notes each with the time it took.
pub(super) struct Checks<'a> {
    env: &'a PlaneContext,
    context: Option<&'a WorkContext>,
    list: Vec<PreflightCheck>,
}

/// Between two looks at stores that are not well. Heartbeats come every 10 s.
const STORES_AGAIN: Duration = Duration::from_secs(5);

/// Steps of a survey, for progress.
const STEPS: usize = 11;

impl Checks<'_> {
    async fn step<T>(
        &mut self,
        what: &str,
        check: impl Future<Output = Result<(T, String), Refusal>>,
    ) -> Result<T, Refusal> {
        if let Some(context) = self.context {
            context.progress(PlanePhase::Preparing, self.list.len(), STEPS, what);
        }
        let begun = self.env.clock.at();
        let (value, result) = match check.await {
            Ok((value, text)) => (Ok(value), Ok(text)),
            Err(refusal) => (Err(refusal.clone()), Err(refusal)),
        };
        self.list.push(PreflightCheck { what: what.to_owned(), took: self.env.clock.at().since(begun), result });
        value
    }
}

/// What a backup would need, checked, as far as the first thing that stands in its way.
pub(crate) async fn preflight(env: &PlaneContext, spec: &MemberSpec) -> Vec<PreflightCheck> {
    let mut checks = Checks { env, context: None, list: Vec::new() };
    // The list tells the outcome.
    let _ = survey(env, spec, None, &mut checks).await;
    checks.list
}

pub(super) async fn prepare(context: &WorkContext, prepare: Prepare) -> Result<(Done, Carried), Refusal> {
    let env = &context.env;
    let mut checks = Checks { env, context: Some(context), list: Vec::new() };
    let begun = Instant::now();
    let discovery = survey(env, &prepare.spec, Some(&context.attempt.backup), &mut checks).await?;
    let prepared = Prepared {
        round: prepare.round,
        cluster: discovery.cluster.id,
        cluster_version: discovery.cluster.version.clone(),
        stores: discovery.stores.clone(),
        cluster_stores: discovery.cluster_stores.clone(),
        account: discovery.cloud.account.clone(),
        region: discovery.cloud.region.clone(),
        highest_epoch: env.ledger.highest(discovery.cluster.id),
        budgets: Some(discovery.budgets),
    };
    let said = ask_ahead(context, &discovery.spec.limits, &discovery.tikv, begun).await;
    Ok((Done::Prepared(prepared), Carried::Discovery(Arc::new(discovery), said)))
}

async fn survey(
    env: &PlaneContext,
    spec: &MemberSpec,
    ours: Option<&BackupUid>,
    checks: &mut Checks<'_>,
) -> Result<Discovery, Refusal> {
    let context = checks.context;
    let located = checks.step("TidbCluster and PD's address", locate(env, spec)).await?;
    let pd = checks.step("PD answers", connect_pd(env, &located)).await?;
    let cluster = checks.step("PD's settings", check_pd(pd.as_ref())).await?;
    let cluster_stores = checks.step("TiKV stores", list_stores(pd.as_ref(), spec, context)).await?;
    let local = checks.step("TiKV pods, claims and volumes", find_local(env, spec, &cluster_stores)).await?;
    let connecting = connect_tikv(env, &located, &cluster_stores, &local);
    let (Dialled { tikv, leases }, directories) = checks.step("TiKV answers", connecting).await?;
    let cloud = checks
        .step("credentials", async {
            let cloud = cloud::connect(env, spec).await?;
            let guessed =
                if cloud.region_guessed { " (fallback: nobody told the plane's own; set aws.region)" } else { "" };
            let text = format!("account {}, region {}{guessed}", cloud.account, cloud.region);
            Ok((cloud, text))
        })
        .await?;
    let named = |refusal| cloud::named(spec, in_region(&cloud, refusal));
    let Volumes { stores, calls, youngest } = checks
        .step("volumes in EC2", find_volumes(&cloud, &cluster_stores, &local, &directories).map_err(named))
        .await?;
    let attempt = context.map(|context| &context.attempt);
    let asked = Asked { attempt, spec, cluster: cluster.id, calls: &calls };
    let budgets = checks.step("right to take snapshots", check_rights(env, &cloud, asked).map_err(named)).await?;
    checks.step("target in S3", storage::check_prefix(&cloud, spec, ours).map_err(named)).await?;
    // Last, because nobody may wait for it in vain.
    if let Some(context) = context {
        checks.step("volumes at rest", rest(context, &calls, youngest)).await?;
    }
    let spec = spec.clone();
    Ok(Discovery { spec, located, pd, cloud, tikv, leases, local, stores, cluster, cluster_stores, calls, budgets })
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

async fn locate(env: &PlaneContext, spec: &MemberSpec) -> Result<(Located, String), Refusal> {
    let locating = || env.ports.topology.locate(&spec.tc_namespace, &spec.tc_name);
    let located = tried(Reason::TidbClusterNotFound, locating).await?;
    let text = located.endpoint.urls.join(", ");
    Ok((located, text))
}

async fn connect_pd(env: &PlaneContext, located: &Located) -> Result<(Arc<dyn Pd>, String), Refusal> {
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

async fn check_pd(pd: &dyn Pd) -> Result<(PdCluster, String), Refusal> {
    let cluster = tried(Reason::PdUnavailable, || pd.cluster()).await?;
    if cluster.recovering {
        let text = format!("PD of TiDB cluster {} is marked as being restored from snapshots", cluster.id);
        return Err(Refusal::new(Reason::ClusterRecovering, text));
    }
    if !cluster.min_resolved_ts_enabled {
        let text = "pd-server.min-resolved-ts-persistence-interval is 0s in PD";
        return Err(Refusal::new(Reason::ResolvedTsDisabled, text));
    }
    let text = format!("TiDB cluster {}, version {}", cluster.id, cluster.version);
    Ok((cluster, text))
}

/// Every store that can hold data, of versions that will do, each of them well. One that is away or has just started is
/// looked at again within what Preparing has to spare: a rolling restart is no reason to lose a night's backup. With
/// `context`: a preflight wants to know at once.
async fn list_stores(
    pd: &dyn Pd,
    spec: &MemberSpec,
    context: Option<&WorkContext>,
) -> Result<(Vec<ClusterStore>, String), Refusal> {
    let end = context.map(|_| Instant::now() + length(wait_for_stores(&spec.limits)));
    loop {
        let stores = tried(Reason::PdUnavailable, || pd.stores()).await?;
        check_versions(&stores, spec.allow_weaker_holds)?;
        let uptime = spec.limits.store_uptime;
        let Some((store, unwell)) = stores.iter().find_map(|store| Some((store, store.unwell(uptime)?))) else {
            let versions: BTreeSet<_> = stores.iter().map(|store| store.version.as_str()).collect();
            let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
            let text = format!("{} stores, TiKV {versions}", stores.len());
            return Ok((stores, text));
        };
        // What cannot be old enough in time is not waited for.
        let needs = match unwell.reason {
            Reason::StoreJustStarted => Duration::from_millis(uptime.0.saturating_sub(store.uptime.0)),
            _ => STORES_AGAIN,
        };
        match (context, end) {
            (Some(context), Some(end)) if Instant::now() + needs <= end => {
                context.progress(PlanePhase::Preparing, 0, STEPS, format!("waiting: {}", unwell.message));
            }
            _ => return Err(unwell),
        }
        tokio::time::sleep(STORES_AGAIN).await;
    }
}

/// Two thirds of what Preparing may take; all that comes after it takes seconds.
fn wait_for_stores(limits: &Limits) -> Millis {
    Millis(limits.prepare.0 / 3 * 2)
}

fn check_versions(stores: &[ClusterStore], allow_weaker: bool) -> Result<(), Refusal> {
    for store in stores {
        let weaker = versions::lacking_weaker(&store.version);
        if let Some(why) = versions::lacking(&store.version)
            && !(allow_weaker && weaker.is_none())
        {
            let why = match weaker {
                None => format!("{why}; spec.barrier.allowWeakerHolds allows a backup that is not proved consistent"),
                Some(weaker) if allow_weaker => format!("{why}; for a weaker hold: {weaker}"),
                Some(_) => why.to_owned(),
            };
            let text = format!("store {} ({}) runs TiKV {}: {why}", store.store, store.address, store.version);
            return Err(Refusal::new(Reason::VersionUnsupported, text));
        }
    }
    Ok(())
}

async fn find_local(
    env: &PlaneContext,
    spec: &MemberSpec,
    stores: &[ClusterStore],
) -> Result<(Vec<LocalStore>, String), Refusal> {
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
