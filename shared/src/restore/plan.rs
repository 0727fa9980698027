//! The plan of a restore, from what planes told and what a person asked for.

use super::{
    asking::Asking,
    mapping::mapping,
    money::Nano,
    room::Room,
    streams::{Stream, finished},
};
use crate::{
    ids::{PlaneId, SnapshotId, StoreId, VolumeId},
    time::Millis,
    wire::{RestorePlace, Source, VolumeKind},
};
use serde::Serialize;
use std::collections::BTreeMap;

const GIB: u64 = 1 << 30;

/// What a plane told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Where its volumes would be made; `None`: it is not known.
    pub place: Option<RestorePlace>,
    /// One for each snapshot.
    pub sources: Vec<Source>,
}

/// The whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// In the order in which they were given.
    pub planes: Vec<PlanePlan>,
    /// Each account and Region in which volumes are made.
    pub rooms: Vec<Room>,
    /// Of all planes.
    pub totals: Totals,
}

/// One plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanePlan {
    /// Whose.
    pub plane: PlaneId,
    /// In the order of restore.
    pub volumes: Vec<PlannedVolume>,
    /// What does not fit of pods and volumes, for people.
    pub amiss: Vec<String>,
    /// Of this plane.
    pub totals: Totals,
}

/// One volume that would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedVolume {
    /// Ordinal of the pod that gets it; `None`: nothing says which.
    pub pod: Option<u32>,
    /// The claim that it was bound to.
    pub claim: String,
    /// Whose it was.
    pub store: Option<StoreId>,
    /// What lies on it.
    pub holds: String,
    /// Of which it is made.
    pub snapshot: SnapshotId,
    /// Of which that was taken.
    pub of: VolumeId,
    /// GiB; 0: not known.
    pub gib: u64,
    /// Bytes that come from the snapshot; `None`: EC2 does not tell, and the whole volume is counted.
    pub data_bytes: Option<u64>,
    /// Where the volume was; empty: not known.
    pub zone_from: String,
    /// Where it is made; empty: not known.
    pub zone_to: String,
    /// What the volume of the backup is today; `None`: not known.
    pub today: Option<VolumeKind>,
    /// What is made.
    pub kind: VolumeKind,
    /// It is encrypted, as its snapshot is.
    pub encrypted: bool,
    /// The key; empty: none, or not told.
    pub key: String,
    /// When its data is there, since the first volume was made; `None`: it comes when it is read, or never.
    #[serde(rename = "ready_ms")]
    pub ready: Option<Millis>,
    /// Price of a month; `None`: not known.
    pub per_month: Option<Nano>,
}

/// Sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Volumes.
    pub volumes: u64,
    /// Their size.
    pub gib: u64,
    /// What comes from snapshots; of volumes whose data is not told, all that fits on them.
    pub data_bytes: u64,
    /// How many those are.
    pub data_unknown: u64,
    /// When the last data is there; `None`: of some volume it is not known.
    #[serde(rename = "ready_ms")]
    pub ready: Option<Millis>,
    /// Price of a month; `None`: of some volume it is not known.
    pub per_month: Option<Nano>,
    /// Price of the initialisation, once; the same.
    pub initialization: Option<Nano>,
    /// Price of a drill: initialisation, and the volumes for its hours.
    pub drill: Option<Nano>,
}

/// Of nothing.
const NONE: Totals = Totals {
    volumes: 0,
    gib: 0,
    data_bytes: 0,
    data_unknown: 0,
    ready: Some(Millis(0)),
    per_month: Some(Nano(0)),
    initialization: Some(Nano(0)),
    drill: Some(Nano(0)),
};

impl Totals {
    /// One after the other in every way but time: that is the later one.
    fn and(self, other: Self) -> Self {
        let both = |mine: Option<Nano>, other: Option<Nano>| Some(mine? + other?);
        Self {
            volumes: self.volumes.saturating_add(other.volumes),
            gib: self.gib.saturating_add(other.gib),
            data_bytes: self.data_bytes.saturating_add(other.data_bytes),
            data_unknown: self.data_unknown.saturating_add(other.data_unknown),
            ready: self.ready.zip(other.ready).map(|(mine, other)| mine.max(other)),
            per_month: both(self.per_month, other.per_month),
            initialization: both(self.initialization, other.initialization),
            drill: both(self.drill, other.drill),
        }
    }

    fn of(volume: &PlannedVolume, asking: &Asking) -> Self {
        let bytes = data(volume.data_bytes, volume.gib);
        let initialization = asking.prices.initialization(bytes, asking.wish.rate);
        let kept = volume.per_month.map(|month| month.for_hours(asking.hours));
        Self {
            volumes: 1,
            gib: volume.gib,
            data_bytes: bytes,
            data_unknown: u64::from(volume.data_bytes.is_none()),
            ready: volume.ready,
            per_month: volume.per_month,
            initialization,
            drill: kept.zip(initialization).map(|(kept, once)| kept + once),
        }
    }
}

fn data(bytes: Option<u64>, gib: u64) -> u64 {
    bytes.unwrap_or(gib.saturating_mul(GIB))
}

/// Every source becomes one volume.
pub fn plan(told: &[(PlaneId, Told)], asking: &Asking) -> Plan {
    let mut planes: Vec<PlanePlan> = told.iter().map(|(plane, told)| of_plane(plane, &told.sources, asking)).collect();
    let mut rooms: BTreeMap<(&str, &str), (Room, Vec<usize>)> = BTreeMap::new();
    for (at, (_, told)) in told.iter().enumerate() {
        let Some(place) = &told.place else { continue };
        let room = rooms.entry((&place.account, &place.region));
        let (_, of) = room
            .and_modify(|(room, _)| room.and(place, asking))
            .or_insert_with(|| (Room::of(place, asking), Vec::new()));
        of.push(at);
    }
    for (room, of) in rooms.values_mut() {
        initialise(&mut planes, of, room, asking);
    }
    for plane in &mut planes {
        plane.totals = plane.volumes.iter().fold(NONE, |sum, volume| sum.and(Totals::of(volume, asking)));
    }
    for (room, of) in rooms.values_mut() {
        for plane in of.iter().filter_map(|at| planes.get(*at)) {
            room.planes.push(plane.plane.clone());
            room.volumes = room.volumes.saturating_add(plane.totals.volumes);
            room.gib = room.gib.saturating_add(plane.totals.gib);
        }
    }
    let totals = planes.iter().fold(NONE, |sum, plane| sum.and(plane.totals));
    Plan { planes, rooms: rooms.into_values().map(|(room, _)| room).collect(), totals }
}

fn of_plane(plane: &PlaneId, sources: &[Source], asking: &Asking) -> PlanePlan {
    let mapped = mapping(sources);
    let volumes = mapped.placed.iter().map(|one| {
        let source = one.source;
        PlannedVolume {
            pod: one.pod,
            claim: source.claim.clone(),
            store: source.store,
            holds: source.kind.clone(),
            snapshot: source.snapshot.clone(),
            of: source.volume.clone(),
            gib: source.gib,
            data_bytes: source.bytes,
            zone_from: source.zone.clone(),
            zone_to: asking.wish.zone_for(&source.zone).to_owned(),
            today: source.today.clone(),
            kind: asking.wish.kind.clone(),
            encrypted: source.encrypted,
            key: source.key.clone(),
            ready: None,
            per_month: asking.prices.month(&asking.wish.kind, source.gib),
        }
    });
    PlanePlan { plane: plane.clone(), volumes: volumes.collect(), amiss: mapped.amiss, totals: NONE }
}

/// Planes of one room make their volumes side by side: the first of each, then the second of each.
fn initialise(planes: &mut [PlanePlan], of: &[usize], room: &Room, asking: &Asking) {
    let Some(rate) = asking.wish.rate else { return };
    let mut turns: Vec<(usize, usize, u64)> = Vec::new();
    for at in of {
        let volumes = planes.get(*at).map_or(&[][..], |plane| &plane.volumes);
        turns.extend(volumes.iter().enumerate().map(|(turn, one)| (turn, *at, data(one.data_bytes, one.gib))));
    }
    turns.sort_by_key(|(turn, at, _)| (*turn, *at));
    let bytes: Vec<u64> = turns.iter().map(|(_, _, bytes)| *bytes).collect();
    let done = finished(Stream { rate, quota: room.initialization_quota }, &bytes);
    for ((turn, at, _), done) in turns.iter().zip(done.into_iter().flatten()) {
        if let Some(volume) = planes.get_mut(*at).and_then(|plane| plane.volumes.get_mut(*turn)) {
            volume.ready = Some(done);
        }
    }
}

#[cfg(test)]
mod tests;
