//! What is known of restores, and who is told what.

use crate::{
    actors::restore::{RestoreActor, ToRestore},
    console::{self, Answered},
    ports::RestoreObject,
};
use actix::Addr;
use serde_json::json;
use shared::{
    claims::Answer,
    ids::{BackupUid, PlaneId, RestoreUid},
    reason::Refusal,
    restoring::View,
};
use shell::driver::Pasts;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// One whose record is there.
pub(super) struct LiveRestore {
    pub(super) addr: Addr<RestoreActor>,
    pub(super) incarnation: u64,
    pub(super) planes: BTreeSet<PlaneId>,
}

/// All that the coordinator knows of restores.
#[derive(Default)]
pub(super) struct Restores {
    pub(super) objects: BTreeMap<RestoreUid, RestoreObject>,
    pub(super) live: BTreeMap<RestoreUid, LiveRestore>,
    pub(super) views: BTreeMap<RestoreUid, Arc<View>>,
    /// Objects whose finalizer is being added, and records that are being read again.
    pub(super) busy: BTreeSet<RestoreUid>,
    pub(super) refused: BTreeMap<RestoreUid, Refusal>,
    /// Records that this version cannot read: their objects are left alone.
    pub(super) unreadable: BTreeSet<RestoreUid>,
    pub(super) incarnations: u64,
    /// Last steps of restores that have ended, to be shown.
    pub(super) pasts: Pasts<RestoreUid>,
}

impl Restores {
    /// Nothing of them is under way in this process.
    pub(super) fn are_idle(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn tell(&self, restore: &RestoreUid, message: ToRestore) -> bool {
        let Some(live) = self.live.get(restore) else { return false };
        let told = live.addr.try_send(message).is_ok();
        if !told && live.addr.connected() {
            tracing::error!(%restore, "mailbox of a restore is full; its input was dropped");
        }
        told
    }

    /// What happened to a plane, to those in which it has a part.
    pub(super) fn tell_members(&self, plane: &PlaneId, message: impl Fn() -> ToRestore) {
        for (restore, _) in self.live.iter().filter(|(_, live)| live.planes.contains(plane)) {
            self.tell(restore, message());
        }
    }

    pub(super) fn stop_all(&self) {
        for restore in self.live.keys() {
            self.tell(restore, ToRestore::Stop);
        }
    }

    /// A claim's answer. False: it is none of ours, or could not be told.
    pub(super) fn tell_holder(&self, holder: &BackupUid, answer: &Answer) -> bool {
        let message = match answer {
            Answer::Granted(epoch) => ToRestore::Claimed(*epoch),
            Answer::Taken(holder) => ToRestore::ClaimTaken(holder.clone()),
            Answer::Refused(refusal) => ToRestore::ClaimRefused(refusal.clone()),
            Answer::Free => ToRestore::ClaimFree,
            // The record decides, and the next save finds out.
            Answer::Contradicted => return self.live.contains_key(&RestoreUid::new(holder.as_str())),
        };
        self.tell(&RestoreUid::new(holder.as_str()), message)
    }

    /// Namespace and name of those that go by this name.
    pub(super) fn called(&self, name: &str) -> Vec<(String, String)> {
        let named = self.objects.values().filter(|one| console::is_named(name, &one.namespace, &one.name));
        named.map(|one| (one.namespace.clone(), one.name.clone())).collect()
    }

    /// `console restore list`, `console restore show`.
    pub(super) fn answer(&self, ready: bool, name: Option<&str>) -> Answered {
        if !ready {
            return Answered::Error(console::NOT_READ.to_owned());
        }
        let views = || self.views.values().map(AsRef::as_ref);
        match name {
            None => Answered::Ok(console::restore::list(views())),
            Some(name) => console::restore::show(views(), name).map_or_else(Answered::Error, Answered::Ok),
        }
    }

    /// A person's word; `None`: no restore that has not ended goes by this name.
    pub(super) fn cancel(&self, name: &str, who: &str) -> Option<Answered> {
        let found = console::restore::find(self.views.values().map(AsRef::as_ref), name).ok()?;
        let request = &found.record.request;
        if !found.record.stage.runs() || !self.tell(&request.restore, ToRestore::Cancel) {
            return None;
        }
        let (namespace, name, uid) = (&request.namespace, &request.name, &request.restore);
        tracing::warn!(restore = %uid, namespace, name, who, "a person cancels a restore");
        let step = found.record.stage.as_str();
        Some(Answered::Ok(json!({ "cancelling": format!("{namespace}/{name}"), "uid": uid, "step": step })))
    }

    /// Whatever volumes bear one of these are somebody's.
    pub(super) fn uids(&self) -> impl Iterator<Item = &RestoreUid> {
        self.objects.keys().chain(self.live.keys()).chain(&self.unreadable)
    }

    /// A plane that was taken from the list finishes what it has a part in.
    pub(super) fn have_part(&self, plane: &PlaneId) -> bool {
        self.live.values().any(|live| live.planes.contains(plane))
    }
}
