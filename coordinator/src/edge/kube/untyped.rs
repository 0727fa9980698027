//! Objects of one kind without their type: read whole, one part changed, and put back under their resourceVersion, so
//! that nothing is lost that we do not know. By default there is no status subresource (`facts/tidb-operator.md` §1.1);
//! where somebody installed the definitions with one, a status goes there.

use super::{
    call::bounded,
    events::{Events, Said},
};
use crate::ports::{EventKind, PortError};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::Value;
use shared::time::Timestamp;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Rounds of read, change, put. Users and their tools write an object a few times a minute at most; who loses this
/// often in a row is told and tries again later.
pub(super) const EDIT_ROUNDS: u32 = 6;
/// Pause after the first lost round; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Reads a wall clock.
pub(super) type Wall = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An object as calls name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) uid: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// Objects of one kind.
#[derive(Clone)]
pub(super) struct Untyped {
    client: Client,
    resource: ApiResource,
    events: Events,
    /// A status is written apart from its object. Found out by the write that it swallowed, or that found nothing.
    apart: Arc<AtomicBool>,
    pub(super) wall: Wall,
}

impl Untyped {
    /// `instance` names this process in events, which the API server refuses above 128 characters: the rest is cut.
    pub(super) fn new<K: Resource<DynamicType = ()>>(client: Client, instance: &str, wall: Wall) -> Self {
        let events = Events::new(client.clone(), instance);
        Self { client, resource: ApiResource::erase::<K>(&()), events, apart: Arc::default(), wall }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// For messages: kind, namespace and name.
    pub(super) fn named(&self, target: Target<'_>) -> String {
        format!("{} {}/{}", self.resource.kind, target.namespace, target.name)
    }

    pub(super) fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &self.resource)
    }

    /// Reads the object; one of another uid is another object.
    pub(super) async fn get(&self, target: Target<'_>, what: &str) -> Result<DynamicObject, PortError> {
        let what = format!("{what} {}", self.named(target));
        let object = bounded(&what, self.api(target.namespace).get(target.name)).await?;
        if object.metadata.uid.as_deref() != Some(target.uid) {
            return Err(PortError::NotFound(format!("{what}: the name now belongs to another object")));
        }
        Ok(object)
    }

    /// Reads the object, lets `change` at it (false: nothing to write), puts it back; again while others write.
    pub(super) async fn edit(
        &self,
        target: Target<'_>,
        what: &str,
        change: impl Fn(&mut DynamicObject) -> Result<bool, PortError> + Send + Sync,
    ) -> Result<(), PortError> {
        let api = self.api(target.namespace);
        let mut pause = FIRST_PAUSE;
        let mut lost = String::new();
        for _ in 0..EDIT_ROUNDS {
            let mut object = self.get(target, what).await?;
            if !change(&mut object)? {
                return Ok(());
            }
            let what = format!("{what} {}", self.named(target));
            match bounded(&what, api.replace(target.name, &PostParams::default(), &object)).await {
                Err(PortError::Conflict(text)) => lost = text,
                other => return other.map(|_| ()),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(PortError::Conflict(format!("{lost} ({EDIT_ROUNDS} times in a row)")))
    }

    pub(super) async fn add_finalizer(&self, target: Target<'_>, finalizer: &str) -> Result<(), PortError> {
        self.edit(target, "add finalizer to", |object| {
            let deleting = object.metadata.deletion_timestamp.is_some();
            let finalizers = object.metadata.finalizers.get_or_insert_default();
            if finalizers.iter().any(|name| name == finalizer) {
                return Ok(false);
            }
            // The API server refuses new finalizers now; it goes as soon as others let it.
            if deleting {
                return Err(PortError::NotFound("it is being deleted and was never protected".to_owned()));
            }
            finalizers.push(finalizer.to_owned());
            Ok(true)
        })
        .await
    }

    pub(super) async fn remove_finalizer(&self, target: Target<'_>, finalizer: &str) -> Result<(), PortError> {
        self.edit(target, "remove finalizer from", |object| {
            let finalizers = object.metadata.finalizers.get_or_insert_default();
            let before = finalizers.len();
            finalizers.retain(|name| name != finalizer);
            Ok(finalizers.len() != before)
        })
        .await
    }

    /// Writes the status that `merge` makes of the present one, if it differs.
    pub(super) async fn publish(
        &self,
        target: Target<'_>,
        merge: impl Fn(Option<&Value>) -> Value + Send + Sync,
    ) -> Result<(), PortError> {
        let what = "write status of";
        let mut pause = FIRST_PAUSE;
        let mut lost = String::new();
        for _ in 0..EDIT_ROUNDS {
            let mut object = self.get(target, what).await?;
            let apart = self.apart.load(Relaxed);
            let old = object.data.get("status").cloned();
            let mut new = merge(old.as_ref());
            observed(&mut new, object.metadata.generation.filter(|_| apart));
            if old.as_ref() == Some(&new) {
                return Ok(());
            }
            let Some(parts) = object.data.as_object_mut() else {
                return Err(PortError::Unavailable("the API server answered with an object without parts".to_owned()));
            };
            parts.insert("status".to_owned(), new);
            match self.write(target, what, &object, apart).await {
                // It took the object and left the status as it was: this one is written apart, or its fields are dropped.
                Ok(stored) if !apart && stored.data.get("status") == old.as_ref() => {
                    match self.write(target, what, &stored_with(stored, &object), true).await {
                        Ok(_) => self.apart.store(true, Relaxed),
                        Err(PortError::NotFound(_)) => return Ok(()),
                        Err(PortError::Conflict(text)) => lost = text,
                        Err(error) => return Err(error),
                    }
                }
                Ok(_) => return Ok(()),
                Err(PortError::NotFound(text)) if apart => {
                    self.apart.store(false, Relaxed);
                    lost = text;
                }
                Err(PortError::Conflict(text)) => lost = text,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(PortError::Conflict(format!("{lost} ({EDIT_ROUNDS} times in a row)")))
    }

    async fn write(
        &self,
        target: Target<'_>,
        what: &str,
        object: &DynamicObject,
        apart: bool,
    ) -> Result<DynamicObject, PortError> {
        let (api, parameters) = (self.api(target.namespace), PostParams::default());
        let what = format!("{what} {}", self.named(target));
        if apart {
            bounded(&what, api.replace_status(target.name, &parameters, object)).await
        } else {
            bounded(&what, api.replace(target.name, &parameters, object)).await
        }
    }

    /// One event on the object.
    pub(super) async fn event(
        &self,
        target: Target<'_>,
        kind: EventKind,
        reason: &str,
        message: &str,
    ) -> Result<(), PortError> {
        let of = ObjectReference {
            api_version: Some(self.resource.api_version.clone()),
            kind: Some(self.resource.kind.clone()),
            name: Some(target.name.to_owned()),
            namespace: Some(target.namespace.to_owned()),
            uid: Some(target.uid.to_owned()),
            ..ObjectReference::default()
        };
        self.events.say(Said { of, kind, reason, message, at: (self.wall)() }).await
    }
}

/// The object as it is stored now, with the status that was meant.
fn stored_with(mut stored: DynamicObject, meant: &DynamicObject) -> DynamicObject {
    if let (Some(parts), Some(status)) = (stored.data.as_object_mut(), meant.data.get("status")) {
        parts.insert("status".to_owned(), status.clone());
    }
    stored
}

/// `observedGeneration`, only where a generation counts changes of the wish alone: without the subresource each status that is
/// written makes another.
fn observed(status: &mut Value, generation: Option<i64>) {
    let Some(parts) = status.as_object_mut() else { return };
    match generation {
        Some(generation) => drop(parts.insert("observedGeneration".to_owned(), generation.into())),
        None => drop(parts.remove("observedGeneration")),
    }
}
