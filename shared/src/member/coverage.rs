//! When is one store covered? Decided from what the store itself said before and after, under holds on all stores
//! (`design.md` §4, Covering):
//!
//! ```text
//! CheckPendingAdminOp ──► wait-apply of exactly these ──► safe_ts of what is new ──► CheckPendingAdminOp
//!       before                     applied                      known                     after
//! ```
//! Every region of `after` must be one that was applied here, at that epoch, with nothing pending. A stale leader
//! answers wait-apply (`facts/pd-tikv.md` §2.5), and a split not yet committed is not yet pending: only asking the same
//! store before and after catches both.

use crate::{evidence::CoverDigest, ids::RegionId, region_set::RegionSet, tiling::Tiling, ts::Ts};
use std::{collections::BTreeMap, fmt};

/// A region and its version, as its leader says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionAt {
    /// Its number.
    pub region: RegionId,
    /// RegionEpoch.conf_ver
    pub conf_ver: u64,
    /// RegionEpoch.version
    pub version: u64,
    /// Empty: −∞.
    pub start: Vec<u8>,
    /// Empty: +∞.
    pub end: Vec<u8>,
}

impl RegionAt {
    /// Its part of a [`RegionSet`].
    pub fn set(&self) -> RegionSet {
        RegionSet::of_region(self.region.0, self.conf_ver, self.version, &self.start, &self.end)
    }
}

/// One answer of CheckPendingAdminOp.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LedRegion {
    /// Which, and at which epoch.
    pub at: RegionAt,
    /// Conf change, merge or split not yet applied.
    pub pending: bool,
}

/// Result of WaitApply for one region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// All it had proposed is applied.
    Done,
    /// region_not_found, epoch_not_match, stale_command, duplicated: look again. The text says which.
    Again(String),
}

/// What leaders said of their `safe_ts`, per region and version. A statement about a key range at a version holds for
/// ever, whoever leads (`facts/pd-tikv.md` §6.4); another id or version has to be asked anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SafeTimes(BTreeMap<(RegionId, u64), Ts>);

impl SafeTimes {
    /// Keeps what a leader said. Asked twice, the older statement is kept: both are true, the lower one is careful.
    pub fn put(&mut self, at: &RegionAt, safe_ts: Ts) {
        let kept = self.0.entry((at.region, at.version)).or_insert(safe_ts);
        *kept = (*kept).min(safe_ts);
    }

    /// What was said of this region at this version.
    pub fn of(&self, at: &RegionAt) -> Option<Ts> {
        self.0.get(&(at.region, at.version)).copied()
    }

    /// What is known of these regions.
    pub fn only<'a>(&self, regions: impl IntoIterator<Item = &'a RegionAt>) -> SafeTimes {
        let known = |at: &RegionAt| self.of(at).map(|ts| ((at.region, at.version), ts));
        Self(regions.into_iter().filter_map(known).collect())
    }

    /// Takes over everything that another one knows.
    pub fn merge(&mut self, other: SafeTimes) {
        for (key, ts) in other.0 {
            let kept = self.0.entry(key).or_insert(ts);
            *kept = (*kept).min(ts);
        }
    }

    /// Regions known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least of all; `None` when nothing is known.
    pub fn least(&self) -> Option<Ts> {
        self.0.values().min().copied()
    }
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

/// One store's part of a `Covered`, or why it has to be asked again. A store that leads nothing contributes nothing.
pub fn judge(
    before: &[LedRegion],
    applied: &[(RegionId, Applied)],
    known: &SafeTimes,
    after: &[LedRegion],
) -> Result<CoverDigest, Repeat> {
    let mut results: BTreeMap<RegionId, &Applied> = BTreeMap::new();
    for (region, result) in applied {
        // Of two answers for one region the bad one counts.
        let kept = results.entry(*region).or_insert(result);
        if matches!(result, Applied::Again(_)) {
            *kept = result;
        }
    }
    digest(before, known, after, |region| match results.get(&region) {
        Some(Applied::Done) => Ok(()),
        Some(Applied::Again(why)) => Err(Repeat::NotApplied(region, why.clone())),
        None => Err(Repeat::NotApplied(region, "it was not answered".to_owned())),
    })
}

/// The same of a store under a weaker hold, which cannot be asked whether it has applied. What it had proposed before is
/// seen as pending, or as a change of the set until the confirmation.
pub fn judge_weaker(before: &[LedRegion], known: &SafeTimes, after: &[LedRegion]) -> Result<CoverDigest, Repeat> {
    digest(before, known, after, |_| Ok(()))
}

/// All regions of one answer as a set; the first with an admin command pending stands in the way.
pub fn settled_set(led: &[LedRegion]) -> Result<RegionSet, Repeat> {
    match led.iter().find(|led| led.pending) {
        Some(led) => Err(Repeat::Pending(led.at.region)),
        None => Ok(led.iter().map(|led| led.at.set()).sum()),
    }
}

fn digest(
    before: &[LedRegion],
    known: &SafeTimes,
    after: &[LedRegion],
    applied: impl Fn(RegionId) -> Result<(), Repeat>,
) -> Result<CoverDigest, Repeat> {
    let before: BTreeMap<RegionId, &RegionAt> = before.iter().map(|led| (led.at.region, &led.at)).collect();
    let mut digest = nothing_led();
    let mut seen = BTreeMap::new();
    for led in after {
        let region = led.at.region;
        if seen.insert(region, ()).is_some() {
            return Err(Repeat::Twice(region));
        }
        let safe_ts = judge_region(led, before.get(&region).copied(), &applied, known)?;
        let tiling = Tiling::of_region(&led.at.start, &led.at.end).ok_or(Repeat::UpsideDown(region))?;
        digest.regions += 1;
        digest.tiling = digest.tiling + tiling;
        digest.least_safe_ts = digest.least_safe_ts.min(safe_ts);
        digest.set = digest.set + led.at.set();
    }
    Ok(digest)
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

fn judge_region(
    led: &LedRegion,
    before: Option<&RegionAt>,
    applied: impl Fn(RegionId) -> Result<(), Repeat>,
    known: &SafeTimes,
) -> Result<Ts, Repeat> {
    let region = led.at.region;
    if led.pending {
        return Err(Repeat::Pending(region));
    }
    match before {
        None => return Err(Repeat::New(region)),
        // Keys belong to the epoch: they cannot differ when version and conf_ver do not, and are compared all the same.
        Some(before) if *before != led.at => return Err(Repeat::Moved(region)),
        Some(_) => {}
    }
    applied(region)?;
    known.of(&led.at).filter(|ts| ts.is_real()).ok_or(Repeat::NoSafeTs(region))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn led(region: u64, version: u64, start: &str, end: &str) -> LedRegion {
        let at = RegionAt {
            region: RegionId(region),
            conf_ver: 5,
            version,
            start: start.as_bytes().to_vec(),
            end: end.as_bytes().to_vec(),
        };
        LedRegion { at, pending: false }
    }

    fn pending(mut led: LedRegion) -> LedRegion {
        led.pending = true;
        led
    }

    fn done(regions: &[u64]) -> Vec<(RegionId, Applied)> {
        regions.iter().map(|region| (RegionId(*region), Applied::Done)).collect()
    }

    fn known(times: &[(&LedRegion, u64)]) -> SafeTimes {
        let mut known = SafeTimes::default();
        times.iter().for_each(|(led, ts)| known.put(&led.at, Ts(*ts)));
        known
    }

    fn a_set() -> RegionSet {
        led(1, 7, "", "").at.set()
    }

    /// Pending, new or moved is a doubt under a weaker hold too; only wait-apply is not asked for.
    #[test]
    fn a_weaker_hold_leaves_out_wait_apply_and_nothing_else() {
        let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
        let (both, times) = (vec![a.clone(), b.clone()], known(&[(&a, 90), (&b, 80)]));
        let digest = judge_weaker(&both, &times, &both).unwrap();
        assert_eq!((digest.regions, digest.least_safe_ts), (2, Ts(80)));
        assert_eq!(digest.set, judge(&both, &done(&[1, 2]), &times, &both).unwrap().set);
        assert_eq!(settled_set(&both), Ok(digest.set));
        let moved = [led(1, 6, "", "m"), b.clone()];
        assert_eq!(judge_weaker(&moved, &times, &both), Err(Repeat::Moved(RegionId(1))));
        assert_eq!(judge_weaker(&both[..1], &times, &both), Err(Repeat::New(RegionId(2))));
        let busy = [a.clone(), pending(b)];
        assert_eq!(judge_weaker(&both, &times, &busy), Err(Repeat::Pending(RegionId(2))));
        assert_eq!(settled_set(&busy), Err(Repeat::Pending(RegionId(2))));
        assert_eq!(judge_weaker(&both, &SafeTimes::default(), &both), Err(Repeat::NoSafeTs(RegionId(1))));
    }

    #[test]
    fn a_quiet_store_is_covered_and_the_least_safe_ts_counts() {
        let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
        let both = vec![a.clone(), b.clone()];
        let digest = judge(&both, &done(&[1, 2]), &known(&[(&a, 90), (&b, 80)]), &both).unwrap();
        assert_eq!((digest.regions, digest.least_safe_ts), (2, Ts(80)));
        assert!(digest.tiling.is_whole());
    }

    #[test]
    fn what_is_no_longer_led_here_is_somebody_elses() {
        let (a, b) = (led(1, 7, "", "m"), led(2, 7, "m", ""));
        let times = known(&[(&a, 90), (&b, 80)]);
        let digest = judge(&[a.clone(), b], &done(&[1, 2]), &times, &[a]).unwrap();
        assert_eq!((digest.regions, digest.least_safe_ts), (1, Ts(90)));
    }

    #[test]
    fn a_store_that_leads_nothing_does_not_lower_the_minimum() {
        let digest = judge(&[], &[], &SafeTimes::default(), &[]).unwrap();
        assert_eq!(digest, nothing_led());
        let other = CoverDigest { regions: 1, tiling: Tiling::whole(), least_safe_ts: Ts(3), set: a_set() };
        assert_eq!(join(digest, other.clone()), other);
    }

    #[test]
    fn every_doubt_repeats_the_store() {
        let a = led(1, 7, "", "");
        let times = known(&[(&a, 90)]);
        let again = vec![(RegionId(1), Applied::Again("epoch_not_match".to_owned()))];
        let mixed = [done(&[1]), again.clone()].concat();
        let conf = LedRegion { at: RegionAt { conf_ver: 6, ..a.at.clone() }, ..a.clone() };
        let upside = led(1, 7, "b", "a");
        let none = SafeTimes::default();
        let zero = known(&[(&a, 0)]);
        type Answers = Vec<(RegionId, Applied)>;
        type Row<'a> = (&'a str, Vec<LedRegion>, Answers, &'a SafeTimes, Vec<LedRegion>, Repeat);
        let table: Vec<Row<'_>> = vec![
            ("pending", vec![a.clone()], done(&[1]), &times, vec![pending(a.clone())], Repeat::Pending(RegionId(1))),
            ("new here", vec![], done(&[1]), &times, vec![a.clone()], Repeat::New(RegionId(1))),
            ("split", vec![led(1, 6, "", "")], done(&[1]), &times, vec![a.clone()], Repeat::Moved(RegionId(1))),
            ("conf change", vec![conf], done(&[1]), &times, vec![a.clone()], Repeat::Moved(RegionId(1))),
            ("keys", vec![led(1, 7, "", "q")], done(&[1]), &times, vec![a.clone()], Repeat::Moved(RegionId(1))),
            (
                "aborted wait",
                vec![a.clone()],
                again,
                &times,
                vec![a.clone()],
                Repeat::NotApplied(RegionId(1), "epoch_not_match".to_owned()),
            ),
            (
                "two answers",
                vec![a.clone()],
                mixed,
                &times,
                vec![a.clone()],
                Repeat::NotApplied(RegionId(1), "epoch_not_match".to_owned()),
            ),
            (
                "no answer",
                vec![a.clone()],
                vec![],
                &times,
                vec![a.clone()],
                Repeat::NotApplied(RegionId(1), "it was not answered".to_owned()),
            ),
            ("not asked", vec![a.clone()], done(&[1]), &none, vec![a.clone()], Repeat::NoSafeTs(RegionId(1))),
            ("not initialised", vec![a.clone()], done(&[1]), &zero, vec![a.clone()], Repeat::NoSafeTs(RegionId(1))),
            ("twice", vec![a.clone()], done(&[1]), &times, vec![a.clone(), a.clone()], Repeat::Twice(RegionId(1))),
            ("upside down", vec![upside.clone()], done(&[1]), &times, vec![upside], Repeat::UpsideDown(RegionId(1))),
        ];
        for (name, before, applied, known, after, why) in table {
            assert_eq!(judge(&before, &applied, known, &after), Err(why), "{name}");
        }
    }

    #[test]
    fn pending_before_but_not_after_at_the_same_epoch_is_no_doubt() {
        let a = led(1, 7, "", "");
        assert!(judge(&[pending(a.clone())], &done(&[1]), &known(&[(&a, 90)]), std::slice::from_ref(&a)).is_ok());
    }
}
