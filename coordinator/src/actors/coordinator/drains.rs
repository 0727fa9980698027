//! Which planes are drained until when, and who waits for the end of that.

use shared::{
    calendar::rfc3339,
    ids::{BackupUid, PlaneId},
    time::{Instant, Millis, Timestamp},
};
use std::collections::{BTreeMap, BTreeSet};

/// One drain.
pub(super) struct Drain {
    pub(super) since: Timestamp,
    /// By the wall clock, for people.
    pub(super) ends: Timestamp,
    pub(super) until: Instant,
    pub(super) by: String,
    pub(super) because: String,
}

impl Drain {
    /// For people.
    fn told(&self, what: &str) -> String {
        let because = if self.because.is_empty() { String::new() } else { format!(" ({})", self.because) };
        format!("a drain of {what} by {}{because}, until {}", self.by, rfc3339(self.ends))
    }
}

/// Those that there are, and who waits for their end.
#[derive(Default)]
pub(super) struct Drains {
    /// `None`: of every plane.
    pub(super) all: BTreeMap<Option<PlaneId>, Drain>,
    /// Objects whose backup has not begun.
    pub(super) held_back: BTreeSet<BackupUid>,
    /// Barriers that were prepared when the drain began, and are not granted their claim.
    pub(super) unclaimed: BTreeSet<BackupUid>,
}

impl Drains {
    /// The one that ends last of those that keep such a backup waiting, in words; and what is left of it.
    pub(super) fn of<'a>(&self, planes: impl Iterator<Item = &'a PlaneId>, now: Instant) -> Option<(String, Millis)> {
        let planes: Vec<Option<PlaneId>> = planes.cloned().map(Some).chain([None]).collect();
        let those = self.all.iter().filter(|(what, _)| planes.contains(what));
        those
            .max_by_key(|(_, drain)| drain.until)
            .map(|(what, drain)| (drain.told(name(what.as_ref())), drain.until.since(now)))
    }

    /// Somebody took the object away, or its barrier waits for nothing any more.
    pub(super) fn forget(&mut self, backup: &BackupUid) {
        self.held_back.remove(backup);
        self.unclaimed.remove(backup);
    }

    /// Those that are drained by their names.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.all.keys().flatten().map(PlaneId::as_str).collect()
    }
}

/// For people.
pub(super) fn name(plane: Option<&PlaneId>) -> &str {
    plane.map_or("all planes", PlaneId::as_str)
}
