//! What both stores keep in files: of each object what we know of it, and its status as `kubectl get -o yaml` would show
//! it.

use super::{
    disk,
    home::{OpenError, unavailable},
};
use crate::{
    edge::kube::crd::API_VERSION,
    ports::{EventKind, PortError},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shell::yaml;
use std::path::{Path, PathBuf};

/// Everything that is kept in a folder.
pub(super) fn read_all<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>, OpenError> {
    let broken = |path: &Path, source: std::io::Error| OpenError::Io { path: path.to_owned(), source };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| broken(folder, error))? {
        let path = entry.map_err(|error| broken(folder, error))?.path();
        let Some(text) = disk::read(&path).map_err(|error| broken(&path, error))? else { continue };
        all.push(serde_json::from_str(&text).map_err(|error| broken(&path, error.into()))?);
    }
    Ok(all)
}

/// The status in a file. It is derived: one that cannot be understood is written anew.
pub(super) fn read_status(path: &Path) -> Result<Option<Value>, OpenError> {
    let text = disk::read(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let shown = text.and_then(|text| yaml::read::<Value>(&text).ok());
    Ok(shown.and_then(|mut shown| shown.get_mut("status").map(Value::take)))
}

pub(super) fn save(path: &Path, one: &impl Serialize) -> Result<(), PortError> {
    let text = serde_json::to_string_pretty(one).map_err(|error| PortError::Unavailable(error.to_string()))?;
    disk::write(path, text.as_bytes()).map_err(|error| unavailable("write", path, &error))
}

/// `metadata`: name, namespace and uid.
pub(super) fn save_status(path: &Path, kind: &str, metadata: Value, status: &Value) -> Result<(), PortError> {
    let shown = json!({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "status": status});
    let text = serde_saphyr::to_string(&shown).map_err(|error| PortError::Unavailable(error.to_string()))?;
    disk::write(path, text.as_bytes()).map_err(|error| unavailable("write", path, &error))
}

pub(super) fn remove(paths: [PathBuf; 2]) -> Result<(), PortError> {
    paths.iter().try_for_each(|path| disk::remove(path).map_err(|error| unavailable("remove", path, &error)))
}

/// Events go to the log.
pub(super) fn log_event(object: &str, namespace: &str, name: &str, kind: EventKind, reason: &str, message: &str) {
    match kind {
        EventKind::Normal => tracing::info!(object, namespace, name, reason, message, "event"),
        EventKind::Warning => tracing::warn!(object, namespace, name, reason, message, "event"),
    }
}
