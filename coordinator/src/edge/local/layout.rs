//! Where everything of an object lies under `.isochron`, as the head of this folder's `mod.rs` draws it.

use super::{
    super::kube::crd::{KIND, RESTORE_KIND},
    home::Home,
    scan::MADE,
};
use std::path::PathBuf;

/// Namespace and name.
pub(super) type Key = (String, String);

/// Kinds whose objects stay, marked, until they are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Backups,
    Restores,
}

impl Of {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Backups => KIND,
            Self::Restores => RESTORE_KIND,
        }
    }

    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Backups => "objects",
            Self::Restores => "restores",
        }
    }

    pub(super) fn path(self, home: &Home, (namespace, name): &Key) -> PathBuf {
        home.inner().join(self.folder()).join(format!("{namespace}.{name}.json"))
    }

    pub(super) fn status_path(self, home: &Home, (namespace, name): &Key) -> PathBuf {
        let folder = match self {
            Self::Backups => "status",
            Self::Restores => "status/restores",
        };
        home.inner().join(folder).join(format!("{namespace}.{name}.yaml"))
    }

    /// Where one is written that nobody's own file holds.
    pub(super) fn made_path(self, home: &Home, namespace: &str, name: &str) -> PathBuf {
        match self {
            Self::Backups => made_path(home, namespace, name),
            // It begins as no namespace does.
            Self::Restores => made_path(home, &format!("Restore.{namespace}"), name),
        }
    }
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
