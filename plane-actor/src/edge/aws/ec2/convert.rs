//! From the SDK's types, where everything is optional, to the port's, where what we build on is not. A row without its
//! id is an answer that could not be read, never a row less.

use crate::{
    edge::aws::errors::unreadable,
    ports::{
        CloudError, Initialized, InstanceVolumes, SnapshotInfo, SnapshotState, Storage, Tier, VolumeAt, VolumeInfo,
        VolumeState,
    },
};
use aws_sdk_ec2::{
    operation::{create_snapshot::CreateSnapshotOutput, create_volume::CreateVolumeOutput},
    primitives::DateTime,
    types::{self, AttachmentStatus, VolumeAttachmentState},
};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
    time::Timestamp,
    wire::VolumeKind,
};

pub(super) fn accepted(
    action: &str,
    instance: &InstanceId,
    rows: &[types::SnapshotInfo],
) -> Result<Vec<AcceptedSnapshot>, CloudError> {
    rows.iter()
        .map(|row| {
            Ok(AcceptedSnapshot {
                volume: VolumeId::new(required(action, "a snapshot without volumeId", row.volume_id())?),
                snapshot: SnapshotId::new(required(action, "a snapshot without snapshotId", row.snapshot_id())?),
                instance: instance.clone(),
                start_time: timestamp(action, row.start_time())?,
            })
        })
        .collect()
}

pub(super) fn accepted_one(
    action: &str,
    instance: &InstanceId,
    answer: &CreateSnapshotOutput,
) -> Result<AcceptedSnapshot, CloudError> {
    Ok(AcceptedSnapshot {
        volume: VolumeId::new(required(action, "a snapshot without volumeId", answer.volume_id())?),
        snapshot: SnapshotId::new(required(action, "a snapshot without snapshotId", answer.snapshot_id())?),
        instance: instance.clone(),
        start_time: timestamp(action, answer.start_time())?,
    })
}

pub(super) fn snapshot(action: &str, row: &types::Snapshot) -> Result<SnapshotInfo, CloudError> {
    let state = match row.state() {
        Some(types::SnapshotState::Pending) => SnapshotState::Pending,
        Some(types::SnapshotState::Completed) => SnapshotState::Completed,
        Some(types::SnapshotState::Error) => SnapshotState::Error,
        Some(types::SnapshotState::Recoverable) => SnapshotState::Recoverable,
        // Leaving the recycle bin, a word not known yet, or none at all: never done.
        _ => SnapshotState::Unknown,
    };
    Ok(SnapshotInfo {
        snapshot: SnapshotId::new(required(action, "a snapshot without snapshotId", row.snapshot_id())?),
        volume: VolumeId::new(required(action, "a snapshot without volumeId", row.volume_id())?),
        state,
        progress: if state == SnapshotState::Completed { 100 } else { percent(row.progress().unwrap_or_default()) },
        start_time: timestamp(action, row.start_time())?,
        full_bytes: row.full_snapshot_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
        message: row.state_message().unwrap_or_default().to_owned(),
        tags: tags(row.tags()),
        storage: Storage {
            gib: row.volume_size().and_then(|gib| u64::try_from(gib).ok()).unwrap_or_default(),
            tier: match row.storage_tier() {
                Some(types::StorageTier::Standard) => Tier::Standard,
                Some(types::StorageTier::Archive) => Tier::Archive,
                _ => Tier::Unknown,
            },
            encrypted: row.encrypted().unwrap_or_default(),
            key: row.kms_key_id().unwrap_or_default().to_owned(),
        },
    })
}

pub(super) fn volume(action: &str, row: &types::Volume) -> Result<VolumeAt, CloudError> {
    let VolumeInfo { volume, instance, zone, tags, kind, .. } = volume_info(action, row)?;
    Ok(VolumeAt { volume, instance, zone, tags, kind })
}

pub(super) fn volume_info(action: &str, row: &types::Volume) -> Result<VolumeInfo, CloudError> {
    // What is still on its way to or from an instance is on none: it may be elsewhere a second later.
    let settled = |at: &&types::VolumeAttachment| {
        matches!(at.state(), Some(VolumeAttachmentState::Attached | VolumeAttachmentState::Busy))
    };
    let instance = row.attachments().iter().filter(settled).find_map(types::VolumeAttachment::instance_id);
    Ok(VolumeInfo {
        volume: VolumeId::new(required(action, "a volume without volumeId", row.volume_id())?),
        snapshot: row.snapshot_id().filter(|id| !id.is_empty()).map(SnapshotId::from),
        zone: row.availability_zone().unwrap_or_default().to_owned(),
        state: volume_state(row.state()),
        created: row.create_time().and_then(|time| time.to_millis().ok()).map(Timestamp),
        gib: row.size().and_then(|gib| u64::try_from(gib).ok()).unwrap_or_default(),
        kind: kind(row.volume_type(), row.iops(), row.throughput()),
        instance: instance.map(InstanceId::from),
        tags: volume_tags(row.tags()),
    })
}

/// What was made is attached to nothing.
pub(super) fn volume_made(action: &str, answer: &CreateVolumeOutput) -> Result<VolumeInfo, CloudError> {
    Ok(VolumeInfo {
        volume: VolumeId::new(required(action, "a volume without volumeId", answer.volume_id())?),
        snapshot: answer.snapshot_id().filter(|id| !id.is_empty()).map(SnapshotId::from),
        zone: answer.availability_zone().unwrap_or_default().to_owned(),
        state: volume_state(answer.state()),
        created: answer.create_time().and_then(|time| time.to_millis().ok()).map(Timestamp),
        gib: answer.size().and_then(|gib| u64::try_from(gib).ok()).unwrap_or_default(),
        kind: kind(answer.volume_type(), answer.iops(), answer.throughput()),
        instance: None,
        tags: volume_tags(answer.tags()),
    })
}

pub(super) fn initialized(action: &str, row: &types::VolumeStatusItem) -> Result<Initialized, CloudError> {
    let progress = row.initialization_status_details().and_then(types::InitializationStatusDetails::progress);
    Ok(Initialized {
        volume: VolumeId::new(required(action, "a volume without volumeId", row.volume_id())?),
        percent: progress.and_then(|percent| u8::try_from(percent).ok()).map(|percent| percent.min(100)),
    })
}

fn volume_state(state: Option<&types::VolumeState>) -> VolumeState {
    match state {
        Some(types::VolumeState::Creating) => VolumeState::Creating,
        Some(types::VolumeState::Available) => VolumeState::Available,
        Some(types::VolumeState::InUse) => VolumeState::InUse,
        Some(types::VolumeState::Deleting) => VolumeState::Deleting,
        Some(types::VolumeState::Deleted) => VolumeState::Deleted,
        Some(types::VolumeState::Error) => VolumeState::Error,
        _ => VolumeState::Unknown,
    }
}

fn kind(name: Option<&types::VolumeType>, iops: Option<i32>, throughput: Option<i32>) -> VolumeKind {
    VolumeKind {
        name: name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        iops: number(iops),
        throughput: number(throughput),
    }
}

fn volume_tags(of: &[types::Tag]) -> Vec<(String, String)> {
    tags(of).into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect()
}

fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

pub(super) fn instance(action: &str, row: &types::Instance) -> Result<InstanceVolumes, CloudError> {
    let root_device = row.root_device_name().filter(|name| !name.is_empty());
    let (mut root, mut data) = (None, Vec::new());
    for mapping in row.block_device_mappings() {
        let Some(ebs) = mapping.ebs() else { continue };
        // A volume on its way still counts: EC2 would take it into the set, so it must be named to be left out.
        if ebs.status() == Some(&AttachmentStatus::Detached) {
            continue;
        }
        let volume = VolumeId::new(required(action, "a block device without volumeId", ebs.volume_id())?);
        if root_device.is_some() && mapping.device_name() == root_device {
            root = Some(volume);
        } else {
            data.push(volume);
        }
    }
    let state = row.state().and_then(types::InstanceState::name).map(|name| name.as_str().to_owned());
    Ok(InstanceVolumes {
        instance: InstanceId::new(required(action, "an instance without instanceId", row.instance_id())?),
        state: state.unwrap_or_default(),
        root,
        data,
    })
}

fn required<'a>(action: &str, what: &str, value: Option<&'a str>) -> Result<&'a str, CloudError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| unreadable(action, what))
}

fn timestamp(action: &str, time: Option<&DateTime>) -> Result<Timestamp, CloudError> {
    let millis = time.and_then(|time| time.to_millis().ok());
    millis.map(Timestamp).ok_or_else(|| unreadable(action, "a snapshot without startTime"))
}

/// `37%`; empty in first replies (`facts/ec2-wire.md` §2). Advisory, so what cannot be read is 0.
fn percent(text: &str) -> u8 {
    text.trim_end_matches('%').parse().map_or(0, |percent: u8| percent.min(100))
}

fn tags(tags: &[types::Tag]) -> Vec<(String, String)> {
    let pair = |tag: &types::Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    tags.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_leniently() {
        for (text, percent_of) in [("37%", 37), ("100%", 100), ("", 0), ("n/a", 0), ("255%", 100), ("3.5%", 0)] {
            assert_eq!(percent(text), percent_of, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_state_is_never_done() {
        let row = |state: &str| {
            types::Snapshot::builder()
                .snapshot_id("snap-1")
                .volume_id("vol-1")
                .start_time(DateTime::from_millis(1_700_000_000_123))
                .state(types::SnapshotState::from(state))
                .build()
        };
        let state = |word| snapshot("A", &row(word)).map(|info| info.state);
        assert_eq!(state("completed"), Ok(SnapshotState::Completed));
        assert_eq!(state("recovering"), Ok(SnapshotState::Unknown));
        assert_eq!(state("archived-somehow"), Ok(SnapshotState::Unknown));
        assert_eq!(snapshot("A", &row("pending")).map(|info| info.start_time), Ok(Timestamp(1_700_000_000_123)));
    }

    #[test]
    fn a_row_without_its_id_is_no_row_less() {
        let rows = [types::SnapshotInfo::builder().volume_id("vol-1").build()];
        let outcome = accepted("A", &InstanceId::from("i-1"), &rows);
        assert!(matches!(outcome, Err(CloudError::OutcomeUnknown(_))), "{outcome:?}");
    }

    #[test]
    fn the_root_is_told_from_data_and_a_detached_volume_is_gone() {
        let device = |name: &str, volume: &str, status: AttachmentStatus| {
            let ebs = types::EbsInstanceBlockDevice::builder().volume_id(volume).status(status).build();
            types::InstanceBlockDeviceMapping::builder().device_name(name).ebs(ebs).build()
        };
        let row = types::Instance::builder()
            .instance_id("i-1")
            .root_device_name("/dev/xvda")
            .block_device_mappings(device("/dev/xvda", "vol-root", AttachmentStatus::Attached))
            .block_device_mappings(device("/dev/xvdb", "vol-data", AttachmentStatus::Attached))
            .block_device_mappings(device("/dev/xvdc", "vol-coming", AttachmentStatus::Attaching))
            .block_device_mappings(device("/dev/xvdd", "vol-gone", AttachmentStatus::Detached))
            .build();
        let read = instance("A", &row).unwrap();
        assert_eq!(read.root, Some(VolumeId::from("vol-root")));
        assert_eq!(read.data, [VolumeId::from("vol-data"), VolumeId::from("vol-coming")]);
    }
}
