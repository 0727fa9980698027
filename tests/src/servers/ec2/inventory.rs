//! DescribeVolumes and DescribeInstances.

use super::{
    fault::ApiError,
    filter::{Filters, page},
    form::Form,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::{Home, Instance, Volume, well_formed};

const VOLUME_FIELDS: &[&str] =
    &["VolumeId.#", "Filter.#.Name", "Filter.#.Value.#", "MaxResults", "NextToken", "DryRun"];
const VOLUME_FILTERS: &[&str] =
    &["volume-id", "status", "size", "volume-type", "attachment.instance-id", "attachment.device", "attachment.status"];
const INSTANCE_FIELDS: &[&str] =
    &["InstanceId.#", "Filter.#.Name", "Filter.#.Value.#", "MaxResults", "NextToken", "DryRun"];
const INSTANCE_FILTERS: &[&str] = &["instance-id", "instance-state-name", "block-device-mapping.volume-id"];

/// When everything here was made and attached; nobody looks at it.
const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

impl World {
    pub(crate) fn describe_volumes(&mut self, home: &Home, form: &Form, request: &str) -> Result<String, ApiError> {
        form.only(VOLUME_FIELDS)?;
        let filters = Filters::read(form, VOLUME_FILTERS)?;
        let ids = form.list("VolumeId");
        for id in &ids {
            if !well_formed(id, "vol-") {
                return Err(ApiError::client("InvalidVolumeID.Malformed", format!("Invalid id: \"{id}\"")));
            }
            if self.state.ec2.volumes.get(id).is_none_or(|volume| &volume.home != home) {
                let message = format!("The volume '{id}' does not exist.");
                return Err(ApiError::client("InvalidVolume.NotFound", message));
            }
        }
        dry_run(form)?;
        let scanned = self
            .state
            .ec2
            .volumes
            .iter()
            .filter(|(id, volume)| &volume.home == home && (ids.is_empty() || ids.contains(id)));
        let (rows, next) = page(form, &ids, scanned.map(|(id, volume)| (id.clone(), volume)))?;
        let rows = rows.into_iter().filter(|(id, volume)| {
            filters.pass(&volume.tags, |name| {
                let at = volume.attachment.as_ref();
                match name {
                    "volume-id" => vec![id.clone()],
                    "status" => vec![status(volume).to_owned()],
                    "size" => vec![volume.size.to_string()],
                    "volume-type" => vec![volume.kind.clone()],
                    "attachment.instance-id" => at.map(|at| at.instance.clone()).into_iter().collect(),
                    "attachment.device" => at.map(|at| at.device.clone()).into_iter().collect(),
                    _ => at.map(|at| at.status.clone()).into_iter().collect(),
                }
            })
        });
        Ok(Xml::reply("DescribeVolumes", request, |xml| {
            xml.set("volumeSet", rows, |xml, (id, volume)| write_volume(xml, &id, volume));
            if let Some(token) = next {
                xml.leaf("nextToken", token);
            }
        }))
    }

    pub(crate) fn describe_instances(&mut self, home: &Home, form: &Form, request: &str) -> Result<String, ApiError> {
        form.only(INSTANCE_FIELDS)?;
        let filters = Filters::read(form, INSTANCE_FILTERS)?;
        let ids = form.list("InstanceId");
        for id in &ids {
            if !well_formed(id, "i-") {
                return Err(ApiError::client("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")));
            }
            if self.state.ec2.instances.get(id).is_none_or(|instance| &instance.home != home) {
                let message = format!("The instance ID '{id}' does not exist");
                return Err(ApiError::client("InvalidInstanceID.NotFound", message));
            }
        }
        dry_run(form)?;
        let scanned = self
            .state
            .ec2
            .instances
            .iter()
            .filter(|(id, instance)| &instance.home == home && (ids.is_empty() || ids.contains(id)));
        let (rows, next) = page(form, &ids, scanned.map(|(id, instance)| (id.clone(), instance)))?;
        let rows = rows.into_iter().filter(|(id, instance)| {
            filters.pass(&instance.tags, |name| match name {
                "instance-id" => vec![id.clone()],
                "instance-state-name" => vec![instance.state.clone()],
                _ => self.ec2().attached(id).map(|(volume, _)| volume.clone()).collect(),
            })
        });
        Ok(Xml::reply("DescribeInstances", request, |xml| {
            xml.set("reservationSet", rows, |xml, (id, instance)| {
                xml.leaf("reservationId", id.replacen("i-", "r-", 1));
                xml.leaf("ownerId", &instance.home.account);
                xml.within("groupSet", |_| ());
                xml.set("instancesSet", [()], |xml, ()| self.write_instance(xml, &id, instance));
            });
            if let Some(token) = next {
                xml.leaf("nextToken", token);
            }
        }))
    }

    fn write_instance(&self, xml: &mut Xml, id: &str, instance: &Instance) {
        xml.leaf("instanceId", id);
        xml.within("instanceState", |xml| {
            xml.leaf("code", state_code(&instance.state));
            xml.leaf("name", &instance.state);
        });
        xml.within("placement", |xml| xml.leaf("availabilityZone", zone(&instance.home)));
        xml.leaf("rootDeviceName", &instance.root_device);
        xml.leaf("rootDeviceType", "ebs");
        let mapped =
            self.state.ec2.volumes.iter().filter_map(|(volume, row)| {
                row.attachment.as_ref().filter(|at| at.instance == id).map(|at| (volume, at))
            });
        xml.set("blockDeviceMapping", mapped, |xml, (volume, at)| {
            xml.leaf("deviceName", &at.device);
            xml.within("ebs", |xml| {
                xml.leaf("volumeId", volume);
                xml.leaf("status", &at.status);
                xml.leaf("attachTime", LONG_AGO);
                xml.leaf("deleteOnTermination", at.device == instance.root_device);
            });
        });
        xml.tags(&instance.tags);
    }
}

fn write_volume(xml: &mut Xml, id: &str, volume: &Volume) {
    xml.leaf("volumeId", id);
    xml.leaf("size", volume.size);
    xml.leaf("snapshotId", "");
    xml.leaf("availabilityZone", zone(&volume.home));
    xml.leaf("status", status(volume));
    xml.leaf("createTime", LONG_AGO);
    xml.set("attachmentSet", &volume.attachment, |xml, at| {
        xml.leaf("volumeId", id);
        xml.leaf("instanceId", &at.instance);
        xml.leaf("device", &at.device);
        xml.leaf("status", &at.status);
        xml.leaf("attachTime", LONG_AGO);
        xml.leaf("deleteOnTermination", false);
    });
    xml.tags(&volume.tags);
    xml.leaf("volumeType", &volume.kind);
    xml.leaf("iops", 3000);
    xml.leaf("throughput", 125);
    xml.leaf("encrypted", false);
}

fn status(volume: &Volume) -> &'static str {
    if volume.attachment.is_some() { "in-use" } else { "available" }
}

/// Every Region has one zone here.
fn zone(home: &Home) -> String {
    format!("{}a", home.region)
}

fn state_code(state: &str) -> u8 {
    match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    }
}
