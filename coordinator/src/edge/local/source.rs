//! Objects from the files of a directory, looked at once a second.

use super::{
    documents::Kind,
    follow::tell,
    home::Home,
    layout::Key,
    objects::Store,
    scan::{Files, MADE, Outcome},
    schedules::ScheduleStore,
};
use crate::ports::{Object, ObjectEvent, PortError, Source};
use async_trait::async_trait;
use shared::{ids::BackupUid, request::Limits, time::Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// Scans the directory.
pub struct LocalSource {
    home: Arc<Home>,
    stores: Stores,
    defaults: Limits,
    files: Arc<Mutex<Files>>,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Where what the files say is taken over.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) backups: Arc<Store>,
    pub(super) schedules: Arc<ScheduleStore>,
    pub(super) restores: Arc<Store>,
}

impl LocalSource {
    pub(super) fn new(
        home: Arc<Home>,
        stores: Stores,
        defaults: Limits,
        wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self { home, stores, defaults, files: Arc::default(), wall }
    }

    /// One scan, taken over into the stores, and what there is then. `None`: too early to tell, or unreadable.
    async fn look(&self) -> Option<BTreeMap<BackupUid, Object>> {
        let (home, stores, files, defaults, now) =
            (self.home.clone(), self.stores.clone(), self.files.clone(), self.defaults.clone(), (self.wall)());
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
            match take_over(&files, &stores, now) {
                // Told once, with the news that brought it about.
                Ok(doubles) if !news.is_empty() => doubles.iter().for_each(|double| tracing::warn!("{double}")),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot keep what the directory says; it is tried again"),
            }
            if !files.ready {
                return None;
            }
            stores.schedules.set_ready();
            Some(stores.backups.objects(&defaults).into_iter().map(|object| (object.uid.clone(), object)).collect())
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
                        tracing::warn!(file, name = document.name, problem, "a document cannot be understood");
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

/// Takes what the files say over into the stores. An absence counts only if every file can be read: the document may
/// have moved into the one that cannot. Returns what stands twice.
fn take_over(files: &Files, stores: &Stores, now: Timestamp) -> Result<Vec<String>, PortError> {
    let mut doubles = Vec::new();
    let mut present: BTreeMap<(Kind, Key), &str> = BTreeMap::new();
    let mut certain = files.ready && !files.moving;
    for (file, outcome) in files.settled() {
        let Outcome::Ok(parsed) = outcome else {
            certain = false;
            continue;
        };
        for document in &parsed.documents {
            let key = (document.kind, (document.namespace.clone(), document.name.clone()));
            if let Some(first) = present.get(&key) {
                doubles.push(format!(
                    "{}/{} stands in {first} and in {file}, line {}: the first counts",
                    document.namespace, document.name, document.line
                ));
                continue;
            }
            match document.kind {
                Kind::Backup => stores.backups.put(file, document, now)?,
                Kind::Schedule => stores.schedules.put(file, document, now)?,
                Kind::Restore => stores.restores.put(file, document, now)?,
            }
            present.insert(key, file);
        }
    }
    if certain && is_lost(files, stores, present.keys().filter(|(of, _)| *of == Kind::Backup).count()) {
        return Ok(doubles);
    }
    if certain {
        let of = |kind: Kind| -> BTreeSet<Key> {
            present.keys().filter(|(of, _)| *of == kind).map(|(_, key)| key.clone()).collect()
        };
        for ((namespace, name), uid) in stores.schedules.delete_others(&of(Kind::Schedule))? {
            tracing::info!(namespace, name, "the document is gone: the schedule is no more");
            stores.backups.delete_owned(&uid, now)?;
        }
        for (namespace, name) in stores.restores.delete_others(&of(Kind::Restore), now)? {
            tracing::info!(namespace, name, "the document is gone: the restore is being deleted");
        }
        for (namespace, name) in stores.backups.delete_others(&of(Kind::Backup), now)? {
            tracing::info!(namespace, name, "the document is gone: the object is being deleted");
        }
    }
    Ok(doubles)
}

/// No YAML file at all is left where several backups stood: a directory that was emptied under us (a mount, a checkout)
/// looks like this. Whoever means it removes the files one after the other, or leaves an empty `x.yaml`.
fn is_lost(files: &Files, stores: &Stores, present: usize) -> bool {
    let standing = stores.backups.standing();
    let lost = present == 0 && standing > 1 && files.settled().all(|(file, _)| file.starts_with(MADE));
    if lost {
        tracing::error!(
            backups = standing,
            "every file is gone at once: taken for a directory that is lost, so nothing is deleted. Put the files back; \
             to delete their backups, leave an empty x.yaml in the directory",
        );
    }
    lost
}

#[async_trait]
impl Source for LocalSource {
    async fn run(&self, events: mpsc::Sender<ObjectEvent>) {
        tell(|| self.look(), events).await;
    }
}
