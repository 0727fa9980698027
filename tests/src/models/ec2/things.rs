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
    /// How it came to be; `None`: it was there from the beginning.
    pub made: Option<Made>,
}

impl Volume {
    /// EC2's word for how it stands.
    #[must_use]
    pub fn state(&self, now: Duration) -> &'static str {
        if self.attachment.is_some() {
            return "in-use";
        }
        match &self.made {
            Some(made) if made.gone.is_some() => "deleting",
            Some(made) if now < made.ready => "creating",
            Some(Made { spoilt: Some(_), .. }) => "error",
            Some(_) | None => "available",
        }
    }

    /// It was neither deleted, nor has it vanished by itself.
    #[must_use]
    pub fn exists(&self, now: Duration) -> bool {
        self.made.as_ref().is_none_or(|made| {
            let vanished = made.spoilt == Some(Spoil::Vanishes) && made.ready <= now;
            !vanished && made.gone.is_none_or(|gone| now < gone)
        })
    }

    /// Calls of this account and Region find it by now.
    #[must_use]
    pub fn seen_by(&self, now: Duration, home: &Home) -> bool {
        &self.home == home && self.exists(now) && self.made.as_ref().is_none_or(|made| made.visible <= now)
    }

    /// Where it is; what was there from the beginning is in the first zone.
    #[must_use]
    pub fn zone(&self) -> String {
        self.made.as_ref().map_or_else(|| format!("{}a", self.home.region), |made| made.zone.clone())
    }

    /// Per cent of its data that are there, told this much later than they are; `None`: EC2 tells it of volumes made of
    /// snapshots only (`facts/restore.md` §5.2).
    #[must_use]
    pub fn initialized(&self, now: Duration, lag: Duration) -> Option<u8> {
        let made = self.made.as_ref()?;
        let told_from = made.ready + lag;
        let whole = made.initialized.saturating_sub(made.ready).as_millis();
        match (now.checked_sub(told_from), whole) {
            (None, _) => Some(0),
            (Some(_), 0) => Some(100),
            (Some(passed), whole) => u8::try_from((passed.as_millis() * 100 / whole).min(100)).ok(),
        }
    }
}

/// How a volume came to be that was made of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Of which.
    pub snapshot: String,
    /// In which zone.
    pub zone: String,
    /// As it was asked for.
    pub iops: Option<u32>,
    /// As it was asked for, MiB/s.
    pub throughput: Option<u32>,
    /// VolumeInitializationRate, MiB/s.
    pub rate: Option<u32>,
    /// When CreateVolume was accepted.
    pub created: Duration,
    /// When describes begin to show it.
    pub visible: Duration,
    /// When it stops being `creating`.
    pub ready: Duration,
    /// When all of its data is there.
    pub initialized: Duration,
    /// What becomes of it instead of `available`.
    pub spoilt: Option<Spoil>,
    /// DeleteVolume was accepted; it is gone then.
    pub gone: Option<Duration>,
}

/// What a ClientToken stands for.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    /// Every other parameter, tags included.
    pub(super) asked: String,
    /// Which it made.
    pub(super) id: String,
    /// As it was then.
    pub(super) as_made: Volume,
}

/// How a volume goes wrong after CreateVolume was accepted: trouble with KMS shows in either way (`facts/restore.md` §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// It ends in `error`.
    Error,
    /// It is gone by itself.
    Vanishes,
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
