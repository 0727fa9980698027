//! Is there room for the volumes in each account and Region? Planes that share one share its quotas.

use super::{asking::Asking, streams::Stream};
use crate::{
    ids::PlaneId,
    wire::{FindingState, RestorePlace},
};
use serde::Serialize;

/// One account and Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
    /// Who restores there.
    pub planes: Vec<PlaneId>,
    /// Volumes that are made there.
    pub volumes: u64,
    /// Their GiB.
    pub gib: u64,
    /// GiB that volumes of the type have there already; `None`: not counted.
    pub used_gib: Option<u64>,
    /// GiB that they may have, the least that a plane says; `None`: nobody has said.
    pub quota_gib: Option<u64>,
    /// MiB/s at which all of them may be initialised, the least that a plane says.
    pub initialization_quota: u32,
    /// Volumes that are initialised at a time; `None`: nobody asked for a rate.
    pub at_once: Option<u32>,
}

impl Room {
    /// Of one plane; nothing is in it yet.
    pub(super) fn of(place: &RestorePlace, asking: &Asking) -> Self {
        let mut room = Self {
            account: place.account.clone(),
            region: place.region.clone(),
            planes: Vec::new(),
            volumes: 0,
            gib: 0,
            used_gib: None,
            quota_gib: None,
            initialization_quota: place.initialization,
            at_once: None,
        };
        room.and(place, asking);
        room
    }

    /// Another plane says so much of the same place: of what is allowed the least counts, of what is used the most.
    pub(super) fn and(&mut self, place: &RestorePlace, asking: &Asking) {
        self.quota_gib = self.quota_gib.into_iter().chain(place.quota_gib).min();
        self.used_gib = self.used_gib.max(place.used_gib);
        self.initialization_quota = self.initialization_quota.min(place.initialization);
        self.at_once = asking.wish.rate.map(|rate| Stream { rate, quota: self.initialization_quota }.at_once());
    }

    /// `account 1 in eu-west-1`
    #[must_use]
    pub fn name(&self) -> String {
        format!("account {} in {}", self.account, self.region)
    }

    /// Is there storage for them?
    #[must_use]
    pub fn storage(&self, kind: &str) -> (FindingState, String) {
        let wanted = format!("{} volumes of {} GiB together", self.volumes, self.gib);
        match (self.quota_gib, self.used_gib) {
            (None, _) => (
                FindingState::Doubtful,
                format!(
                    "{wanted}; how much {kind} the account may have is not told: set aws.volumes.quotaGib.{kind} of its planes"
                ),
            ),
            (Some(quota), None) => (
                FindingState::Doubtful,
                format!("{wanted}, of {quota} GiB of {kind}; how much is used was not counted"),
            ),
            (Some(quota), Some(used)) => {
                let left = quota.saturating_sub(used);
                let of = format!("{wanted}; {used} of {quota} GiB of {kind} are used, room for {left}");
                (if self.gib > left { FindingState::Broken } else { FindingState::Sound }, of)
            }
        }
    }

    /// Can they be initialised at the rate? `None`: nobody asked for one.
    #[must_use]
    pub fn initialization(&self, rate: Option<u32>) -> Option<(FindingState, String)> {
        let (rate, at_once, quota) = (rate?, u64::from(self.at_once?), self.initialization_quota);
        Some(if at_once == 0 {
            (FindingState::Broken, format!("one volume at {rate} MiB/s is above the quota of {quota} MiB/s"))
        } else if self.volumes > at_once {
            let text = format!(
                "{} volumes at {rate} MiB/s, {at_once} at a time within {quota} MiB/s: EC2 refuses the next one, so they are made \
                 in turns, or the quota is raised",
                self.volumes
            );
            (FindingState::Doubtful, text)
        } else {
            (FindingState::Sound, format!("{} volumes at {rate} MiB/s fit into {quota} MiB/s", self.volumes))
        })
    }
}
