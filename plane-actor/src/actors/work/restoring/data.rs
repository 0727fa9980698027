//! The data phase, for all planes: the init plane alone speaks to PD and to every store (`facts/restore.md` §6.2).

use super::{
    super::{
        recover::{self, Check, Lead, Mark, Meet, RestoredCluster, RollBack, Settle},
        retry::tried,
    },
    kept,
    telling::Telling,
    with::{ports, target},
};
use crate::{actors::plane_context::PlaneContext, ports::Located};
use shared::{
    ids::{ClusterId, StoreId},
    reason::{Reason, Refusal},
    recovery::{FlashbackTimes, MetStore},
    restorer::Work,
    ts::Ts,
    wire::RestoreAnswer,
};
use std::time::Duration;

/// How long one try of a wait may take; the coordinator asks again within its own limit.
const STORES_LIMIT: Duration = Duration::from_secs(600);
const ROLL_BACK_LIMIT: Duration = Duration::from_secs(3600);

type Answered = Result<RestoreAnswer, Refusal>;

async fn located(env: &PlaneContext, work: &Work) -> Result<Located, Refusal> {
    let target = target(work)?;
    tried(Reason::TidbClusterNotFound, || env.ports.topology.locate(&target.namespace, &target.name)).await
}

/// Of this order, and the one that was claimed: names may be used again.
async fn cluster(env: &PlaneContext, work: &Work) -> Result<RestoredCluster, Refusal> {
    let (located, ports) = (located(env, work).await?, ports(env)?);
    let marked = tried(Reason::PdUnavailable, || ports.marked.connect(&located.endpoint)).await?;
    let pd = tried(Reason::PdUnavailable, || env.ports.pd.connect(&located.endpoint)).await?;
    let id = tried(Reason::PdUnavailable, || marked.cluster()).await?;
    same(work, id)?;
    Ok(RestoredCluster {
        marked,
        pd,
        recovery: ports.recovery.clone(),
        tikv: env.ports.tikv.clone(),
        tls: located.endpoint.tls,
    })
}

fn same(work: &Work, found: ClusterId) -> Result<(), Refusal> {
    match work.cluster {
        Some(claimed) if claimed != found => {
            let text = format!("PD's cluster id is {found}; the restore has claimed {claimed}");
            Err(Refusal::new(Reason::ClusterMismatch, text))
        }
        _ => Ok(()),
    }
}

pub(super) async fn mark(env: &PlaneContext, work: &Work, above: Ts) -> Answered {
    let cluster = cluster(env, work).await?;
    recover::mark(cluster.marked.as_ref(), &Mark { above, ours: work.again }).await?;
    let now = tried(Reason::PdUnavailable, || cluster.marked.now()).await?;
    Ok(RestoreAnswer::Marked { now })
}

pub(super) async fn meet(env: &PlaneContext, work: &Work, stores: &[StoreId], telling: &Telling) -> Answered {
    let cluster = cluster(env, work).await?;
    let now = tried(Reason::PdUnavailable, || cluster.marked.now()).await?;
    let keep = kept::keep(work, now);
    let order = Meet { stores: stores.iter().copied().collect(), limit: STORES_LIMIT, keep };
    let (met, pause) = recover::meet(&cluster, &order, &|done, of, text| telling.tell(done, of, text)).await?;
    kept::remember(env, work, pause);
    Ok(RestoreAnswer::Met(met))
}

pub(super) async fn lead(env: &PlaneContext, work: &Work, floor: u64, telling: &Telling) -> Answered {
    let cluster = cluster(env, work).await?;
    let order = Lead { floor, ..Lead::default() };
    let progress = |done, of, text: &str| telling.tell(done, of, text);
    let leaders = kept::during(env, work, &cluster, recover::lead(&cluster, &order, &progress)).await?;
    Ok(RestoreAnswer::Led(leaders.led))
}

pub(super) async fn time(env: &PlaneContext, work: &Work, version: Ts, above: Ts) -> Answered {
    let cluster = cluster(env, work).await?;
    let FlashbackTimes { start_ts, commit_ts, .. } =
        recover::timestamps(cluster.marked.as_ref(), version, above).await?;
    Ok(RestoreAnswer::Timed { start_ts, commit_ts })
}

/// The mark is looked at first: where it is gone, users may have written.
pub(super) async fn roll_back(env: &PlaneContext, work: &Work, times: FlashbackTimes, telling: &Telling) -> Answered {
    let cluster = cluster(env, work).await?;
    if !tried(Reason::PdUnavailable, || cluster.marked.is_marked()).await? {
        let text =
            "PD is not marked any more: whoever took the mark away lets users write, and a flashback would lose that";
        return Err(Refusal::new(Reason::RestoreOver, text));
    }
    let order = RollBack { times, limit: ROLL_BACK_LIMIT };
    let progress = |done, of, text: &str| telling.tell(done, of, text);
    let rolled = kept::during(env, work, &cluster, recover::roll_back(&cluster, &order, &progress)).await?;
    Ok(RestoreAnswer::RolledBack(rolled))
}

pub(super) async fn check(
    env: &PlaneContext,
    work: &Work,
    times: FlashbackTimes,
    one_in: u32,
    telling: &Telling,
) -> Answered {
    let cluster = cluster(env, work).await?;
    let order = Check { times, one_in };
    let progress = |done, of, text: &str| telling.tell(done, of, text);
    let checked = kept::during(env, work, &cluster, recover::verify(&cluster, &order, &progress)).await?;
    Ok(RestoreAnswer::Checked(checked))
}

pub(super) async fn unmark(env: &PlaneContext, work: &Work) -> Answered {
    let cluster = cluster(env, work).await?;
    recover::unmark(&cluster, kept::taken(env, work).as_ref()).await?;
    Ok(RestoreAnswer::Unmarked)
}

pub(super) async fn settle(env: &PlaneContext, work: &Work, stores: &[MetStore], telling: &Telling) -> Answered {
    let cluster = cluster(env, work).await?;
    let order = Settle { before: stores.to_vec(), limit: STORES_LIMIT };
    let normal = recover::normal(&cluster, &order, &|done, of, text| telling.tell(done, of, text)).await?;
    Ok(RestoreAnswer::Settled(normal))
}

/// The mark of a restore of which no store has started. Somebody else's stays.
pub(super) async fn take_mark_away(env: &PlaneContext, work: &Work) -> Result<Option<String>, Refusal> {
    let cluster = cluster(env, work).await?;
    if !tried(Reason::PdUnavailable, || cluster.marked.is_marked()).await? {
        return Ok(None);
    }
    if tried(Reason::PdUnavailable, || cluster.marked.is_bootstrapped()).await? {
        return Ok(Some("PD's mark stays: some TiKV has started under it".to_owned()));
    }
    recover::unmark(&cluster, None).await?;
    Ok(None)
}
