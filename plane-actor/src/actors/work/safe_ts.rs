//! What a leader says of its own `safe_ts` (`facts/pd-tikv.md` §6.4): what PD's minimum would silently skip.

use super::{context::WorkContext, outcome::Said, retry::tried};
use crate::ports::{Pd, RegionAt, Tikv};
use futures::{StreamExt, stream};
use shared::{
    ids::StoreId,
    member::safe_times::{PlaneTimes, SafeTimes},
    reason::{Reason, Refusal},
    time::Millis,
    ts::Ts,
};
use std::sync::Arc;
use tokio::time::Instant;

/// Calls at a time to one store: small reads beside its usual work.
const CALLS_AT_ONCE: usize = 16;

/// What a `safe_ts` has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Above this: a restore to it finds every version.
    above: Ts,
    /// PD's clock, and when it was read.
    read: (Ts, Instant),
    /// Not older than this.
    age: Millis,
}

impl Wanted {
    /// One look at PD's clock serves all stores and all passes: the age is a limit for comfort, no evidence.
    pub(super) async fn read(pd: &dyn Pd, above: Ts, age: Millis) -> Result<Self, Refusal> {
        let now = tried(Reason::PdUnavailable, || pd.now()).await?;
        Ok(Self { above, read: (now, Instant::now()), age })
    }

    /// Any that a leader has: it is judged later.
    pub(super) fn any() -> Self {
        Self { above: Ts::ZERO, read: (Ts::ZERO, Instant::now()), age: Millis(u64::MAX) }
    }

    fn age_of(&self, safe_ts: Ts) -> Millis {
        let passed = u64::try_from(self.read.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        safe_ts.age(Ts::compose(self.read.0.physical_ms().saturating_add(passed), 0))
    }

    /// It will do.
    pub(super) fn enough(&self, safe_ts: Ts) -> bool {
        safe_ts.is_real() && safe_ts > self.above && self.age_of(safe_ts) <= self.age
    }

    /// Why this will not do yet.
    fn lacks(&self, safe_ts: Ts) -> String {
        if !safe_ts.is_real() {
            "its safe_ts is not initialised".to_owned()
        } else if safe_ts <= self.above {
            format!("its safe_ts {safe_ts} is not above the GC hold {}", self.above)
        } else {
            let (age, limit) = (self.age_of(safe_ts).0 / 1000, self.age.0 / 1000);
            format!("its safe_ts is {age} s old, the limit is {limit} s")
        }
    }
}

/// What one pass over some regions has brought.
pub(super) struct Asked {
    pub(super) said: Vec<(RegionAt, Ts)>,
    /// Regions that have not said enough yet.
    pub(super) open: Vec<RegionAt>,
    /// The first of them, and why, for people.
    pub(super) why: Option<String>,
}

/// One store, and what is known of its regions. Send, so that it can be asked beside the actors.
pub(super) struct Asking {
    pub(super) store: StoreId,
    pub(super) tikv: Arc<dyn Tikv>,
    own: Arc<SafeTimes>,
    plane: Arc<PlaneTimes>,
}

impl Asking {
    pub(super) fn of(context: &WorkContext, store: StoreId, tikv: &Arc<dyn Tikv>) -> Self {
        Self { store, tikv: tikv.clone(), own: context.safe.by(store), plane: context.safe.clone() }
    }

    /// What was said of this region, here or at another store of this plane.
    pub(super) fn known(&self, at: &RegionAt) -> Option<Ts> {
        self.own.of(at).or_else(|| self.plane.elsewhere(self.store, at))
    }

    /// Takes over what was learned.
    pub(super) fn learn(&mut self, said: Vec<(RegionAt, Ts)>) {
        if !said.is_empty() {
            Arc::make_mut(&mut self.own).merge(said.into_iter().collect());
        }
    }

    /// Forgets what will not do any more.
    pub(super) fn keep(&mut self, wanted: &Wanted) {
        if self.own.least().is_some_and(|least| !wanted.enough(least)) {
            Arc::make_mut(&mut self.own).retain(|ts| wanted.enough(ts));
        }
    }

    pub(super) fn said(self) -> Said {
        (self.store, self.own)
    }

    /// One pass over these regions.
    pub(super) async fn ask(&self, regions: Vec<RegionAt>, wanted: &Wanted) -> Asked {
        let tikv = self.tikv.as_ref();
        let mut answers = stream::iter(regions)
            .map(|at| async move { (at, tikv.safe_ts(at.region).await) })
            .buffer_unordered(CALLS_AT_ONCE);
        let (mut said, mut open, mut why) = (Vec::new(), Vec::new(), None);
        while let Some((at, answer)) = answers.next().await {
            let lacks = match answer {
                Ok(safe_ts) if wanted.enough(safe_ts) => {
                    said.push((at, safe_ts));
                    continue;
                }
                Ok(safe_ts) => wanted.lacks(safe_ts),
                Err(error) => error.to_string(),
            };
            why.get_or_insert_with(|| format!("store {}, region {}: {lacks}", self.store, at.region));
            open.push(at);
        }
        Asked { said, open, why }
    }
}
