//! Volumes on the wire: CreateVolume, DescribeVolumes, DescribeVolumeStatus, DeleteVolume (`facts/restore.md` §5.1, §5.2).

use super::{
    create::asked_tags,
    fault::ApiError,
    filter::{Filters, page},
    form::{Form, invalid},
    inventory::LONG_AGO,
    time::rfc3339,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::{AskedVolume, Home, Volume, WantedVolume};
use std::time::Duration;

/// What a CreateVolume may say here.
const CREATE: &[&str] = &[
    "AvailabilityZone",
    "SnapshotId",
    "VolumeType",
    "Iops",
    "Throughput",
    "VolumeInitializationRate",
    "ClientToken",
    "TagSpecification.#.ResourceType",
    "TagSpecification.#.Tag.#.Key",
    "TagSpecification.#.Tag.#.Value",
    "DryRun",
];
const DESCRIBE: &[&str] = &["VolumeId.#", "Filter.#.Name", "Filter.#.Value.#", "MaxResults", "NextToken", "DryRun"];
const FILTERS: &[&str] = &[
    "volume-id",
    "status",
    "size",
    "volume-type",
    "snapshot-id",
    "availability-zone",
    "attachment.instance-id",
    "attachment.device",
    "attachment.status",
];

impl World {
    pub(crate) fn create_volume(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(CREATE)?;
        let number =
            |field: &str| form.text(field).map(|text| text.parse().map_err(|_| invalid(field, text))).transpose();
        let wanted = WantedVolume {
            snapshot: form.required("SnapshotId")?,
            zone: form.required("AvailabilityZone")?,
            // EC2's own default (`facts/restore.md` §5.1).
            kind: form.text("VolumeType").unwrap_or("gp2"),
            iops: number("Iops")?,
            throughput: number("Throughput")?,
            rate: number("VolumeInitializationRate")?,
        };
        let tags = asked_tags(form, "volume")?;
        let asked = AskedVolume { wanted, token: form.text("ClientToken"), tags: &tags };
        let before = self.ec2().asked_before(now, home, &asked)?;
        dry_run(form)?;
        let (id, volume) = match before {
            Some(before) => before,
            None => {
                let made = self.state.ec2.create_volume(now, home, &asked)?;
                self.mutations += 1;
                made
            }
        };
        let created = self.created(&volume);
        Ok(Xml::reply("CreateVolume", request, |xml| fields(xml, now, (&id, &volume), &created)))
    }

    pub(crate) fn delete_volume(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(&["VolumeId", "DryRun"])?;
        let id = form.required("VolumeId")?;
        self.ec2().visible_volume(now, home, id)?;
        dry_run(form)?;
        self.state.ec2.delete_volume(now, home, id)?;
        self.mutations += 1;
        Ok(Xml::reply("DeleteVolume", request, |xml| xml.leaf("return", true)))
    }

    pub(crate) fn describe_volumes(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(DESCRIBE)?;
        let filters = Filters::read(form, FILTERS)?;
        let ids = self.asked_ids(now, home, form)?;
        dry_run(form)?;
        let scanned = self.ec2().seen_volumes(now, home).filter(|(id, _)| ids.is_empty() || ids.contains(id));
        let (rows, next) = page(form, &ids, scanned.map(|(id, volume)| (id.clone(), volume)))?;
        let rows =
            rows.into_iter().filter(|(id, volume)| filters.pass(&volume.tags, |name| filtered(name, now, id, volume)));
        Ok(Xml::reply("DescribeVolumes", request, |xml| {
            xml.set("volumeSet", rows, |xml, (id, volume)| {
                fields(xml, now, (&id, volume), &self.created(volume));
                attachments(xml, &id, volume);
            });
            if let Some(token) = next {
                xml.leaf("nextToken", token);
            }
        }))
    }

    pub(crate) fn describe_volume_status(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(DESCRIBE)?;
        let filters = Filters::read(form, &["availability-zone"])?;
        let ids = self.asked_ids(now, home, form)?;
        dry_run(form)?;
        let scanned = self.ec2().seen_volumes(now, home).filter(|(id, _)| ids.is_empty() || ids.contains(id));
        let (rows, next) = page(form, &ids, scanned.map(|(id, volume)| (id.clone(), volume)))?;
        let rows =
            rows.into_iter().filter(|(id, volume)| filters.pass(&volume.tags, |name| filtered(name, now, id, volume)));
        let lag = self.ec2().rules.progress_lag;
        Ok(Xml::reply("DescribeVolumeStatus", request, |xml| {
            xml.set("volumeStatusSet", rows, |xml, (id, volume)| {
                xml.leaf("volumeId", &id);
                xml.leaf("availabilityZone", volume.zone());
                let (Some(made), Some(progress)) = (&volume.made, volume.initialized(now, lag)) else { return };
                xml.within("initializationStatusDetails", |xml| {
                    xml.leaf("initializationType", if made.rate.is_some() { "provisioned-rate" } else { "default" });
                    xml.leaf("progress", progress);
                    if made.rate.is_some() {
                        let left = if progress < 100 { made.initialized.saturating_sub(now).as_secs() } else { 0 };
                        xml.leaf("estimatedTimeToCompleteInSeconds", left);
                    }
                });
            });
            if let Some(token) = next {
                xml.leaf("nextToken", token);
            }
        }))
    }

    /// By EC2's clock.
    fn created(&self, volume: &Volume) -> String {
        volume.made.as_ref().map_or_else(|| LONG_AGO.to_owned(), |made| rfc3339(self.clock_ms(made.created)))
    }

    /// The ids of a describe; one that is missing fails it.
    fn asked_ids(&self, now: Duration, home: &Home, form: &Form) -> Result<Vec<String>, ApiError> {
        let ids = form.list("VolumeId");
        for id in &ids {
            self.ec2().visible_volume(now, home, id)?;
        }
        Ok(ids)
    }
}

fn filtered(name: &str, now: Duration, id: &str, volume: &Volume) -> Vec<String> {
    let at = volume.attachment.as_ref();
    match name {
        "volume-id" => vec![id.to_owned()],
        "status" => vec![volume.state(now).to_owned()],
        "size" => vec![volume.size.to_string()],
        "volume-type" => vec![volume.kind.clone()],
        "snapshot-id" => volume.made.iter().map(|made| made.snapshot.clone()).collect(),
        "availability-zone" => vec![volume.zone()],
        "attachment.instance-id" => at.map(|at| at.instance.clone()).into_iter().collect(),
        "attachment.device" => at.map(|at| at.device.clone()).into_iter().collect(),
        _ => at.map(|at| at.status.clone()).into_iter().collect(),
    }
}

/// What CreateVolume and DescribeVolumes tell alike.
fn fields(xml: &mut Xml, now: Duration, (id, volume): (&str, &Volume), created: &str) {
    let made = volume.made.as_ref();
    xml.leaf("volumeId", id);
    xml.leaf("size", volume.size);
    xml.leaf("snapshotId", made.map(|made| made.snapshot.as_str()).unwrap_or_default());
    xml.leaf("availabilityZone", volume.zone());
    xml.leaf("status", volume.state(now));
    xml.leaf("createTime", created);
    xml.tags(&volume.tags);
    xml.leaf("volumeType", &volume.kind);
    xml.leaf("iops", made.and_then(|made| made.iops).unwrap_or(3_000));
    xml.leaf("throughput", made.and_then(|made| made.throughput).unwrap_or(125));
    xml.leaf("encrypted", false);
    if let Some(rate) = made.and_then(|made| made.rate) {
        xml.leaf("volumeInitializationRate", rate);
    }
}

fn attachments(xml: &mut Xml, id: &str, volume: &Volume) {
    xml.set("attachmentSet", &volume.attachment, |xml, at| {
        xml.leaf("volumeId", id);
        xml.leaf("instanceId", &at.instance);
        xml.leaf("device", &at.device);
        xml.leaf("status", &at.status);
        xml.leaf("attachTime", LONG_AGO);
        xml.leaf("deleteOnTermination", false);
    });
}
