//! What CreateVolume looks at before it makes one, and what volumes and zones there are (`facts/restore.md` §5.1, §5.3).

use super::{Ec2, Home, Refusal, Volume, well_formed};
use std::{ops::RangeInclusive, time::Duration};

/// Of each Region, as many as the largest has.
const ZONES: [char; 6] = ['a', 'b', 'c', 'd', 'e', 'f'];
/// MiB/s of one volume's initialisation.
const RATE: RangeInclusive<u32> = 100..=300;

/// A volume that would be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedVolume<'a> {
    /// Of which snapshot.
    pub snapshot: &'a str,
    /// In which zone.
    pub zone: &'a str,
    /// EC2's word for the type.
    pub kind: &'a str,
    /// Of the volume.
    pub iops: Option<u32>,
    /// MiB/s of the volume.
    pub throughput: Option<u32>,
    /// MiB/s of its initialisation.
    pub rate: Option<u32>,
}

impl<'a> WantedVolume<'a> {
    /// gp3, and nothing else is asked for.
    #[must_use]
    pub fn plain(snapshot: &'a str, zone: &'a str) -> Self {
        Self { snapshot, zone, kind: "gp3", iops: None, throughput: None, rate: None }
    }
}

impl Ec2 {
    /// CreateVolume, up to the point where a volume would be made.
    ///
    /// # Errors
    /// None could be made.
    pub fn may_create_volume(&self, now: Duration, home: &Home, wanted: &WantedVolume<'_>) -> Result<(), Refusal> {
        let (id, zone) = (wanted.snapshot, wanted.zone);
        if !self.zones(home).iter().any(|(name, _)| name == zone) {
            return Err(Refusal::new("InvalidZone.NotFound", format!("The zone '{zone}' does not exist.")));
        }
        self.may_be_of_kind(wanted)?;
        let snapshot = self.visible(now, home, id)?;
        if snapshot.state(now) != "completed" {
            return Err(Refusal::new(
                "IncorrectState",
                format!("Snapshot is in invalid state - {}", snapshot.state(now)),
            ));
        }
        if snapshot.later.archived {
            return Err(Refusal::new("IncorrectState", format!("The snapshot {id} is in the archive storage tier")));
        }
        Ok(())
    }

    fn may_be_of_kind(&self, wanted: &WantedVolume<'_>) -> Result<(), Refusal> {
        let (kind, zone) = (wanted.kind, wanted.zone);
        let (iops, throughput) = match kind {
            "gp3" => (Some(3_000..=80_000), Some(125..=2_000)),
            "io1" => (Some(100..=64_000), None),
            "io2" => (Some(100..=256_000), None),
            "gp2" | "st1" | "sc1" | "standard" => (None, None),
            other => return Err(Refusal::new("UnknownVolumeType", format!("Unsupported volume type '{other}'."))),
        };
        if self.not_offered.contains(&(zone.to_owned(), kind.to_owned())) {
            let message = format!("The volume type {kind} is not offered in {zone}.");
            return Err(Refusal::new("UnknownVolumeType", message));
        }
        for (what, asked, range) in [
            ("iops", wanted.iops, iops),
            ("throughput", wanted.throughput, throughput),
            ("rate", wanted.rate, Some(RATE)),
        ] {
            if asked.is_some_and(|asked| range.is_none_or(|range| !range.contains(&asked))) {
                let message = format!("The parameter {what} is not valid for {kind} volumes.");
                return Err(Refusal::new("InvalidParameterValue", message));
            }
        }
        Ok(())
    }

    /// Zones of the Region, with EC2's word for how they are.
    #[must_use]
    pub fn zones(&self, home: &Home) -> Vec<(String, String)> {
        let zone = |letter| {
            let name = format!("{}{letter}", home.region);
            let state = self.zone_states.get(&name).map_or("available", String::as_str).to_owned();
            (name, state)
        };
        ZONES.map(zone).into()
    }

    /// Volumes of a type.
    pub fn of_type<'a>(&'a self, now: Duration, home: &'a Home, kind: &'a str) -> impl Iterator<Item = &'a Volume> {
        self.volumes.values().filter(move |volume| &volume.home == home && volume.kind == kind && volume.exists(now))
    }

    /// Every volume of the caller that calls can see by now.
    pub fn seen_volumes<'a>(&'a self, now: Duration, home: &'a Home) -> impl Iterator<Item = (&'a String, &'a Volume)> {
        self.volumes.iter().filter(move |(_, volume)| volume.seen_by(now, home))
    }

    /// One of them.
    ///
    /// # Errors
    /// It is none of the caller's, not visible yet, or gone.
    pub fn visible_volume(&self, now: Duration, home: &Home, id: &str) -> Result<&Volume, Refusal> {
        if !well_formed(id, "vol-") {
            return Err(Refusal::new("InvalidVolumeID.Malformed", format!("Invalid id: \"{id}\"")));
        }
        let found = self.volumes.get(id).filter(|volume| volume.seen_by(now, home));
        found.ok_or_else(|| Refusal::new("InvalidVolume.NotFound", format!("The volume '{id}' does not exist.")))
    }
}
