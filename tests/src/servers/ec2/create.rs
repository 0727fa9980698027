//! CreateSnapshots and CreateSnapshot on the wire.

use super::{
    fault::ApiError,
    form::{Form, invalid},
    time::rfc3339,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::{Call, Home, Snapshot, Wanted};
use std::time::Duration;

const KNOWN: &[&str] = &[
    "Description",
    "InstanceSpecification.InstanceId",
    "InstanceSpecification.ExcludeBootVolume",
    "InstanceSpecification.ExcludeDataVolumeId.#",
    "TagSpecification.#.ResourceType",
    "TagSpecification.#.Tag.#.Key",
    "TagSpecification.#.Tag.#.Value",
    "CopyTagsFromSource",
    "DryRun",
];

const KNOWN_OF_ONE: &[&str] = &[
    "VolumeId",
    "Description",
    "TagSpecification.#.ResourceType",
    "TagSpecification.#.Tag.#.Key",
    "TagSpecification.#.Tag.#.Value",
    "DryRun",
];

impl World {
    pub(crate) fn create_snapshots(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(KNOWN)?;
        let call = Call {
            instance: form.required("InstanceSpecification.InstanceId")?,
            without_root: form.flag("InstanceSpecification.ExcludeBootVolume")?,
            excluded: &form.list("InstanceSpecification.ExcludeDataVolumeId"),
            tags: &asked_tags(form, "snapshot")?,
            copy_tags: match form.text("CopyTagsFromSource") {
                None => false,
                Some("volume") => true,
                Some(other) => return Err(invalid("CopyTagsFromSource", other)),
            },
        };
        let wanted = self.ec2().chosen(now, home, &call)?;
        let ids = self.made(now, home, form, wanted)?;
        let made = ids.iter().filter_map(|id| Some((id, self.ec2().snapshots.get(id)?)));
        Ok(Xml::reply("CreateSnapshots", request, |xml| {
            xml.set("snapshotSet", made, |xml, (id, snapshot)| {
                fields(xml, id, "state", snapshot);
            });
        }))
    }

    pub(crate) fn create_snapshot(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(KNOWN_OF_ONE)?;
        let wanted = self.ec2().chosen_one(now, home, form.required("VolumeId")?, &asked_tags(form, "snapshot")?)?;
        let ids = self.made(now, home, form, wanted)?;
        let made = ids.first().and_then(|id| Some((id, self.ec2().snapshots.get(id)?)));
        let (id, snapshot) = made.ok_or_else(|| ApiError::with(500, "InternalError", "nothing was made"))?;
        Ok(Xml::reply("CreateSnapshot", request, |xml| fields(xml, id, "status", snapshot)))
    }

    fn made(&mut self, now: Duration, home: &Home, form: &Form, wanted: Vec<Wanted>) -> Result<Vec<String>, ApiError> {
        self.ec2().check_room(now, home, &wanted)?;
        dry_run(form)?;
        // One member that fails takes its whole set along.
        let fails = wanted.iter().filter_map(|one| self.failing.remove(&one.volume)).last();
        let (start_ms, description) = (self.clock_ms(now), form.text("Description").unwrap_or_default());
        let ids = self.state.ec2.make(now, start_ms, wanted, fails.as_deref(), description);
        self.mutations += ids.len() as u64;
        if let Some(capture) = &self.capture {
            let made = ids.iter().filter_map(|id| Some((self.ec2().snapshots.get(id)?, id)));
            made.for_each(|(snapshot, id)| (capture.0)(&snapshot.volume, id));
        }
        Ok(ids)
    }
}

/// `state` of CreateSnapshots is `status` everywhere else (`facts/ec2-wire.md` §2).
fn fields(xml: &mut Xml, id: &str, state: &str, snapshot: &Snapshot) {
    xml.leaf("snapshotId", id);
    xml.leaf("volumeId", &snapshot.volume);
    xml.leaf(state, "pending");
    xml.leaf("startTime", rfc3339(snapshot.start_ms));
    xml.leaf("progress", "");
    xml.leaf("volumeSize", snapshot.size);
    xml.leaf("ownerId", &snapshot.home.account);
    xml.leaf("encrypted", false);
    xml.leaf("description", &snapshot.description);
    xml.tags(&snapshot.tags);
}

/// The tags of the request, for each resource of this kind.
pub(super) fn asked_tags(form: &Form, made: &str) -> Result<Vec<(String, String)>, ApiError> {
    let mut asked = Vec::new();
    for index in form.numbers("TagSpecification") {
        let kind = form.required(&format!("TagSpecification.{index}.ResourceType"))?;
        if kind != made {
            let message = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::client("InvalidParameterValue", message));
        }
        asked.extend(form.tags(&format!("TagSpecification.{index}.Tag")));
    }
    Ok(asked)
}
