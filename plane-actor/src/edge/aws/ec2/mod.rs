//! The ports [`Ec2`] and `Volumes` on aws-sdk-ec2. Reads retry within bounds; the mutating calls are sent exactly once, and a reply
//! that is lost or cannot be understood is [`CloudError::OutcomeUnknown`] (`facts/aws.md` A4).

mod convert;
mod describe;
mod volumes;

use super::{
    errors::{cloud_error, unreadable},
    limits::limits,
};
use crate::ports::{
    CloudError, Counted, CreateSnapshot, CreateSnapshots, CreateVolume, Ec2, Find, Found, InstanceVolumes,
    SnapshotInfo, VolumeAt, VolumeSum, Zone,
};
use async_trait::async_trait;
use aws_sdk_ec2::{
    Client,
    config::{Builder, retry::RetryConfig},
    operation::{
        create_snapshot::builders::CreateSnapshotFluentBuilder,
        create_snapshots::builders::CreateSnapshotsFluentBuilder,
    },
    types::{
        AvailabilityZoneState, CopyTagsFromSource, Filter, InstanceSpecification, ResourceType, SnapshotAttributeName,
        Tag, TagSpecification,
    },
};
use shared::{
    evidence::AcceptedSnapshot,
    ids::{InstanceId, SnapshotId, VolumeId},
};
use std::time::Duration;

/// The one attempt of a call that changes something. CreateSnapshots of 100 instances takes about 2 s
/// (`facts/aws.md` A1); a third of the default hold clock (60 s) leaves time to look a lost reply up.
const MUTATION_LIMIT: Duration = Duration::from_secs(20);

/// Ids or filter values in one describe. EC2 refuses more filter values with FilterLimitExceeded (the number is not
/// documented; 200 is what callers report), and takes 1000 ids; one bound serves both.
const CHUNK: usize = 200;

/// EC2 of one identity and Region.
pub(crate) struct Ec2Edge {
    client: Client,
}

const ACTION: &str = "ec2:CreateSnapshots";
const ACTION_OF_ONE: &str = "ec2:CreateSnapshot";
const ACTION_OF_VOLUMES: &str = "ec2:CreateVolume";

impl Ec2Edge {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    fn creating(&self, call: &CreateSnapshots) -> CreateSnapshotsFluentBuilder {
        let exclude = call.exclude.iter().map(|volume| volume.0.clone()).collect();
        let instance = InstanceSpecification::builder()
            .instance_id(call.instance.as_str())
            .exclude_boot_volume(true)
            .set_exclude_data_volume_ids(Some(exclude))
            .build();
        let asked = self.client.create_snapshots().instance_specification(instance).description(&call.description);
        let copied = call.copy_tags.then_some(CopyTagsFromSource::Volume);
        asked.set_copy_tags_from_source(copied).tag_specifications(tagged(ResourceType::Snapshot, &call.tags))
    }

    fn creating_one(&self, call: &CreateSnapshot) -> CreateSnapshotFluentBuilder {
        let asked = self.client.create_snapshot().volume_id(call.volume.as_str()).description(&call.description);
        asked.tag_specifications(tagged(ResourceType::Snapshot, &call.tags))
    }
}

fn tagged(made: ResourceType, tags: &[(String, String)]) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    TagSpecification::builder().resource_type(made).set_tags(Some(tags)).build()
}

/// EC2's own word that a dry run would have succeeded, and nothing else.
fn dry<T>(action: &str, answer: Result<T, CloudError>) -> Result<(), CloudError> {
    match answer {
        Err(CloudError::Refused { code, .. }) if code == "DryRunOperation" => Ok(()),
        Ok(_) => Err(unreadable(action, "neither a yes nor a no to a dry run")),
        Err(error) => Err(error),
    }
}

/// Laid over the client for one call: same connections and credentials, no second attempt.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled()).timeout_config(limits(MUTATION_LIMIT, MUTATION_LIMIT))
}

#[async_trait]
impl Ec2 for Ec2Edge {
    async fn volumes(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeAt>, CloudError> {
        let mut found = Vec::with_capacity(volumes.len());
        // Never with an empty list, which would describe everything: `chunks` of nothing are none.
        for chunk in volumes.chunks(CHUNK) {
            self.volumes_by_id(chunk, &mut found).await?;
        }
        Ok(found)
    }

    async fn instances(&self, instances: &[InstanceId]) -> Result<Vec<InstanceVolumes>, CloudError> {
        let mut found = Vec::with_capacity(instances.len());
        for chunk in instances.chunks(CHUNK) {
            self.instances_by_id(chunk, &mut found).await?;
        }
        Ok(found)
    }

    async fn create_snapshots(&self, call: &CreateSnapshots) -> Result<Vec<AcceptedSnapshot>, CloudError> {
        let sent = self.creating(call).customize().config_override(once()).send().await;
        let answer = sent.map_err(|error| cloud_error(ACTION, &error))?;
        let accepted = convert::accepted(ACTION, &call.instance, answer.snapshots())?;
        if accepted.is_empty() {
            // The SDK takes a reply that was cut off for a short list.
            return Err(unreadable(ACTION, "no snapshot"));
        }
        Ok(accepted)
    }

    async fn may_create_snapshots(&self, call: &CreateSnapshots) -> Result<(), CloudError> {
        let sent = self.creating(call).dry_run(true).customize().config_override(once()).send().await;
        dry(ACTION, sent.map_err(|error| cloud_error(ACTION, &error)))
    }

    async fn create_snapshot(&self, call: &CreateSnapshot) -> Result<AcceptedSnapshot, CloudError> {
        let sent = self.creating_one(call).customize().config_override(once()).send().await;
        let answer = sent.map_err(|error| cloud_error(ACTION_OF_ONE, &error))?;
        convert::accepted_one(ACTION_OF_ONE, &call.instance, &answer)
    }

    async fn may_create_snapshot(&self, call: &CreateSnapshot) -> Result<(), CloudError> {
        let sent = self.creating_one(call).dry_run(true).customize().config_override(once()).send().await;
        dry(ACTION_OF_ONE, sent.map_err(|error| cloud_error(ACTION_OF_ONE, &error)))
    }

    async fn find_snapshots(&self, find: &Find, page: Option<String>) -> Result<Found, CloudError> {
        if find.tags.is_empty() {
            return Err(CloudError::Refused {
                code: "MissingParameter".into(),
                message: "snapshots are looked for by at least one tag; none would be every snapshot there is".into(),
            });
        }
        let tags = find.tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), [literal(value)]));
        let volumes = (!find.volumes.is_empty()).then(|| filter("volume-id", find.volumes.iter().map(|v| v.0.clone())));
        self.snapshots_page(tags.chain(volumes).collect(), page).await
    }

    async fn snapshots(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotInfo>, CloudError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            found.extend(self.snapshots_by_id(chunk).await?);
        }
        Ok(found)
    }

    async fn count_snapshots(&self, page: Option<String>) -> Result<Counted, CloudError> {
        self.count_page(page).await
    }

    async fn unfinished_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError> {
        self.snapshots_of(volumes, &["pending", "error"], page).await
    }

    async fn completed_snapshots(&self, volumes: &[VolumeId], page: Option<String>) -> Result<Found, CloudError> {
        self.snapshots_of(volumes, &["completed"], page).await
    }

    async fn delete_snapshot(&self, id: &SnapshotId) -> Result<bool, CloudError> {
        let sent = self.client.delete_snapshot().snapshot_id(id.as_str()).customize().config_override(once()).send();
        match sent.await.map_err(|error| cloud_error("ec2:DeleteSnapshot", &error)) {
            Ok(_) => Ok(true),
            Err(CloudError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn in_recycle_bin(&self, ids: &[SnapshotId]) -> Result<Vec<SnapshotId>, CloudError> {
        const ACTION: &str = "ec2:ListSnapshotsInRecycleBin";
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let names = ids.iter().map(|id| id.0.clone()).collect();
        let call = self.client.list_snapshots_in_recycle_bin().set_snapshot_ids(Some(names));
        let answer = call.customize().config_override(once()).send().await;
        let answer = answer.map_err(|error| cloud_error(ACTION, &error))?;
        Ok(answer.snapshots().iter().filter_map(|one| one.snapshot_id()).map(SnapshotId::new).collect())
    }

    async fn shared_with(&self, id: &SnapshotId) -> Result<Vec<String>, CloudError> {
        let asked = self.client.describe_snapshot_attribute().snapshot_id(id.as_str());
        let answer = asked.attribute(SnapshotAttributeName::CreateVolumePermission).send().await;
        let answer = answer.map_err(|error| cloud_error("ec2:DescribeSnapshotAttribute", &error))?;
        let named = answer.create_volume_permissions().iter();
        Ok(named
            .filter_map(|one| one.user_id().or(one.group().map(|group| group.as_str())))
            .map(str::to_owned)
            .collect())
    }

    async fn may_create_volume(&self, call: &CreateVolume) -> Result<(), CloudError> {
        let sent = self.making(call).dry_run(true).customize().config_override(once()).send().await;
        dry(ACTION_OF_VOLUMES, sent.map_err(|error| cloud_error(ACTION_OF_VOLUMES, &error)))
    }

    async fn zones(&self) -> Result<Vec<Zone>, CloudError> {
        let answer = self.client.describe_availability_zones().send().await;
        let answer = answer.map_err(|error| cloud_error("ec2:DescribeAvailabilityZones", &error))?;
        let word = |state: Option<&AvailabilityZoneState>| state.map_or("", AvailabilityZoneState::as_str).to_owned();
        let zone = |zone: &aws_sdk_ec2::types::AvailabilityZone| {
            Some(Zone { name: zone.zone_name()?.to_owned(), state: word(zone.state()) })
        };
        Ok(answer.availability_zones().iter().filter_map(zone).collect())
    }

    async fn sum_volumes(&self, kind: &str, page: Option<String>) -> Result<VolumeSum, CloudError> {
        self.sum_page(kind, page).await
    }
}

fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// A filter value that matches itself only: `*` and `?` are wildcards, `\` takes that away.
fn literal(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_wildcards_matches_itself_only() {
        assert_eq!(literal(r"a*b?c\d"), r"a\*b\?c\\d");
        assert_eq!(literal("namespace/backup-1"), "namespace/backup-1");
    }
}
