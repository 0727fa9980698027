//! An attempt as spans: itself, its steps, and in each step the planes; EC2's calls are events of theirs. All made of the record's
//! moments, and all ids of the trace's own and a place in it, so that what is sent twice is the same.

use crate::ports::EndedAttempt;
use serde_json::{Value, json};
use shared::{
    barrier::{Phase, Record, StepMoments, Verdict},
    ids::{Attempt, BackupUid, PlaneId},
    time::{Millis, Timestamp},
    trace::TraceId,
};

/// OTLP's `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;
/// OTLP's `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u8 = 1;
const ERROR: u8 = 2;

/// The body of `POST /v1/traces`.
pub(super) fn request(attempt: &EndedAttempt) -> Value {
    let resource = attributes(&[("service.name", json!("isochron-coordinator")), ("service.version", json!(VERSION))]);
    let scope = json!({ "name": "isochron", "version": VERSION });
    let spans = Trace::of(attempt).spans();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": scope, "spans": spans }],
    }] })
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

struct Trace<'a> {
    record: &'a Record,
    phase: Phase,
    id: String,
    began: Timestamp,
    ended: Timestamp,
}

impl<'a> Trace<'a> {
    fn of(EndedAttempt { view, began, ended }: &'a EndedAttempt) -> Self {
        let record = &view.record;
        // Planes and logs call it so: the uid by which they know the backup.
        let attempt = Attempt { backup: record.request.backup.clone(), number: record.attempt };
        let id = TraceId::of(&attempt).to_string();
        Self { record, phase: view.phase, id, began: *began, ended: *ended }
    }

    fn spans(&self) -> Vec<Value> {
        let steps = self.record.moments.steps();
        let root = self.root();
        let mut spans = vec![root];
        for (at, step) in steps.iter().enumerate() {
            // The last one is where it ended, and has no length.
            let until = steps.get(at + 1).map(|next| next.began);
            if until.is_none() && step.step == self.phase && !self.phase.runs() && self.phase != Phase::Aborting {
                continue;
            }
            let until = until.map_or(self.ended, |until| self.at(until));
            let place = format!("{at}");
            spans.push(self.span(&place, "", &format!("{:?}", step.step), (self.at(step.began), until), &[]));
            spans.extend(step.answered.iter().map(|(plane, answered)| self.of_plane(&place, step, plane, *answered)));
        }
        spans
    }

    fn root(&self) -> Value {
        let request = &self.record.request;
        let name = format!("backup {}/{}", request.namespace, request.name);
        let verdict = self.record.certificate.as_ref().map(|certificate| certificate.verdict);
        let failure = self.record.failure.as_ref();
        let all = [
            ("isochron.namespace", json!(request.namespace)),
            ("isochron.name", json!(request.name)),
            ("isochron.uid", json!(request.backup.as_str())),
            ("isochron.attempt", json!(self.record.attempt)),
            ("isochron.epoch", json!(self.record.epoch.to_string())),
            ("isochron.planes", json!(request.members.len())),
            ("isochron.verdict", verdict.map_or(Value::Null, |verdict| json!(Verdict::as_str(verdict)))),
            ("isochron.reason", failure.map_or(Value::Null, |refusal| json!(refusal.reason.as_str()))),
        ];
        let mut span = self.span("", "-", &name, (self.began, self.ended), &all);
        span["status"] = match failure {
            Some(refusal) => json!({ "code": ERROR, "message": refusal.to_string() }),
            None => json!({ "code": OK }),
        };
        span
    }

    fn of_plane(&self, step: &str, moments: &StepMoments, plane: &PlaneId, answered: Millis) -> Value {
        let place = format!("{step}/{plane}");
        let (name, length) = (format!("{:?} {plane}", moments.step), (self.at(moments.began), self.at(answered)));
        let mut span = self.span(&place, step, &name, length, &[("isochron.plane", json!(plane.as_str()))]);
        let accepted = moments.accepted.get(plane).into_iter().flatten().map(|(instance, at)| {
            json!({
                "timeUnixNano": nanos(self.at(*at)),
                "name": "CreateSnapshots accepted",
                "attributes": attributes(&[("aws.ec2.instance", json!(instance.as_str()))]),
            })
        });
        let accepted: Vec<Value> = accepted.collect();
        if !accepted.is_empty() {
            span["events"] = json!(accepted);
        }
        span
    }

    /// `place`: its own in the trace, `parent`: that of the span around it; `-`: there is none.
    fn span(
        &self,
        place: &str,
        parent: &str,
        name: &str,
        (from, to): (Timestamp, Timestamp),
        about: &[(&str, Value)],
    ) -> Value {
        let mut span = json!({
            "traceId": self.id,
            "spanId": self.span_id(place),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(from),
            "endTimeUnixNano": nanos(to.max(from)),
            "attributes": attributes(about),
        });
        if parent != "-" {
            span["parentSpanId"] = json!(self.span_id(parent));
        }
        span
    }

    /// 64 bits of its place in the trace.
    fn span_id(&self, place: &str) -> String {
        let attempt = Attempt { backup: BackupUid::new(format!("{}/{place}", self.id)), number: 0 };
        TraceId::of(&attempt).to_string().split_off(16)
    }

    fn at(&self, after: Millis) -> Timestamp {
        self.began + after
    }
}

/// OTLP writes 64-bit numbers as texts.
fn nanos(at: Timestamp) -> String {
    (i128::from(at.0) * 1_000_000).max(0).to_string()
}

/// Those that are known.
fn attributes(all: &[(&str, Value)]) -> Vec<Value> {
    let known = all.iter().filter(|(_, value)| !value.is_null());
    known
        .map(|(key, value)| match value {
            Value::Number(number) => json!({ "key": key, "value": { "intValue": number.to_string() } }),
            text => json!({ "key": key, "value": { "stringValue": text } }),
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::fixtures::{START, record};
    use shared::{
        barrier::{Barrier, Milestone, Moments},
        reason::{Reason, Refusal},
    };
    use std::{collections::BTreeSet, sync::Arc};

    pub(in super::super) fn attempt(failure: Option<Refusal>) -> EndedAttempt {
        let mut record = record();
        record.milestone = if failure.is_some() { Milestone::Failed } else { Milestone::Complete };
        record.failure = failure;
        let end = if record.failure.is_some() { "Failed" } else { "Complete" };
        let planes: Vec<_> = record.planes.keys().map(ToString::to_string).collect();
        let moments = json!([
            {"step": "Preparing", "began": 0, "answered": {planes[0].as_str(): 300, planes[1].as_str(): 500}},
            {"step": "Snapshotting", "began": 600, "answered": {planes[0].as_str(): 2_000},
             "accepted": {planes[0].as_str(): {"i-1": 700, "i-2": 900}}},
            {"step": end, "began": 2_500},
        ]);
        record.moments = serde_json::from_value::<Moments>(moments).unwrap();
        let view = Arc::new(Barrier::new(record).view());
        EndedAttempt { view, began: Timestamp(START), ended: Timestamp(START + 2_500) }
    }

    fn spans(attempt: &EndedAttempt) -> Vec<Value> {
        request(attempt)["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    }

    fn is_hex(id: &Value, digits: usize) -> bool {
        id.as_str().is_some_and(|id| id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    #[test]
    fn steps_and_planes_are_spans_of_one_trace_with_the_id_that_status_has() {
        let attempt = attempt(None);
        let spans = spans(&attempt);
        let record = &attempt.view.record;
        let id = TraceId::of(&Attempt { backup: record.request.backup.clone(), number: record.attempt }).to_string();
        assert!(spans.iter().all(|span| span["traceId"] == id.as_str() && is_hex(&span["spanId"], 16)), "{spans:#?}");
        let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].to_string()).collect();
        assert_eq!((ids.len(), spans.len()), (6, 6), "the attempt, two steps, three answers: {spans:#?}");
        let roots: Vec<_> = spans.iter().filter(|span| span["parentSpanId"].is_null()).collect();
        assert_eq!((roots.len(), &roots[0]["status"]["code"]), (1, &json!(OK)));
        let of = |id: &Value| spans.iter().find(|span| span["spanId"] == *id).unwrap();
        let nanos = |span: &Value, field: &str| span[field].as_str().unwrap().parse::<u128>().unwrap();
        for span in spans.iter().filter(|span| !span["parentSpanId"].is_null()) {
            let around = of(&span["parentSpanId"]);
            assert!(nanos(span, "startTimeUnixNano") >= nanos(around, "startTimeUnixNano"), "{span:#}");
            assert!(nanos(span, "endTimeUnixNano") <= nanos(around, "endTimeUnixNano"), "{span:#}");
        }
        let plane = spans.iter().find(|span| span["events"].is_array()).unwrap();
        assert_eq!(of(&plane["parentSpanId"])["name"], "Snapshotting");
        let began = u128::try_from(START).unwrap() * 1_000_000;
        assert_eq!(
            (nanos(plane, "startTimeUnixNano"), nanos(plane, "endTimeUnixNano")),
            (began + 600_000_000, began + 2_000_000_000)
        );
        assert_eq!(plane["events"][1]["timeUnixNano"], (began + 900_000_000).to_string());
        assert_eq!(plane["events"][1]["attributes"][0]["value"]["stringValue"], "i-2");
        assert_eq!(spans, super::tests::spans(&attempt), "and the same each time");
    }

    #[test]
    fn a_failure_says_why() {
        let spans = spans(&attempt(Some(Refusal::new(Reason::HoldTimedOut, "az1 was late"))));
        assert_eq!(spans[0]["status"], json!({"code": ERROR, "message": "HoldTimedOut: az1 was late"}));
        let about = spans[0]["attributes"].as_array().unwrap();
        assert!(
            about.contains(&json!({"key": "isochron.reason", "value": {"stringValue": "HoldTimedOut"}})),
            "{about:#?}"
        );
    }
}
