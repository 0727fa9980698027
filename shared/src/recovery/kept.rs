//! Which of the regions that were told of are the cluster: the newest ones that do not overlap, if they leave no key out.

use super::{fault::Fault, meta::Meta};
use std::collections::BTreeMap;

/// Regions by the keys at which they begin.
pub(super) type Ranges<'a> = BTreeMap<&'a [u8], &'a Meta>;

/// `newest`: of each region the copy with its newest range. A region whose keys belong to one of a newer version has been
/// merged away or was left behind by a move, and is no part of it.
pub(super) fn kept<'a>(newest: impl Iterator<Item = &'a Meta>) -> Ranges<'a> {
    let mut newest: Vec<&Meta> = newest.collect();
    newest.sort_by_key(|meta| (std::cmp::Reverse(meta.version), meta.region));
    let mut kept = Ranges::new();
    for meta in newest {
        if is_free(&kept, meta) {
            kept.insert(&meta.start, meta);
        }
    }
    kept
}

fn is_free(kept: &Ranges<'_>, meta: &Meta) -> bool {
    let start = meta.start.as_slice();
    let before = kept.range(..=start).next_back().map(|(_, before)| *before);
    let behind = kept.range(start..).next().map(|(begin, _)| *begin);
    before.is_none_or(|before| !before.end.is_empty() && before.end.as_slice() <= start)
        && behind.is_none_or(|begin| !meta.end.is_empty() && meta.end.as_slice() <= begin)
}

/// The keys that none of them has, both ends of the key space included.
pub(super) fn holes(kept: &Ranges<'_>) -> Vec<Fault> {
    let mut holes = Vec::new();
    let mut reached: Option<&[u8]> = Some(b"");
    for (start, meta) in kept {
        if let Some(from) = reached.filter(|from| from < start) {
            holes.push(Fault::Hole { from: some(from), to: some(start) });
        }
        reached = (!meta.end.is_empty()).then_some(meta.end.as_slice());
    }
    holes.extend(reached.map(|from| Fault::Hole { from: some(from), to: None }));
    holes
}

fn some(key: &[u8]) -> Option<Vec<u8>> {
    (!key.is_empty()).then(|| key.to_vec())
}
