//! CreateSnapshots: everything is checked before anything is made, then one set with one StartTime (`facts/aws.md` A1,
//! A3).

use super::{Ec2, Home, Later, Refusal, Snapshot, check_tags, well_formed};
use std::{collections::BTreeMap, time::Duration};

/// What a CreateSnapshots asks for.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Of which instance.
    pub instance: &'a str,
    /// ExcludeBootVolume.
    pub without_root: bool,
    /// ExcludeDataVolumeIds.
    pub excluded: &'a [String],
    /// For each snapshot.
    pub tags: &'a [(String, String)],
    /// CopyTagsFromSource.
    pub copy_tags: bool,
}

/// One snapshot of a set.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which volume.
    pub volume: String,
    /// All of its tags.
    pub tags: BTreeMap<String, String>,
    /// When calls begin to find it.
    pub visible: Duration,
    /// When it stops being pending.
    pub done: Duration,
    /// FullSnapshotSizeInBytes.
    pub full_bytes: u64,
    /// Bytes that were ever written to the volume.
    pub ever_written: u64,
}

impl Ec2 {
    /// The snapshots that a call would make, at this moment and as the rules have it; nothing is made yet.
    ///
    /// # Errors
    /// Whatever EC2 refuses of it, but for what takes up room ([`Self::check_room`]).
    pub fn chosen(&self, now: Duration, home: &Home, call: &Call<'_>) -> Result<Vec<Wanted>, Refusal> {
        self.wanted(now, self.volumes_of(home, call)?, call.tags, call.copy_tags)
    }

    /// The same of one volume alone (CreateSnapshot): attached or not.
    ///
    /// # Errors
    /// Whatever EC2 refuses of it, but for what takes up room.
    pub fn chosen_one(
        &self,
        now: Duration,
        home: &Home,
        volume: &str,
        tags: &[(String, String)],
    ) -> Result<Vec<Wanted>, Refusal> {
        self.visible_volume(now, home, volume)?;
        self.wanted(now, vec![volume.to_owned()], tags, false)
    }

    fn wanted(
        &self,
        now: Duration,
        volumes: Vec<String>,
        tags: &[(String, String)],
        copy_tags: bool,
    ) -> Result<Vec<Wanted>, Refusal> {
        check_tags(tags)?;
        let wanted = |id: String| {
            let row = self.volumes.get(&id);
            let own = row.filter(|_| copy_tags).map(|row| row.tags.clone()).unwrap_or_default();
            let own: Vec<_> = own.into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect();
            // What EC2 does with a key that is copied and asked for is not documented: nobody may count on it.
            if let Some((key, _)) = own.iter().find(|(key, _)| tags.iter().any(|(asked, _)| asked == key)) {
                let message = format!("Duplicate tag key '{key}' specified.");
                return Err(Refusal::new("InvalidParameterValue", message));
            }
            let all: BTreeMap<String, String> = own.into_iter().chain(tags.iter().cloned()).collect();
            self.check_tag_count(all.len())?;
            Ok(Wanted {
                full_bytes: row.map_or(0, |row| row.written),
                ever_written: row.map_or(0, |row| row.ever_written),
                volume: id,
                tags: all,
                visible: now + self.rules.visible_after,
                done: now + self.rules.pending_for,
            })
        };
        volumes.into_iter().map(wanted).collect()
    }

    /// The volumes of the instance, less what is excluded.
    fn volumes_of(&self, home: &Home, call: &Call<'_>) -> Result<Vec<String>, Refusal> {
        let id = call.instance;
        if !well_formed(id, "i-") {
            return Err(Refusal::new("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")));
        }
        let instance = self.instances.get(id).filter(|instance| &instance.home == home).ok_or_else(|| {
            Refusal::new("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
        })?;
        if !matches!(instance.state.as_str(), "running" | "stopping" | "stopped") {
            let message = format!("The instance '{id}' is not in a state from which it can be snapshotted");
            return Err(Refusal::new("IncorrectInstanceState", message));
        }
        if call.excluded.len() > self.rules.exclusions {
            let message = format!("At most {} volumes can be excluded", self.rules.exclusions);
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        let attached: BTreeMap<&String, &str> = self.attached(id).collect();
        let is_root = |volume: &String| attached.get(volume) == Some(&instance.root_device.as_str());
        for volume in call.excluded {
            let message = if !well_formed(volume, "vol-") || !attached.contains_key(volume) {
                format!("The volume '{volume}' is not attached to the instance '{id}'")
            } else if is_root(volume) {
                format!("The volume '{volume}' is the root volume; use ExcludeBootVolume")
            } else {
                continue;
            };
            return Err(Refusal::new("InvalidParameterValue", message));
        }
        let left = |volume: &&String| !(call.excluded.contains(volume) || call.without_root && is_root(volume));
        let chosen: Vec<String> = attached.keys().copied().filter(left).cloned().collect();
        if chosen.is_empty() {
            return Err(Refusal::new("InvalidParameterCombination", "All volumes of the instance are excluded"));
        }
        Ok(chosen)
    }

    /// The limits around creation.
    ///
    /// # Errors
    /// One of the volumes, or all of them together, have no room.
    pub fn check_room(&self, now: Duration, home: &Home, wanted: &[Wanted]) -> Result<(), Refusal> {
        let rules = &self.rules;
        let here = || self.snapshots.values().filter(|one| &one.home == home && one.exists(now));
        for Wanted { volume, .. } in wanted {
            if self.last_snapshot.get(volume).is_some_and(|last| now < *last + rules.volume_gap) {
                let message = "The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing \
                               or variable sleep interval between requests.";
                return Err(Refusal::new("SnapshotCreationPerVolumeRateExceeded", message));
            }
            let slots = here().filter(|one| &one.volume == volume && one.state(now) != "completed").count();
            let slow = self.volumes.get(volume).is_some_and(|row| row.slow);
            if slots >= if slow { 1 } else { rules.concurrent_per_volume } {
                let message = format!("Maximum allowed in-progress snapshots for volume '{volume}' exceeded.");
                return Err(Refusal::new("ConcurrentSnapshotLimitExceeded", message));
            }
        }
        let pending = here().filter(|one| one.state(now) == "pending").count() + wanted.len();
        if rules.pending_limit.is_some_and(|limit| pending > limit) {
            let message = "The maximum number of pending snapshots has been reached.";
            return Err(Refusal::new("PendingSnapshotLimitExceeded", message));
        }
        if here().count() + wanted.len() > rules.snapshot_limit {
            return Err(Refusal::new("SnapshotLimitExceeded", "The maximum number of snapshots has been reached."));
        }
        Ok(())
    }

    /// Makes a set: one StartTime, and if one member fails (`fails`: why), all do. Answers the ids.
    pub fn make(
        &mut self,
        now: Duration,
        start_ms: i64,
        wanted: Vec<Wanted>,
        fails: Option<&str>,
        description: &str,
    ) -> Vec<String> {
        self.calls += 1;
        let mut ids = Vec::new();
        for Wanted { volume, tags, visible, done, full_bytes, ever_written } in wanted {
            let Some(row) = self.volumes.get(&volume) else { continue };
            let snapshot = Snapshot {
                home: row.home.clone(),
                call: self.calls,
                created: now,
                visible,
                done,
                start_ms,
                size: row.size,
                full_bytes,
                ever_written,
                description: description.to_owned(),
                tags,
                fails: fails.map(str::to_owned),
                guard: None,
                later: Later::default(),
                deleting: false,
                volume: volume.clone(),
            };
            self.made += 1;
            let id = snapshot_id(self.made);
            self.snapshots.insert(id.clone(), snapshot);
            self.last_snapshot.insert(volume, now);
            ids.push(id);
        }
        ids
    }

    /// So many more of each snapshot that exists, alike in everything but their ids: as many as of a larger cluster.
    /// Each with what it is a copy of.
    pub fn multiply(&mut self, times: usize) -> Vec<(String, String)> {
        let all: Vec<(String, Snapshot)> =
            self.snapshots.iter().filter(|(_, one)| !one.deleting).map(|(id, one)| (id.clone(), one.clone())).collect();
        let mut copies = Vec::new();
        for (of, one) in all.into_iter().flat_map(|pair| std::iter::repeat_n(pair, times)) {
            self.made += 1;
            let id = snapshot_id(self.made);
            self.snapshots.insert(id.clone(), one);
            copies.push((of, id));
        }
        copies
    }

    /// Was it ever snapshotted?
    #[must_use]
    pub fn was_snapshotted(&self, volume: &str) -> bool {
        self.last_snapshot.contains_key(volume)
    }
}

/// Ids do not sort by time, as EC2's do not.
fn snapshot_id(number: u64) -> String {
    format!("snap-0{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
