//! What an account may call of EC2 (`facts/aws.md` A7). Quotas are raised on request, so every number is a setting.

use serde::{Deserialize, Serialize};
use shared::limiter::Budget;
use std::{collections::BTreeMap, num::NonZeroU32};

/// What is counted in a bucket of its own, per account and Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// All volumes of an instance.
    CreateSnapshots,
    /// One volume.
    CreateSnapshot,
    /// One snapshot.
    DeleteSnapshot,
    /// DescribeSnapshots by ids alone.
    DescribeByIds,
    /// DescribeSnapshots with filters, page by page.
    DescribeByFilter,
    /// EBS direct.
    ListChangedBlocks,
    /// EBS direct.
    ListSnapshotBlocks,
    /// With and without DryRun.
    CreateVolume,
    /// One volume.
    DeleteVolume,
    /// DescribeVolumes by ids alone.
    VolumesByIds,
    /// DescribeVolumes with filters, page by page.
    VolumesByFilter,
    /// DescribeVolumeStatus.
    VolumeStatus,
}

impl Action {
    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CreateSnapshots => "CreateSnapshots",
            Self::CreateSnapshot => "CreateSnapshot",
            Self::DeleteSnapshot => "DeleteSnapshot",
            Self::DescribeByIds => "DescribeSnapshots by id",
            Self::DescribeByFilter => "DescribeSnapshots by tag",
            Self::ListChangedBlocks => "ListChangedBlocks",
            Self::ListSnapshotBlocks => "ListSnapshotBlocks",
            Self::CreateVolume => "CreateVolume",
            Self::DeleteVolume => "DeleteVolume",
            Self::VolumesByIds => "DescribeVolumes by id",
            Self::VolumesByFilter => "DescribeVolumes by tag",
            Self::VolumeStatus => "DescribeVolumeStatus",
        }
    }
}

/// One bucket as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bucket {
    /// Calls at once, from a full bucket.
    pub burst: NonZeroU32,
    /// Calls that come back each second.
    pub per_second: NonZeroU32,
}

impl Bucket {
    /// 0 counts as 1: a bucket that never fills would be waited for for ever.
    pub fn new(burst: u32, per_second: u32) -> Self {
        let least = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { burst: least(burst), per_second: least(per_second) }
    }

    /// Of whole tokens, as EC2's are.
    fn of(budget: Budget) -> Self {
        let whole = |milli: u64| u32::try_from(milli / 1000).unwrap_or(u32::MAX);
        Self::new(whole(budget.burst_milli), whole(budget.rate_milli))
    }
}

/// Every bucket; EC2's defaults where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Budgets {
    /// CreateSnapshots (100, 5).
    pub create_snapshots: Bucket,
    /// CreateSnapshot (100, 5).
    pub create_snapshot: Bucket,
    /// DeleteSnapshot (100, 5).
    pub delete_snapshot: Bucket,
    /// Describes by ids alone (50, 10): which bucket they use is not documented, so the smaller is planned for.
    pub describe_by_ids: Bucket,
    /// Describes with filters (100, 20).
    pub describe_by_filter: Bucket,
}

/// What an account may have of volumes in a Region, for who plans a restore (`facts/restore.md` §5.2, §5.4). EC2 tells none of
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct VolumeQuotas {
    /// GiB of all volumes of a type, by EC2's word for it; of a type that is not named nobody knows.
    pub quota_gib: BTreeMap<String, u64>,
    /// MiB/s of all volumes that are initialised at a rate (5,000).
    pub initialization_mib_per_second: u32,
}

impl Default for VolumeQuotas {
    fn default() -> Self {
        Self { quota_gib: BTreeMap::new(), initialization_mib_per_second: 5_000 }
    }
}

/// How many snapshots an account may have in a Region (`facts/aws.md` A3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Quotas {
    /// In all (100,000).
    pub snapshots: u32,
    /// Pending at a time; 0: nobody knows of a limit. Users report 100 in some accounts.
    pub pending_snapshots: u32,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { snapshots: 100_000, pending_snapshots: 0 }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            create_snapshots: Bucket::of(Budget::EC2_CREATE_SNAPSHOTS),
            create_snapshot: Bucket::of(Budget::EC2_CREATE_SNAPSHOT),
            delete_snapshot: Bucket::of(Budget::EC2_DELETE_SNAPSHOT),
            describe_by_ids: Bucket::of(Budget::EC2_DESCRIBE_PLAIN),
            describe_by_filter: Bucket::of(Budget::EC2_DESCRIBE_PAGED),
        }
    }
}

impl Budgets {
    pub(crate) fn of(&self, action: Action) -> Budget {
        let bucket = match action {
            Action::CreateSnapshots => self.create_snapshots,
            Action::CreateSnapshot => self.create_snapshot,
            Action::DeleteSnapshot => self.delete_snapshot,
            Action::DescribeByIds => self.describe_by_ids,
            Action::DescribeByFilter => self.describe_by_filter,
            // Never raised by AWS, so no setting.
            Action::ListChangedBlocks | Action::ListSnapshotBlocks => return Budget::EBS_LISTS,
            // A plane's volumes are some hundreds, and a restore has time: no setting.
            Action::CreateVolume => return Budget::EC2_CREATE_VOLUME,
            Action::DeleteVolume => return Budget::EC2_DELETE_VOLUME,
            Action::VolumesByIds | Action::VolumeStatus => return Budget::EC2_DESCRIBE_PLAIN,
            Action::VolumesByFilter => return Budget::EC2_DESCRIBE_PAGED,
        };
        Budget::whole(bucket.per_second.get(), bucket.burst.get())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_quota_that_was_raised_is_said_and_the_others_stay() {
        let said: Budgets = serde_json::from_str(r#"{"createSnapshots": {"burst": 300, "perSecond": 20}}"#).unwrap();
        assert_eq!(said.of(Action::CreateSnapshots), Budget::whole(20, 300));
        assert_eq!(said.of(Action::CreateSnapshot), Budget::EC2_CREATE_SNAPSHOT);
        let default = Budgets::default();
        for (action, of_ec2) in [
            (Action::CreateSnapshots, Budget::whole(5, 100)),
            (Action::DeleteSnapshot, Budget::whole(5, 100)),
            (Action::DescribeByIds, Budget::whole(10, 50)),
            (Action::DescribeByFilter, Budget::whole(20, 100)),
        ] {
            assert_eq!(default.of(action), of_ec2, "{action:?}");
        }
        for bad in [r#"{"createSnapshots": {"burst": 0, "perSecond": 5}}"#, r#"{"deleteSnapshots": null}"#] {
            assert!(serde_json::from_str::<Budgets>(bad).is_err(), "{bad}");
        }
    }
}
