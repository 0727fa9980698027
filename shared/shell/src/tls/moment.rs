//! The clock by which certificates and lists are judged, as rustls asks for it.

use crate::clock::Wall;
use rustls::{pki_types::UnixTime, time_provider::TimeProvider};
use shared::time::Timestamp;
use std::{fmt, time::Duration};

/// Reads the wall clock.
pub(super) struct Moment(pub(super) Wall);

impl Moment {
    pub(super) fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// What lies before 1970 is its beginning: everything is judged as not yet good.
    pub(super) fn unix(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(self.now().0).unwrap_or(0)))
    }
}

impl TimeProvider for Moment {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.unix())
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Moment").field(&self.now()).finish()
    }
}
