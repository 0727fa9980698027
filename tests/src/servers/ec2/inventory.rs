//! DescribeInstances.

use super::{
    fault::ApiError,
    filter::{Filters, page},
    form::Form,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::{Home, Instance, well_formed};

const INSTANCE_FIELDS: &[&str] =
    &["InstanceId.#", "Filter.#.Name", "Filter.#.Value.#", "MaxResults", "NextToken", "DryRun"];
const INSTANCE_FILTERS: &[&str] = &["instance-id", "instance-state-name", "block-device-mapping.volume-id"];

/// When everything here was made and attached; nobody looks at it.
pub(super) const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

impl World {
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

/// Every instance is in the first zone of its Region.
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
