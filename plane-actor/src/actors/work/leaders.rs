//! Settle: every local leader has said a `safe_ts` that will do. What was said in Preparing is not asked again.

use super::{
    context::{Reporter, WorkContext},
    list::{Fold, list},
    outcome::{Carried, Said},
    safe_ts::{Asking, Wanted},
};
use crate::{
    actors::plane_context::length,
    ports::{LedRegion, RegionAt},
};
use futures::future::try_join_all;
use shared::{
    member::Done,
    reason::{Reason, Refusal},
    ts::Ts,
    wire::PlanePhase,
};
use std::time::Duration;
use tokio::time::Instant;

/// Between two passes over the regions that have not said enough yet, and the longest of these pauses: `safe_ts` moves with
/// resolved-ts' own steps, 20 s by default, and fresh regions are initialised within a few.
const PASS: Duration = Duration::from_millis(500);
const PASS_CAP: Duration = Duration::from_secs(2);

/// Until a store is listed again, because a region that does not answer may be led by nobody there any more, and the
/// longest of these spans: a list wakes every peer of the store.
const LIST_AGAIN: Duration = Duration::from_secs(4);
const LIST_AGAIN_CAP: Duration = Duration::from_secs(20);

pub(super) async fn leaders(context: &WorkContext, gc_hold: Ts) -> Result<(Done, Carried), Refusal> {
    let discovery = context.discovery()?;
    let end = Instant::now() + length(discovery.spec.limits.settle);
    let wanted = Wanted::read(discovery.pd.as_ref(), gc_hold, discovery.spec.limits.safe_ts_age).await?;
    let asking = discovery.tikv.iter().map(|(store, tikv)| {
        let asking = Asking::of(context, *store, tikv);
        context.beside(one_store(asking, wanted, end, context.reporter(PlanePhase::Settling)))
    });
    let (mut regions, mut least_safe_ts, mut said) = (0, Ts::NOT_INITIALIZED, Vec::new());
    for store in try_join_all(asking).await? {
        regions += store.regions;
        least_safe_ts = least_safe_ts.min(store.least);
        said.push(store.said);
    }
    Ok((Done::Leaders { regions, least_safe_ts }, Carried::SafeTimes(said)))
}

struct Settled {
    regions: u64,
    least: Ts,
    said: Said,
}

/// What is led there, and who has not said enough.
struct Led<'a> {
    asking: &'a Asking,
    wanted: &'a Wanted,
    regions: u64,
    least: Ts,
    open: Vec<RegionAt>,
}

impl Fold for Led<'_> {
    fn begin(&mut self) {
        (self.regions, self.least) = (0, Ts::NOT_INITIALIZED);
        self.open.clear();
    }

    fn take(&mut self, led: LedRegion<'_>) {
        self.regions += 1;
        match self.asking.known(&led.at).filter(|ts| self.wanted.enough(*ts)) {
            Some(safe_ts) => self.least = self.least.min(safe_ts),
            None => self.open.push(led.at),
        }
    }
}

/// Leaders move while only PD is held, so what is led is listed here, once while everybody answers.
async fn one_store(mut asking: Asking, wanted: Wanted, end: Instant, report: Reporter) -> Result<Settled, Refusal> {
    asking.keep(&wanted);
    let (mut pause, mut again) = (PASS, LIST_AGAIN);
    loop {
        let mut led =
            Led { asking: &asking, wanted: &wanted, regions: 0, least: Ts::NOT_INITIALIZED, open: Vec::new() };
        list(asking.store, asking.tikv.as_ref(), &mut led).await?;
        let (listed, regions, mut least, mut open) = (Instant::now(), led.regions, led.least, led.open);
        loop {
            let asked = asking.ask(open, &wanted).await;
            least = asked.said.iter().map(|(_, safe_ts)| *safe_ts).fold(least, Ts::min);
            asking.learn(asked.said);
            let Some(why) = asked.why else {
                return Ok(Settled { regions, least, said: asking.said() });
            };
            open = asked.open;
            let total = usize::try_from(regions).unwrap_or(usize::MAX);
            report.progress(total.saturating_sub(open.len()), total, &why);
            if Instant::now() >= end {
                return Err(Refusal::new(Reason::SafeTsStuck, why));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PASS_CAP);
            if listed.elapsed() >= again {
                again = (again * 2).min(LIST_AGAIN_CAP);
                break;
            }
        }
    }
}
