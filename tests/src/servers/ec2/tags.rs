//! CreateTags and DescribeTags.

use super::{
    fault::ApiError,
    filter::{Filters, page},
    form::Form,
    world::{World, dry_run},
    xml::Xml,
};
use crate::models::ec2::{Home, check_tags};
use std::{collections::BTreeMap, time::Duration};

/// Resources of one CreateTags.
const RESOURCES: usize = 1000;

impl World {
    pub(crate) fn create_tags(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(&["ResourceId.#", "Tag.#.Key", "Tag.#.Value", "DryRun"])?;
        let (ids, tags) = (form.list("ResourceId"), form.tags("Tag"));
        if ids.is_empty() || tags.is_empty() {
            form.required(if ids.is_empty() { "ResourceId" } else { "Tag" })?;
        }
        if ids.len() > RESOURCES {
            return Err(ApiError::client("InvalidParameterValue", format!("At most {RESOURCES} resources")));
        }
        check_tags(&tags)?;
        for id in &ids {
            let mut after = self.tags_of(now, home, id)?.clone();
            after.extend(tags.iter().cloned());
            self.ec2().check_tag_count(after.len())?;
        }
        dry_run(form)?;
        for id in &ids {
            if let Some(of) = self.tags_of_mut(id) {
                of.extend(tags.iter().cloned());
                self.mutations += 1;
            }
        }
        Ok(Xml::reply("CreateTags", request, |xml| xml.leaf("return", true)))
    }

    pub(crate) fn describe_tags(
        &mut self,
        now: Duration,
        home: &Home,
        form: &Form,
        request: &str,
    ) -> Result<String, ApiError> {
        form.only(&["Filter.#.Name", "Filter.#.Value.#", "MaxResults", "NextToken", "DryRun"])?;
        let filters = Filters::read(form, &["resource-id", "resource-type", "key", "value"])?;
        dry_run(form)?;
        let mut rows = BTreeMap::new();
        let mut add = |kind: &'static str, id: &String, tags: &BTreeMap<String, String>| {
            for (key, value) in tags {
                rows.insert(format!("{id} {key}"), (kind, id.clone(), key.clone(), value.clone()));
            }
        };
        for (id, instance) in self.state.ec2.instances.iter().filter(|(_, instance)| &instance.home == home) {
            add("instance", id, &instance.tags);
        }
        for (id, volume) in self.ec2().seen_volumes(now, home) {
            add("volume", id, &volume.tags);
        }
        for (id, snapshot) in self.ec2().seen(now, home) {
            add("snapshot", id, &snapshot.tags);
        }
        let (rows, next) = page(form, &[], rows)?;
        let rows = rows.into_iter().map(|(_, row)| row).filter(|(kind, id, key, value)| {
            filters.pass(&BTreeMap::from([(key.clone(), value.clone())]), |name| {
                vec![match name {
                    "resource-id" => id.clone(),
                    "resource-type" => (*kind).to_owned(),
                    "key" => key.clone(),
                    _ => value.clone(),
                }]
            })
        });
        Ok(Xml::reply("DescribeTags", request, |xml| {
            xml.set("tagSet", rows, |xml, (kind, id, key, value)| {
                xml.leaf("resourceId", id);
                xml.leaf("resourceType", kind);
                xml.leaf("key", key);
                xml.leaf("value", value);
            });
            if let Some(token) = next {
                xml.leaf("nextToken", token);
            }
        }))
    }

    fn tags_of(&self, now: Duration, home: &Home, id: &str) -> Result<&BTreeMap<String, String>, ApiError> {
        if id.starts_with("snap-") {
            return Ok(&self.ec2().visible(now, home, id)?.tags);
        }
        let volume = self.state.ec2.volumes.get(id).filter(|one| one.seen_by(now, home)).map(|volume| &volume.tags);
        let instance = self.state.ec2.instances.get(id).filter(|one| &one.home == home).map(|instance| &instance.tags);
        let missing = || ApiError::client("InvalidID", format!("The ID '{id}' is not valid"));
        volume.or(instance).ok_or_else(missing)
    }

    fn tags_of_mut(&mut self, id: &str) -> Option<&mut BTreeMap<String, String>> {
        let snapshot = self.state.ec2.snapshots.get_mut(id).map(|snapshot| &mut snapshot.tags);
        let volume = self.state.ec2.volumes.get_mut(id).map(|volume| &mut volume.tags);
        let instance = self.state.ec2.instances.get_mut(id).map(|instance| &mut instance.tags);
        snapshot.or(volume).or(instance)
    }
}
