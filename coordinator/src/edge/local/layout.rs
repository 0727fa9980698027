//! Where everything of an object lies under `.isochron`, as the head of this folder's `mod.rs` draws it.

use super::{home::Home, scan::MADE};
use std::path::PathBuf;

/// Namespace and name.
pub(super) type Key = (String, String);

pub(super) fn object_path(home: &Home, (namespace, name): &Key) -> PathBuf {
    home.inner().join("objects").join(format!("{namespace}.{name}.json"))
}

pub(super) fn object_status_path(home: &Home, (namespace, name): &Key) -> PathBuf {
    home.inner().join("status").join(format!("{namespace}.{name}.yaml"))
}

pub(super) fn schedule_path(home: &Home, (namespace, name): &Key) -> PathBuf {
    home.inner().join("schedules").join(format!("{namespace}.{name}.json"))
}

pub(super) fn schedule_status_path(home: &Home, (namespace, name): &Key) -> PathBuf {
    home.inner().join("status/schedules").join(format!("{namespace}.{name}.yaml"))
}

/// Where the backup that a schedule made is written.
pub(super) fn made_path(home: &Home, namespace: &str, name: &str) -> PathBuf {
    home.directory.join(MADE).join(format!("{namespace}.{name}.yaml"))
}
