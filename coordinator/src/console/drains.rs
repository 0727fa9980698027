//! Drained planes, and backups that wait for the end of a drain, as people see them.

use serde_json::{Value, json};
use shared::{
    calendar::rfc3339,
    ids::BackupUid,
    time::{Millis, Timestamp},
};

/// Where a backup stands that has not begun.
pub(super) const STEP: &str = "Drained";

/// A drain.
pub struct DrainSeen {
    /// `None`: of all planes.
    pub plane: Option<String>,
    /// When it began.
    pub since: Timestamp,
    /// When it ends by itself.
    pub ends: Timestamp,
    /// The same by the clock that counts.
    pub left: Millis,
    /// Who said so.
    pub by: String,
    /// And why.
    pub because: String,
    /// Backups that hold something there, or let it go.
    pub under_way: Vec<String>,
}

impl DrainSeen {
    /// A row of `console drain`.
    pub(crate) fn row(&self) -> Value {
        json!({
            "plane": self.plane.as_deref().unwrap_or("(all)"),
            "since": rfc3339(self.since),
            "until": rfc3339(self.ends),
            "left_ms": self.left,
            "by": self.by,
            "because": self.because,
            "underWay": self.under_way,
        })
    }

    fn is_of(&self, plane: &str) -> bool {
        self.plane.as_deref().is_none_or(|name| name == plane)
    }
}

/// In one line of a plane: until when.
pub(super) fn of_plane(drains: &[DrainSeen], plane: &str) -> Option<String> {
    let last = drains.iter().filter(|drain| drain.is_of(plane)).max_by_key(|drain| drain.left)?;
    Some(format!("until {} by {}", rfc3339(last.ends), last.by))
}

/// A backup that waits for the end of a drain.
pub struct Waiting {
    /// Its object.
    pub uid: BackupUid,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// For which one, in words.
    pub drain: String,
    /// How long that lasts.
    pub left: Millis,
    /// It was prepared when the drain began.
    pub begun: bool,
}

impl Waiting {
    /// A row of `console backups`.
    pub(super) fn row(&self) -> Value {
        json!({
            "namespace": self.namespace,
            "name": self.name,
            "step": STEP,
            "waitingFor": self.waits_for(),
            "clock": STEP,
            "left_ms": self.left,
        })
    }

    /// The answer to `console why`; of one that was prepared what its barrier says besides stays.
    pub(super) fn why(&self, mut barrier: Value) -> Value {
        if !barrier.is_object() {
            barrier = json!({ "step": STEP });
        }
        barrier["waitingFor"] = json!(self.waits_for());
        barrier["clock"] = json!({ "name": STEP, "left_ms": self.left });
        barrier["endsBy"] = json!("The clock, or a person who releases it; it begins then.");
        barrier["action"] =
            json!("Nothing; when the work on the plane is done: `console release PLANE`, or `release --all`.");
        barrier
    }

    fn waits_for(&self) -> String {
        format!("the end of {}", self.drain)
    }
}
