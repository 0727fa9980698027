//! PD held still while data is brought back: schedulers paused, GC where it is. Both end by themselves where nobody renews them.

use super::super::recover::{self, Keep, RestoredCluster};
use crate::{
    actors::plane_context::{PlaneContext, length},
    ports::PdPause,
};
use shared::{reason::Refusal, restorer::Work, time::Millis, ts::Ts};
use std::convert::Infallible;

/// The cluster is nobody's yet, so a pause that outlives this process for so long harms nobody.
pub(super) const PAUSE_TTL: Millis = Millis::secs(300);
/// As long as a day of checking may be interrupted.
pub(super) const GC_TTL: Millis = Millis::secs(3600);

pub(super) fn keep(work: &Work, at: Ts) -> Keep {
    Keep { service: format!("isochron-restore-{}", work.restore), gc_ttl: GC_TTL, at, pause_ttl: PAUSE_TTL }
}

pub(super) fn remember(env: &PlaneContext, work: &Work, pause: PdPause) {
    env.pauses.borrow_mut().insert(work.restore.clone(), pause);
}

/// What this process has paused for it; `None`: an earlier one has, and its pause ends by itself.
pub(super) fn taken(env: &PlaneContext, work: &Work) -> Option<PdPause> {
    env.pauses.borrow_mut().remove(&work.restore)
}

/// Renews what `meet` has paused for as long as the step takes.
pub(super) async fn during<T>(
    env: &PlaneContext,
    work: &Work,
    cluster: &RestoredCluster,
    step: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    tokio::select! {
        biased;
        done = step => done,
        never = renew(env, work, cluster) => match never {},
    }
}

/// A renewal that fails is told and tried again: what ends is nothing that the restore rests on.
async fn renew(env: &PlaneContext, work: &Work, cluster: &RestoredCluster) -> Infallible {
    loop {
        let before = env.pauses.borrow().get(&work.restore).cloned();
        match once(work, cluster, before.as_ref()).await {
            Ok(pause) if before.is_some() => remember(env, work, pause),
            Ok(_) => {}
            Err(error) => tracing::warn!(error, restore = %work.restore, "PD is not held still; trying again"),
        }
        tokio::time::sleep(length(PAUSE_TTL.quarter())).await;
    }
}

async fn once(work: &Work, cluster: &RestoredCluster, before: Option<&PdPause>) -> Result<PdPause, String> {
    let now = cluster.marked.now().await.map_err(|error| error.to_string())?;
    recover::keep(cluster.pd.as_ref(), &keep(work, now), before).await.map_err(|refusal| refusal.to_string())
}
