//! What is asked of snapshots that have been there for long (`facts/aws.md` A13), and of zones: DescribeSnapshotAttribute, the
//! Recycle Bin, DescribeAvailabilityZones.

use super::{
    fault::ApiError,
    form::Form,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::Home;
use std::time::Duration;

impl World {
    pub(crate) fn snapshot_attribute(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(&["SnapshotId", "Attribute", "DryRun"])?;
        let (id, attribute) = (form.required("SnapshotId")?, form.required("Attribute")?);
        if attribute != "createVolumePermission" {
            return Err(ApiError::client("InvalidParameterValue", format!("Attribute {attribute} is not known here")));
        }
        let others = self.ec2().shared_with(now, home, id)?;
        dry_run(form)?;
        Ok(Xml::reply("DescribeSnapshotAttribute", request, |xml| {
            xml.leaf("snapshotId", id);
            xml.set("createVolumePermission", others, |xml, other| {
                xml.leaf(if other == "all" { "group" } else { "userId" }, other);
            });
        }))
    }

    pub(crate) fn recycle_bin(&mut self, home: &Home, form: &Form, request: &str) -> Result<String, ApiError> {
        form.only(&["SnapshotId.#", "MaxResults", "NextToken", "DryRun"])?;
        dry_run(form)?;
        let ids = form.list("SnapshotId");
        let kept: Vec<String> = self.ec2().binned(home, &ids).cloned().collect();
        Ok(Xml::reply("ListSnapshotsInRecycleBin", request, |xml| {
            xml.set("snapshotSet", kept, |xml, id| xml.leaf("snapshotId", id));
        }))
    }

    pub(crate) fn describe_zones(&mut self, home: &Home, form: &Form, request: &str) -> Result<String, ApiError> {
        form.only(&["DryRun"])?;
        dry_run(form)?;
        Ok(Xml::reply("DescribeAvailabilityZones", request, |xml| {
            xml.set("availabilityZoneInfo", self.ec2().zones(home), |xml, (name, state)| {
                xml.leaf("zoneName", name);
                xml.leaf("zoneState", state);
                xml.leaf("regionName", &home.region);
            });
        }))
    }
}
