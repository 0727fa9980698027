//! `console orphans`: records without an object, and what planes found in AWS that nothing names.

use super::{Answered, Orphan};
use serde_json::{Value, json};
use shared::{
    calendar::rfc3339,
    ids::PlaneId,
    wire::{CleanReport, Scanned, ScannedPlace, Unnamed, UnnamedVolumes},
};
use std::collections::BTreeSet;

/// Rows of one answer, so that it fits into a frame.
const ROWS_MAX: usize = 1000;

/// What came of asking a plane.
pub enum Asked {
    /// It said this; of `cut` backups it was not told where they are, for want of room.
    Answered {
        /// Its answer.
        scanned: Scanned,
        /// Backups whose place was not looked at.
        cut: u64,
    },
    /// Why it said nothing.
    Unasked(String),
}

/// What all planes found.
pub struct Looked {
    /// Every plane of the configuration, and those that have a part in a backup.
    pub planes: Vec<(PlaneId, Asked)>,
}

impl Looked {
    /// One place after the other; several lead to one account, where each thing counts once.
    fn found(&self) -> Vec<(&PlaneId, &ScannedPlace, &Unnamed)> {
        let mut seen = BTreeSet::new();
        let places = self.planes.iter().flat_map(|(plane, asked)| places(asked).map(move |place| (plane, place)));
        let rows = places.flat_map(|(plane, place)| place.found.iter().map(move |one| (plane, place, one)));
        let key = |place: &ScannedPlace, one: &Unnamed| {
            let at = if one.snapshots > 0 { (place.account.clone(), place.region.clone()) } else { <_>::default() };
            (at, one.backup.clone(), one.attempt, if one.snapshots > 0 { String::new() } else { one.path.clone() })
        };
        // Of what is seen from several places, that which may go is told.
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|(_, _, one)| one.kept.is_some());
        rows.retain(|(plane, place, one)| seen.insert(((*plane).clone(), key(place, one))));
        rows.sort_by_key(|(_, _, one)| (one.first, one.backup.clone(), one.attempt));
        rows
    }

    /// Snapshots, and folders without any, that nothing names and nothing certifies.
    pub fn unnamed(&self) -> (u64, u64) {
        let mut found = self.found();
        found.retain(|(_, _, one)| !one.certified);
        let snapshots = found.iter().map(|(_, _, one)| one.snapshots).sum();
        let folders = found.iter().filter(|(_, _, one)| one.snapshots == 0).count();
        (snapshots, folders as u64)
    }

    /// Every plane looked at everything.
    pub fn is_whole(&self) -> bool {
        self.planes.iter().all(|(_, asked)| match asked {
            Asked::Unasked(_) => false,
            Asked::Answered { scanned, cut } => {
                let looked = *cut == 0 && !scanned.places.is_empty();
                looked && scanned.places.iter().all(|place| place.unseen.is_empty() && place.more == 0)
            }
        })
    }

    /// With the records that have no object.
    pub fn answer(&self, records: &[Orphan]) -> Answered {
        let (found, deleted) = (self.found(), self.deleted());
        Answered::Ok(json!({
            "records": records.iter().map(Orphan::row).collect::<Vec<_>>(),
            "found": found.iter().take(ROWS_MAX).map(|(plane, place, one)| row(plane, place, one)).collect::<Vec<_>>(),
            "leftOut": found.len().saturating_sub(ROWS_MAX),
            "volumes": self.volumes(),
            "deleted": deleted,
            "planes": self.planes.iter().flat_map(|(plane, asked)| told(plane, asked)).collect::<Vec<_>>(),
            "whole": self.is_whole(),
        }))
    }

    /// What restores have left; several places lead to one account, where each counts once.
    fn volumes(&self) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let places = self.planes.iter().flat_map(|(plane, asked)| places(asked).map(move |place| (plane, place)));
        let rows = places.flat_map(|(plane, place)| place.volumes.iter().map(move |one| (plane, place, one)));
        let new = |(plane, place, one): &(&PlaneId, &ScannedPlace, &UnnamedVolumes)| {
            seen.insert(((*plane).clone(), place.account.clone(), place.region.clone(), one.restore.clone()))
        };
        rows.filter(new).take(ROWS_MAX).map(|(plane, place, one)| volumes(plane, place, one)).collect()
    }

    fn deleted(&self) -> Vec<Value> {
        let places = self.planes.iter().flat_map(|(plane, asked)| places(asked).map(move |place| (plane, place)));
        let report = |plane: &PlaneId, CleanReport { snapshots, objects, left, notes, .. }: &CleanReport| json!({ "plane": plane, "snapshots": snapshots, "objects": objects, "left": left, "notes": notes });
        places.filter_map(|(plane, place)| place.deleted.as_ref().map(|deleted| report(plane, deleted))).collect()
    }
}

fn places(asked: &Asked) -> std::slice::Iter<'_, ScannedPlace> {
    match asked {
        Asked::Answered { scanned, .. } => scanned.places.iter(),
        Asked::Unasked(_) => [].iter(),
    }
}

fn row(plane: &PlaneId, place: &ScannedPlace, one: &Unnamed) -> Value {
    let name = if one.name.is_empty() { String::new() } else { format!("{}/{}", one.namespace, one.name) };
    json!({
        "uid": one.backup,
        "attempt": one.attempt,
        "backup": name,
        "plane": plane,
        "account": place.account,
        "region": place.region,
        "snapshots": one.snapshots,
        "gib": one.gib,
        "since": one.first.map(rfc3339),
        "path": one.path,
        "files": one.files,
        "stays": one.kept,
    })
}

fn volumes(plane: &PlaneId, place: &ScannedPlace, one: &UnnamedVolumes) -> Value {
    let name = if one.name.is_empty() { String::new() } else { format!("{}/{}", one.namespace, one.name) };
    json!({
        "uid": one.restore,
        "restore": name,
        "plane": plane,
        "account": place.account,
        "region": place.region,
        "volumes": one.volumes,
        "gib": one.gib,
        "since": one.first.map(rfc3339),
        "stays": one.kept,
    })
}

fn told(plane: &PlaneId, asked: &Asked) -> Vec<Value> {
    let line = |place: &ScannedPlace, unseen: Vec<String>| {
        json!({
            "plane": plane,
            "account": place.account,
            "region": place.region,
            "bucket": place.bucket,
            "snapshots": place.snapshots,
            "notSeen": unseen,
        })
    };
    match asked {
        Asked::Unasked(why) => vec![line(&ScannedPlace::default(), vec![why.clone()])],
        Asked::Answered { scanned, .. } if scanned.places.is_empty() => {
            vec![line(&ScannedPlace::default(), vec!["no backup and no schedule says where to look".to_owned()])]
        }
        Asked::Answered { scanned, cut } => {
            let mut lines: Vec<Value> = Vec::new();
            for place in &scanned.places {
                let mut unseen = place.unseen.clone();
                if place.more > 0 {
                    unseen.push(format!("{} more that nothing names", place.more));
                }
                if *cut > 0 && lines.is_empty() {
                    unseen.push(format!("the places of {cut} backups: more than one question takes"));
                }
                lines.push(line(place, unseen));
            }
            lines
        }
    }
}

#[cfg(test)]
mod tests;
