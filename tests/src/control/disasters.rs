//! What befalls a whole control plane: it is lost, it is restored from an export into a new cluster, its CRD or a namespace
//! is deleted with everything in it.

use super::{
    Control, Inner, history,
    people::{begin_deletion, key_of},
    remembered::{Deleter, Scope, StoredText, Torn},
};
use coordinator::{edge::kube::crd::SCHEDULE_KIND, ports::LedgerKey};
use serde_json::Value;
use shared::ids::BackupUid;
use std::collections::{BTreeMap, BTreeSet};

/// A control plane as a tool like Velero has copied it.
#[derive(Clone, Debug, Default)]
pub struct Export {
    objects: BTreeMap<String, Value>,
    schedules: BTreeMap<String, Value>,
    ledger: BTreeMap<LedgerKey, StoredText>,
}

impl Export {
    /// What its ledger holds.
    pub fn ledger(&self) -> impl Iterator<Item = &LedgerKey> {
        self.ledger.keys()
    }
}

impl Control {
    /// The Kubernetes cluster of the control plane is lost, and an empty one takes its place.
    pub fn lose_everything(&self) {
        self.replace_ledger(BTreeMap::new());
    }

    /// A copy of everything, as it is now.
    pub fn export(&self) -> Export {
        let inner = self.lock();
        Export { objects: inner.objects.clone(), schedules: inner.schedules.clone(), ledger: inner.ledger.clone() }
    }

    /// An empty cluster takes the place of this one, and gets the ledger's objects of an export but for `lost` ones.
    /// ConfigMaps come before custom resources: nothing else is there yet.
    pub fn restore_ledger(&self, export: &Export, lost: &BTreeSet<LedgerKey>) {
        let kept = export.ledger.iter().filter(|(key, _)| !lost.contains(*key));
        self.replace_ledger(kept.map(|(key, kept)| (key.clone(), kept.clone())).collect());
    }

    /// The objects of an export are made again: other uids, no deletionTimestamps, no owners; the status only if the tool
    /// was told to restore it.
    pub fn restore_objects(&self, export: &Export, status: bool, finalizers: bool) {
        for object in export.objects.values().chain(export.schedules.values()) {
            let mut object = object.clone();
            let from = object["metadata"]["uid"].as_str().map(BackupUid::new);
            if let Some(metadata) = object["metadata"].as_object_mut() {
                let lost = ["uid", "creationTimestamp", "deletionTimestamp", "ownerReferences"];
                lost.iter().for_each(|field| drop(metadata.remove(*field)));
                if !finalizers {
                    metadata.remove("finalizers");
                }
            }
            if !status && let Some(fields) = object.as_object_mut() {
                fields.remove("status");
            }
            // A person was faster, and has made one of this name.
            let taken = object["kind"] != SCHEDULE_KIND && self.get(&key_of(&object)).is_some();
            if !taken {
                self.store(object, from);
            }
        }
    }

    fn replace_ledger(&self, kept: BTreeMap<LedgerKey, StoredText>) {
        let mut inner = self.lock();
        let before = std::mem::take(&mut inner.ledger);
        // What differs is another ledger's, and no write to this one.
        let same = |(key, old): &(&LedgerKey, &StoredText)| kept.get(*key).is_some_and(|kept| kept.body == old.body);
        for (key, _) in before.iter().filter(|entry| !same(entry)) {
            history::replaced(&mut inner, key, None);
        }
        for (key, kept) in kept {
            if before.get(&key).is_none_or(|old| old.body != kept.body) {
                history::replaced(&mut inner, &key, Some(&kept.body));
            }
            inner.version += 1;
            let version = inner.version;
            inner.ledger.insert(key, StoredText { version, ..kept });
        }
        inner.objects.clear();
        inner.schedules.clear();
        inner.torn.clear();
        drop(inner);
        self.touched();
    }

    /// Somebody deletes some of the ledger's objects.
    pub fn lose_ledger_part(&self, lost: &BTreeSet<LedgerKey>) {
        let mut inner = self.lock();
        for key in lost {
            if inner.ledger.remove(key).is_some() {
                history::wrote(&mut inner, key, None);
            }
        }
    }

    /// `kubectl delete crd` or `kubectl delete namespace`: everything in it gets a deletionTimestamp. It is gone itself
    /// once the last object is.
    pub fn tear_down(&self, scope: &Scope) {
        let now = (self.wall)();
        let mut inner = self.lock();
        inner.torn.insert(scope.clone(), Torn::Terminating);
        let within: Vec<String> = inner.objects.keys().filter(|key| lies_in(key, scope)).cloned().collect();
        within.iter().for_each(|key| begin_deletion(&mut inner, key, Deleter::Teardown, now));
        if let Scope::Namespace(_) = scope {
            inner.schedules.retain(|key, _| !lies_in(key, scope));
        }
        drop(inner);
        self.touched();
    }

    /// Somebody's tool makes a namespace again as soon as it is gone.
    pub fn remakes_namespaces(&self) {
        self.lock().remakes = true;
    }

    /// How far the teardown is; `None`: it is there, and stays.
    pub fn torn(&self, scope: &Scope) -> Option<Torn> {
        let mut inner = self.lock();
        inner.end_teardowns();
        inner.torn.get(scope).copied()
    }

    /// It is made again, if it is gone. False: it is still going.
    pub fn put_back(&self, scope: &Scope) -> bool {
        if self.torn(scope) == Some(Torn::Terminating) {
            return false;
        }
        self.lock().torn.remove(scope);
        true
    }
}

impl Inner {
    /// Notes which have ended: whoever asks hears what is so now.
    pub(super) fn end_teardowns(&mut self) {
        let Self { objects, torn, .. } = &mut *self;
        for (scope, state) in torn.iter_mut() {
            if !objects.keys().any(|key| lies_in(key, scope)) {
                *state = Torn::Gone;
            }
        }
        let remakes = self.remakes;
        let made_again = |scope: &Scope, state: &Torn| remakes && *state == Torn::Gone && *scope != Scope::Crd;
        self.torn.retain(|scope, state| !made_again(scope, state));
    }
}

fn lies_in(key: &str, scope: &Scope) -> bool {
    match scope {
        Scope::Crd => true,
        Scope::Namespace(name) => key.split('/').next() == Some(name),
    }
}
