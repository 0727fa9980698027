//! What there is in EC2: instances, volumes, snapshots.

use super::guard::Guard;
use std::{collections::BTreeMap, time::Duration};

/// An account in one Region: nobody sees past it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Home {
    /// Twelve digits.
    pub account: String,
    /// From the scope of the signature.
    pub region: String,
}

impl Home {
    /// An account and a Region.
    #[must_use]
    pub fn new(account: &str, region: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned() }
    }
}

/// An instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Whose and where.
    pub home: Home,
    /// `running`, `stopped`, …
    pub state: String,
    /// Device of the root volume.
    pub root_device: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A volume.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Whose and where.
    pub home: Home,
    /// GiB.
    pub size: u32,
    /// EC2's word for its type.
    pub kind: String,
    /// What FullSnapshotSizeInBytes of its next snapshot will be.
    pub written: u64,
    /// Bytes that were ever written to it, what was written over included.
    pub ever_written: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// st1 or sc1: one unfinished snapshot at a time, whatever the rules say of others (`facts/aws.md` A3).
    pub slow: bool,
    /// Where it is.
    pub attachment: Option<Attachment>,
}

/// Where a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// On which instance.
    pub instance: String,
    /// As which device.
    pub device: String,
    /// attaching, attached, detaching, detached, busy.
    pub status: String,
}

/// What happened to a snapshot since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Later {
    /// It is in the archive tier.
    pub archived: bool,
    /// createVolumePermission: accounts, or `all`.
    pub shared_with: Vec<String>,
    /// The key that encrypts it.
    pub key: Option<String>,
    /// It was deleted, and a rule of the Recycle Bin keeps it.
    pub binned: bool,
    /// Its blocks are not what they were.
    pub damaged: bool,
}

/// One snapshot, as EC2 itself knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose and where.
    pub home: Home,
    /// Of which volume.
    pub volume: String,
    /// Of which CreateSnapshots call: counts from 1.
    pub call: u64,
    /// Since the beginning of time.
    pub created: Duration,
    /// When describes begin to show it.
    pub visible: Duration,
    /// When it stops being pending.
    pub done: Duration,
    /// EC2's clock, milliseconds since 1970.
    pub start_ms: i64,
    /// GiB of the volume.
    pub size: u32,
    /// FullSnapshotSizeInBytes once completed.
    pub full_bytes: u64,
    /// Bytes that had ever been written to its volume.
    pub ever_written: u64,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// It ends in `error`, with this StateMessage.
    pub fails: Option<String>,
    /// What keeps it from being deleted.
    pub guard: Option<Guard>,
    /// What happened to it since.
    pub later: Later,
    /// DeleteSnapshot was accepted while it was pending; it goes once it is done.
    pub deleting: bool,
}

impl Snapshot {
    /// pending, completed or error.
    #[must_use]
    pub fn state(&self, now: Duration) -> &'static str {
        match (now < self.done, &self.fails) {
            (true, _) => "pending",
            (false, Some(_)) => "error",
            (false, None) => "completed",
        }
    }

    /// Per cent of its time that has passed; advisory in EC2, and so here.
    #[must_use]
    pub fn progress(&self, now: Duration) -> u8 {
        let whole = self.done.saturating_sub(self.created).as_millis().max(1);
        u8::try_from(now.saturating_sub(self.created).as_millis() * 100 / whole).unwrap_or(100).min(100)
    }

    /// Calls of this account and Region find it by now.
    #[must_use]
    pub fn seen_by(&self, now: Duration, home: &Home) -> bool {
        &self.home == home && self.visible <= now && self.exists(now) && !self.later.binned
    }

    /// It was not deleted, or is still pending all the same.
    #[must_use]
    pub fn exists(&self, now: Duration) -> bool {
        !self.deleting || now < self.done
    }
}
