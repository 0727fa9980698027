//! The plane's one small object as a ConfigMap, saved by compare-and-set on resourceVersion (`design.md` §5).
//!
//! A save whose outcome is unknown is read back: what carries this process's writer id and this save's number is ours. A
//! foreign writer means that another plane actor of the same name runs, and is final.

use super::api::Call;
use crate::{
    ports::{PlaneLedger, PortError},
    unread::unread,
};
use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use shared::{ids::PlaneId, member::MemberLedger, plane_name::object_name, reason::Reason};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::Mutex;

/// A save may take 3 s in all (`design.md` §3): one write, one look at it, and once more when a late write of our own was
/// in between would be 2 × (0.9 + 0.5) s.
const WRITE_LIMIT: Duration = Duration::from_millis(900);
const READ_BACK_LIMIT: Duration = Duration::from_millis(500);

/// Writes per save: the second only after a late write of our own had moved the version.
const MAX_WRITES: usize = 2;

/// etcd refuses objects above 1.5 MiB and the API server ConfigMaps above 1 MiB; this leaves room for the rest of the
/// object. One attempt of a hundred stores is a tenth of it. Where several TiDB clusters of such a size are backed up at
/// once, the oldest attempts go first: "not kept" answers "aborted".
const MAX_BYTES: usize = 900 * 1024;

const LEDGER: &str = "ledger.json";
const PLANE: &str = "plane";
const WRITER: &str = "writer";
const SAVE: &str = "save";

/// [`PlaneLedger`] in the plane actor's own namespace: ConfigMap `isochron-plane-<k8sClusterName>`.
pub struct KubeLedger {
    api: Api<ConfigMap>,
    namespace: String,
    name: String,
    plane: PlaneId,
    writer: String,
    state: Mutex<State>,
}

/// What was last seen of the object.
#[derive(Default)]
struct State {
    /// `None`: there is no object.
    version: Option<String>,
    loaded: bool,
    saves: u64,
}

enum Wrote {
    /// New resourceVersion.
    Done(Option<String>),
    /// Somebody else's version is there (409, or the object is gone).
    Lost,
    /// It may have happened.
    Unknown(PortError),
}

impl KubeLedger {
    /// Nothing is asked before the first call. `namespace` is the plane actor's own.
    pub fn new(client: Client, namespace: &str, plane: &PlaneId) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: format!("isochron-plane-{}", object_name(plane.as_str())),
            plane: plane.clone(),
            writer: uuid::Uuid::new_v4().to_string(),
            state: Mutex::default(),
        }
    }

    /// Name of the ConfigMap.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn call(&self, verb: &'static str) -> Call {
        Call::new(verb, "configmaps", Some(&self.namespace), &self.name).forbidden_as(Reason::LedgerLost)
    }

    fn lost(&self, why: &str) -> PortError {
        PortError::refused(
            Reason::LedgerLost,
            format!(
                "ConfigMap {}/{} {why}; only one plane actor may run for plane {}",
                self.namespace, self.name, self.plane
            ),
        )
    }

    async fn write(&self, version: Option<&str>, map: &ConfigMap) -> Wrote {
        let params = PostParams::default();
        let (call, result) = match version {
            None => {
                let call = self.call("create").within(WRITE_LIMIT);
                let result = call.raw(self.api.create(&params, map)).await;
                (call, result)
            }
            Some(_) => {
                let call = self.call("update").within(WRITE_LIMIT);
                let result = call.raw(self.api.replace(&self.name, &params, map)).await;
                (call, result)
            }
        };
        match result {
            Ok(Ok(stored)) => Wrote::Done(stored.metadata.resource_version),
            Ok(Err(kube::Error::Api(status)))
                if status.is_conflict() || (status.is_not_found() && version.is_some()) =>
            {
                Wrote::Lost
            }
            Ok(Err(error)) => Wrote::Unknown(call.failed(&error)),
            Err(error) => Wrote::Unknown(error),
        }
    }

    fn object(&self, version: Option<&str>, save: u64, text: &str) -> ConfigMap {
        let data = [
            (LEDGER, text.to_owned()),
            (PLANE, self.plane.to_string()),
            (WRITER, self.writer.clone()),
            (SAVE, save.to_string()),
        ];
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                resource_version: version.map(str::to_owned),
                labels: Some(BTreeMap::from([("app.kubernetes.io/name".to_owned(), "isochron".to_owned())])),
                ..ObjectMeta::default()
            },
            data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ..ConfigMap::default()
        }
    }

    /// Who wrote what is stored, as (version, save number if it was us).
    async fn read_back(&self) -> Result<Option<(Option<String>, Option<u64>)>, PortError> {
        let call = self.call("get").within(READ_BACK_LIMIT);
        let Some(stored) = call.optional(self.api.get(&self.name)).await? else { return Ok(None) };
        let data = stored.data.unwrap_or_default();
        let ours = data.get(WRITER) == Some(&self.writer);
        let save = data.get(SAVE).and_then(|save| save.parse().ok()).filter(|_| ours);
        Ok(Some((stored.metadata.resource_version, save)))
    }
}

#[async_trait]
impl PlaneLedger for KubeLedger {
    async fn load(&self) -> Result<MemberLedger, PortError> {
        let mut state = self.state.lock().await;
        let stored = self.call("get").optional(self.api.get(&self.name)).await?;
        state.loaded = true;
        let Some(stored) = stored else {
            state.version = None;
            return Ok(MemberLedger::default());
        };
        let data = stored.data.unwrap_or_default();
        if let Some(other) = data.get(PLANE).filter(|other| **other != self.plane.0) {
            return Err(self.lost(&format!("belongs to plane {other}")));
        }
        let text =
            data.get(LEDGER).ok_or_else(|| self.lost(&format!("has no key {LEDGER}: somebody else wrote it")))?;
        let ledger = serde_json::from_str(text).map_err(|error| {
            self.lost(&format!("does not hold a ledger that this version reads ({})", unread(&error)))
        })?;
        state.version = stored.metadata.resource_version;
        Ok(ledger)
    }

    async fn save(&self, ledger: &MemberLedger) -> Result<(), PortError> {
        let mut state = self.state.lock().await;
        if !state.loaded {
            return Err(PortError::Unavailable("the plane's ledger was not loaded yet".to_owned()));
        }
        let text = fitting(ledger)?;
        state.saves += 1;
        let save = state.saves;
        for _ in 0..MAX_WRITES {
            let object = self.object(state.version.as_deref(), save, &text);
            let unknown = match self.write(state.version.as_deref(), &object).await {
                Wrote::Done(version) => {
                    state.version = version;
                    return Ok(());
                }
                Wrote::Lost => None,
                Wrote::Unknown(error) => Some(error),
            };
            match (self.read_back().await?, unknown) {
                (Some((version, Some(stored))), _) if stored == save => {
                    state.version = version;
                    return Ok(());
                }
                // A write of our own that was given up arrived late: try once more on top of it.
                (Some((version, Some(_))), None) if version != state.version => state.version = version,
                (Some((version, _)), Some(error)) if version == state.version => return Err(error),
                (None, Some(error)) if state.version.is_none() => return Err(error),
                (Some((version, Some(_))), Some(error)) => {
                    state.version = version;
                    return Err(error);
                }
                (Some(_), _) => return Err(self.lost("was written by somebody else")),
                (None, _) => return Err(self.lost("was deleted, and with it the epochs that this plane obeyed")),
            }
        }
        Err(self.lost("changed again while it was saved"))
    }
}

/// JSON that a ConfigMap can hold, each part made once. Epochs are never dropped.
pub(crate) fn fitting(ledger: &MemberLedger) -> Result<String, PortError> {
    let failed = |error: serde_json::Error| {
        PortError::refused(Reason::Internal, format!("the plane's ledger has no JSON form: {error}"))
    };
    let epochs = serde_json::to_string(&ledger.epochs).map_err(failed)?;
    let name = match ledger.name.as_str() {
        "" => String::new(),
        name => format!(",\"name\":{}", serde_json::to_string(name).map_err(failed)?),
    };
    let mut room = MAX_BYTES.saturating_sub(epochs.len() + name.len() + 32);
    let mut kept: Vec<String> = Vec::new();
    for attempt in ledger.attempts.iter().rev() {
        let text = serde_json::to_string(attempt).map_err(failed)?;
        match room.checked_sub(text.len() + 1) {
            Some(left) => room = left,
            None if kept.is_empty() => {
                let text = format!("what this plane has to keep of an attempt is {} bytes, {room} fit", text.len());
                return Err(PortError::refused(Reason::TooLarge, text));
            }
            None => break,
        }
        kept.push(text);
    }
    kept.reverse();
    Ok(format!("{{\"epochs\":{epochs},\"attempts\":[{}]{name}}}", kept.join(",")))
}
