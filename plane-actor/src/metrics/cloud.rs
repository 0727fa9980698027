//! EC2, EBS direct and S3, with each call counted.

use super::calls::{Action, Calls};
use crate::ports::{
    BlockAt, BlockPage, BlockRead, Blocks, Cloud, CloudConnect, CloudError, CloudIdentity, Counted, CreateSnapshot,
    CreateSnapshots, CreateVolume, Ec2, Find, Found, Initialized, InstanceVolumes, NewVolume, Objects, PortError,
    SnapshotInfo, SomeBlocks, VolumeAt, VolumeInfo, VolumeSum, Volumes, VolumesFound, Zone,
};
use async_trait::async_trait;
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
    request::S3Target,
};
use std::sync::Arc;

/// What is behind it, and where its calls are counted.
pub(super) struct Metered<T: ?Sized> {
    inner: Arc<T>,
    calls: Calls,
}

impl<T: ?Sized> Metered<T> {
    pub(super) const fn new(inner: Arc<T>, calls: Calls) -> Self {
        Self { inner, calls }
    }
}

#[async_trait]
impl CloudConnect for Metered<dyn CloudConnect> {
    async fn connect(&self, identity: &CloudIdentity, storage: &S3Target) -> Result<Cloud, PortError> {
        let cloud = self.inner.connect(identity, storage).await?;
        Ok(Cloud {
            ec2: Arc::new(Metered::new(cloud.ec2, self.calls.clone())),
            volumes: Arc::new(Metered::new(cloud.volumes, self.calls.clone())),
            blocks: Arc::new(Metered::new(cloud.blocks, self.calls.clone())),
            objects: Arc::new(Metered::new(cloud.objects, self.calls.clone())),
            ..cloud
        })
    }
}

#[async_trait]
impl Ec2 for Metered<dyn Ec2> {
    async fn volumes(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeAt>, CloudError> {
        self.calls.told(Action::DescribeVolumes, self.inner.volumes(volumes).await)
    }

    async fn instances(&self, instances: &[InstanceId]) -> Result<Vec<InstanceVolumes>, CloudError> {
        self.calls.told(Action::DescribeInstances, self.inner.instances(instances).await)
    }

    async fn create_snapshots(&self, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        self.calls.told(Action::CreateSnapshots, self.inner.create_snapshots(call).await)
    }

    async fn may_create_snapshots(&self, call: &CreateSnapshots) -> Result<(), CloudError> {
        self.calls.told(Action::CreateSnapshotsDryRun, self.inner.may_create_snapshots(call).await)
    }

    async fn create_snapshot(&self, call: &CreateSnapshot) -> Result<AcceptedSnapshot, CloudError> {
        self.calls.told(Action::CreateSnapshot, self.inner.create_snapshot(call).await)
    }

    async fn may_create_snapshot(&self, call: &CreateSnapshot) -> Result<(), CloudError> {
        self.calls.told(Action::CreateSnapshotDryRun, self.inner.may_create_snapshot(call).await)
    }

    async fn find_snapshots(&self, find: &Find, page: Option<String>) -> Result<Found, CloudError> {
        self.calls.told(Action::DescribeSnapshots, self.inner.find_snapshots(find, page).await)
    }

    async fn snapshots(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotInfo>, CloudError> {
        self.calls.told(Action::DescribeSnapshots, self.inner.snapshots(ids).await)
    }

    async fn count_snapshots(&self, page: Option<String>) -> Result<Counted, CloudError> {
        self.calls.told(Action::DescribeSnapshots, self.inner.count_snapshots(page).await)
    }

    async fn unfinished_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError> {
        self.calls.told(Action::DescribeSnapshots, self.inner.unfinished_snapshots(volumes, page).await)
    }

    async fn completed_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError> {
        self.calls.told(Action::DescribeSnapshots, self.inner.completed_snapshots(volumes, page).await)
    }

    async fn delete_snapshot(&self, id: &SnapshotId) -> Result<bool, CloudError> {
        self.calls.told(Action::DeleteSnapshot, self.inner.delete_snapshot(id).await)
    }

    async fn in_recycle_bin(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotId>, CloudError> {
        self.calls.told(Action::ListSnapshotsInRecycleBin, self.inner.in_recycle_bin(ids).await)
    }

    async fn shared_with(&self, id: &SnapshotId) -> Result<Vec<String>, CloudError> {
        self.calls.told(Action::DescribeSnapshotAttribute, self.inner.shared_with(id).await)
    }

    async fn may_create_volume(&self, call: &CreateVolume) -> Result<(), CloudError> {
        self.calls.told(Action::CreateVolumeDryRun, self.inner.may_create_volume(call).await)
    }

    async fn zones(&self) -> Result<Vec<Zone>, CloudError> {
        self.calls.told(Action::DescribeAvailabilityZones, self.inner.zones().await)
    }

    async fn sum_volumes(&self, kind: &str, page: Option<String>) -> Result<VolumeSum, CloudError> {
        self.calls.told(Action::DescribeVolumes, self.inner.sum_volumes(kind, page).await)
    }
}

#[async_trait]
impl Volumes for Metered<dyn Volumes> {
    async fn create_volume(&self, new: &NewVolume) -> Result<VolumeInfo, CloudError> {
        self.calls.told(Action::CreateVolume, self.inner.create_volume(new).await)
    }

    async fn find_volumes(&self, tags: &[(String, String)], page: Option<String>) -> Result<VolumesFound, CloudError> {
        self.calls.told(Action::DescribeVolumes, self.inner.find_volumes(tags, page).await)
    }

    async fn described(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeInfo>, CloudError> {
        self.calls.told(Action::DescribeVolumes, self.inner.described(volumes).await)
    }

    async fn initialized(&self, volumes: &[VolumeId]) -> Result<Vec<Initialized>, CloudError> {
        self.calls.told(Action::DescribeVolumeStatus, self.inner.initialized(volumes).await)
    }

    async fn delete_volume(&self, volume: &VolumeId) -> Result<bool, CloudError> {
        self.calls.told(Action::DeleteVolume, self.inner.delete_volume(volume).await)
    }
}

#[async_trait]
impl Blocks for Metered<dyn Blocks> {
    async fn changed(
        &self,
        first: &SnapshotId,
        second: &SnapshotId,
        page: Option<String>,
    ) -> Result<BlockPage, CloudError> {
        self.calls.told(Action::ListChangedBlocks, self.inner.changed(first, second, page).await)
    }

    async fn written(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<BlockPage, CloudError> {
        self.calls.told(Action::ListSnapshotBlocks, self.inner.written(snapshot, page).await)
    }

    async fn some_blocks(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<SomeBlocks, CloudError> {
        self.calls.told(Action::ListSnapshotBlocks, self.inner.some_blocks(snapshot, page).await)
    }

    async fn read(&self, snapshot: &SnapshotId, block: &BlockAt) -> Result<BlockRead, CloudError> {
        self.calls.told(Action::GetSnapshotBlock, self.inner.read(snapshot, block).await)
    }
}

#[async_trait]
impl Objects for Metered<dyn Objects> {
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, CloudError> {
        self.calls.told(Action::ListObjects, self.inner.list_after(prefix, after, limit).await)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        self.calls.told(Action::GetObject, self.inner.get(key).await)
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), CloudError> {
        self.calls.told(Action::PutObject, self.inner.put(key, body).await)
    }

    async fn put_if_absent(&self, key: &str, body: Vec<u8>) -> Result<bool, CloudError> {
        self.calls.told(Action::PutObject, self.inner.put_if_absent(key, body).await)
    }

    async fn delete(&self, key: &str) -> Result<(), CloudError> {
        self.calls.told(Action::DeleteObject, self.inner.delete(key).await)
    }
}
