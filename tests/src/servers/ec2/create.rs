//! CreateSnapshots: everything is checked before anything is made, then one set with one StartTime (`facts/aws.md` A1,
//! A3).

use super::{
    fault::ApiError,
    form::Form,
    state::{Home, Snapshot},
    tags::check_tags,
    time::rfc3339,
    world::{World, dry_run, well_formed},
    xml::Xml,
};
use std::{collections::BTreeMap, time::Duration};

const KNOWN: &[&str] = &[
    "Description",
    "InstanceSpecification.InstanceId",
    "InstanceSpecification.ExcludeBootVolume",
    "InstanceSpecification.ExcludeDataVolumeId.#",
    "TagSpecification.#.ResourceType",
    "TagSpecification.#.Tag.#.Key",
    "TagSpecification.#.Tag.#.Value",
    "CopyTagsFromSource",
    "DryRun",
];

impl World {
    pub(crate) fn create_snapshots(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(KNOWN)?;
        let volumes = self.chosen(home, form)?;
        let tags = self.wanted_tags(form, &volumes)?;
        self.check_room(now, home, &volumes)?;
        dry_run(form)?;
        self.creations += 1;
        // One member that fails takes its whole set along.
        let fails = volumes.iter().filter_map(|volume| self.failing.remove(volume)).last();
        let mut made = Vec::new();
        for (volume, tags) in volumes.iter().zip(tags) {
            let Some(row) = self.state.volumes.get(volume) else { continue };
            let snapshot = Snapshot {
                home: home.clone(),
                volume: volume.clone(),
                call: self.creations,
                created: now,
                visible: now + self.state.rules.visible_after,
                done: now + self.state.rules.pending_for,
                start_ms: self.clock_ms(now),
                size: row.size,
                full_bytes: row.written,
                description: form.text("Description").unwrap_or_default().to_owned(),
                tags,
                fails: fails.clone(),
                deleting: false,
            };
            self.mutations += 1;
            made.push((snapshot_id(self.mutations), snapshot.clone()));
            self.last_snapshot.insert(volume.clone(), now);
        }
        self.snapshots.extend(made.iter().cloned());
        Ok(Xml::reply("CreateSnapshots", request, |xml| {
            xml.set("snapshotSet", &made, |xml, (id, snapshot)| {
                xml.leaf("snapshotId", id);
                xml.leaf("volumeId", &snapshot.volume);
                // `state` here, `status` in DescribeSnapshots.
                xml.leaf("state", "pending");
                xml.leaf("startTime", rfc3339(snapshot.start_ms));
                xml.leaf("progress", "");
                xml.leaf("volumeSize", snapshot.size);
                xml.leaf("ownerId", &snapshot.home.account);
                xml.leaf("encrypted", false);
                xml.leaf("description", &snapshot.description);
                xml.tags(&snapshot.tags);
            });
        }))
    }

    /// The volumes of the instance, less what is excluded.
    fn chosen(&self, home: &Home, form: &Form) -> Result<Vec<String>, ApiError> {
        let id = form.required("InstanceSpecification.InstanceId")?;
        if !well_formed(id, "i-") {
            return Err(ApiError::client("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")));
        }
        let instance = self.state.instances.get(id).filter(|instance| &instance.home == home).ok_or_else(|| {
            ApiError::client("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
        })?;
        if !matches!(instance.state.as_str(), "running" | "stopping" | "stopped") {
            let message = format!("The instance '{id}' is not in a state from which it can be snapshotted");
            return Err(ApiError::client("IncorrectInstanceState", message));
        }
        let excluded = form.list("InstanceSpecification.ExcludeDataVolumeId");
        if excluded.len() > self.state.rules.exclusions {
            let message = format!("At most {} volumes can be excluded", self.state.rules.exclusions);
            return Err(ApiError::client("InvalidParameterValue", message));
        }
        let attached: BTreeMap<&String, &str> = self.attached(id).collect();
        let is_root = |volume: &String| attached.get(volume) == Some(&instance.root_device.as_str());
        for volume in &excluded {
            let message = if !well_formed(volume, "vol-") || !attached.contains_key(volume) {
                format!("The volume '{volume}' is not attached to the instance '{id}'")
            } else if is_root(volume) {
                format!("The volume '{volume}' is the root volume; use ExcludeBootVolume")
            } else {
                continue;
            };
            return Err(ApiError::client("InvalidParameterValue", message));
        }
        let without_root = form.flag("InstanceSpecification.ExcludeBootVolume")?;
        let left = |volume: &&String| !(excluded.contains(volume) || without_root && is_root(volume));
        let chosen: Vec<String> = attached.keys().copied().filter(left).cloned().collect();
        if chosen.is_empty() {
            return Err(ApiError::client("InvalidParameterCombination", "All volumes of the instance are excluded"));
        }
        Ok(chosen)
    }

    /// The tags of each snapshot: those of the request, and the volume's own if asked for.
    fn wanted_tags(&self, form: &Form, volumes: &[String]) -> Result<Vec<BTreeMap<String, String>>, ApiError> {
        let mut asked = Vec::new();
        for index in form.numbers("TagSpecification") {
            let kind = form.required(&format!("TagSpecification.{index}.ResourceType"))?;
            if kind != "snapshot" {
                let message = format!("'{kind}' is not a valid taggable resource type for this operation.");
                return Err(ApiError::client("InvalidParameterValue", message));
            }
            asked.extend(form.tags(&format!("TagSpecification.{index}.Tag")));
        }
        check_tags(&asked)?;
        let copied = match form.text("CopyTagsFromSource") {
            None => false,
            Some("volume") => true,
            Some(other) => return Err(super::form::invalid("CopyTagsFromSource", other)),
        };
        let of_volume = |volume: &String| {
            let own = self.state.volumes.get(volume).filter(|_| copied).map(|volume| volume.tags.clone());
            let own = own.unwrap_or_default().into_iter().filter(|(key, _)| !key.starts_with("aws:"));
            let all: BTreeMap<String, String> = own.chain(asked.iter().cloned()).collect();
            self.check_tag_count(all.len()).map(|()| all)
        };
        volumes.iter().map(of_volume).collect()
    }

    /// The limits around creation. Nothing is made unless every volume has room.
    fn check_room(&self, now: Duration, home: &Home, volumes: &[String]) -> Result<(), ApiError> {
        let rules = &self.state.rules;
        let here = || self.snapshots.values().filter(|snapshot| &snapshot.home == home);
        for volume in volumes {
            if self.last_snapshot.get(volume).is_some_and(|last| now < *last + rules.volume_gap) {
                let message = "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing \
                               or variable sleep interval between requests.";
                return Err(ApiError::client("SnapshotCreationPerVolumeRateExceeded", message));
            }
            let slots = here().filter(|snapshot| &snapshot.volume == volume && snapshot.unfinished(now)).count();
            if slots >= rules.concurrent_per_volume {
                let message = format!("Maximum allowed in-progress snapshots for volume '{volume}' exceeded.");
                return Err(ApiError::client("ConcurrentSnapshotLimitExceeded", message));
            }
        }
        let pending = here().filter(|snapshot| snapshot.state(now) == "pending").count() + volumes.len();
        if rules.pending_limit.is_some_and(|limit| pending > limit) {
            let message = "The maximum number of pending snapshots has been reached.";
            return Err(ApiError::client("PendingSnapshotLimitExceeded", message));
        }
        if here().count() + volumes.len() > rules.snapshot_limit {
            let message = "The maximum number of snapshots has been reached.";
            return Err(ApiError::client("SnapshotLimitExceeded", message));
        }
        Ok(())
    }

    /// What is attached to an instance, with its device. A volume on its way counts.
    pub(crate) fn attached<'a>(&'a self, instance: &'a str) -> impl Iterator<Item = (&'a String, &'a str)> {
        self.state.volumes.iter().filter_map(move |(id, volume)| {
            let at = volume.attachment.as_ref().filter(|at| at.instance == instance && at.status != "detached")?;
            Some((id, at.device.as_str()))
        })
    }
}

/// Ids do not sort by time, as EC2's do not.
fn snapshot_id(number: u64) -> String {
    format!("snap-0{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
