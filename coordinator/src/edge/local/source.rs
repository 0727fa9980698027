//! VolumeBackups from the files of a directory, looked at once a second.

use super::{
    Home,
    objects::{Key, Store},
    scan::{Files, Outcome},
};
use crate::ports::{Object, ObjectEvent, PortError, Source};
use async_trait::async_trait;
use shared::{ids::BackupUid, request::Limits};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// Between two scans.
const SCAN: Duration = Duration::from_secs(1);
/// Everything is told again this often, as from an API server.
const RESYNC: Duration = Duration::from_secs(30);

/// Scans the directory.
pub struct LocalSource {
    home: Arc<Home>,
    store: Arc<Store>,
    defaults: Limits,
    files: Arc<Mutex<Files>>,
}

impl LocalSource {
    pub(super) fn new(home: Arc<Home>, store: Arc<Store>, defaults: Limits) -> Self {
        Self { home, store, defaults, files: Arc::default() }
    }

    /// One scan, taken over into the store, and what there is then. `None`: too early to tell, or unreadable.
    async fn look(&self) -> Option<Vec<Object>> {
        let (home, store, files, defaults) =
            (self.home.clone(), self.store.clone(), self.files.clone(), self.defaults.clone());
        let work = tokio::task::spawn_blocking(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            let news = match files.scan(&home.directory) {
                Ok(news) => news,
                Err(error) => {
                    tracing::warn!(directory = %home.directory.display(), %error, "cannot read the directory");
                    return None;
                }
            };
            report(&files, &news);
            match take_over(&files, &store) {
                // Told once, with the news that brought it about.
                Ok(doubles) if !news.is_empty() => doubles.iter().for_each(|double| tracing::warn!("{double}")),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot keep what the directory says; it is tried again"),
            }
            files.ready.then(|| store.objects(&defaults))
        });
        work.await.unwrap_or_default()
    }
}

/// Tells, once per content of a file, what is wrong in it.
fn report(files: &Files, news: &[String]) {
    for (file, outcome) in files.settled().filter(|(file, _)| news.iter().any(|new| new == file)) {
        match outcome {
            Ok(parsed) => {
                for ignored in &parsed.ignored {
                    tracing::info!(file, line = ignored.line, "{}", ignored.text);
                }
                for document in &parsed.documents {
                    if let Some(problem) = &document.problem {
                        tracing::warn!(file, name = document.name, problem, "a VolumeBackup cannot be understood");
                    }
                }
            }
            Err(fault) => tracing::warn!(
                file,
                line = fault.line,
                error = fault.text,
                "a file cannot be read; objects stay as they were, and none is deleted until it can be read",
            ),
        }
    }
}

/// Takes what the files say over into the store. An absence counts only if every file can be read: the document may
/// have moved into the one that cannot. Returns what stands twice.
fn take_over(files: &Files, store: &Store) -> Result<Vec<String>, PortError> {
    let mut doubles = Vec::new();
    let mut present: BTreeMap<Key, &str> = BTreeMap::new();
    let mut certain = files.ready && !files.moving;
    for (file, outcome) in files.settled() {
        let Outcome::Ok(parsed) = outcome else {
            certain = false;
            continue;
        };
        for document in &parsed.documents {
            let key = (document.namespace.clone(), document.name.clone());
            if let Some(first) = present.get(&key) {
                doubles.push(format!(
                    "{}/{} stands in {first} and in {file}, line {}: the first counts",
                    key.0, key.1, document.line
                ));
                continue;
            }
            store.put(file, document)?;
            present.insert(key, file);
        }
    }
    if certain {
        let present: BTreeSet<Key> = present.into_keys().collect();
        for (namespace, name) in store.delete_others(&present)? {
            tracing::info!(namespace, name, "the document is gone: the object is being deleted");
        }
    }
    Ok(doubles)
}

#[async_trait]
impl Source for LocalSource {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        let mut told: BTreeMap<BackupUid, Object> = BTreeMap::new();
        let mut synced = false;
        let mut resync = Instant::now() + RESYNC;
        let mut ticks = tokio::time::interval(SCAN);
        // A slow disk or receiver gets the next scan, not all that it missed.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = events.closed() => return,
                _ = ticks.tick() => {}
            }
            let Some(objects) = self.look().await else { continue };
            let again = Instant::now() >= resync;
            if again {
                resync = Instant::now() + RESYNC;
            }
            let now: BTreeMap<BackupUid, Object> = objects.into_iter().map(|o| (o.uid.clone(), o)).collect();
            let gone = told.keys().filter(|uid| !now.contains_key(*uid)).cloned().map(ObjectEvent::Gone);
            let changed = now.iter().filter(|(uid, object)| again || told.get(*uid) != Some(*object));
            let mut news: Vec<ObjectEvent> = gone.collect();
            news.extend(changed.map(|(_, object)| ObjectEvent::Applied(Box::new(object.clone()))));
            if !std::mem::replace(&mut synced, true) {
                news.push(ObjectEvent::Synced);
            }
            told = now;
            for event in news {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }
}
