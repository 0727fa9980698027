//! One live link between two programs, as frames. Behind it stands a QUIC connection in production and two queues in
//! the simulation; nobody above knows which.

use bytes::Bytes;
use shared::time::Timestamp;
use std::fmt;
use tokio::sync::mpsc;

/// Who is at the other end, as its certificate says (URI SAN `spiffe://<trust-domain>/<kind>/<name>`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// `/plane/<k8sClusterName>`
    Plane(String),
    /// `/admin/<name>`
    Admin(String),
    /// `/coordinator/<name>`
    Coordinator(String),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plane(name) => write!(f, "plane/{name}"),
            Self::Admin(name) => write!(f, "admin/{name}"),
            Self::Coordinator(name) => write!(f, "coordinator/{name}"),
        }
    }
}

/// Frames that may wait on either side of a link. A barrier needs one order and one answer at a time, plus renewals
/// and progress; 64 leaves room for a burst of progress without letting a stalled peer grow our memory.
pub const LINK_QUEUE: usize = 64;

/// Bytes of frames that may wait in the same place: the usual ones are below 1 KiB, a plane's evidence some hundred. One
/// frame may be larger than this; it then waits alone.
pub const LINK_BYTES: usize = 1024 * 1024;

/// Both directions of a link. The link is dead when `recv` returns `None` or `send` fails; dropping both closes it.
#[derive(Debug)]
pub struct Link {
    /// Who is there.
    pub peer: Identity,
    /// Serial of its certificate, so that a later CRL can end this link (empty in simulation).
    pub serial: String,
    /// When its certificate ends (`None` in simulation).
    pub until: Option<Timestamp>,
    /// Frames to the peer, in order. Bounded by [`LINK_QUEUE`].
    pub tx: mpsc::Sender<Bytes>,
    /// Frames from the peer, in order.
    pub rx: mpsc::Receiver<Bytes>,
}

/// Two ends of a link inside one process, for tests and simulation without a network.
pub fn pair(left: Identity, right: Identity) -> (Link, Link) {
    let (to_right, from_left) = mpsc::channel(LINK_QUEUE);
    let (to_left, from_right) = mpsc::channel(LINK_QUEUE);
    (
        Link { peer: right, serial: String::new(), until: None, tx: to_right, rx: from_right },
        Link { peer: left, serial: String::new(), until: None, tx: to_left, rx: from_left },
    )
}
