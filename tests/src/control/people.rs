//! What people and their tools do to VolumeBackups: apply, copy, edit, delete.

use super::{
    Control, Inner, finalizers, lives,
    remembered::{Deleter, Scope},
    rfc3339,
};
use coordinator::edge::kube::crd::{RESTORE_KIND, SCHEDULE_KIND};
use serde_json::{Value, json};
use shared::{ids::BackupUid, time::Timestamp};

impl Control {
    /// `kubectl apply`: creates the object, or replaces spec and annotations of one that exists. A new one is refused while
    /// its CRD or namespace is being torn down, and afterwards.
    pub fn apply(&self, yaml: &str) -> anyhow::Result<()> {
        let mut object: Value = serde_saphyr::from_str(yaml)?;
        anyhow::ensure!(object["metadata"]["name"].is_string(), "the object has no name");
        if object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = Value::from("default");
        }
        anyhow::ensure!(self.store(object, None), "its CRD or its namespace is not there, or is being torn down");
        Ok(())
    }

    /// False: it was refused, because it is new and has no place.
    pub(super) fn store(&self, mut object: Value, restored_from: Option<BackupUid>) -> bool {
        let now = rfc3339((self.wall)());
        let mut inner = self.lock();
        inner.end_teardowns();
        let key = key_of(&object);
        let (is_schedule, is_restore) = (object["kind"] == SCHEDULE_KIND, object["kind"] == RESTORE_KIND);
        let uid = format!("00000000-0000-4000-8000-{:012}", inner.uids + 1);
        let all = match (is_schedule, is_restore) {
            (true, _) => &mut inner.schedules,
            (false, true) => &mut inner.restores,
            (false, false) => &mut inner.objects,
        };
        if let Some(old) = all.get(&key) {
            for kept in ["uid", "finalizers", "creationTimestamp", "deletionTimestamp"] {
                object["metadata"][kept] = old["metadata"][kept].clone();
            }
            object["status"] = old["status"].clone();
            all.insert(key, object);
        } else if inner.has_place(&object) {
            inner.uids += 1;
            object["metadata"]["uid"] = Value::from(uid.as_str());
            object["metadata"]["creationTimestamp"] = Value::from(now);
            if is_schedule {
                inner.schedules.insert(key, object);
            } else if is_restore {
                inner.restores.insert(key, object);
            } else {
                lives::born(&mut inner, &key, &uid, restored_from);
                inner.objects.insert(key, object);
            }
        } else {
            return false;
        }
        drop(inner);
        self.touched();
        true
    }

    /// `kubectl get NAME -o yaml | sed s/NAME/COPY/ | kubectl apply -f -`: the status comes along, and so do finalizers.
    /// With a `prefix`, the person thought of changing that one, too. False: there is nothing to copy, or no place for it.
    pub fn copy(&self, key: &str, name: &str, prefix: Option<&str>) -> bool {
        let Some(mut copy) = self.get(key) else { return false };
        for given in ["uid", "creationTimestamp", "deletionTimestamp"] {
            if let Some(metadata) = copy["metadata"].as_object_mut() {
                metadata.remove(given);
            }
        }
        copy["metadata"]["name"] = Value::from(name);
        if let Some(prefix) = prefix {
            copy["spec"]["template"]["s3"]["prefix"] = Value::from(prefix);
        }
        self.get(&key_of(&copy)).is_none() && self.store(copy, None)
    }

    /// `kubectl annotate`.
    pub fn annotate(&self, key: &str, annotation: &str, value: &str) {
        self.change(key, |object| object["metadata"]["annotations"][annotation] = Value::from(value));
    }

    /// `kubectl patch`: another `cleanPolicy`, and nothing else.
    pub fn set_policy(&self, key: &str, policy: &str) {
        self.change(key, |object| object["spec"]["template"]["cleanPolicy"] = Value::from(policy));
    }

    /// Somebody's tool replaces the object without its finalizers. One that is being deleted is gone with them.
    pub fn strip_finalizer(&self, key: &str) {
        self.change(key, |object| object["metadata"]["finalizers"] = json!([]));
        let mut inner = self.lock();
        if inner.objects.get(key).is_some_and(|object| object["metadata"]["deletionTimestamp"].is_string()) {
            inner.objects.remove(key);
        }
        drop(inner);
        self.touched();
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Value)) {
        if let Some(object) = self.lock().objects.get_mut(key) {
            change(object);
        }
        self.touched();
    }

    /// `kubectl delete`: at once without a finalizer, else when it is removed.
    pub fn delete(&self, key: &str) {
        self.delete_by(key, Deleter::User);
    }

    pub(super) fn delete_by(&self, key: &str, by: Deleter) {
        let now = (self.wall)();
        begin_deletion(&mut self.lock(), key, by, now);
        self.touched();
    }
}

impl Inner {
    fn has_place(&self, object: &Value) -> bool {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let lacks = |scope: &Scope| match scope {
            Scope::Crd => object["kind"] != SCHEDULE_KIND,
            Scope::Namespace(gone) => gone == namespace,
        };
        !self.torn.keys().any(lacks)
    }
}

pub(super) fn key_of(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

pub(super) fn begin_deletion(inner: &mut Inner, key: &str, by: Deleter, now: Timestamp) {
    let Some(object) = inner.objects.get(key).cloned() else { return };
    if object["metadata"]["deletionTimestamp"].is_null() {
        lives::deleted(inner, &object, by, now);
    }
    if finalizers(&object).is_empty() {
        inner.objects.remove(key);
    } else if let Some(object) = inner.objects.get_mut(key)
        && object["metadata"]["deletionTimestamp"].is_null()
    {
        object["metadata"]["deletionTimestamp"] = Value::from(rfc3339(now));
    }
}
