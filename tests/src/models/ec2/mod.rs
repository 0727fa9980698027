//! EC2's snapshots, what they are made of (`facts/aws.md` A1–A7) and what is made of them (`facts/restore.md` §5): exclusions, tags, the 15 s of a volume, slots, pending
//! snapshots, eventual visibility, token buckets per account, Region and action. Time is what has passed since a beginning
//! of the caller's choice.

mod blocks;
mod create;
mod guard;
mod later;
mod made;
mod refusal;
mod rules;
mod snapshots;
mod tags;
#[cfg(test)]
mod tests;
mod things;
mod volumes;

pub use blocks::{BLOCK_BYTES, Block};
pub use create::{Call, Wanted};
pub use guard::Guard;
pub use later::BlockData;
pub use made::AskedVolume;
pub use refusal::Refusal;
pub use rules::{Rate, Rules};
pub use tags::check_tags;
pub use things::{Attachment, Home, Instance, Later, Made, Snapshot, Spoil, Volume};
pub use volumes::WantedVolume;

use rules::Level;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use things::Remembered;

/// All accounts and Regions.
#[derive(Debug, Clone, Default)]
pub struct Ec2 {
    /// By id.
    pub instances: BTreeMap<String, Instance>,
    /// By id.
    pub volumes: BTreeMap<String, Volume>,
    /// What it goes by.
    pub rules: Rules,
    /// By id. Deleted ones stay until [`Self::forget_deleted`], seen by no call.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Keys of KMS that decrypt nothing any more.
    pub disabled_keys: BTreeSet<String>,
    /// Zones that are not as they were, by name, with EC2's word for what they are.
    pub zone_states: BTreeMap<String, String>,
    /// Types that a zone does not offer.
    pub not_offered: BTreeSet<(String, String)>,
    /// What becomes of the next volumes of a snapshot, one after the other.
    pub spoiling: BTreeMap<String, VecDeque<Spoil>>,
    /// By ClientToken.
    tokens: BTreeMap<(Home, String), Remembered>,
    last_snapshot: BTreeMap<String, Duration>,
    levels: BTreeMap<(Home, String), Level>,
    calls: u64,
    made: u64,
}

impl Ec2 {
    /// Adds a running instance with a root volume and data volumes, all attached.
    pub fn add_instance(&mut self, home: &Home, id: &str, root: &str, data: &[&str]) {
        let instance = Instance {
            home: home.clone(),
            state: "running".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            tags: BTreeMap::new(),
        };
        self.instances.insert(id.to_owned(), instance);
        for (index, volume) in std::iter::once(&root).chain(data).enumerate() {
            let device = if index == 0 { "/dev/xvda".to_owned() } else { format!("/dev/sd{index}") };
            self.add_volume(home, volume, id, &device, 512 * 1024 * (index as u64 + 1));
        }
    }

    /// Adds a volume of 500 GiB, which no PersistentVolume of the doubles exceeds, that is attached to an instance and holds
    /// so many bytes.
    pub fn add_volume(&mut self, home: &Home, id: &str, instance: &str, device: &str, written: u64) {
        let attachment =
            Attachment { instance: instance.to_owned(), device: device.to_owned(), status: "attached".to_owned() };
        let volume = Volume {
            home: home.clone(),
            size: 500,
            kind: "gp3".to_owned(),
            written,
            ever_written: written,
            tags: BTreeMap::new(),
            slow: false,
            attachment: Some(attachment),
            made: None,
        };
        self.volumes.insert(id.to_owned(), volume);
    }

    /// A volume goes, and what is known of it.
    pub fn remove_volume(&mut self, id: &str) {
        self.volumes.remove(id);
        self.last_snapshot.remove(id);
    }

    /// What is attached to an instance, with its device. A volume on its way counts.
    pub fn attached<'a>(&'a self, instance: &'a str) -> impl Iterator<Item = (&'a String, &'a str)> {
        self.volumes.iter().filter_map(move |(id, volume)| {
            let at = volume.attachment.as_ref().filter(|at| at.instance == instance && at.status != "detached")?;
            Some((id, at.device.as_str()))
        })
    }

    /// Takes a token of this account, Region and bucket (A7).
    ///
    /// # Errors
    /// None is left.
    pub fn draw(&mut self, now: Duration, home: &Home, bucket: &str) -> Result<(), Refusal> {
        let Some(rate) = self.rules.buckets.get(bucket) else { return Ok(()) };
        let level = self.levels.entry((home.clone(), bucket.to_owned())).or_insert_with(|| Level::full(rate));
        if level.take(rate, now) {
            return Ok(());
        }
        let (account, action) = (&home.account, bucket.split(' ').next().unwrap_or(bucket));
        let message =
            format!("Account {account} has been throttled on ec2:{action} because it exceeded its request rate limit.");
        Err(Refusal::new("RequestLimitExceeded", message))
    }
}

/// `i-`, `vol-` or `snap-` and 8 or 17 hexadecimal digits.
pub(crate) fn well_formed(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}
