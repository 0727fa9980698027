//! One connected plane, as the coordinator keeps it.

use crate::actors::messages::Channel;
use shared::time::Timestamp;
use shell::link::Superseded;

pub(super) struct Session {
    pub(super) generation: u64,
    pub(super) since: Timestamp,
    pub(super) version: String,
    /// It answers `Verify`.
    pub(super) verifies: bool,
    /// It answers `Scan`.
    pub(super) scans: bool,
    /// It obeys `Divide`.
    pub(super) divides: bool,
    /// It answers `Diagnose`.
    pub(super) diagnoses: bool,
    /// When its certificate ends.
    pub(super) until: Option<Timestamp>,
    /// Ends it for a newer one.
    pub(super) superseded: Superseded,
    pub(super) channel: Channel,
}
