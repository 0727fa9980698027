//! Objects that the old manager works on, looked at as ours: would they be obeyed, by which planes, and what keeps them.

use super::{
    convert,
    crd::{KIND, SCHEDULE_KIND, VolumeBackup, VolumeBackupSchedule},
};
use crate::migration::{Line, Mark};
use serde_json::Value;
use shared::{calendar::rfc3339, cron::Zone, ids::PlaneId, request::Limits, time::Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Names listed in one line; more are counted.
const NAMED: usize = 5;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Line by line.
    pub lines: Vec<Line>,
    /// `k8sClusterName` of all planes that objects name.
    pub planes: BTreeSet<String>,
}

/// Of these VolumeBackups and VolumeBackupSchedules; lists of `kubectl get -o yaml` are looked into. `zone`: of schedules that name
/// none, as the old manager was told.
pub fn migrate(objects: &[Value], zone: &Zone, now: Timestamp) -> Found {
    let mut found = Found::default();
    let mut backups = Backups::default();
    for object in objects.iter().flat_map(items).map(whole) {
        let object = &object;
        match object.get("kind").and_then(Value::as_str) {
            Some(SCHEDULE_KIND) => schedule(object, zone, now, &mut found),
            Some(KIND) => backups.add(object, &mut found),
            kind => {
                let text = "is neither a VolumeBackup nor a VolumeBackupSchedule, and was not looked at";
                found.lines.push(Line::new(Mark::Warning, kind.unwrap_or("an object without kind"), text));
            }
        }
    }
    backups.tell(&mut found.lines);
    found
}

fn items(object: &Value) -> Vec<&Value> {
    match object.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().collect(),
        None => vec![object],
    }
}

/// As an API server would hand it out: a file may be without namespace and uid, which nothing here goes by.
fn whole(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| "default".into());
        metadata.entry("uid").or_insert_with(|| "of-a-file".into());
    }
    object
}

/// namespace/name
fn name_of(object: &Value) -> String {
    let part = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    format!("{}/{}", part("/metadata/namespace"), part("/metadata/name"))
}

fn schedule(object: &Value, zone: &Zone, now: Timestamp, found: &mut Found) {
    let subject = format!("VolumeBackupSchedule {}", name_of(object));
    let read = serde_json::from_value::<VolumeBackupSchedule>(object.clone()).map_err(|error| error.to_string());
    let read = read.and_then(|read| {
        convert::schedule(&read, &Limits::default(), zone).ok_or("it has no name, namespace or uid".to_owned())
    });
    let schedule = match read {
        Ok(schedule) => schedule,
        Err(error) => return found.lines.push(Line::new(Mark::Wrong, subject, format!("cannot be read: {error}"))),
    };
    found.planes.extend(schedule.planes.iter().map(PlaneId::to_string));
    let line = match &schedule.object.spec {
        Err(refusal) => Line::new(Mark::Wrong, subject, refusal.advice()),
        Ok(spec) if spec.pause => Line::new(Mark::Warning, subject, "is paused, and stays so"),
        Ok(spec) => match spec.cron.next_after(now) {
            Some(next) => Line::new(Mark::Fine, subject, format!("runs next at {}", rfc3339(next))),
            None => Line::new(Mark::Warning, subject, "never runs again by its expression"),
        },
    };
    found.lines.push(line);
}

/// Backups are many: what is right with them is counted.
#[derive(Default)]
struct Backups {
    ended: usize,
    under_way: Vec<String>,
    /// By the schedule whose deletion takes them along.
    owned: BTreeMap<String, usize>,
}

impl Backups {
    fn add(&mut self, object: &Value, found: &mut Found) {
        let name = name_of(object);
        let read = serde_json::from_value::<VolumeBackup>(object.clone()).map_err(|error| error.to_string());
        let known = read.and_then(|read| {
            convert::object(&read, &Limits::default()).ok_or("it has no name, namespace or uid".to_owned())
        });
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                let line = Line::new(Mark::Wrong, format!("VolumeBackup {name}"), format!("cannot be read: {error}"));
                return found.lines.push(line);
            }
        };
        if let Ok(request) = &known.request {
            found.planes.extend(request.members.iter().map(|member| member.plane.to_string()));
        }
        match known.phase.as_str() {
            "Complete" | "Failed" | "Invalid" => self.ended += 1,
            _ => self.under_way.push(name),
        }
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        for owner in owners.into_iter().flatten().filter(|owner| owner["kind"] == SCHEDULE_KIND) {
            let schedule = format!("{}/{}", known.namespace, owner["name"].as_str().unwrap_or("?"));
            *self.owned.entry(schedule).or_default() += 1;
        }
    }

    fn tell(self, lines: &mut Vec<Line>) {
        if self.ended > 0 {
            let text = "have ended: they stay as they are, with their files and snapshots, and are cleaned by their cleanPolicy";
            lines.push(Line::new(Mark::Fine, format!("{} VolumeBackups", self.ended), text));
        }
        if !self.under_way.is_empty() {
            let named = self.under_way.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = if self.under_way.len() > NAMED { ", …" } else { "" };
            let text = format!(
                "are under way ({named}{more}): let them end before the old manager is stopped; one that has not ended by then \
                 becomes Failed (LeftByOldManager), and what it left stays until it is deleted"
            );
            lines.push(Line::new(Mark::Warning, format!("{} VolumeBackups", self.under_way.len()), text));
        }
        for (schedule, backups) in self.owned {
            let text = format!(
                "{backups} of its backups are owned by it and go when it is deleted, their snapshots by their cleanPolicy; those made \
                 from now on are not. Before you delete it take the owner away (deploy/README.md, Deleting a schedule)"
            );
            lines.push(Line::new(Mark::Warning, format!("VolumeBackupSchedule {schedule}"), text));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
