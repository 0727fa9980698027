//! One look at all stores: which regions are led, and do they cover the key space exactly once?

use super::cluster::{Dialled, each};
use crate::ports::{Leading, Piece};
use shared::{
    ids::{RegionId, StoreId},
    reason::Refusal,
    recovery::Fault,
    tiling::Tiling,
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that leaders said, in the order of keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) led: Vec<Leading>,
}

impl Look {
    pub(super) async fn at(stores: &[Dialled]) -> Result<Self, Refusal> {
        let told = each(stores, |store| async move { store.recovery.led(store.met.store).await }).await?;
        let mut led: Vec<Leading> = told.into_iter().flat_map(|(_, led)| led).collect();
        led.sort_by(|a, b| (&a.piece.start, a.piece.region).cmp(&(&b.piece.start, b.piece.region)));
        Ok(Self { led })
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.led.iter().map(|led| &led.piece)
    }

    /// Of all of them; a region that ends before it begins contributes nothing and so leaves a hole.
    pub(super) fn tiling(&self) -> Tiling {
        self.pieces().filter_map(|piece| Tiling::of_region(&piece.start, &piece.end)).sum()
    }

    pub(super) fn leads(&self) -> BTreeMap<RegionId, StoreId> {
        self.pieces().map(|piece| (piece.region, piece.store)).collect()
    }

    pub(super) fn in_flashback(&self) -> usize {
        self.led.iter().filter(|led| led.in_flashback).count()
    }

    /// Every key has one leader, every member is on one of these stores, and nothing is under way.
    ///
    /// # Errors
    /// Which region stands in the way.
    pub(super) fn whole(&self, stores: &BTreeSet<StoreId>) -> Result<Tiling, String> {
        for led in &self.led {
            let region = led.piece.region;
            if led.pending {
                return Err(format!("region {region} has an admin command pending"));
            }
            if let Some(stranger) = led.members.iter().find(|member| !stores.contains(member)) {
                return Err(format!("region {region} has a member on store {stranger}, which PD does not know"));
            }
        }
        let tiling = self.tiling();
        if tiling.is_whole() { Ok(tiling) } else { Err(self.break_in()) }
    }

    /// Where regions do not follow each other.
    fn break_in(&self) -> String {
        let some = |key: &[u8]| (!key.is_empty()).then(|| key.to_vec());
        // `None`: the last one had no end.
        let mut reached: Option<&[u8]> = Some(b"");
        for piece in self.pieces() {
            match reached {
                Some(end) if end == piece.start => {}
                Some(end) if end < piece.start.as_slice() => {
                    return Fault::Hole { from: some(end), to: some(&piece.start) }.to_string();
                }
                _ => return format!("region {} on store {} begins before another ends", piece.region, piece.store),
            }
            if !piece.end.is_empty() && piece.end <= piece.start {
                return Fault::Backward { region: piece.region }.to_string();
            }
            reached = (!piece.end.is_empty()).then_some(piece.end.as_slice());
        }
        let from = reached.and_then(some);
        Fault::Hole { from, to: None }.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(region: u64, start: &str, end: &str) -> Leading {
        let (region, store) = (RegionId(region), StoreId(1));
        let (start, end) = (start.as_bytes().to_vec(), end.as_bytes().to_vec());
        let piece = Piece { region, conf_ver: 1, version: 1, store, peer: 11, start, end };
        Leading { piece, members: vec![StoreId(1), StoreId(2)], pending: false, in_flashback: false }
    }

    fn whole(led: &[Leading]) -> Result<Tiling, String> {
        Look { led: led.to_vec() }.whole(&[1, 2].map(StoreId).into())
    }

    #[test]
    fn every_key_has_one_leader_up_to_the_last() {
        assert!(whole(&[led(1, "", "m"), led(2, "m", "")]).is_ok());
        let of = |led: &[Leading]| whole(led).unwrap_err();
        assert_eq!(
            of(&[led(1, "", "m"), led(2, "m", "z")]),
            "no region holds the keys from 7a to the end of the key space"
        );
        assert_eq!(of(&[led(1, "b", "")]), "no region holds the keys from the end of the key space to 62");
        assert_eq!(of(&[led(1, "", "m"), led(2, "l", "")]), "region 2 on store 1 begins before another ends");
        assert_eq!(
            of(&[led(1, "", ""), led(1, "", "")]),
            "region 1 on store 1 begins before another ends",
            "two leaders"
        );
        assert_eq!(of(&[led(1, "", "m"), led(2, "m", "c")]), "region 2 ends where it begins, or before");
    }

    #[test]
    fn nothing_is_under_way_and_nobody_unknown_is_a_member() {
        let pending = Leading { pending: true, ..led(1, "", "") };
        assert!(whole(&[pending]).unwrap_err().contains("pending"));
        let strange = Leading { members: vec![StoreId(1), StoreId(9)], ..led(1, "", "") };
        assert!(whole(&[strange]).unwrap_err().contains("store 9"));
    }
}
