//! Coverage under holds: each store is asked before and after wait-apply, until [`coverage::judge`] has no doubt.

use super::{
    context::Share,
    outcome::Kept,
    retry::tried,
    safe_ts::{ask, led, unknown, wanted},
    volumes::calls_now,
};
use crate::{
    actors::{env::length, holds::hold_refusal},
    ports::{Hold, PdRegion, RegionAt, Tikv},
};
use futures::{future::try_join_all, try_join};
use shared::{
    evidence::{CoverDigest, HoldKind},
    ids::{RegionId, StoreId},
    member::{
        Done,
        coverage::{self, Repeat, SafeTimes},
    },
    reason::{Reason, Refusal},
    ts::Ts,
    wire::{Covered, PlanePhase},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// Between two tries of one store. A region that is new says no `safe_ts` until the next advance (20 s by default), and a
/// wait-apply may take 40 s: the reach clock is the bound, not a number of tries.
const WAIT: Duration = Duration::from_millis(500);
/// The longest of these waits; each try asks every peer of the store.
const WAIT_CAP: Duration = Duration::from_secs(2);
/// Descriptions of missing regions that a person can still read.
const MAX_NAMED: usize = 20;
/// Regions per page of PD's list, and pages read at most: four million regions, beyond any cluster.
const PAGE: u32 = 1024;
const MAX_PAGES: u32 = 4096;

struct StoreCover {
    digest: CoverDigest,
    regions: BTreeSet<RegionId>,
    learned: SafeTimes,
}

pub(super) async fn cover(share: &Share, round: u32, name_missing: bool, gc_hold: Ts) -> Result<(Done, Kept), Refusal> {
    let site = share.site()?;
    let asking = site.tikv.iter().map(|(store, tikv)| one_store(share, *store, tikv.as_ref(), gc_hold));
    // What the calls leave out was read minutes ago; now is the last moment outside the hold.
    let (covers, calls) = try_join!(try_join_all(asking), calls_now(&site.cloud, &site.stores))?;
    let mut learned = SafeTimes::default();
    let (mut digest, mut regions) = (coverage::nothing_led(), BTreeSet::new());
    for cover in covers {
        digest = coverage::join(digest, cover.digest);
        regions.extend(cover.regions);
        learned.merge(cover.learned);
    }
    let missing = if name_missing { name(share, &regions).await? } else { Vec::new() };
    Ok((Done::Covered(Covered { round, digest, missing }), Kept::Covered(learned, calls)))
}

async fn one_store(share: &Share, store: StoreId, tikv: &dyn Tikv, gc_hold: Ts) -> Result<StoreCover, Refusal> {
    let hold = share
        .holds
        .get(&store)
        .ok_or_else(|| Refusal::new(Reason::StoreHoldLost, format!("store {store} is not held")))?;
    let mut learned = SafeTimes::default();
    let (begun, mut wait) = (Instant::now(), WAIT);
    // Before the coordinator's clock ends the round from outside: this refusal says which region, and why.
    let limit = length(share.site()?.spec.limits.reach) * 3 / 4;
    loop {
        let repeat = match one_try(share, store, tikv, hold.as_ref(), gc_hold, &mut learned).await? {
            Ok((digest, regions)) => return Ok(StoreCover { digest, regions, learned }),
            Err(repeat) => repeat,
        };
        let text = format!("store {store}: {repeat}");
        share.progress(PlanePhase::Covering, 0, 0, &text);
        if begun.elapsed() + wait > limit {
            return Err(Refusal::new(Reason::CoverageUnstable, text));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT_CAP);
    }
}

type Tried = Result<(CoverDigest, BTreeSet<RegionId>), Repeat>;

async fn one_try(
    share: &Share,
    store: StoreId,
    tikv: &dyn Tikv,
    hold: &dyn Hold,
    gc_hold: Ts,
    learned: &mut SafeTimes,
) -> Result<Tried, Refusal> {
    let site = share.site()?;
    let before = led(store, tikv).await?;
    let regions: Vec<RegionAt> = before.iter().map(|led| led.at.clone()).collect();
    // Zero regions get no reply (`facts/pd-tikv.md` §2.4), and a weaker hold cannot be asked.
    let applied = match hold.kind() {
        HoldKind::Weaker => None,
        HoldKind::Full | HoldKind::Compacting if regions.is_empty() => Some(Vec::new()),
        HoldKind::Full | HoldKind::Compacting => {
            Some(hold.wait_apply(&regions).await.map_err(|error| hold_refusal(store, &error))?)
        }
    };
    // A plane's regions may be very many: each store looks at its own only.
    let mut known = share.safe.only(&regions);
    known.merge(learned.only(&regions));
    let new = unknown(&before, &known);
    if !new.is_empty() {
        let wanted = wanted(site.pd.as_ref(), gc_hold, site.spec.limits.safe_ts_age).await?;
        let (times, _) = ask(tikv, &new, wanted).await;
        known.merge(times.clone());
        learned.merge(times);
    }
    let after = led(store, tikv).await?;
    let judged = match applied {
        Some(applied) => coverage::judge(&before, &applied, &known, &after),
        None => coverage::judge_weaker(&before, &known, &after),
    };
    Ok(judged.map(|digest| (digest, after.iter().map(|led| led.at.region).collect())))
}

/// What PD expects to be led here, or nowhere, and no leader here reported.
async fn name(share: &Share, reported: &BTreeSet<RegionId>) -> Result<Vec<String>, Refusal> {
    let site = share.site()?;
    let (mut start, mut missing) = (Vec::new(), Vec::new());
    for _ in 0..MAX_PAGES {
        let page = tried(Reason::PdUnavailable, || site.pd.regions(&start, PAGE)).await?;
        let here = |region: &&PdRegion| region.leader.is_none_or(|leader| site.tikv.contains_key(&leader));
        missing.extend(page.iter().filter(here).filter(|region| !reported.contains(&region.region)).map(describe));
        match page.last() {
            Some(last) if !last.end.is_empty() && missing.len() < MAX_NAMED => start.clone_from(&last.end),
            _ => break,
        }
    }
    missing.truncate(MAX_NAMED);
    Ok(missing)
}

fn describe(region: &PdRegion) -> String {
    let leader = region.leader.map_or("no leader".to_owned(), |leader| format!("leader on store {leader}"));
    format!("region {} from {} ({leader})", region.region, key(&region.start))
}

/// A key's first bytes, for people.
fn key(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the beginning".to_owned();
    }
    let shown: String = bytes.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 12 { format!("{shown}…") } else { shown }
}
