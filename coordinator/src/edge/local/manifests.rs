//! Objects that people apply and delete by the console, stand-alone. The user's own files are never written: what is
//! applied is a file beside those that schedules make, and what stands in a file of the user's is changed there.

use super::{
    disk,
    documents::{Document, parse},
    home::{Home, blocking, unavailable},
    layout::{Of, made_path},
    objects::Store,
    scan::MADE,
    schedules::ScheduleStore,
    source::Stores,
};
use crate::ports::{Applied, Kind, Manifests, Named, PortError};
use async_trait::async_trait;
use serde_json::Value;
use shared::{
    reason::{Reason, Refusal},
    time::Timestamp,
};
use std::{path::PathBuf, sync::Arc};

/// See the module.
pub struct LocalManifests {
    home: Arc<Home>,
    backups: Arc<Store>,
    schedules: Arc<ScheduleStore>,
    restores: Arc<Store>,
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl LocalManifests {
    pub(super) fn new(
        home: Arc<Home>,
        Stores { backups, schedules, restores }: Stores,
        wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self { home, backups, schedules, restores, wall }
    }

    /// A schedule's file begins as no namespace does.
    fn path(&self, named: &Named) -> PathBuf {
        match named.kind {
            Kind::Backup => made_path(&self.home, &named.namespace, &named.name),
            Kind::Schedule => made_path(&self.home, &format!("Schedule.{}", named.namespace), &named.name),
            Kind::Restore => Of::Restores.made_path(&self.home, &named.namespace, &named.name),
        }
    }

    /// In which file it stands, if that is the user's.
    fn users_file(&self, named: &Named) -> Option<String> {
        let file = match named.kind {
            Kind::Backup => self.backups.file_of(&named.namespace, &named.name),
            Kind::Schedule => self.schedules.file_of(&named.namespace, &named.name),
            Kind::Restore => self.restores.file_of(&named.namespace, &named.name),
        };
        file.map(|(file, _)| file).filter(|file| !file.starts_with(MADE))
    }

    fn refuse_users(&self, named: &Named) -> Result<(), PortError> {
        let Some(file) = self.users_file(named) else { return Ok(()) };
        Err(refused(format!("{} stands in {file}, which is yours: change or remove it there", named.told())))
    }
}

fn refused(text: String) -> PortError {
    PortError::Refused(Refusal::new(Reason::SpecInvalid, text))
}

/// What the file will say, read as the scan will read it.
fn written(named: &Named, manifest: &Value) -> Result<String, PortError> {
    let text = serde_saphyr::to_string(manifest).map_err(|error| refused(error.to_string()))?;
    let parsed = parse(&text).map_err(|fault| refused(format!("{}: {}", named.told(), fault.text)))?;
    match parsed.documents.as_slice() {
        [Document { problem: None, .. }] => Ok(text),
        [Document { problem: Some(problem), .. }] => Err(refused(format!("{}: {problem}", named.told()))),
        _ => Err(refused(format!("{} is not one object", named.told()))),
    }
}

#[async_trait]
impl Manifests for LocalManifests {
    async fn apply(&self, named: &Named, manifest: &Value) -> Result<Applied, PortError> {
        self.refuse_users(named)?;
        let text = written(named, manifest)?;
        let (home, path) = (self.home.clone(), self.path(named));
        blocking("apply an object", move || {
            home.alone(|| {
                let before = disk::read(&path).map_err(|error| unavailable("read", &path, &error))?;
                if before.as_deref() == Some(text.as_str()) {
                    return Ok(Applied::Unchanged);
                }
                disk::write(&path, text.as_bytes()).map_err(|error| unavailable("write", &path, &error))?;
                Ok(if before.is_some() { Applied::Configured } else { Applied::Created })
            })
        })
        .await
    }

    async fn delete(&self, named: &Named) -> Result<(), PortError> {
        self.refuse_users(named)?;
        let (home, path, named, now) = (self.home.clone(), self.path(named), named.clone(), (self.wall)());
        let store = match named.kind {
            Kind::Backup => Some(self.backups.clone()),
            Kind::Restore => Some(self.restores.clone()),
            Kind::Schedule => None,
        };
        blocking("delete an object", move || {
            home.alone(|| {
                let known = store.and_then(|store| Some((store.file_of(&named.namespace, &named.name)?.1, store)));
                if let Some((uid, store)) = known {
                    return store.delete(&named.namespace, &named.name, &uid, now);
                }
                match disk::read(&path) {
                    Ok(Some(_)) => disk::remove(&path).map_err(|error| unavailable("remove", &path, &error)),
                    Ok(None) => Err(PortError::NotFound(named.told())),
                    Err(error) => Err(unavailable("read", &path, &error)),
                }
            })
        })
        .await
    }
}
