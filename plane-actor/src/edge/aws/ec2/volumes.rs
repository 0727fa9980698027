//! The port [`Volumes`]: one attempt of each call that changes something, as with snapshots.

use super::{ACTION_OF_VOLUMES, CHUNK, Ec2Edge, convert, describe::Pages, filter, literal, once, tagged};
use crate::{
    edge::aws::errors::cloud_error,
    ports::{CloudError, CreateVolume, Initialized, NewVolume, VolumeInfo, Volumes, VolumesFound},
};
use async_trait::async_trait;
use aws_sdk_ec2::{
    operation::{
        create_volume::builders::CreateVolumeFluentBuilder, describe_volumes::builders::DescribeVolumesFluentBuilder,
    },
    types::{ResourceType, VolumeType},
};
use shared::ids::VolumeId;

const DELETE: &str = "ec2:DeleteVolume";
const DESCRIBE: &str = "ec2:DescribeVolumes";
const STATUS: &str = "ec2:DescribeVolumeStatus";

/// Rows of one page.
const PAGE: i32 = 500;

impl Ec2Edge {
    pub(super) fn making(&self, call: &CreateVolume) -> CreateVolumeFluentBuilder {
        let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        let asked = self.client.create_volume().snapshot_id(call.snapshot.as_str()).availability_zone(&call.zone);
        let asked = asked.volume_type(VolumeType::from(call.kind.name.as_str())).set_iops(number(call.kind.iops));
        asked.set_throughput(number(call.kind.throughput)).set_volume_initialization_rate(number(call.rate))
    }

    async fn every_page(
        &self,
        mut call: DescribeVolumesFluentBuilder,
        found: &mut Vec<VolumeInfo>,
    ) -> Result<(), CloudError> {
        let mut pages = Pages::of(DESCRIBE);
        loop {
            let answer = call.clone().send().await.map_err(|error| cloud_error(DESCRIBE, &error))?;
            for volume in answer.volumes() {
                found.push(convert::volume_info(DESCRIBE, volume)?);
            }
            match pages.next(answer.next_token())? {
                Some(token) => call = call.next_token(token),
                None => return Ok(()),
            }
        }
    }

    /// At most [`CHUNK`] ids; one that is missing fails the whole call, and then they are asked for as a filter, which leaves it
    /// out.
    async fn infos_by_id(&self, ids: &[VolumeId], found: &mut Vec<VolumeInfo>) -> Result<(), CloudError> {
        let names: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        let (call, before) = (self.client.describe_volumes(), found.len());
        match self.every_page(call.clone().set_volume_ids(Some(names.clone())), found).await {
            Err(CloudError::NotFound(_)) => {
                found.truncate(before);
                self.every_page(call.filters(filter("volume-id", names)), found).await
            }
            outcome => outcome,
        }
    }

    async fn status_of(&self, ids: &[VolumeId], told: &mut Vec<Initialized>) -> Result<(), CloudError> {
        let names: Vec<String> = ids.iter().map(|id| id.0.clone()).collect();
        let mut call = self.client.describe_volume_status().set_volume_ids(Some(names));
        let mut pages = Pages::of(STATUS);
        loop {
            let answer = call.clone().send().await.map_err(|error| cloud_error(STATUS, &error))?;
            for row in answer.volume_statuses() {
                told.push(convert::initialized(STATUS, row)?);
            }
            match pages.next(answer.next_token())? {
                Some(token) => call = call.next_token(token),
                None => return Ok(()),
            }
        }
    }
}

#[async_trait]
impl Volumes for Ec2Edge {
    async fn create_volume(&self, new: &NewVolume) -> Result<VolumeInfo, CloudError> {
        let asked = self.making(&new.call).client_token(&new.token);
        let asked = asked.tag_specifications(tagged(ResourceType::Volume, &new.tags));
        let sent = asked.customize().config_override(once()).send().await;
        let answer = sent.map_err(|error| cloud_error(ACTION_OF_VOLUMES, &error))?;
        convert::volume_made(ACTION_OF_VOLUMES, &answer)
    }

    async fn find_volumes(&self, tags: &[(String, String)], page: Option<String>) -> Result<VolumesFound, CloudError> {
        if tags.is_empty() {
            return Err(CloudError::Refused {
                code: "MissingParameter".into(),
                message: "volumes are looked for by at least one tag; none would be every volume there is".into(),
            });
        }
        let tags = tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), [literal(value)])).collect();
        let call = self.client.describe_volumes().set_filters(Some(tags)).max_results(PAGE).set_next_token(page);
        let answer = call.send().await.map_err(|error| cloud_error(DESCRIBE, &error))?;
        let volumes =
            answer.volumes().iter().map(|one| convert::volume_info(DESCRIBE, one)).collect::<Result<_, _>>()?;
        let next = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(VolumesFound { volumes, next })
    }

    async fn described(&self, volumes: &[VolumeId]) -> Result<Vec<VolumeInfo>, CloudError> {
        let mut found = Vec::with_capacity(volumes.len());
        // Never with an empty list, which would describe everything: `chunks` of nothing are none.
        for chunk in volumes.chunks(CHUNK) {
            self.infos_by_id(chunk, &mut found).await?;
        }
        Ok(found)
    }

    async fn initialized(&self, volumes: &[VolumeId]) -> Result<Vec<Initialized>, CloudError> {
        let mut told = Vec::with_capacity(volumes.len());
        for chunk in volumes.chunks(CHUNK) {
            let before = told.len();
            match self.status_of(chunk, &mut told).await {
                // It has no filter by id, so what is missing is looked up first.
                Err(CloudError::NotFound(_)) => {
                    told.truncate(before);
                    let there: Vec<VolumeId> =
                        self.described(chunk).await?.into_iter().map(|info| info.volume).collect();
                    if !there.is_empty() {
                        self.status_of(&there, &mut told).await?;
                    }
                }
                outcome => outcome?,
            }
        }
        Ok(told)
    }

    async fn delete_volume(&self, volume: &VolumeId) -> Result<bool, CloudError> {
        let sent = self.client.delete_volume().volume_id(volume.as_str()).customize().config_override(once()).send();
        match sent.await.map_err(|error| cloud_error(DELETE, &error)) {
            Ok(_) => Ok(true),
            Err(CloudError::NotFound(_)) => Ok(false),
            // EC2's word for one that is not made yet.
            Err(CloudError::Refused { code, message }) if code == "IncorrectState" => {
                Err(CloudError::InvalidState(message))
            }
            Err(error) => Err(error),
        }
    }
}
