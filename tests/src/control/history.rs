//! What happened in a control plane, in order, for whoever wants to judge it.

use super::{Control, Inner};
use coordinator::ports::LedgerKey;
use serde_json::Value;
use shared::{ids::BackupUid, time::Timestamp};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A ledger object was written; no text: it is gone.
    Written(LedgerKey, Option<String>),
    /// The coordinator deleted a backup by retention of its schedule.
    Retired(Box<Retired>),
}

/// A deletion by retention, with what was true at that moment.
#[derive(Clone, Debug)]
pub struct Retired {
    /// Whose.
    pub uid: BackupUid,
    /// The schedule as it stood; `None`: there was none.
    pub schedule: Option<Value>,
    /// Every backup that bears the schedule's label, the deleted one as it was before.
    pub backups: Vec<Value>,
    /// By the API server's clock.
    pub at: Timestamp,
}

impl Control {
    /// From now on everything that happens is remembered for [`Self::take_happened`].
    pub fn remember(&self) {
        self.lock().happened.get_or_insert_default();
    }

    /// What happened since the last call.
    pub fn take_happened(&self) -> Vec<Happened> {
        self.lock().happened.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

/// Remembers it, if somebody wants to know.
pub(super) fn note(inner: &mut Inner, what: impl FnOnce(&Inner) -> Happened) {
    if inner.happened.is_some() {
        let what = what(inner);
        inner.happened.get_or_insert_default().push(what);
    }
}

pub(super) fn wrote(inner: &mut Inner, key: &LedgerKey, body: Option<&str>) {
    note(inner, |_| Happened::Written(key.clone(), body.map(str::to_owned)));
}
