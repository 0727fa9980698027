//! A restore in, a status out: the fields, steps and conditions that users of the old manager know (`facts/restore.md` §1.3), and ours
//! beside them.

use super::{
    super::crd::{ConditionStatus, restore_status as crd},
    status::all_conditions,
    units::go_duration,
    words::{advice, int, rfc3339, short},
};
use crate::ports::RestoreStatus;
use serde_json::{Map, Value};
use shared::{
    reason::Refusal,
    restoring::{PlaneView, Record, RestoreMember, Span, Stage, View},
    time::Timestamp,
};

/// Fields of status that only the coordinator writes.
const OUR_FIELDS: [&str; 15] = [
    "restores",
    "steps",
    "timeStarted",
    "timeCompleted",
    "timeTaken",
    "commitTs",
    "phase",
    "stage",
    "message",
    "backupUid",
    "volumes",
    "volumeGib",
    "volumesDeleted",
    "conditions",
    "certificate",
];

/// Conditions that only the coordinator writes.
const OUR_CONDITIONS: [&str; 9] = [
    "Invalid",
    "Running",
    "VolumeComplete",
    "WarmUpStarted",
    "WarmUpComplete",
    "TikvComplete",
    "DataComplete",
    "Complete",
    "Failed",
];

/// Steps as users know them, and which stages each is made of.
const STEPS: [(&str, Stage, Stage); 5] = [
    ("RestoreVolume", Stage::Marking, Stage::Placing),
    ("WarmUp", Stage::Warming, Stage::Warming),
    ("StartTiKV", Stage::Starting, Stage::Meeting),
    ("RestoreData", Stage::Leading, Stage::Checking),
    ("RestartTiKV", Stage::Unmarking, Stage::Finishing),
];

/// The status that a restore with the status `old` is to have. What we do not write stays as it is.
pub fn merge_restore_status(old: Option<&Value>, status: &RestoreStatus, now: Timestamp) -> Value {
    let old = old.and_then(Value::as_object);
    let mut merged = old.cloned().unwrap_or_default();
    let fresh = match status {
        RestoreStatus::Without(phase, refusal) => without(old, phase, refusal, now),
        RestoreStatus::Of(view) => of_view(old, view),
    };
    for field in OUR_FIELDS {
        merged.remove(field);
    }
    if let Ok(Value::Object(fresh)) = serde_json::to_value(&fresh) {
        merged.extend(fresh);
    }
    Value::Object(merged)
}

fn without(old: Option<&Map<String, Value>>, phase: &str, refusal: &Refusal, now: Timestamp) -> crd::RestoreStatus {
    let mut conditions = others(old);
    let since =
        all_conditions(old).into_iter().find(|kept| kept.kind == phase).and_then(|kept| kept.last_transition_time);
    conditions.push(ConditionStatus {
        kind: phase.to_owned(),
        status: "True".to_owned(),
        last_transition_time: since.or_else(|| Some(rfc3339(now))),
        reason: Some(refusal.reason.to_string()),
        message: Some(advice(refusal)),
    });
    crd::RestoreStatus {
        phase: Some(phase.to_owned()),
        message: Some(short(&refusal.message)),
        conditions: Some(conditions),
        ..crd::RestoreStatus::default()
    }
}

fn others(old: Option<&Map<String, Value>>) -> Vec<ConditionStatus> {
    all_conditions(old).into_iter().filter(|kept| !OUR_CONDITIONS.contains(&kept.kind.as_str())).collect()
}

fn of_view(old: Option<&Map<String, Value>>, view: &View) -> crd::RestoreStatus {
    let record = &view.record;
    let ended = record.spans.iter().filter(|(stage, _)| stage.is_over()).map(|(_, span)| span.began).max();
    let started = record.started();
    let sum = |count: &dyn Fn(&shared::restoring::PlaneRecord) -> u64| record.planes.values().map(count).sum::<u64>();
    let volumes = sum(&|kept| kept.built.as_ref().map_or(0, |built| u64::from(built.volumes)));
    let deleted = sum(&|kept| u64::from(kept.deleted));
    let some = |number: u64| (number > 0).then(|| int(number));
    crd::RestoreStatus {
        restores: Some(record.request.members.iter().map(|member| row(member, view)).collect()),
        steps: Some(STEPS.iter().filter_map(|(name, first, last)| step(record, name, *first, *last)).collect()),
        time_started: started.map(rfc3339),
        time_completed: ended.map(rfc3339),
        time_taken: started.zip(ended).map(|(from, to)| go_duration(to.since(from))),
        commit_ts: record.admitted.as_ref().map(|admitted| admitted.commit_ts.to_string()),
        phase: Some(phase(record).to_owned()),
        stage: Some(record.stage.as_str().to_owned()),
        message: message(view),
        backup_uid: record.admitted.as_ref().map(|admitted| admitted.backup.to_string()),
        volumes: some(volumes),
        volume_gib: some(sum(&|kept| kept.built.as_ref().map_or(0, |built| built.gib))),
        volumes_deleted: some(deleted),
        conditions: Some(conditions(old, record)),
        certificate: record.certificate.as_ref().map(|certificate| crd::RestoreCertificateStatus {
            verdict: format!("{:?}", certificate.verdict),
            weaker: certificate.weaker.iter().map(|text| short(text)).collect(),
            cluster_id: certificate.cluster.to_string(),
            stores: int(certificate.met.stores.len() as u64),
            regions: int(certificate.rolled_back.regions),
            compared: int(certificate.checked.compared),
            flashback_ts: certificate.times.commit_ts.to_string(),
        }),
    }
}

/// The word of the old manager.
fn phase(record: &Record) -> &'static str {
    match record.stage {
        Stage::Failed | Stage::Undoing if record.failure.is_some() => "Failed",
        Stage::Complete => "Complete",
        Stage::Cleaned => "Cleaned",
        Stage::Warming => "WarmUpStarted",
        Stage::Undoing | Stage::Starting | Stage::Meeting => "VolumeComplete",
        Stage::Leading | Stage::Timing | Stage::RollingBack | Stage::Checking => "TikvComplete",
        Stage::Unmarking | Stage::Restarting | Stage::Settling | Stage::Finishing => "DataComplete",
        Stage::Looking
        | Stage::Claiming
        | Stage::Confirming
        | Stage::Marking
        | Stage::Building
        | Stage::Placing
        | Stage::Failed => "Running",
    }
}

fn row(member: &RestoreMember, view: &View) -> crd::RestoreMemberStatus {
    let record = &view.record;
    let live = view.planes.get(&member.plane);
    let refused = live.and_then(|live| live.refused.as_ref());
    let left = record.planes.get(&member.plane).map(|kept| kept.left.join("; ")).filter(|left| !left.is_empty());
    let away = live.is_some_and(|live| live.owes && !live.connected).then(|| "the plane is not connected".to_owned());
    crd::RestoreMemberStatus {
        k8s_cluster_name: Some(member.plane.to_string()),
        tc_name: Some(member.target.name.clone()),
        tc_namespace: Some(member.target.namespace.clone()),
        restore_name: format!("fed-{}", record.request.name),
        phase: phase(record).to_owned(),
        commit_ts: record
            .planes
            .get(&member.plane)
            .and_then(|kept| kept.looked.as_ref())
            .map(|looked| looked.commit_ts.to_string()),
        reason: refused.map(|refused| refused.reason.to_string()),
        message: refused.map(|refused| short(&refused.message)).or(left.map(|left| short(&left))).or(away),
    }
}

fn step(record: &Record, name: &str, first: Stage, last: Stage) -> Option<crd::StepStatus> {
    let of = || record.spans.iter().filter(|(stage, _)| (first..=last).contains(*stage)).map(|(_, span)| span);
    let began = of().map(|span| span.began).min()?;
    let over = record.spans.get(&last).and_then(|span: &Span| span.ended);
    Some(crd::StepStatus {
        step_name: name.to_owned(),
        time_started: Some(rfc3339(began)),
        time_completed: over.map(rfc3339),
        time_taken: over.map(|over| go_duration(over.since(began))),
    })
}

/// What is waited for, or why it failed.
fn message(view: &View) -> Option<String> {
    let record = &view.record;
    if let Some((stage, refusal)) = &record.failure {
        return Some(short(&format!("in {}: {}", stage.as_str(), refusal.advice())));
    }
    if record.stage == Stage::Claiming && !view.claim_holder.is_empty() {
        return Some(short(&format!("{} works on this TiDB cluster", view.claim_holder)));
    }
    let waits = |(plane, live): (&shared::ids::PlaneId, &PlaneView)| {
        let text = match (&live.refused, &live.progress) {
            _ if !live.owes => return None,
            _ if !live.connected => "is not connected".to_owned(),
            (Some(refused), _) => refused.to_string(),
            (None, Some(progress)) => progress.text.clone(),
            (None, None) => return None,
        };
        Some(format!("plane {plane}: {text}"))
    };
    let all: Vec<String> = view.planes.iter().filter_map(waits).take(3).collect();
    (!all.is_empty()).then(|| short(&all.join("; ")))
}

fn conditions(old: Option<&Map<String, Value>>, record: &Record) -> Vec<ConditionStatus> {
    let mut all = others(old);
    let mut add = |kind: &str, at: Option<Timestamp>, reason: Option<String>, message: Option<String>| {
        if let Some(at) = at {
            all.push(ConditionStatus {
                kind: kind.to_owned(),
                status: "True".to_owned(),
                last_transition_time: Some(rfc3339(at)),
                reason,
                message,
            });
        }
    };
    let ended = |stage: Stage| record.spans.get(&stage).and_then(|span| span.ended);
    let began = |stage: Stage| record.spans.get(&stage).map(|span| span.began);
    add("Running", record.started(), None, None);
    add("VolumeComplete", ended(Stage::Placing), None, None);
    add("WarmUpStarted", began(Stage::Warming), None, None);
    add("WarmUpComplete", ended(Stage::Warming), None, None);
    add("TikvComplete", ended(Stage::Meeting), None, None);
    add("DataComplete", ended(Stage::Checking), None, None);
    let proves = record.certificate.as_ref().map(|certificate| format!("{:?}", certificate.verdict));
    add("Complete", began(Stage::Complete), proves, None);
    if let Some((stage, refusal)) = &record.failure {
        let at = began(Stage::Undoing).or_else(|| began(Stage::Failed));
        let text = format!("in {}: {}", stage.as_str(), refusal.advice());
        add("Failed", at, Some(refusal.reason.to_string()), Some(short(&text)));
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::{
        reason::Reason,
        restoring::{RestoreRequest, Restoring},
        time::Timestamp,
    };
    use std::sync::Arc;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(1_700_000_000_000 + seconds * 1000)
    }

    fn record(spans: &[(Stage, i64, Option<i64>)]) -> Record {
        let mut record = Record::new(RestoreRequest::example(&["az1", "az2"]), at(0));
        for (stage, began, ended) in spans {
            record.spans.insert(*stage, Span { began: at(*began), ended: ended.map(at) });
            record.stage = *stage;
        }
        record
    }

    fn status(record: Record) -> Value {
        let view = Arc::new(Restoring::new(record).view());
        merge_restore_status(None, &RestoreStatus::Of(view), at(999))
    }

    #[test]
    fn steps_and_conditions_are_those_that_users_know() {
        let shown = status(record(&[
            (Stage::Looking, 0, Some(5)),
            (Stage::Marking, 5, Some(6)),
            (Stage::Building, 6, Some(60)),
            (Stage::Placing, 60, Some(70)),
            (Stage::Starting, 70, Some(71)),
            (Stage::Meeting, 71, None),
        ]));
        assert_eq!((shown["phase"].as_str(), shown["stage"].as_str()), (Some("VolumeComplete"), Some("Meeting")));
        let steps = &shown["steps"];
        assert_eq!(
            (steps[0]["stepName"].as_str(), steps[0]["timeTaken"].as_str()),
            (Some("RestoreVolume"), Some("1m5s"))
        );
        assert_eq!((steps[1]["stepName"].as_str(), &steps[1]["timeCompleted"]), (Some("StartTiKV"), &Value::Null));
        let kinds: Vec<_> = shown["conditions"].as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
        assert_eq!(kinds, ["Running", "VolumeComplete"]);
        assert_eq!(shown["restores"][1]["restoreName"], "fed-shop-back");
        let said: Vec<_> = (0..2).map(|row| shown["restores"][row]["message"].as_str()).collect();
        assert_eq!(said, [Some("the plane is not connected"), None], "the second owes nothing, the first does");
    }

    #[test]
    fn a_failure_says_where_why_and_what_to_do() {
        let mut failed =
            record(&[(Stage::Looking, 0, Some(5)), (Stage::Building, 6, None), (Stage::Failed, 9, Some(9))]);
        failed.failure = Some((Stage::Building, Refusal::new(Reason::NotRestorable, "snap-1 is gone")));
        let shown = status(failed);
        assert_eq!(shown["phase"], "Failed");
        let message = shown["message"].as_str().unwrap();
        assert!(message.starts_with("in Building: snap-1 is gone. ") && message.len() > 40, "{message}");
        assert_eq!(
            (shown["timeTaken"].as_str(), shown["conditions"][1]["reason"].as_str()),
            (Some("9s"), Some("NotRestorable"))
        );
    }

    #[test]
    fn what_others_wrote_stays() {
        let old = json!({"mine": 7, "conditions": [{"type": "Mine", "status": "True"}, {"type": "Failed", "status": "True"}]});
        let refused = Refusal::new(Reason::SpecInvalid, "no");
        let shown = merge_restore_status(Some(&old), &RestoreStatus::Without("Invalid", refused), at(1));
        assert_eq!(shown["mine"], 7);
        let kinds: Vec<_> = shown["conditions"].as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
        assert_eq!(kinds, ["Mine", "Invalid"]);
    }
}
