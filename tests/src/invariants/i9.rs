//! I9: "not consistent" is told in status and event, never only logged.

use super::{Checker, End};
use shared::{
    barrier::{Record, Stage},
    reason::Reason,
};

pub(super) struct Told;

impl Checker for Told {
    fn name(&self) -> &'static str {
        "I9"
    }

    fn end(&mut self, end: &End<'_>) -> Vec<String> {
        end.books.records.values().flat_map(|record| untold(record, end)).collect()
    }
}

fn untold(record: &Record, end: &End<'_>) -> Vec<String> {
    let name = format!("{}/{}", record.request.namespace, record.request.name);
    let Some(object) = end.objects.get(&name) else { return Vec::new() };
    let phase = object["status"]["phase"].as_str().unwrap_or_default();
    let mut wrong = Vec::new();
    match record.stage {
        Stage::Complete if phase != "Complete" => wrong.push(format!("{name} is Complete and says {phase:?}")),
        Stage::Failed => {
            let reason = record.failure.as_ref().map(|refusal| refusal.reason.as_str());
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let told = conditions.iter().any(|condition| condition["reason"].as_str() == reason);
            if phase != "Failed" || !told {
                wrong.push(format!("{name} failed by {reason:?} and says {phase:?}, {conditions:?}"));
            }
            if !Reason::ALL.iter().any(|known| Some(known.as_str()) == reason) {
                wrong.push(format!("{name}: {reason:?} is not in the published table"));
            }
            let event = |told: &&crate::control::Told| {
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
