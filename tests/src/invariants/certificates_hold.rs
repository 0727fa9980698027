//! I5: Complete ⇒ certificate ⇒ E1–E6. The oracle and the bank decide what is true; both know nothing of the protocol.
//! Where they contradict one another the doubles are wrong, and that is a violation as well.

use super::checker::{Checker, Entry, Write, certified};
use crate::{rig, world::World};
use coordinator::ports::LedgerKey;
use serde_json::Value;
use shared::{
    barrier::{Milestone, Record},
    ids::Attempt,
};
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Certificates {
    /// Attempts whose certificate came with a restored ledger: nobody says it now, and what it names may be deleted since,
    /// with right. It is judged when a coordinator calls it Complete.
    restored: BTreeSet<Attempt>,
}

impl Checker for Certificates {
    fn name(&self) -> &'static str {
        "I5"
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<String> {
        let (Entry::Record(after), LedgerKey::Record(uid)) = (write.entry, write.key) else { return Vec::new() };
        let before = write.before.records.get(uid).filter(|before| before.attempt == after.attempt);
        let earlier = before.and_then(|before| before.certificate.as_ref());
        let mut wrong = Vec::new();
        match (earlier, &after.certificate) {
            (None, Some(_)) if write.restored => drop(self.restored.insert(after.attempt_id())),
            (None, Some(_)) => wrong.extend(rig::lies(write.world, after)),
            (Some(first), Some(second)) if first != second => wrong.push("the certificate changed".to_owned()),
            _ => {}
        }
        // A record that begins with Cleaning stands for one that was lost.
        let needs = matches!(after.milestone, Milestone::Certified | Milestone::Complete)
            || (after.milestone == Milestone::Cleaning
                && before.is_some_and(|before| before.milestone != Milestone::Cleaning));
        if needs && after.certificate.is_none() {
            wrong.push(format!("{:?} without a certificate", after.milestone));
        }
        if after.milestone == Milestone::Complete && before.is_none_or(|before| before.milestone != Milestone::Complete)
        {
            wrong.extend(metadata(write.world, after));
            if !write.restored && self.restored.remove(&after.attempt_id()) {
                wrong.extend(rig::lies(write.world, after));
            }
        }
        wrong.into_iter().map(|text| format!("{}: {text}", after.attempt_id())).collect()
    }
}

/// What Complete promises to whoever restores: metadata of every plane, naming the certified snapshots and commitTs.
fn metadata(world: &World, record: &Record) -> Vec<String> {
    let objects = world.objects();
    let mut named: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for plane in record.planes.keys() {
        let storage = record.request.storage.of_plane(plane);
        if !objects.contains_key(&storage.key("isochron-certificate.json")) {
            wrong.push(format!("Complete, and {plane} has no certificate in S3"));
        }
        let Some(body) = objects.get(&storage.key("backupmeta")) else {
            wrong.push(format!("Complete, and {plane} has no backupmeta"));
            continue;
        };
        let meta: Value = serde_json::from_slice(body).unwrap_or_default();
        if meta["cluster_info"]["resolved_ts"].as_u64() != record.commit_ts.map(|ts| ts.0) {
            wrong.push(format!("backupmeta of {plane} says {}", meta["cluster_info"]["resolved_ts"]));
        }
        let volumes = meta["tikv"]["stores"].as_array().into_iter().flatten();
        let volumes = volumes.flat_map(|store| store["volumes"].as_array().into_iter().flatten());
        named.extend(volumes.filter_map(|volume| volume["snapshot_id"].as_str().map(str::to_owned)));
    }
    let wanted: BTreeSet<String> = certified(record).into_iter().map(|id| id.to_string()).collect();
    if wrong.is_empty() && named != wanted {
        wrong.push(format!("backupmeta names {named:?}, the certificate {wanted:?}"));
    }
    wrong
}
