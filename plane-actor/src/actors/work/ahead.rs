//! The bulk of `safe_ts`, asked in Preparing: each question takes a lock of the whole store, and there may be millions.
//! Nothing is held yet and no clock of the barrier runs, so that stores can be asked gently. What is not said in time is
//! asked in Settle.

use super::{
    context::WorkContext,
    list::{Fold, list},
    outcome::Said,
    safe_ts::{Asking, Wanted},
};
use crate::{
    actors::plane_context::length,
    ports::{LedRegion, RegionAt, Tikv},
};
use futures::future::join_all;
use shared::{ids::StoreId, reason::Refusal, request::Limits, wire::PlanePhase};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout_at};

/// 500 regions a second of one store: 22 s for the leaders of 3 TiB in regions of 96 MiB.
const PART: usize = 50;
const PACE: Duration = Duration::from_millis(100);

/// Between two words to the coordinator.
const REPORT: Duration = Duration::from_secs(1);

/// Regions asked, and all of them.
#[derive(Default)]
struct Count {
    asked: AtomicUsize,
    total: AtomicUsize,
}

/// Asks every leader of these stores, until three quarters of Preparing's time have gone by since `begun`. Refuses nothing.
pub(super) async fn ask_ahead(
    context: &WorkContext,
    limits: &Limits,
    tikv: &BTreeMap<StoreId, Arc<dyn Tikv>>,
    begun: Instant,
) -> Vec<Said> {
    let end = begun + length(limits.prepare) * 3 / 4;
    let count = Arc::new(Count::default());
    let asking = tikv
        .iter()
        .map(|(store, tikv)| context.beside(one_store(Asking::of(context, *store, tikv), count.clone(), end)));
    let mut all = pin!(join_all(asking));
    let answers = loop {
        tokio::select! {
            biased;
            answers = &mut all => break answers,
            () = tokio::time::sleep(REPORT) => {
                let (asked, total) = (count.asked.load(Ordering::Relaxed), count.total.load(Ordering::Relaxed));
                context.progress(PlanePhase::Preparing, asked, total, format!("safe_ts of {asked} of {total} regions"));
            }
        }
    };
    let (asked, regions) = (count.asked.load(Ordering::Relaxed), count.total.load(Ordering::Relaxed));
    tracing::info!(asked, regions, "leaders asked for their safe_ts");
    answers
        .into_iter()
        .filter_map(|said| said.inspect_err(|refusal| tracing::warn!(%refusal, "asked in Settle")).ok())
        .collect()
}

/// What is led there.
#[derive(Default)]
struct Led(Vec<RegionAt>);

impl Fold for Led {
    fn begin(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, led: LedRegion<'_>) {
        self.0.push(led.at);
    }
}

async fn one_store(asking: Asking, count: Arc<Count>, end: Instant) -> Result<Said, Refusal> {
    let mut led = Led::default();
    list(asking.store, asking.tikv.as_ref(), &mut led).await?;
    let regions = led.0;
    count.total.fetch_add(regions.len(), Ordering::Relaxed);
    let (wanted, mut next, mut all) = (Wanted::any(), Instant::now(), Vec::with_capacity(regions.len()));
    for part in regions.chunks(PART) {
        sleep_until(next).await;
        next = Instant::now() + PACE;
        let Ok(asked) = timeout_at(end, asking.ask(part.to_vec(), &wanted)).await else { break };
        all.extend(asked.said);
        count.asked.fetch_add(part.len(), Ordering::Relaxed);
    }
    Ok((asking.store, Arc::new(all.into_iter().collect())))
}
