//! What people make and take away by the console, where they have no other way to the control plane.

use super::PortError;
use async_trait::async_trait;
use serde_json::{Value, json};
use shared::reason::{Reason, Refusal, cut};
use shared::wire::TEXT_MAX;

/// Group and version of both kinds.
pub const API_VERSION: &str = "federation.pingcap.com/v1alpha1";

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// VolumeBackup.
    Backup,
    /// VolumeBackupSchedule.
    Schedule,
    /// VolumeRestore.
    Restore,
}

impl Kind {
    /// As manifests say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "VolumeBackup",
            Self::Schedule => "VolumeBackupSchedule",
            Self::Restore => "VolumeRestore",
        }
    }

    /// As people say it: kind, plural or short name (`kubectl api-resources`).
    pub fn called(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "volumebackup" | "volumebackups" | "vbk" | "backup" => Some(Self::Backup),
            "volumerestore" | "volumerestores" | "vrt" | "restore" => Some(Self::Restore),
            "volumebackupschedule" | "volumebackupschedules" | "vbks" | "schedule" => Some(Self::Schedule),
            _ => None,
        }
    }
}

/// One object by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Named {
    /// Whose manifest this is; without a namespace it is in `default`.
    ///
    /// # Errors
    /// It says not whose it is, or it is of another kind.
    pub fn of(manifest: &Value) -> Result<Self, String> {
        let text = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let kind = Kind::called(text("/kind")).filter(|kind| kind.as_str() == text("/kind"));
        let kind = kind.filter(|_| text("/apiVersion") == API_VERSION).ok_or_else(|| {
            let (version, kind) = (text("/apiVersion"), text("/kind"));
            cut(
                format!("apiVersion {version:?}, kind {kind:?}: only what a backup, a schedule or a restore is can be applied"),
                TEXT_MAX,
            )
        })?;
        let named = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
        let name = named(text("/metadata/name"), "");
        if name.is_empty() {
            return Err("metadata.name is missing".to_owned());
        }
        Ok(Self { kind, namespace: named(text("/metadata/namespace"), "default"), name })
    }

    /// For people.
    pub fn told(&self) -> String {
        format!("{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

/// What came of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is new.
    Created,
    /// It is another now.
    Configured,
    /// It was like that.
    Unchanged,
}

impl Applied {
    /// The answer of the console, in the words of kubectl.
    pub fn row(self, named: &Named) -> Value {
        json!({ "kind": named.kind.as_str(), "namespace": named.namespace, "name": named.name, "applied": self.as_str() })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Writes objects as a person would.
#[async_trait]
pub trait Manifests: Send + Sync {
    /// Makes the object, or changes it to this. `Refused`: it is not to be changed here, or can never work.
    async fn apply(&self, named: &Named, manifest: &Value) -> Result<Applied, PortError>;
    /// Deletes the object, as its owner would; its finalizer does the rest.
    async fn delete(&self, named: &Named) -> Result<(), PortError>;
}

/// Where nobody writes objects by the console.
pub struct NoManifests;

#[async_trait]
impl Manifests for NoManifests {
    async fn apply(&self, named: &Named, _: &Value) -> Result<Applied, PortError> {
        Err(not_here(named))
    }

    async fn delete(&self, named: &Named) -> Result<(), PortError> {
        Err(not_here(named))
    }
}

fn not_here(named: &Named) -> PortError {
    PortError::Refused(Refusal::new(Reason::SpecInvalid, format!("{}: objects are not written here", named.told())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_we_know_is_applied() {
        let manifest = |version: &str, kind: &str, name: &str| json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name } });
        let named = Named::of(&manifest(API_VERSION, "VolumeBackup", "nightly")).unwrap();
        assert_eq!(named.told(), "VolumeBackup default/nightly");
        for bad in [
            manifest("v1", "Secret", "x"),
            manifest("v1", "VolumeBackup", "x"),
            manifest(API_VERSION, "vbk", "x"),
            manifest(API_VERSION, "VolumeBackup", ""),
            json!(null),
        ] {
            assert!(Named::of(&bad).is_err(), "{bad}");
        }
        assert_eq!((Kind::called("vbks"), Kind::called("VBK")), (Some(Kind::Schedule), Some(Kind::Backup)));
        assert_eq!(Kind::called("pod"), None);
    }
}
