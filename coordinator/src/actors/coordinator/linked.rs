//! One connected plane, as the coordinator keeps it.

use crate::actors::messages::Channel;
use shared::{time::Timestamp, wire::Hello};
use shell::link::{Over, Superseded};

pub(super) struct Session {
    pub(super) generation: u64,
    pub(super) since: Timestamp,
    /// What it said: its version, and what it knows.
    pub(super) hello: Hello,
    pub(super) over: Over,
    /// When its certificate ends.
    pub(super) until: Option<Timestamp>,
    /// Ends it for a newer one.
    pub(super) superseded: Superseded,
    pub(super) channel: Channel,
}
