//! Events on objects. What is said again, by this process or by one before it, is one event that counts: its name follows
//! from what it says. The library's own recorder knows nothing of what stood there before it, and drops the words of all but
//! the first of a reason.

use super::{call::bounded, convert::short};
use crate::ports::{EventKind, PortError};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use shared::time::Timestamp;

/// Longest `reportingInstance` of an event.
const MAX_INSTANCE: usize = 128;
/// Who reports events.
const CONTROLLER: &str = "isochron-coordinator";

/// What is said, and of whom.
pub(super) struct Said<'a> {
    pub(super) of: ObjectReference,
    pub(super) kind: EventKind,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    pub(super) at: Timestamp,
}

/// Writes events of one process.
#[derive(Clone)]
pub(super) struct Events {
    client: Client,
    instance: String,
}

impl Events {
    /// `instance` names this process, which the API server refuses above 128 characters: the rest is cut.
    pub(super) fn new(client: Client, instance: &str) -> Self {
        Self { client, instance: instance.chars().take(MAX_INSTANCE).collect() }
    }

    /// One more time, if it was said before. Who may not read events says it as new, and is told that it is there.
    pub(super) async fn say(&self, said: Said<'_>) -> Result<(), PortError> {
        let (reason, at) = (said.reason.to_owned(), jiff::Timestamp::from_millisecond(said.at.0).unwrap_or_default());
        let namespace = said.of.namespace.clone().unwrap_or_default();
        let event = self.event(said, at);
        let name = event.metadata.name.clone().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let what = format!("write event {reason} {namespace}/{name}");
        match bounded(&what, api.create(&PostParams::default(), &event)).await {
            Err(PortError::Conflict(_)) => {}
            other => return other.map(|_| ()),
        }
        let stands = bounded(&what, api.get(&name)).await.ok();
        let count = stands.and_then(|event| event.series).map_or(1, |series| series.count);
        let series = json!({"series": {"count": count.saturating_add(1), "lastObservedTime": MicroTime(at)}});
        bounded(&what, api.patch(&name, &PatchParams::default(), &Patch::Merge(&series))).await.map(|_| ())
    }

    fn event(&self, said: Said<'_>, at: jiff::Timestamp) -> Event {
        let Said { of, kind, reason, message, .. } = said;
        let kind = match kind {
            EventKind::Normal => "Normal",
            EventKind::Warning => "Warning",
        };
        let uid = of.uid.clone().unwrap_or_default();
        let stem: String = of.name.iter().flat_map(|name| name.chars()).take(200).collect();
        let sum = fingerprint(&[&uid, kind, reason, message]);
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{sum:016x}", stem.trim_end_matches(['.', '-']))),
                namespace: of.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some(reason.to_owned()),
            event_time: Some(MicroTime(at)),
            // The API server refuses notes above 1024 bytes.
            note: Some(short(message)),
            reason: Some(reason.to_owned()),
            regarding: Some(of),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(kind.to_owned()),
            ..Event::default()
        }
    }
}

/// FNV-1a of 64 bits: the same in every version of this program. Of some hundred events of one object within their hour
/// two alike would only be counted as one.
fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
