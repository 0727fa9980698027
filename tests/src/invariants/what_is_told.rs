//! I9: "not consistent" is told in status and event, never only logged; and what no certificate of its own stands behind
//! is not told to be Complete, whatever status somebody gave it.

use super::checker::{Checker, End};
use serde_json::Value;
use shared::{
    barrier::{Milestone, Record},
    ids::BackupUid,
    reason::Reason,
};

pub(super) struct WhatIsTold;

impl Checker for WhatIsTold {
    fn name(&self) -> &'static str {
        "I9"
    }

    fn end(&mut self, end: &End<'_>) -> Vec<String> {
        let untold = end.books.records.iter().flat_map(|(uid, record)| untold(uid, record, end));
        untold.chain(end.objects.iter().filter_map(|(name, object)| unproven(name, object, end))).collect()
    }
}

/// It says Complete, and the ledger does not say so of this very object.
fn unproven(name: &str, object: &Value, end: &End<'_>) -> Option<String> {
    let complete = object["status"]["phase"] == "Complete";
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    let record = end.books.records.get(&BackupUid::new(uid));
    let proven = record.is_some_and(|record| record.milestone == Milestone::Complete && record.certificate.is_some());
    let foreign = end.lives.get(&BackupUid::new(uid)).is_some_and(|life| life.of_old_manager);
    (complete && !proven && !foreign && !end.lost)
        .then(|| format!("{name} ({uid}) says Complete, and no certificate is its own"))
}

fn untold(uid: &BackupUid, record: &Record, end: &End<'_>) -> Vec<String> {
    let name = format!("{}/{}", record.request.namespace, record.request.name);
    // An orphan's object is not there, and another one may have its name.
    let own = |object: &&Value| object["metadata"]["uid"] == uid.as_str();
    let Some(object) = end.objects.get(&name).filter(own) else { return Vec::new() };
    let phase = object["status"]["phase"].as_str().unwrap_or_default();
    let mut wrong = Vec::new();
    match record.milestone {
        Milestone::Complete if phase != "Complete" => wrong.push(format!("{name} is Complete and says {phase:?}")),
        Milestone::Failed => {
            let reason = record.failure.as_ref().map(|refusal| refusal.reason.as_str());
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let told = conditions.iter().any(|condition| condition["reason"].as_str() == reason);
            if phase != "Failed" || !told {
                wrong.push(format!("{name} failed by {reason:?} and says {phase:?}, {conditions:?}"));
            }
            if !Reason::ALL.iter().any(|known| Some(known.as_str()) == reason) {
                wrong.push(format!("{name}: {reason:?} is not in the published table"));
            }
            let event = |told: &&crate::control::EventSeen| {
                told.object == name && !told.normal && Some(told.reason.as_str()) == reason
            };
            if end.undisturbed && !end.events.iter().any(|told| event(&told)) {
                wrong.push(format!("{name} failed by {reason:?} and no event says so"));
            }
        }
        _ => {}
    }
    wrong
}
