//! What a coordinator alone knows of itself, as one answer. Each part has a bound, so that all fit into a frame.

use serde_json::{Map, Value, json};
use shared::{
    calendar::rfc3339,
    reason::cut,
    time::Timestamp,
    wire::{MIN_WIRE_VERSION, WIRE_VERSION},
};
use shell::{
    driver::{Stepped, steps_told},
    expiry::{Expiry, days_left},
    redact,
};

/// Metrics of ten thousand schedules are cut here; the endpoint has all of them.
const METRICS_BYTES: usize = 768 * 1024;
/// Steps of all machines together, as JSON: some thirty machines that are full.
const STEPS_BYTES: usize = 768 * 1024;

/// A plane's session.
pub(crate) struct OfSession {
    pub(crate) plane: String,
    pub(crate) version: String,
    pub(crate) generation: u64,
    pub(crate) since: Timestamp,
    pub(crate) verifies: bool,
    pub(crate) inspects: bool,
    pub(crate) ends: Option<Timestamp>,
}

/// See the module.
pub(crate) struct State {
    pub(crate) now: Timestamp,
    /// What it is about and what it has in memory: names and numbers.
    pub(crate) process: Value,
    pub(crate) configuration: Value,
    pub(crate) sessions: Vec<OfSession>,
    pub(crate) expiries: Vec<Expiry>,
    pub(crate) metrics: String,
    pub(crate) log: Vec<String>,
    /// What each machine is called, the most wanted first.
    pub(crate) machines: Vec<(String, Vec<Stepped>)>,
}

impl State {
    /// The answer. What is secret is taken out here: who asks may be anybody who may look.
    pub(crate) fn value(self) -> Value {
        let now = self.now;
        let sessions: Value = self.sessions.iter().map(|session| session.row(now)).collect();
        let expiries: Value = self
            .expiries
            .iter()
            .map(|expiry| {
                let days = days_left(expiry.at, now);
                json!({ "identity": expiry.identity, "kind": format!("{:?}", expiry.kind), "ends": rfc3339(expiry.at), "daysLeft": days })
            })
            .collect();
        redact::value(json!({
            "process": self.process,
            "versions": {
                "coordinator": env!("CARGO_PKG_VERSION"),
                "wire": { "least": MIN_WIRE_VERSION, "own": WIRE_VERSION },
                "planes": self.sessions.iter().map(|one| (one.plane.clone(), json!(one.version))).collect::<Map<_, _>>(),
            },
            "configuration": self.configuration,
            "sessions": sessions,
            "certificates": expiries,
            "machines": steps_told(self.machines, STEPS_BYTES),
            "log": self.log,
            "metrics": cut(self.metrics, METRICS_BYTES),
        }))
    }
}

impl OfSession {
    fn row(&self, now: Timestamp) -> Value {
        json!({
            "plane": self.plane,
            "version": self.version,
            "session": self.generation,
            "since": rfc3339(self.since),
            "verifies": self.verifies,
            "inspects": self.inspects,
            "certificateEnds": self.ends.map(rfc3339),
            "daysLeft": self.ends.map(|end| days_left(end, now)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::wire::MAX_FRAME_BYTES;
    use shell::driver::Past;

    fn state() -> State {
        State {
            now: Timestamp(0),
            process: json!({}),
            configuration: json!({}),
            sessions: Vec::new(),
            expiries: Vec::new(),
            metrics: String::new(),
            log: Vec::new(),
            machines: Vec::new(),
        }
    }

    #[test]
    fn the_answer_fits_into_a_frame_whatever_there_is() {
        // As much as the log keeps (`shell::telemetry`).
        let log = vec!["\"".repeat(512); 1_000];
        let step = Stepped { at: Timestamp(0), input: "\"".repeat(200), effects: vec!["\"".repeat(120); 4] };
        let machines = (0..100).map(|number| (format!("barrier {number}"), vec![step.clone(); 128])).collect();
        let value = State { log, machines, metrics: "x\n".repeat(2_000_000), ..state() }.value();
        let bytes = value.to_string().len();
        assert!(bytes < MAX_FRAME_BYTES, "{bytes}");
        assert!(value["machines"]["barrier 0"].is_array() && value["machines"]["barrier 99"].is_string());
        assert_eq!(Past::default().steps(), Vec::new());
    }

    #[test]
    fn nothing_secret_leaves_the_coordinator() {
        let step = Stepped { at: Timestamp(0), input: "Answer(password=hunter2)".to_owned(), effects: Vec::new() };
        let value = State {
            configuration: json!({"prices": {"currency": "secret_key=hunter2"}}),
            log: vec!["WARN it said token: hunter2".to_owned()],
            metrics: "x{by=\"password=hunter2\"} 1\n".to_owned(),
            machines: vec![("barrier a/b".to_owned(), vec![step])],
            ..state()
        }
        .value();
        assert!(!value.to_string().contains("hunter2"), "{value:#}");
        assert_eq!(value["machines"]["barrier a/b"][0], "1970-01-01T00:00:00Z Answer(password=(removed)) -> ");
    }
}
