//! Status, finalizers and events of VolumeBackup objects.
//!
//! There is no status subresource (`facts/tidb-operator.md` §1.1): the whole object is read, one part changed, and put
//! back under its resourceVersion. It stays untyped on the way, so that nothing is lost that we do not know.

use super::{
    call::bounded,
    convert::{merge_status, status::short},
    crd::{API_VERSION, FINALIZER, KIND, VolumeBackup},
};
use crate::ports::{EventKind, ObjectRef, Objects, PortError, Status};
use async_trait::async_trait;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
};
use shared::time::Timestamp;
use std::{sync::Arc, time::Duration};

/// Rounds of read, change, put. Users and their tools write an object a few times a minute at most; who loses this
/// often in a row is told and tries again later.
const EDIT_ROUNDS: u32 = 6;
/// Pause after the first lost round; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest `reportingInstance` of an event.
const MAX_INSTANCE: usize = 128;
/// Who reports events.
const CONTROLLER: &str = "isochron-coordinator";

/// VolumeBackup objects of one API server.
#[derive(Clone)]
pub struct KubeObjects {
    client: Client,
    resource: ApiResource,
    instance: String,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl KubeObjects {
    /// `instance` names this process in events, which the API server refuses above 128 characters: the rest is cut.
    pub fn new(client: Client, instance: &str, wall: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        let instance = instance.chars().take(MAX_INSTANCE).collect();
        Self { client, resource: ApiResource::erase::<VolumeBackup>(&()), instance, wall }
    }

    /// Reads the object, lets `change` at it (false: nothing to write), puts it back; again while others write.
    async fn edit(
        &self,
        target: &ObjectRef,
        what: &str,
        change: impl Fn(&mut DynamicObject) -> Result<bool, PortError> + Send + Sync,
    ) -> Result<(), PortError> {
        let what = format!("{what} VolumeBackup {}/{}", target.namespace, target.name);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &target.namespace, &self.resource);
        let mut pause = FIRST_PAUSE;
        let mut lost = String::new();
        for _ in 0..EDIT_ROUNDS {
            let mut object = bounded(&what, api.get(&target.name)).await?;
            if object.metadata.uid.as_deref() != Some(target.uid.as_str()) {
                return Err(PortError::NotFound(format!("{what}: the name now belongs to another object")));
            }
            if !change(&mut object)? {
                return Ok(());
            }
            match bounded(&what, api.replace(&target.name, &PostParams::default(), &object)).await {
                Err(PortError::Conflict(text)) => lost = text,
                other => return other.map(|_| ()),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(PortError::Conflict(format!("{lost} ({EDIT_ROUNDS} times in a row)")))
    }
}

#[async_trait]
impl Objects for KubeObjects {
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError> {
        let now = (self.wall)();
        self.edit(object, "write status of", |object| {
            let old = object.data.get("status");
            let new = merge_status(old, status, now);
            if old == Some(&new) {
                return Ok(false);
            }
            match object.data.as_object_mut() {
                Some(parts) => {
                    parts.insert("status".to_owned(), new);
                    Ok(true)
                }
                None => Err(PortError::Unavailable("the API server answered with an object without parts".to_owned())),
            }
        })
        .await
    }

    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.edit(object, "add finalizer to", |object| {
            let deleting = object.metadata.deletion_timestamp.is_some();
            let finalizers = object.metadata.finalizers.get_or_insert_default();
            if finalizers.iter().any(|name| name == FINALIZER) {
                return Ok(false);
            }
            // The API server refuses new finalizers now; it goes as soon as others let it.
            if deleting {
                return Err(PortError::NotFound("it is being deleted and was never protected".to_owned()));
            }
            finalizers.push(FINALIZER.to_owned());
            Ok(true)
        })
        .await
    }

    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.edit(object, "remove finalizer from", |object| {
            let finalizers = object.metadata.finalizers.get_or_insert_default();
            let before = finalizers.len();
            finalizers.retain(|name| name != FINALIZER);
            Ok(finalizers.len() != before)
        })
        .await
    }

    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        // A name of its own each: two events of one kind with different words must not become one.
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let stem: String = object.name.chars().take(200).collect();
        let at = jiff::Timestamp::from_millisecond((self.wall)().0).unwrap_or_default();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{}", stem.trim_end_matches(['.', '-']), &suffix[..16])),
                namespace: Some(object.namespace.clone()),
                ..ObjectMeta::default()
            },
            action: Some(reason.to_owned()),
            event_time: Some(MicroTime(at)),
            // The API server refuses notes above 1024 bytes.
            note: Some(short(message)),
            reason: Some(reason.to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some(API_VERSION.to_owned()),
                kind: Some(KIND.to_owned()),
                name: Some(object.name.clone()),
                namespace: Some(object.namespace.clone()),
                uid: Some(object.uid.to_string()),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(
                match kind {
                    EventKind::Normal => "Normal",
                    EventKind::Warning => "Warning",
                }
                .to_owned(),
            ),
            ..Event::default()
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), &object.namespace);
        let what = format!("write event {reason} of VolumeBackup {}/{}", object.namespace, object.name);
        bounded(&what, api.create(&PostParams::default(), &event)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests;
