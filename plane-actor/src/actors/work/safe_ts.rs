//! Every local leader says its own `safe_ts` (`facts/pd-tikv.md` §6.4): what PD's minimum would silently skip.

use super::{context::Share, outcome::Kept, retry::tried};
use crate::{
    actors::env::length,
    ports::{LedRegion, Pd, RegionAt, Tikv},
};
use futures::{StreamExt, future::try_join_all, stream};
use shared::{
    ids::StoreId,
    member::{Done, coverage::SafeTimes},
    reason::{Reason, Refusal},
    time::Millis,
    ts::Ts,
    wire::PlanePhase,
};
use std::time::Duration;
use tokio::time::Instant;

/// Calls at a time to one store: small reads beside its usual work.
const CALLS_AT_ONCE: usize = 16;
/// Between two passes over the regions that have not said enough yet: `safe_ts` moves with resolved-ts' own steps, 20 s by
/// default, and fresh regions are initialised within a few.
const PASS: Duration = Duration::from_secs(1);

/// What a `safe_ts` has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Above this: a restore to it finds every version.
    pub(super) above: Ts,
    /// PD's clock at the pass.
    pub(super) now: Ts,
    /// Not older than this.
    pub(super) age: Millis,
}

impl Wanted {
    /// Why this will not do yet.
    fn lacks(&self, safe_ts: Ts) -> Option<String> {
        if !safe_ts.is_real() {
            Some("its safe_ts is not initialised".to_owned())
        } else if safe_ts <= self.above {
            Some(format!("its safe_ts {safe_ts} is not above the GC hold {}", self.above))
        } else if safe_ts.age(self.now) > self.age {
            let (age, limit) = (safe_ts.age(self.now).0 / 1000, self.age.0 / 1000);
            Some(format!("its safe_ts is {age} s old, the limit is {limit} s"))
        } else {
            None
        }
    }
}

/// One pass over regions that have not said enough yet. Returns what was learned, and one that is still missing.
pub(super) async fn ask(
    tikv: &dyn Tikv,
    regions: &[&RegionAt],
    wanted: Wanted,
) -> (SafeTimes, Option<(RegionAt, String)>) {
    let answers: Vec<_> = stream::iter(regions)
        .map(|at| async move { (*at, tikv.safe_ts(at.region).await) })
        .buffer_unordered(CALLS_AT_ONCE)
        .collect()
        .await;
    let (mut known, mut missing) = (SafeTimes::default(), None);
    for (at, answer) in answers {
        let lacks = match answer {
            Ok(safe_ts) => match wanted.lacks(safe_ts) {
                None => {
                    known.put(at, safe_ts);
                    None
                }
                lacks => lacks,
            },
            Err(error) => Some(error.to_string()),
        };
        missing = missing.or(lacks.map(|why| (at.clone(), why)));
    }
    (known, missing)
}

/// PD's clock now and the limits, for one pass.
pub(super) async fn wanted(pd: &dyn Pd, above: Ts, age: Millis) -> Result<Wanted, Refusal> {
    let now = tried(Reason::PdUnavailable, || pd.now()).await?;
    Ok(Wanted { above, now, age })
}

pub(super) async fn leaders(share: &Share, gc_hold: Ts) -> Result<(Done, Kept), Refusal> {
    let site = share.site()?;
    let end = Instant::now() + length(site.spec.limits.settle);
    let asking = site.tikv.iter().map(|(store, tikv)| one_store(share, *store, tikv.as_ref(), gc_hold, end));
    let answers = try_join_all(asking).await?;
    let regions = answers.iter().map(|(regions, _, _)| *regions).sum();
    let least_safe_ts = answers.iter().map(|(_, least, _)| *least).min().unwrap_or(Ts::NOT_INITIALIZED);
    let mut known = SafeTimes::default();
    answers.into_iter().for_each(|(_, _, times)| known.merge(times));
    Ok((Done::Leaders { regions, least_safe_ts }, Kept::SafeTimes(known)))
}

/// Until every region that this store leads has said enough. Leaders move while only PD is held, so they are listed anew
/// in every pass; what was once said stays true.
async fn one_store(
    share: &Share,
    store: StoreId,
    tikv: &dyn Tikv,
    gc_hold: Ts,
    end: Instant,
) -> Result<(u64, Ts, SafeTimes), Refusal> {
    let site = share.site()?;
    let mut known = SafeTimes::default();
    loop {
        let led = led(store, tikv).await?;
        let open: Vec<&RegionAt> = unknown(&led, &known);
        let (learned, missing) =
            ask(tikv, &open, wanted(site.pd.as_ref(), gc_hold, site.spec.limits.safe_ts_age).await?).await;
        known.merge(learned);
        let Some((at, why)) = missing else {
            let least = led.iter().filter_map(|led| known.of(&led.at)).min().unwrap_or(Ts::NOT_INITIALIZED);
            return Ok((led.len() as u64, least, known));
        };
        let text = format!("store {store}, region {}: {why}", at.region);
        share.progress(PlanePhase::Settling, led.len().saturating_sub(unknown(&led, &known).len()), led.len(), &text);
        if Instant::now() >= end {
            return Err(Refusal::new(Reason::SafeTsStuck, text));
        }
        tokio::time::sleep(PASS).await;
    }
}

/// Regions whose version has not said enough yet.
pub(super) fn unknown<'a>(led: &'a [LedRegion], known: &SafeTimes) -> Vec<&'a RegionAt> {
    led.iter().map(|led| &led.at).filter(|at| known.of(at).is_none()).collect()
}

/// A store's list of led regions.
pub(super) async fn led(store: StoreId, tikv: &dyn Tikv) -> Result<Vec<LedRegion>, Refusal> {
    let named = |refusal: Refusal| Refusal::new(refusal.reason, format!("store {store}: {}", refusal.message));
    tried(Reason::StoreUnavailable, || tikv.led_regions()).await.map_err(named)
}
