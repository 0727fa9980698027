//! Calls of AWS by action and by what came of them.

use crate::ports::CloudError;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// As AWS names it; `DryRun` behind those that only ask whether they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Action {
    DescribeVolumes,
    DescribeInstances,
    CreateSnapshots,
    CreateSnapshotsDryRun,
    CreateSnapshot,
    CreateSnapshotDryRun,
    DescribeSnapshots,
    DeleteSnapshot,
    ListSnapshotsInRecycleBin,
    DescribeSnapshotAttribute,
    CreateVolumeDryRun,
    CreateVolume,
    DeleteVolume,
    DescribeVolumeStatus,
    DescribeAvailabilityZones,
    ListChangedBlocks,
    ListSnapshotBlocks,
    GetSnapshotBlock,
    ListObjects,
    GetObject,
    PutObject,
    DeleteObject,
}

const ACTIONS: [Action; 22] = [
    Action::DescribeVolumes,
    Action::DescribeInstances,
    Action::CreateSnapshots,
    Action::CreateSnapshotsDryRun,
    Action::CreateSnapshot,
    Action::CreateSnapshotDryRun,
    Action::DescribeSnapshots,
    Action::DeleteSnapshot,
    Action::ListSnapshotsInRecycleBin,
    Action::DescribeSnapshotAttribute,
    Action::CreateVolumeDryRun,
    Action::CreateVolume,
    Action::DeleteVolume,
    Action::DescribeVolumeStatus,
    Action::DescribeAvailabilityZones,
    Action::ListChangedBlocks,
    Action::ListSnapshotBlocks,
    Action::GetSnapshotBlock,
    Action::ListObjects,
    Action::GetObject,
    Action::PutObject,
    Action::DeleteObject,
];

/// What came of a call: `Ok`, or why not, by the names of [`CloudError`]; `Unknown`: the answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
enum Outcome {
    Ok,
    Throttled,
    PerVolumeRate,
    InvalidState,
    Quota,
    Refused,
    Denied,
    NotAccepted,
    WrongTime,
    NoCredentials,
    NotFound,
    Unknown,
}

const OUTCOMES: [Outcome; 12] = [
    Outcome::Ok,
    Outcome::Throttled,
    Outcome::PerVolumeRate,
    Outcome::InvalidState,
    Outcome::Quota,
    Outcome::Refused,
    Outcome::Denied,
    Outcome::NotAccepted,
    Outcome::WrongTime,
    Outcome::NoCredentials,
    Outcome::NotFound,
    Outcome::Unknown,
];

impl Outcome {
    const fn of(error: &CloudError) -> Self {
        match error {
            CloudError::Throttled(_) => Self::Throttled,
            CloudError::PerVolumeRate(_) => Self::PerVolumeRate,
            CloudError::InvalidState(_) => Self::InvalidState,
            CloudError::Quota(_) => Self::Quota,
            CloudError::Refused { .. } => Self::Refused,
            CloudError::Denied(_) => Self::Denied,
            CloudError::NotAccepted(_) => Self::NotAccepted,
            CloudError::WrongTime(_) => Self::WrongTime,
            CloudError::NoCredentials(_) => Self::NoCredentials,
            CloudError::NotFound(_) => Self::NotFound,
            CloudError::OutcomeUnknown(_) => Self::Unknown,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    action: Action,
    outcome: Outcome,
}

/// A closed set: some two hundred and sixty series, all there from the start, so that the first refusal is an increase.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(Family<Labels, Counter>);

impl Calls {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let all = Self::default();
        registry.register(
            "isochron_plane_aws_calls",
            "Calls of AWS by action and outcome; Throttled: AWS refused the rate",
            all.0.clone(),
        );
        for action in ACTIONS {
            for outcome in OUTCOMES {
                drop(all.0.get_or_create(&Labels { action, outcome }));
            }
        }
        all
    }

    /// Counts what came of a call, and hands it on.
    pub(super) fn told<T>(&self, action: Action, answer: Result<T, CloudError>) -> Result<T, CloudError> {
        let outcome = answer.as_ref().map_or_else(Outcome::of, |_| Outcome::Ok);
        self.0.get_or_create(&Labels { action, outcome }).inc();
        answer
    }
}
