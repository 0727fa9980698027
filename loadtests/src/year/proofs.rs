//! What became of each backup, and whether each certificate tells the truth.

use super::net::YearNet;
use serde_json::{Value, json};
use shared::{
    barrier::{Milestone, Verdict},
    ids::BackupUid,
};
use std::collections::BTreeSet;
use tests::rig::Rig;

/// Each backup is looked at once, between its end and its deletion.
#[derive(Default)]
pub(super) struct Proofs {
    seen: BTreeSet<String>,
    /// Complete, Consistent, and so by the oracle and the bank.
    pub(super) true_ones: u64,
    /// What they are not that they say.
    pub(super) lies: Vec<String>,
    pub(super) failed: u64,
    /// The same with their reasons, for people.
    pub(super) reasons: BTreeSet<String>,
}

impl Proofs {
    pub(super) fn look(&mut self, rig: &Rig<YearNet>) {
        let there: BTreeSet<String> = rig.control.uids().iter().map(|uid| uid.as_str().to_owned()).collect();
        self.seen.retain(|uid| there.contains(uid));
        for record in rig.records() {
            let BackupUid(uid) = record.key().clone();
            if record.milestone != Milestone::Complete || !self.seen.insert(uid.to_string()) {
                continue;
            }
            let mut lies = rig.lies_of(&record);
            if record.certificate.as_ref().is_none_or(|certificate| certificate.verdict != Verdict::Consistent) {
                lies.push("it is not called consistent".to_owned());
            }
            self.true_ones += u64::from(lies.is_empty());
            self.lies.extend(lies.into_iter().map(|lie| format!("{uid}: {lie}")));
        }
        for object in rig.control.objects().values() {
            let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
            if object["status"]["phase"] == json!("Failed") && self.seen.insert(uid.to_owned()) {
                self.failed += 1;
                self.reasons.insert(reason(object));
            }
        }
    }
}

fn reason(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let failed = conditions.iter().find(|condition| condition["type"] == json!("Failed"));
    failed.and_then(|failed| failed["reason"].as_str()).unwrap_or("?").to_owned()
}
