//! DescribeSnapshots and DeleteSnapshot (`facts/aws.md` A2, A5).

use super::{
    fault::ApiError,
    filter::{Filters, page},
    form::Form,
    time::rfc3339,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::{Home, Snapshot};
use std::time::Duration;

const KNOWN: &[&str] = &[
    "Owner.#",
    "SnapshotId.#",
    "RestorableBy.#",
    "Filter.#.Name",
    "Filter.#.Value.#",
    "MaxResults",
    "NextToken",
    "DryRun",
];

const FILTERS: &[&str] = &["volume-id", "status", "snapshot-id", "owner-id", "description", "volume-size"];

/// Ids of one describe.
const IDS: usize = 1000;

impl World {
    pub(crate) fn describe_snapshots(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(KNOWN)?;
        let filters = Filters::read(form, FILTERS)?;
        let ids = form.list("SnapshotId");
        if ids.len() > IDS {
            return Err(ApiError::client("InvalidParameterValue", format!("At most {IDS} snapshot ids can be given")));
        }
        for id in &ids {
            self.ec2().visible(now, home, id)?;
        }
        dry_run(form)?;
        let owners = form.list("Owner");
        let owned = |snapshot: &Snapshot| {
            let owner = &snapshot.home.account;
            let named = |name: &String| name == owner || name == "self" && *owner == home.account;
            owners.is_empty() || owners.iter().any(named)
        };
        let asked = |id: &String| ids.is_empty() || ids.contains(id);
        let scanned = self.ec2().usable(now, home).filter(|(id, snapshot)| asked(id) && owned(snapshot));
        let (rows, next) = page(form, &ids, scanned.map(|(id, snapshot)| (id.clone(), snapshot)))?;
        let rows = rows.into_iter().filter(|(id, snapshot)| {
            filters.pass(&snapshot.tags, |name| {
                vec![match name {
                    "volume-id" => snapshot.volume.clone(),
                    "status" => snapshot.state(now).to_owned(),
                    "snapshot-id" => id.clone(),
                    "owner-id" => snapshot.home.account.clone(),
                    "description" => snapshot.description.clone(),
                    _ => snapshot.size.to_string(),
                }]
            })
        });
        Ok(Xml::reply("DescribeSnapshots", request, |xml| {
            xml.set("snapshotSet", rows, |xml, (id, snapshot)| write(xml, now, &id, snapshot));
            if let Some(token) = next {
                xml.leaf("nextToken", token);
            }
        }))
    }

    pub(crate) fn delete_snapshot(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(&["SnapshotId", "DryRun"])?;
        let id = form.required("SnapshotId")?;
        self.ec2().visible(now, home, id)?;
        dry_run(form)?;
        self.state.ec2.delete(id)?;
        self.mutations += 1;
        Ok(Xml::reply("DeleteSnapshot", request, |xml| xml.leaf("return", true)))
    }
}

fn write(xml: &mut Xml, now: Duration, id: &str, snapshot: &Snapshot) {
    let state = snapshot.state(now);
    xml.leaf("snapshotId", id);
    xml.leaf("volumeId", &snapshot.volume);
    xml.leaf("status", state);
    if let (Some(message), "error") = (&snapshot.fails, state) {
        xml.leaf("statusMessage", message);
    }
    xml.leaf("startTime", rfc3339(snapshot.start_ms));
    if state == "completed" {
        let length = i64::try_from(snapshot.done.saturating_sub(snapshot.created).as_millis()).unwrap_or_default();
        xml.leaf("completionTime", rfc3339(snapshot.start_ms.saturating_add(length)));
        xml.leaf("fullSnapshotSizeInBytes", snapshot.full_bytes);
    }
    let progress = snapshot.progress(now);
    xml.leaf("progress", if progress == 0 { String::new() } else { format!("{progress}%") });
    xml.leaf("ownerId", &snapshot.home.account);
    xml.leaf("volumeSize", snapshot.size);
    xml.leaf("encrypted", snapshot.later.key.is_some());
    if let Some(key) = &snapshot.later.key {
        xml.leaf("kmsKeyId", key);
    }
    xml.leaf("description", &snapshot.description);
    xml.leaf("storageTier", if snapshot.later.archived { "archive" } else { "standard" });
    xml.tags(&snapshot.tags);
}
