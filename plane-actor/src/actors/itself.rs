//! What a plane knows of itself, as one packed text. Each part has a bound, and what is secret is taken out here: who asks may be
//! anybody who may look.

use super::messages::OfMember;
use crate::ports::Level;
use serde_json::{Map, Value, json};
use shared::{
    ids::Attempt,
    member::{AttemptRecord, AttemptState, MemberLedger, View},
    pack::pack,
    reason::{Reason, Refusal, cut},
    wire::PACKED_MAX,
};
use shell::{
    driver::{Stepped, steps_told},
    redact,
};

/// A plane has some two hundred lines, and some more for each account and call.
const METRICS_BYTES: usize = 128 * 1024;
/// Steps of all machines together: some ten that are full.
const STEPS_BYTES: usize = 256 * 1024;

/// One attempt in memory.
pub(super) struct OfAttempt {
    pub(super) attempt: Attempt,
    /// `None`: it has not shown itself yet.
    pub(super) view: Option<View>,
    /// `None`: it is saving, or has died.
    pub(super) told: Option<OfMember>,
}

/// See the module.
pub(super) struct Itself {
    /// Names and numbers.
    pub(super) process: Value,
    pub(super) configuration: Value,
    pub(super) ledger: MemberLedger,
    pub(super) levels: Vec<Level>,
    pub(super) log: Vec<String>,
    /// As `/metrics` has them.
    pub(super) metrics: String,
    /// The most wanted first.
    pub(super) attempts: Vec<OfAttempt>,
    /// Machines that have ended, the newest first.
    pub(super) ended: Vec<(String, Vec<Stepped>)>,
}

impl Itself {
    /// At most [`PACKED_MAX`] bytes: of a log that is too long only the end stays.
    ///
    /// # Errors
    /// All but the log is too long already.
    pub(super) fn packed(self) -> Result<String, Refusal> {
        let attempts: Vec<Value> = self.attempts.iter().map(attempt).collect();
        let of_attempts =
            self.attempts.into_iter().filter_map(|one| Some((format!("member {}", one.attempt), one.told?)));
        let machines = of_attempts.map(|(name, told)| (name, told.steps)).chain(self.ended).collect();
        let mut told = redact::value(json!({
            "process": self.process,
            "configuration": self.configuration,
            "ledger": ledger(&self.ledger),
            "attempts": attempts,
            "budgets": self.levels.iter().map(budget).collect::<Vec<_>>(),
            "machines": steps_told(machines, STEPS_BYTES),
            "log": self.log,
            "metrics": cut(self.metrics, METRICS_BYTES),
        }));
        loop {
            let packed = pack(told.to_string().as_bytes());
            if packed.len() <= PACKED_MAX {
                return Ok(packed);
            }
            match told.get_mut("log").and_then(Value::as_array_mut) {
                Some(log) if !log.is_empty() => drop(log.drain(..log.len().div_ceil(2))),
                _ => return Err(Refusal::new(Reason::TooLarge, "what it would say is too long even without its log")),
            }
        }
    }
}

/// Where it stands, and what it holds: stores by their leases, PD by what this machine has changed there.
fn attempt(OfAttempt { attempt, view, told }: &OfAttempt) -> Value {
    let mut fields = Map::new();
    fields.insert("attempt".to_owned(), json!(attempt.to_string()));
    if let Some(view) = view {
        let shown = json!({
            "epoch": view.epoch,
            "cluster": view.cluster,
            "phase": format!("{:?}", view.phase),
            "restored": view.restored,
            "busy": view.busy,
            "storesHeld": view.stores_held,
            "storeLeaseLeftMs": view.store_lease_left,
            "planeLeaseLeftMs": view.plane_lease_left,
            "renewalsAsked": view.renewals.0,
            "renewalsAnswered": view.renewals.1,
            "progress": view.progress,
            "cause": view.cause.as_ref().map(ToString::to_string),
            "alarms": view.alarms,
        });
        fields.extend(shown.as_object().cloned().unwrap_or_default());
    }
    let pd = told.as_ref().map(|OfMember { pause, service, .. }| {
        json!({
            "safePointHeldBy": service,
            "safePoint": service.as_ref().and(view.as_ref()).and_then(|view| view.gc_hold),
            "schedulersPaused": pause.as_ref().map(|pause| &pause.schedulers),
            "settingsBefore": pause.as_ref().map(|pause| &pause.originals),
            "renewalsFailed": view.as_ref().map(|view| view.pd_failures),
        })
    });
    fields.insert("pd".to_owned(), pd.unwrap_or_else(|| json!("not told: it is saving, or has ended")));
    Value::Object(fields)
}

/// Without the evidence itself, which the coordinator's record has.
fn ledger(ledger: &MemberLedger) -> Value {
    let kept = |AttemptRecord { attempt, epoch, cluster, state, taken_back }: &AttemptRecord| {
        let state = match state {
            AttemptState::Live => json!("Live"),
            AttemptState::Broken => json!("Broken"),
            AttemptState::Confirmed(evidence) => {
                json!({ "Confirmed": { "stores": evidence.stores.len(), "snapshots": evidence.snapshots.len() } })
            }
        };
        let attempt = attempt.to_string();
        json!({ "attempt": attempt, "epoch": epoch, "cluster": cluster, "state": state, "takenBack": taken_back })
    };
    json!({ "name": ledger.name, "epochs": ledger.epochs, "attempts": ledger.attempts.iter().map(kept).collect::<Vec<_>>() })
}

fn budget(level: &Level) -> Value {
    let calls = |milli: u64| milli as f64 / 1000.0;
    json!({
        "account": level.account,
        "region": level.region,
        "action": level.action,
        "left": calls(level.left.milli),
        "perSecond": calls(level.left.rate_milli),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use shared::{pack::unpack, time::Timestamp};

    fn plane() -> Itself {
        Itself {
            process: json!({"plane": "az1"}),
            configuration: json!({"aws": {"ec2Endpoint": "https://x/?secret_key=hunter2"}}),
            ledger: MemberLedger::default(),
            levels: Vec::new(),
            log: vec!["WARN it said token: hunter2".to_owned()],
            metrics: "x{by=\"password=hunter2\"} 1\n".to_owned(),
            attempts: Vec::new(),
            ended: vec![("ended u/1".to_owned(), vec![step("Order(password=hunter2)")])],
        }
    }

    fn step(input: &str) -> Stepped {
        Stepped { at: Timestamp(0), input: input.to_owned(), effects: Vec::new() }
    }

    fn told(itself: Itself) -> Value {
        let packed = itself.packed().unwrap();
        assert!(packed.len() <= PACKED_MAX, "{}", packed.len());
        serde_json::from_slice(&unpack(&packed, 1 << 24).unwrap()).unwrap()
    }

    #[test]
    fn nothing_secret_leaves_the_plane() {
        let told = told(plane());
        assert!(!told.to_string().contains("hunter2"), "{told:#}");
        assert_eq!(told["machines"]["ended u/1"][0], "1970-01-01T00:00:00Z Order(password=(removed)) -> ");
        assert_eq!(told["log"][0], "WARN it said token: (removed)");
        assert!(told["metrics"].as_str().unwrap().starts_with("x{by=\"password=(removed)"), "{told:#}");
    }

    /// A log that no packing makes shorter, as long as it is ever kept.
    #[test]
    fn of_a_log_that_is_too_long_the_end_stays() {
        let mut random = 1_u64;
        let mut line = |number: usize| {
            let words = (0..64).map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{:x}", random >> 32)
            });
            format!("{number} {}", words.collect::<String>())
        };
        let log: Vec<String> = (0..1_000).map(&mut line).collect();
        let steps = vec![step(&"x".repeat(200)); 128];
        let ended = (0..40).map(|number| (format!("ended u/{number}"), steps.clone())).collect();
        let told = told(Itself { log: log.clone(), ended, ..plane() });
        let kept = told["log"].as_array().unwrap();
        assert!((100..1_000).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().and_then(Value::as_str), log.last().map(String::as_str));
        assert!(told["machines"]["ended u/0"].is_array() && told["machines"]["ended u/39"].is_string());
    }

    #[test]
    fn what_is_too_long_without_a_log_is_refused_by_its_name() {
        let long: Vec<String> =
            (0..200_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let refused = Itself { configuration: json!(long), ..plane() }.packed().unwrap_err();
        assert_eq!(refused.reason, Reason::TooLarge);
    }
}
