//! What happened in a control plane, in order, for whoever wants to judge it.

use super::{Control, Inner, remembered::Happened};
use coordinator::ports::LedgerKey;

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

impl Control {
    /// Forgets events and lives of objects that are gone, so that months may pass. Answers how many VolumeBackups there
    /// ever were.
    pub fn forget_past(&self) -> usize {
        let there = self.uids();
        let mut inner = self.lock();
        inner.events = Vec::new();
        inner.lives.retain(|uid, _| there.contains(uid));
        usize::try_from(inner.uids).unwrap_or(usize::MAX)
    }
}

/// Remembers it, if somebody wants to know.
pub(super) fn note(inner: &mut Inner, what: impl FnOnce(&Inner) -> Happened) {
    if inner.happened.is_some() {
        let what = what(inner);
        inner.happened.get_or_insert_default().push(what);
    }
}

pub(super) fn replaced(inner: &mut Inner, key: &LedgerKey, body: Option<&str>) {
    note(inner, |_| Happened::Replaced(key.clone(), body.map(str::to_owned)));
}

pub(super) fn wrote(inner: &mut Inner, key: &LedgerKey, body: Option<&str>) {
    note(inner, |_| Happened::Written(key.clone(), body.map(str::to_owned)));
}
