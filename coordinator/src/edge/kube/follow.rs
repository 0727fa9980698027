//! Objects of a kind as the API server lists and streams them. What is seen is a hint: everything is told again every
//! 30 s, and a relist finds what a broken stream missed.

use crate::{config::Share, ports::WatchEvent};
use futures::StreamExt;
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, NamespaceResourceScope},
    runtime::{WatchStreamExt, watcher},
};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    time::Duration,
};
use tokio::sync::mpsc;

/// As today's manager (`facts/tidb-operator.md` §8.5).
pub(crate) const RESYNC: Duration = Duration::from_secs(30);

/// Objects that need not have the shape of their kind: the wrong ones must neither hide others nor be undeletable.
pub(super) type Guarded<K> = Api<DeserializeGuard<K>>;

/// What is followed of a kind.
#[derive(Clone)]
pub(super) struct Followed<K> {
    api: Guarded<K>,
    share: Share,
}

impl<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>> Followed<K> {
    /// Those of `share`.
    pub(super) fn new(client: Client, share: &Share) -> Self {
        let mut namespaces = share.namespaces.iter();
        let api = match (namespaces.next(), namespaces.next()) {
            (Some(only), None) => Api::namespaced(client, only),
            _ => Api::all(client),
        };
        Self { api, share: share.clone() }
    }

    /// Of several namespaces all are followed, and what is in no other passes here.
    pub(super) fn has(&self, namespace: Option<&str>) -> bool {
        self.share.namespaces.is_empty() || namespace.is_some_and(|name| self.share.namespaces.contains(name))
    }
}

/// What the API server has, as far as it has told us.
struct Known<U, T> {
    objects: BTreeMap<U, T>,
    /// Seen by the list that is under way.
    listed: Option<BTreeSet<U>>,
    synced: bool,
}

impl<U: Ord + Clone, T: Clone> Known<U, T> {
    fn all(&self) -> Vec<WatchEvent<U, T>> {
        self.objects.values().cloned().map(|object| WatchEvent::Applied(Box::new(object))).collect()
    }

    /// What an event of the watcher means for the coordinator.
    fn take<K>(&mut self, event: watcher::Event<K>, convert: impl Fn(&K) -> Option<(U, T)>) -> Vec<WatchEvent<U, T>> {
        match event {
            watcher::Event::Init => {
                self.listed = Some(BTreeSet::new());
                Vec::new()
            }
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                let Some((uid, object)) = convert(&object) else { return Vec::new() };
                if let Some(listed) = &mut self.listed {
                    listed.insert(uid.clone());
                }
                self.objects.insert(uid, object.clone());
                vec![WatchEvent::Applied(Box::new(object))]
            }
            watcher::Event::Delete(object) => {
                let Some((uid, _)) = convert(&object) else { return Vec::new() };
                self.objects.remove(&uid);
                vec![WatchEvent::Gone(uid)]
            }
            watcher::Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let gone: Vec<U> = self.objects.keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
                let mut events = Vec::new();
                for uid in gone {
                    self.objects.remove(&uid);
                    events.push(WatchEvent::Gone(uid));
                }
                if !self.synced {
                    self.synced = true;
                    events.push(WatchEvent::Synced);
                }
                events
            }
        }
    }
}

/// Tells of every object until the receiver is gone. `kind` is for the log; objects that `convert` makes nothing of are
/// passed over.
pub(super) async fn follow<K, U, T>(
    followed: &Followed<K>,
    kind: &str,
    convert: impl Fn(&DeserializeGuard<K>) -> Option<(U, T)>,
    events: mpsc::Sender<WatchEvent<U, T>>,
) where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
    U: Ord + Clone,
    T: Clone,
{
    let labels = followed.share.label_selector.as_str();
    let config =
        watcher::Config { label_selector: (!labels.is_empty()).then(|| labels.to_owned()), ..Default::default() };
    let mut stream = watcher(followed.api.clone(), config).default_backoff().boxed();
    let mut resync = tokio::time::interval_at(tokio::time::Instant::now() + RESYNC, RESYNC);
    // A slow receiver gets one resync, not all that it missed.
    resync.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut known = Known { objects: BTreeMap::new(), listed: None, synced: false };
    loop {
        let news = tokio::select! {
            () = events.closed() => return,
            _ = resync.tick() => known.all(),
            next = stream.next() => match next {
                Some(Ok(event)) => known.take(event, &convert),
                Some(Err(error)) => {
                    tracing::warn!(
                        kind,
                        error = &error as &dyn std::error::Error,
                        "cannot watch objects; it is tried again. If the kind is unknown, apply what `coordinator crd` prints",
                    );
                    Vec::new()
                }
                // The watcher's stream has no end.
                None => return,
            },
        };
        for event in news {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}
