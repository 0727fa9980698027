//! What there is in our EC2: instances, volumes, snapshots, and the rules it goes by.

use std::{collections::BTreeMap, time::Duration};

/// What a test starts the server with.
#[derive(Debug, Clone, Default)]
pub struct Ec2State {
    /// Access key → account.
    pub keys: BTreeMap<String, String>,
    /// Access key of a session → when it ends, since the server's start.
    pub ends: BTreeMap<String, Duration>,
    /// Account of every other access key, for credentials that STS makes up. `None`: unknown keys are refused.
    pub any_key: Option<String>,
    /// By id.
    pub instances: BTreeMap<String, Instance>,
    /// By id.
    pub volumes: BTreeMap<String, Volume>,
    /// What it goes by.
    pub rules: Rules,
}

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
    /// What FullSnapshotSizeInBytes of its next snapshot will be.
    pub written: u64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
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

/// A token bucket's size and rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens of a full bucket.
    pub burst: f64,
    /// Tokens per second.
    pub refill: f64,
}

/// What the server goes by; every number is settable while it runs.
#[derive(Debug, Clone)]
pub struct Rules {
    /// From creation until a describe, a tag or a delete call finds a snapshot (eventual consistency, `facts/aws.md` A2).
    pub visible_after: Duration,
    /// From creation until a snapshot is completed.
    pub pending_for: Duration,
    /// Least time between two snapshots of one volume (A3).
    pub volume_gap: Duration,
    /// Snapshots of one volume that are not completed (A3); those in `error` and deleted ones still pending count.
    pub concurrent_per_volume: usize,
    /// Pending snapshots per account and Region. `None`: no limit, which is how today's quota text reads for
    /// CreateSnapshots; the code is still seen in the field (A3).
    pub pending_limit: Option<usize>,
    /// Snapshots per account and Region.
    pub snapshot_limit: usize,
    /// ExcludeDataVolumeIds of one call (A1).
    pub exclusions: usize,
    /// Tags per resource.
    pub tags: usize,
    /// Buckets by action; describes have two, see [`Rules::bucket`]. One that is not named never refuses.
    pub buckets: BTreeMap<String, Rate>,
    /// EC2's clock minus ours, in milliseconds. It shows in StartTime only: a `Date` header would move the SDK's own
    /// clock (`facts/ec2-wire.md` §3), so there is none.
    pub clock_skew_ms: i64,
}

impl Default for Rules {
    fn default() -> Self {
        let table = [
            ("CreateSnapshots", 100.0, 5.0),
            ("DeleteSnapshot", 100.0, 5.0),
            ("CreateTags", 100.0, 10.0),
            ("DescribeSnapshots paged", 100.0, 20.0),
            ("DescribeVolumes paged", 100.0, 20.0),
            ("DescribeInstances paged", 100.0, 20.0),
            ("DescribeSnapshots plain", 50.0, 10.0),
            ("DescribeVolumes plain", 50.0, 10.0),
            ("DescribeInstances plain", 50.0, 10.0),
        ];
        let bucket = |(name, burst, refill): (&str, f64, f64)| (name.to_owned(), Rate { burst, refill });
        Self {
            visible_after: Duration::ZERO,
            pending_for: Duration::from_secs(1),
            volume_gap: Duration::from_secs(15),
            concurrent_per_volume: 5,
            pending_limit: None,
            snapshot_limit: 100_000,
            exclusions: 40,
            tags: 50,
            buckets: table.into_iter().map(bucket).collect(),
            clock_skew_ms: 0,
        }
    }
}

impl Rules {
    /// The bucket of a call: describes with a filter or paging draw from a larger one (A7).
    #[must_use]
    pub fn bucket(action: &str, paged: bool) -> String {
        match action {
            "DescribeSnapshots" | "DescribeVolumes" | "DescribeInstances" => {
                format!("{action} {}", if paged { "paged" } else { "plain" })
            }
            other => other.to_owned(),
        }
    }
}

impl Ec2State {
    /// An empty account whose access key is `key`.
    #[must_use]
    pub fn of(account: &str, key: &str) -> Self {
        Self { keys: [(key.to_owned(), account.to_owned())].into(), ..Self::default() }
    }

    /// Adds a running instance with a root volume and data volumes, all attached.
    #[must_use]
    pub fn with_instance(mut self, home: &Home, id: &str, root: &str, data: &[&str]) -> Self {
        let instance = Instance {
            home: home.clone(),
            state: "running".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            tags: BTreeMap::new(),
        };
        self.instances.insert(id.to_owned(), instance);
        for (index, volume) in std::iter::once(&root).chain(data).enumerate() {
            let device = if index == 0 { "/dev/xvda".to_owned() } else { format!("/dev/sd{index}") };
            let attachment = Attachment { instance: id.to_owned(), device, status: "attached".to_owned() };
            let volume_row = Volume {
                home: home.clone(),
                size: 10,
                written: 512 * 1024 * (index as u64 + 1),
                tags: BTreeMap::new(),
                attachment: Some(attachment),
            };
            self.volumes.insert((*volume).to_owned(), volume_row);
        }
        self
    }
}

/// One snapshot, as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose and where.
    pub home: Home,
    /// Of which volume.
    pub volume: String,
    /// Of which CreateSnapshots call: counts from 1.
    pub call: u64,
    /// Since the server's start.
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
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// It ends in `error`, with this StateMessage.
    pub fails: Option<String>,
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
    pub(crate) fn progress(&self, now: Duration) -> u128 {
        let whole = self.done.saturating_sub(self.created).as_millis().max(1);
        (now.saturating_sub(self.created).as_millis() * 100 / whole).min(100)
    }

    /// It takes up one of its volume's slots.
    pub(crate) fn unfinished(&self, now: Duration) -> bool {
        self.state(now) != "completed"
    }
}
