//! The numbers that EC2 goes by, and its token buckets.

use std::{collections::BTreeMap, time::Duration};

/// A token bucket's size and rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full bucket.
    pub burst: u32,
    /// Tokens per second.
    pub refill: u32,
}

/// What EC2 goes by; every number may be changed at any time.
#[derive(Debug, Clone)]
pub struct Rules {
    /// From creation until a describe, a tag or a delete call finds a snapshot or a volume (eventual consistency,
    /// `facts/aws.md` A2).
    pub visible_after: Duration,
    /// From creation until a snapshot is completed.
    pub pending_for: Duration,
    /// Least time between two snapshots of one volume (A3).
    pub volume_gap: Duration,
    /// Snapshots of one volume that are not completed (A3); those in `error` and deleted ones still pending count.
    pub concurrent_per_volume: usize,
    /// What is deleted goes to the Recycle Bin (A5): it is accepted, no describe shows it, and it is kept.
    pub recycle_bin: bool,
    /// Pending snapshots per account and Region. `None`: no limit, which is how today's quota text reads for
    /// CreateSnapshots; the code is still seen in the field (A3).
    pub pending_limit: Option<usize>,
    /// Snapshots per account and Region.
    pub snapshot_limit: usize,
    /// ExcludeDataVolumeIds of one call (A1).
    pub exclusions: usize,
    /// Tags per resource.
    pub tags: usize,
    /// From CreateVolume until a volume is `available`.
    pub creating_for: Duration,
    /// From DeleteVolume until a volume is gone; minutes in the field (`facts/restore.md` §5.1).
    pub deleting_for: Duration,
    /// GiB that volumes of a type may have together; of a type that is not named there is no limit.
    pub volume_gib: BTreeMap<String, u64>,
    /// MiB/s at which volumes together may be initialised at a rate of their own (`facts/restore.md` §5.2).
    pub initialization: u32,
    /// MiB/s of one that has none; AWS says no number, the field has 130 and more for gp3.
    pub lazily: u32,
    /// DescribeVolumeStatus tells progress this much later, up to five minutes.
    pub progress_lag: Duration,
    /// Buckets by action; describes have two, see [`Rules::bucket`]. One that is not named never refuses.
    pub buckets: BTreeMap<String, Rate>,
    /// EC2's clock minus ours, in milliseconds. It shows in StartTime only: a `Date` header would move the SDK's own
    /// clock (`facts/ec2-wire.md` §3), so there is none.
    pub clock_skew_ms: i64,
}

impl Default for Rules {
    fn default() -> Self {
        let table = [
            ("CreateSnapshots", 100, 5),
            ("CreateSnapshot", 100, 5),
            ("DeleteSnapshot", 100, 5),
            ("CreateTags", 100, 10),
            ("DeleteTags", 100, 10),
            ("ListChangedBlocks", 50, 50),
            ("ListSnapshotBlocks", 50, 50),
            ("GetSnapshotBlock", 1000, 1000),
            ("CreateVolume", 100, 5),
            ("DeleteVolume", 100, 5),
            ("DescribeSnapshotAttribute", 50, 10),
            ("DescribeSnapshots paged", 100, 20),
            ("DescribeVolumes paged", 100, 20),
            ("DescribeInstances paged", 100, 20),
            ("DescribeSnapshots plain", 50, 10),
            ("DescribeVolumes plain", 50, 10),
            ("DescribeInstances plain", 50, 10),
        ];
        let bucket = |(name, burst, refill): (&str, u32, u32)| (name.to_owned(), Rate { burst, refill });
        Self {
            visible_after: Duration::ZERO,
            pending_for: Duration::from_secs(1),
            volume_gap: Duration::from_secs(15),
            concurrent_per_volume: 5,
            recycle_bin: false,
            pending_limit: None,
            snapshot_limit: 100_000,
            exclusions: 40,
            tags: 50,
            creating_for: Duration::from_secs(1),
            deleting_for: Duration::from_secs(1),
            volume_gib: BTreeMap::new(),
            initialization: 5_000,
            lazily: 130,
            progress_lag: Duration::ZERO,
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

/// A bucket when it was last looked at: tokens in thousandths, so that whole milliseconds lose nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    tokens: u128,
    at: Duration,
}

impl Level {
    pub(super) fn full(rate: &Rate) -> Self {
        Self { tokens: u128::from(rate.burst) * 1_000, at: Duration::ZERO }
    }

    /// Takes a token, if there is one by now.
    pub(super) fn take(&mut self, rate: &Rate, now: Duration) -> bool {
        let gained = (now.as_millis().saturating_sub(self.at.as_millis())) * u128::from(rate.refill);
        self.tokens = (self.tokens + gained).min(u128::from(rate.burst) * 1_000);
        self.at = now;
        let taken = self.tokens >= 1_000;
        if taken {
            self.tokens -= 1_000;
        }
        taken
    }
}
