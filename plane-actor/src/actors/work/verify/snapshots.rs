//! What EC2 shows of the snapshots, against what the certificate names.

use super::{super::question::Said, metadata::VolumeSizes};
use crate::ports::{SnapshotInfo, SnapshotState, Tier};
use shared::{
    ids::SnapshotId,
    wire::{CertifiedSnapshot, FindingState, Verify},
};
use std::collections::{BTreeMap, BTreeSet};

const GIB: u64 = 1 << 30;

/// What there is.
#[derive(Default)]
pub(in super::super) struct Shown {
    /// What a describe shows.
    pub(in super::super) here: BTreeMap<SnapshotId, SnapshotInfo>,
    /// What was deleted, and is in the Recycle Bin.
    pub(super) binned: BTreeSet<SnapshotId>,
}

impl Shown {
    /// Those of the certificate that are there, with what EC2 says of them.
    fn each<'a>(&'a self, ask: &'a Verify) -> impl Iterator<Item = (&'a CertifiedSnapshot, &'a SnapshotInfo)> {
        ask.snapshots.iter().filter_map(|one| Some((one, self.here.get(&one.snapshot)?)))
    }

    /// Those of which a volume could be made, as far as EC2 shows it.
    pub(super) fn usable<'a>(&'a self, ask: &'a Verify) -> Vec<(&'a CertifiedSnapshot, &'a SnapshotInfo)> {
        let usable = |info: &SnapshotInfo| info.state == SnapshotState::Completed && info.storage.tier != Tier::Archive;
        self.each(ask).filter(|(_, info)| usable(info)).collect()
    }
}

/// Every one exists, is completed, and is of its volume.
pub(super) fn exist(ask: &Verify, shown: &Shown) -> Said {
    let mut amiss = Vec::new();
    for CertifiedSnapshot { volume, snapshot, .. } in &ask.snapshots {
        match shown.here.get(snapshot) {
            None if shown.binned.contains(snapshot) => {
                amiss.push(format!(
                    "{snapshot} of {volume} was deleted and is in the Recycle Bin: restore it from there"
                ));
            }
            None => amiss.push(format!("{snapshot} of {volume} does not exist")),
            Some(info) if info.state != SnapshotState::Completed => {
                amiss.push(format!("{snapshot} of {volume} is in {:?}: {}", info.state, info.message));
            }
            Some(info) if info.volume != *volume => {
                amiss.push(format!("{snapshot} is of {}, the certificate has it for {volume}", info.volume));
            }
            Some(_) => {}
        }
    }
    if ask.snapshots.is_empty() {
        amiss.push("the certificate names none for this plane".to_owned());
    }
    Said::all(FindingState::Broken, &amiss, || format!("all {} exist and are completed", ask.snapshots.len()))
}

/// None is archived.
pub(super) fn tiers(ask: &Verify, shown: &Shown) -> Said {
    let of = |tier: Tier, what: &str| -> Vec<String> {
        let those = shown.each(ask).filter(|(_, info)| info.storage.tier == tier);
        those.map(|(one, _)| format!("{} {what}", one.snapshot)).collect()
    };
    let archived = of(Tier::Archive, "is archived, hours away from any volume: restore it to the standard tier");
    if !archived.is_empty() {
        return Said::all(FindingState::Broken, &archived, String::new);
    }
    let unknown = of(Tier::Unknown, "is in a tier that EC2 does not tell, or by a word not known here");
    some(shown, ask, Said::all(FindingState::Doubtful, &unknown, || "all are in the standard tier".to_owned()))
}

/// What every deletion looks for is on them.
pub(super) fn tags(ask: &Verify, shown: &Shown, wanted: &[(String, String)]) -> Said {
    let mut amiss = Vec::new();
    for (one, info) in shown.each(ask) {
        for (key, value) in wanted {
            match info.tags.iter().find(|(there, _)| there == key) {
                Some((_, there)) if there == value => {}
                Some((_, there)) => amiss.push(format!("{}: {key} is {there}, not {value}", one.snapshot)),
                None => amiss.push(format!("{} has no tag {key}", one.snapshot)),
            }
        }
    }
    let names = || wanted.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ");
    some(shown, ask, Said::all(FindingState::Broken, &amiss, || format!("all bear {}", names())))
}

/// A snapshot never changes: together they hold what they held when they were completed. What volumes are made of them is no
/// smaller than what a PersistentVolume promised.
pub(super) fn sizes(ask: &Verify, shown: &Shown, promised: &VolumeSizes) -> Said {
    let (mut amiss, mut sum, mut unknown) = (Vec::new(), 0_u64, 0_usize);
    for (one, info) in shown.each(ask) {
        let gib = info.storage.gib;
        if let Some(least) = promised.get(one.volume.as_str()).filter(|least| gib > 0 && gib < **least) {
            amiss.push(format!("{} is of a volume of {gib} GiB, its PersistentVolume has {least} GiB", one.snapshot));
        }
        match info.full_bytes {
            Some(bytes) if gib > 0 && bytes > gib.saturating_mul(GIB) => {
                amiss.push(format!("{} holds {bytes} bytes of a volume of {gib} GiB", one.snapshot));
            }
            Some(bytes) => sum = sum.saturating_add(bytes),
            None => unknown += 1,
        }
    }
    let whole = unknown == 0 && shown.each(ask).count() == ask.snapshots.len();
    if let Some(told) = ask.full_bytes.filter(|told| whole && *told != sum) {
        amiss.push(format!("they hold {sum} bytes, and held {told} when they were completed"));
    }
    let said = Said::all(FindingState::Broken, &amiss, || match (unknown, ask.full_bytes) {
        (0, Some(_)) => format!("together {sum} bytes, as when they were completed"),
        (0, None) => format!("together {sum} bytes; how many they were at completion was not asked"),
        (unknown, _) => format!("EC2 does not tell how much {unknown} of them hold; the volumes' sizes fit"),
    });
    some(shown, ask, said)
}

/// Of none that is there nothing can be said.
fn some(shown: &Shown, ask: &Verify, said: Said) -> Said {
    if shown.each(ask).next().is_none() {
        return Said::new(FindingState::Unchecked, "no snapshot of the certificate is there to look at");
    }
    said
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
