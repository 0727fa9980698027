//! When is one store covered? Decided from what the store itself said before and after, under holds on all stores
//! (`design.md` §4, Covering):
//!
//! ```text
//! CheckPendingAdminOp ──► wait-apply of exactly these ──► safe_ts of what is new ──► CheckPendingAdminOp
//!       before                     applied                      known                     after
//! ```
//! Every region of the last list must be one that was applied here, at that epoch, with nothing pending. A stale leader
//! answers wait-apply (`facts/pd-tikv.md` §2.5), and a split not yet committed is not yet pending: only asking the same
//! store before and after catches both. A list that leaves a doubt is the "before" of the next one, and only what is in
//! doubt has to be applied again: the others were led here at one epoch in every list since they were.
//!
//! A plane may lead millions of regions. Each is folded into sums while it is read, and nothing here keeps keys.

use crate::{evidence::CoverDigest, ids::RegionId, region_set::RegionSet, tiling::Tiling, ts::Ts};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt, mem,
};

/// A region at an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionAt {
    /// Its number.
    pub region: RegionId,
    /// RegionEpoch.conf_ver
    pub conf_ver: u64,
    /// RegionEpoch.version
    pub version: u64,
}

/// One answer of CheckPendingAdminOp, while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LedRegion<'a> {
    /// Which, and at which epoch.
    pub at: RegionAt,
    /// Empty: −∞.
    pub start: &'a [u8],
    /// Empty: +∞.
    pub end: &'a [u8],
    /// Conf change, merge or split not yet applied.
    pub pending: bool,
}

impl LedRegion<'_> {
    /// Its part of a [`RegionSet`].
    pub fn set(&self) -> RegionSet {
        let RegionAt { region, conf_ver, version } = self.at;
        RegionSet::of_region(region.0, conf_ver, version, self.start, self.end)
    }
}

/// What WaitApply said of all regions that it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Applied {
    /// So many have applied all they had proposed, at the epoch asked for.
    pub done: usize,
    /// The others: region_not_found, epoch_not_match, stale_command, duplicated, not in time. The text says which.
    pub again: BTreeMap<RegionId, Cow<'static, str>>,
}

/// Why one store has to be asked again. Names the first region that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// An admin command is under way.
    Pending(RegionId),
    /// It was not led here before: elected, split off or merged meanwhile.
    New(RegionId),
    /// Its epoch moved between the two answers.
    Moved(RegionId),
    /// Wait-apply did not answer "applied"; the text says what instead.
    NotApplied(RegionId, String),
    /// Its leader has not said a `safe_ts` for this version.
    NoSafeTs(RegionId),
    /// Its start does not lie before its end.
    UpsideDown(RegionId),
    /// It was named twice in one answer.
    Twice(RegionId),
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending(region) => write!(f, "region {region} has an admin command pending"),
            Self::New(region) => write!(f, "region {region} came to be led here meanwhile"),
            Self::Moved(region) => write!(f, "region {region} changed its epoch"),
            Self::NotApplied(region, why) => write!(f, "region {region} did not apply: {why}"),
            Self::NoSafeTs(region) => write!(f, "region {region} has no safe_ts at this version"),
            Self::UpsideDown(region) => write!(f, "region {region} starts at or after its end"),
            Self::Twice(region) => write!(f, "region {region} was named twice"),
        }
    }
}

/// A region that the last list named: 48 bytes, because there may be millions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct KnownRegion {
    at: RegionAt,
    /// Number, epoch and keys.
    set: RegionSet,
    /// The list that named it last.
    list: u32,
    applied: bool,
}

/// What one store has said under its hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreCover {
    /// By number.
    known: Vec<KnownRegion>,
    /// Wait-apply can be asked for.
    waits: bool,
    /// Why regions were not applied, of the last answer.
    again: BTreeMap<RegionId, Cow<'static, str>>,
    /// Lists begun.
    list: u32,
    /// Of the list that is being read: what was not in the one before, and what the rest adds up to.
    new: Vec<KnownRegion>,
    digest: CoverDigest,
    doubt: Option<Repeat>,
}

impl StoreCover {
    /// Of a store that has said nothing. Under a weaker hold it cannot be asked whether it has applied (`waits` false):
    /// what it had proposed before is seen as pending, or as a change of the set until the confirmation.
    pub fn new(waits: bool) -> Self {
        let (known, new, again) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { known, waits, again, list: 0, new, digest: nothing_led(), doubt: None }
    }

    /// A list begins; one that was not read to its end counts for nothing.
    pub fn begin_list(&mut self) {
        self.list = self.list.saturating_add(1);
        self.new.clear();
        self.digest = nothing_led();
        self.doubt = None;
    }

    /// A region of the list, and what its leader said of its `safe_ts` at this version.
    pub fn take(&mut self, led: LedRegion<'_>, safe_ts: Option<Ts>) {
        if let Err(doubt) = self.judge(led, safe_ts) {
            self.doubt.get_or_insert(doubt);
        }
    }

    fn judge(&mut self, led: LedRegion<'_>, safe_ts: Option<Ts>) -> Result<(), Repeat> {
        let (region, set) = (led.at.region, led.set());
        let fresh = KnownRegion { at: led.at, set, list: self.list, applied: !self.waits };
        let pending = if led.pending { Err(Repeat::Pending(region)) } else { Ok(()) };
        let found = self.known.binary_search_by_key(&region, |known| known.at.region);
        let Some(known) = found.ok().and_then(|at| self.known.get_mut(at)) else {
            self.new.push(fresh);
            return pending.and(Err(Repeat::New(region)));
        };
        if mem::replace(&mut known.list, self.list) == self.list {
            return Err(Repeat::Twice(region));
        }
        // Keys belong to the epoch: they cannot differ when version and conf_ver do not, and are compared all the same.
        if (known.at, known.set) != (led.at, set) {
            *known = fresh;
            return pending.and(Err(Repeat::Moved(region)));
        }
        pending?;
        if !known.applied {
            let why = self.again.get(&region).map_or("it was not answered", |why| why.as_ref());
            return Err(Repeat::NotApplied(region, why.to_owned()));
        }
        let safe_ts = safe_ts.filter(|ts| ts.is_real()).ok_or(Repeat::NoSafeTs(region))?;
        let tiling = Tiling::of_region(led.start, led.end).ok_or(Repeat::UpsideDown(region))?;
        self.digest.regions += 1;
        self.digest.tiling = self.digest.tiling + tiling;
        self.digest.least_safe_ts = self.digest.least_safe_ts.min(safe_ts);
        self.digest.set = self.digest.set + set;
        Ok(())
    }

    /// The list was read to its end: this store's part of a `Covered`, or why it has to be asked again. What is no longer
    /// led here is somebody else's. A store that leads nothing contributes nothing.
    pub fn end_list(&mut self) -> Result<CoverDigest, Repeat> {
        let list = self.list;
        self.known.retain(|known| known.list == list);
        if !self.new.is_empty() {
            // Taken whole: an empty list keeps its room, and there are hundreds of stores.
            self.known.append(&mut mem::take(&mut self.new));
            self.known.sort_by_key(|known| known.at.region);
            let twice = self.known.windows(2).find_map(|two| match two {
                [a, b] if a.at.region == b.at.region => Some(a.at.region),
                _ => None,
            });
            self.doubt = twice.map(Repeat::Twice).or(self.doubt.take());
            self.known.dedup_by_key(|known| known.at.region);
        }
        self.doubt.take().map_or_else(|| Ok(mem::take(&mut self.digest)), Err)
    }

    /// Regions led here.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// None is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// All regions of the last list.
    pub fn regions(&self) -> impl Iterator<Item = RegionAt> {
        self.known.iter().map(|known| known.at)
    }

    /// What has to be applied before the next list.
    pub fn unapplied(&self) -> Vec<RegionAt> {
        self.known.iter().filter(|known| !known.applied).map(|known| known.at).collect()
    }

    /// What wait-apply said of exactly these. An answer that does not account for every one of them proves nothing.
    pub fn applied(&mut self, asked: &[RegionAt], said: Applied) {
        let asked: BTreeSet<RegionId> = if said.done + said.again.len() == asked.len() {
            asked.iter().map(|at| at.region).collect()
        } else {
            BTreeSet::new()
        };
        for known in self.known.iter_mut().filter(|known| asked.contains(&known.at.region)) {
            known.applied |= !said.again.contains_key(&known.at.region);
        }
        self.again = said.again;
    }
}

/// All regions of one list as a set; the first with an admin command pending stands in the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SettledSet {
    set: RegionSet,
    pending: Option<RegionId>,
}

impl SettledSet {
    /// A region of the list.
    pub fn take(&mut self, led: LedRegion<'_>) {
        self.set = self.set + led.set();
        if led.pending {
            self.pending.get_or_insert(led.at.region);
        }
    }

    /// The list was read to its end.
    pub fn end(self) -> Result<RegionSet, Repeat> {
        self.pending.map_or(Ok(self.set), |region| Err(Repeat::Pending(region)))
    }
}

/// What a plane reports that leads nothing: its `safe_ts` must never become the minimum of all planes.
pub fn nothing_led() -> CoverDigest {
    CoverDigest { least_safe_ts: Ts::NOT_INITIALIZED, ..CoverDigest::default() }
}

/// Adds one store's part to another's.
pub fn join(left: CoverDigest, right: CoverDigest) -> CoverDigest {
    CoverDigest {
        regions: left.regions.saturating_add(right.regions),
        tiling: left.tiling + right.tiling,
        least_safe_ts: left.least_safe_ts.min(right.least_safe_ts),
        set: left.set + right.set,
    }
}

#[cfg(test)]
mod tests;
