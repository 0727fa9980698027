//! What a person asks for besides the backup, as it travels and as words of the console.

use serde::{Deserialize, Serialize};
use shared::{
    ids::PlaneId,
    wire::{Target, VolumeWish},
};
use std::collections::BTreeMap;

/// Options of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RestoreOptions {
    /// The volumes.
    pub wish: VolumeWish,
    /// How long a drill would keep them.
    pub hours: u32,
    /// The TiDB cluster that is restored into, in planes that `targets` does not name; `None`: those are not asked.
    pub target: Option<Target>,
    /// By plane.
    pub targets: BTreeMap<PlaneId, Target>,
}

/// Hours of a drill: long enough to look at what was restored.
const HOURS: u32 = 4;

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { wish: VolumeWish::plain(), hours: HOURS, target: None, targets: BTreeMap::new() }
    }
}

impl RestoreOptions {
    /// Into which TiDB cluster this plane's part would go.
    pub fn target_of(&self, plane: &PlaneId) -> Option<&Target> {
        self.targets.get(plane).or(self.target.as_ref())
    }

    /// As flags of the console.
    pub fn words(&self) -> Vec<String> {
        let wish = &self.wish;
        let mut words = Vec::new();
        let mut add = |flag: &str, value: String| words.extend([format!("--{flag}"), value]);
        wish.zones.iter().for_each(|(from, to)| add("zone", format!("{from}={to}")));
        wish.zone.iter().for_each(|to| add("zone", to.clone()));
        add("type", wish.kind.name.clone());
        wish.kind.iops.iter().for_each(|iops| add("iops", iops.to_string()));
        wish.kind.throughput.iter().for_each(|throughput| add("throughput", throughput.to_string()));
        wish.rate.iter().for_each(|rate| add("rate", rate.to_string()));
        add("hours", self.hours.to_string());
        let name = |target: &Target| format!("{}/{}", target.namespace, target.name);
        self.targets.iter().for_each(|(plane, target)| add("target", format!("{plane}={}", name(target))));
        self.target.iter().for_each(|target| add("target", name(target)));
        words
    }
}
