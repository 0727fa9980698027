//! One live link between two programs, as frames. Behind it stands a QUIC connection in production and two queues in
//! the simulation; nobody above knows which.

use bytes::Bytes;
use shared::time::Timestamp;
use std::{fmt, sync::Arc};
use tokio::sync::mpsc;

/// Who is at the other end, as its certificate says (URI SAN `spiffe://<trust-domain>/<kind>/<name>`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// `/plane/<k8sClusterName>`
    Plane(String),
    /// `/admin/<name>`: asks and changes everything.
    Admin(String),
    /// `/operator/<name>`: asks everything, and ends what runs; what is kept stays kept.
    Operator(String),
    /// `/viewer/<name>`: asks everything, and changes nothing.
    Viewer(String),
    /// `/coordinator/<name>`
    Coordinator(String),
}

/// What a person with a console may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ask.
    Viewer,
    /// End what runs.
    Operator,
    /// Everything.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

impl Identity {
    /// As ids and the configuration call them.
    pub const KINDS: [&str; 5] = ["plane", "admin", "operator", "viewer", "coordinator"];

    /// Somebody of one of [`Self::KINDS`].
    pub fn of_kind(kind: &str, name: String) -> Option<Self> {
        match kind {
            "plane" => Some(Self::Plane(name)),
            "admin" => Some(Self::Admin(name)),
            "operator" => Some(Self::Operator(name)),
            "viewer" => Some(Self::Viewer(name)),
            "coordinator" => Some(Self::Coordinator(name)),
            _ => None,
        }
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        match self {
            Self::Plane(name)
            | Self::Admin(name)
            | Self::Operator(name)
            | Self::Viewer(name)
            | Self::Coordinator(name) => name,
        }
    }

    /// What it may do with a console; `None`: it is no person.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Admin(_) => Some(Role::Admin),
            Self::Operator(_) => Some(Role::Operator),
            Self::Viewer(_) => Some(Role::Viewer),
            Self::Plane(_) | Self::Coordinator(_) => None,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plane(name) => write!(f, "plane/{name}"),
            Self::Admin(name) => write!(f, "admin/{name}"),
            Self::Operator(name) => write!(f, "operator/{name}"),
            Self::Viewer(name) => write!(f, "viewer/{name}"),
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

/// Ends a link at once because a newer one of the same peer took its place, and tells the peer so.
#[derive(Clone, Default)]
pub struct Superseded(Option<Arc<dyn Fn() + Send + Sync>>);

impl Superseded {
    /// Does what `end` does.
    pub fn by(end: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(end)))
    }

    /// Ends it.
    pub fn tell(&self) {
        if let Some(end) = &self.0 {
            end();
        }
    }
}

impl fmt::Debug for Superseded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Superseded")
    }
}

/// Both directions of a link. The link is dead when `recv` returns `None` or `send` fails; dropping both closes it.
#[derive(Debug)]
pub struct Link {
    /// Who is there.
    pub peer: Identity,
    /// Serial of its certificate, so that a later CRL can end this link (empty in simulation).
    pub serial: String,
    /// When its certificate ends (`None` in simulation).
    pub until: Option<Timestamp>,
    /// What carries it.
    pub over: Over,
    /// Used by who has a newer link of this peer (does nothing in simulation: dropping both directions is all there is).
    pub superseded: Superseded,
    /// Frames to the peer, in order. Bounded by [`LINK_QUEUE`].
    pub tx: mpsc::Sender<Bytes>,
    /// Frames from the peer, in order.
    pub rx: mpsc::Receiver<Bytes>,
}

/// What carries a link's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// QUIC.
    Quic,
    /// TLS over TCP, where the network drops UDP.
    Tcp,
    /// Queues of one process.
    Memory,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "QUIC",
            Self::Tcp => "TCP",
            Self::Memory => "memory",
        })
    }
}

/// Two ends of a link inside one process, for tests and simulation without a network.
pub fn pair(left: Identity, right: Identity) -> (Link, Link) {
    let (to_right, from_left) = mpsc::channel(LINK_QUEUE);
    let (to_left, from_right) = mpsc::channel(LINK_QUEUE);
    (silent(right, to_right, from_right), silent(left, to_left, from_left))
}

fn silent(peer: Identity, tx: mpsc::Sender<Bytes>, rx: mpsc::Receiver<Bytes>) -> Link {
    Link { peer, serial: String::new(), until: None, over: Over::Memory, superseded: Superseded::default(), tx, rx }
}
