//! Coverage under holds: each store lists what it leads before and after wait-apply, until [`StoreCover`] has no doubt.
//! What is in doubt is proved again, and nothing else.

use super::{
    context::{Reporter, WorkContext},
    discovery::Discovery,
    list::{Fold, list},
    missing,
    outcome::{Carried, Said},
    safe_ts::{Asking, Wanted},
    volumes::calls_now,
};
use crate::{
    actors::{holds::hold_refusal, plane_context::length},
    ports::{Hold, LedRegion, RegionAt},
};
use futures::{future::try_join_all, try_join};
use shared::{
    evidence::{CoverDigest, HoldKind},
    ids::RegionId,
    member::{
        Done,
        coverage::{self, StoreCover},
    },
    reason::{Reason, Refusal},
    ts::Ts,
    wire::{Covered, PlanePhase},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::Instant};

/// Between two tries of one store. A region that is new says no `safe_ts` until the next advance (20 s by default), and a
/// wait-apply may take 40 s: the reach clock is the bound, not a number of tries.
const WAIT: Duration = Duration::from_millis(500);
/// The longest of these waits.
const WAIT_CAP: Duration = Duration::from_secs(2);

/// Until a store is listed again although a region has not said its `safe_ts`. A list wakes every peer of the store; but a
/// leader that was away and came back shows in one, if lists are closer together than an election takes (10 s at least).
const LIST_AGAIN: Duration = Duration::from_secs(5);

pub(super) async fn cover(
    context: &WorkContext,
    round: u32,
    name_missing: bool,
    gc_hold: Ts,
) -> Result<(Done, Carried), Refusal> {
    let discovery = context.discovery()?;
    let reach = length(discovery.spec.limits.reach);
    // Before the coordinator's clock ends the round from outside: this refusal says which region, and why.
    let end = Instant::now() + reach * 3 / 4;
    let asking = discovery.tikv.iter().map(|(store, tikv)| {
        let hold = context.holds.get(store).cloned();
        let one = OneStore {
            asking: Asking::of(context, *store, tikv),
            cover: StoreCover::new(hold.as_ref().is_some_and(|hold| hold.kind() != HoldKind::Weaker)),
            discovery: discovery.clone(),
            gc_hold,
            end,
            wait: WAIT,
            report: context.reporter(PlanePhase::Covering),
        };
        context.beside(one.prove(hold, name_missing))
    });
    // What the calls leave out was read minutes ago; now is the last moment outside the hold.
    let (covers, calls) = try_join!(try_join_all(asking), calls_now(&discovery.cloud, &discovery.stores))?;
    let (mut digest, mut regions, mut said) = (coverage::nothing_led(), Vec::new(), Vec::new());
    for cover in covers {
        digest = coverage::join(digest, cover.digest);
        regions.extend(cover.regions);
        said.push(cover.said);
    }
    let missing = if name_missing {
        regions.sort_unstable();
        context.beside(missing::name(discovery.clone(), regions, Instant::now() + reach / 4)).await?
    } else {
        Vec::new()
    };
    Ok((Done::Covered(Covered { round, digest, missing }), Carried::Covered(said, calls)))
}

struct Proved {
    digest: CoverDigest,
    /// Only where what is missing is to be named.
    regions: Vec<RegionId>,
    said: Said,
}

struct OneStore {
    asking: Asking,
    cover: StoreCover,
    discovery: Arc<Discovery>,
    gc_hold: Ts,
    end: Instant,
    wait: Duration,
    report: Reporter,
}

impl Fold for (&mut StoreCover, &Asking) {
    fn begin(&mut self) {
        self.0.begin_list();
    }

    fn take(&mut self, led: LedRegion<'_>) {
        let safe_ts = self.1.known(&led.at);
        self.0.take(led, safe_ts);
    }
}

impl OneStore {
    async fn prove(mut self, hold: Option<Arc<dyn Hold>>, keep_regions: bool) -> Result<Proved, Refusal> {
        let store = self.asking.store;
        let hold = hold.ok_or_else(|| Refusal::new(Reason::StoreHoldLost, format!("store {store} is not held")))?;
        let mut first = true;
        loop {
            list(store, self.asking.tikv.as_ref(), &mut (&mut self.cover, &self.asking)).await?;
            match self.cover.end_list() {
                Ok(digest) => {
                    let regions = self.cover.regions().map(|at| at.region).filter(|_| keep_regions).collect();
                    return Ok(Proved { digest, regions, said: self.asking.said() });
                }
                // Of the first list everything is new.
                Err(_) if first => first = false,
                Err(repeat) => self.pause(format!("store {store}: {repeat}")).await?,
            }
            self.apply(hold.as_ref()).await?;
            self.learn().await?;
        }
    }

    /// Zero regions get no reply (`facts/pd-tikv.md` §2.4).
    async fn apply(&mut self, hold: &dyn Hold) -> Result<(), Refusal> {
        let asked = self.cover.unapplied();
        if !asked.is_empty() {
            let said = hold.wait_apply(asked.clone()).await.map_err(|error| hold_refusal(self.asking.store, &error))?;
            self.cover.applied(&asked, said);
        }
        Ok(())
    }

    /// Asks those whose `safe_ts` is not known, until they have said it or the store is due to be listed again.
    async fn learn(&mut self) -> Result<(), Refusal> {
        let begun = Instant::now();
        let mut open: Vec<RegionAt> = self.cover.regions().filter(|at| self.asking.known(at).is_none()).collect();
        let wanted = OnceCell::new();
        while !open.is_empty() && begun.elapsed() < LIST_AGAIN {
            let (discovery, gc_hold) = (&self.discovery, self.gc_hold);
            let wanted = wanted
                .get_or_try_init(|| Wanted::read(discovery.pd.as_ref(), gc_hold, discovery.spec.limits.safe_ts_age))
                .await?;
            let asked = self.asking.ask(open, wanted).await;
            self.asking.learn(asked.said);
            let Some(why) = asked.why else { break };
            open = asked.open;
            self.pause(why).await?;
        }
        Ok(())
    }

    async fn pause(&mut self, why: String) -> Result<(), Refusal> {
        self.report.progress(0, 0, &why);
        if Instant::now() + self.wait > self.end {
            return Err(Refusal::new(Reason::CoverageUnstable, why));
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(WAIT_CAP);
        Ok(())
    }
}
