//! Objects of one kind without their type: read whole, one part changed, and put back under their resourceVersion, so
//! that nothing is lost that we do not know. There is no status subresource (`facts/tidb-operator.md` §1.1).

use super::{call::bounded, convert::status::short};
use crate::ports::{EventKind, PortError};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::Value;
use shared::time::Timestamp;
use std::{sync::Arc, time::Duration};

/// Rounds of read, change, put. Users and their tools write an object a few times a minute at most; who loses this
/// often in a row is told and tries again later.
pub(super) const EDIT_ROUNDS: u32 = 6;
/// Pause after the first lost round; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest `reportingInstance` of an event.
const MAX_INSTANCE: usize = 128;
/// Who reports events.
const CONTROLLER: &str = "isochron-coordinator";

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
    instance: String,
    pub(super) wall: Wall,
}

impl Untyped {
    /// `instance` names this process in events, which the API server refuses above 128 characters: the rest is cut.
    pub(super) fn new<K: Resource<DynamicType = ()>>(client: Client, instance: &str, wall: Wall) -> Self {
        let instance = instance.chars().take(MAX_INSTANCE).collect();
        Self { client, resource: ApiResource::erase::<K>(&()), instance, wall }
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

    /// Writes the status that `merge` makes of the present one, if it differs.
    pub(super) async fn publish(
        &self,
        target: Target<'_>,
        merge: impl Fn(Option<&Value>) -> Value + Send + Sync,
    ) -> Result<(), PortError> {
        self.edit(target, "write status of", |object| {
            let old = object.data.get("status");
            let new = merge(old);
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

    /// One event on the object.
    pub(super) async fn event(
        &self,
        target: Target<'_>,
        kind: EventKind,
        reason: &str,
        message: &str,
    ) -> Result<(), PortError> {
        // A name of its own each: two events of one kind with different words must not become one.
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let stem: String = target.name.chars().take(200).collect();
        let at = jiff::Timestamp::from_millisecond((self.wall)().0).unwrap_or_default();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{}", stem.trim_end_matches(['.', '-']), &suffix[..16])),
                namespace: Some(target.namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some(reason.to_owned()),
            event_time: Some(MicroTime(at)),
            // The API server refuses notes above 1024 bytes.
            note: Some(short(message)),
            reason: Some(reason.to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some(self.resource.api_version.clone()),
                kind: Some(self.resource.kind.clone()),
                name: Some(target.name.to_owned()),
                namespace: Some(target.namespace.to_owned()),
                uid: Some(target.uid.to_owned()),
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
        let api: Api<Event> = Api::namespaced(self.client.clone(), target.namespace);
        let what = format!("write event {reason} of {}", self.named(target));
        bounded(&what, api.create(&PostParams::default(), &event)).await.map(|_| ())
    }
}
