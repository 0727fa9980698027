//! Who is connected, how many may be, and who must go when certificates change.

use super::{
    Close,
    ends::Ends,
    turns::{Places, Turns},
};
use crate::{
    expiry::{Expiry, Kind},
    link::Identity,
    seldom::Seldom,
    tls::{Material, Peer, Standing, first_end},
};
use rustls::pki_types::CertificateDer;
use shared::time::Timestamp;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Sessions that are judged before others have their turn, for as long as all of them together take some milliseconds.
const JUDGED_AT_ONCE: usize = 32;

/// Bounds of a server. The defaults fit a coordinator of 1 Gi: an idle session takes some 40 KiB (`facts/tech.md` §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections after their TLS handshake, of all identities.
    pub sessions: usize,
    /// Connections of one plane. A plane that dials again pushes out its oldest: it may not be locked out by its own
    /// dead connections, which last for the idle limit.
    pub sessions_per_plane: usize,
    /// Connections of one admin; further ones are refused.
    pub sessions_per_admin: usize,
    /// Handshakes under way, from the first packet to `Hello`; further ones wait for their turn. Each takes a round trip and
    /// some milliseconds of a processor: were all of a thousand under way at once, none would end before its dial does.
    pub handshakes: usize,
    /// Dials that wait for their turn, for as long as a dial lasts; further ones are refused. All planes come at once when a
    /// coordinator takes over: who is refused then comes back later and later.
    pub waiting: usize,
    /// Of [`Limits::handshakes`] those of one source, an address of IPv4 or 64 bits of IPv6: room is left for others. Sources take
    /// turns besides.
    pub handshakes_of_one: usize,
    /// The same of [`Limits::waiting`]: a whole fleet may come by one address.
    pub waiting_of_one: usize,
    /// Above this many handshakes an address must prove itself first (one more round trip), so that forged ones cost
    /// their sender more than us.
    pub retry_above: usize,
    /// Requests that one admin connection may have under way; a console has one, a dashboard a few.
    pub requests_per_admin: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 2048,
            sessions_per_plane: 4,
            sessions_per_admin: 16,
            handshakes: 64,
            waiting: 2048,
            handshakes_of_one: 48,
            waiting_of_one: 1536,
            retry_above: 32,
            requests_per_admin: 8,
        }
    }
}

struct Session {
    peer: Peer,
    /// The first end of a certificate of its chain.
    until: Timestamp,
    /// It was judged since it was let in: files may have changed while it shook hands.
    judged: bool,
    chain: Vec<CertificateDer<'static>>,
    connection: Arc<dyn Ends>,
}

/// All connections after their TLS handshake, in the order of their coming.
#[derive(Default)]
struct Sessions {
    next: u64,
    open: BTreeMap<u64, Session>,
    counts: Counts,
}

/// What was turned away or ended, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Planes that were let in: they said `Hello`, and the coordinator had the last word.
    pub let_in: u64,
    /// Asked to prove their address first.
    pub retried: u64,
    /// Refused because too many waited to shake hands, or dropped because they had waited too long.
    pub handshakes_refused: u64,
    /// Failed in the handshake, or refused between it and `Hello`.
    pub refused: u64,
    /// Closed because their certificate was no longer good.
    pub revoked: u64,
    /// Pushed out by a newer session of the same plane.
    pub superseded: u64,
}

/// Lines that strangers cause.
#[derive(Default)]
struct Lines {
    busy: Seldom,
    refused: Seldom,
}

/// Shared by the accept loops, the connections and the reload task.
#[derive(Clone)]
pub(crate) struct Admission {
    limits: Limits,
    turns: Turns,
    lines: Arc<Lines>,
    sessions: Arc<Mutex<Sessions>>,
}

/// A place among the sessions, given back when dropped.
pub(crate) struct Place {
    number: u64,
    sessions: Arc<Mutex<Sessions>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.sessions).open.remove(&self.number);
    }
}

/// No code panics while it holds this lock; were it poisoned, the map would still be whole.
fn lock(sessions: &Mutex<Sessions>) -> MutexGuard<'_, Sessions> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Admission {
    pub(super) fn new(limits: Limits) -> Self {
        let places = Places {
            turns: limits.handshakes,
            turns_of_one: limits.handshakes_of_one.min(limits.handshakes).max(1),
            waiting: limits.waiting,
            waiting_of_one: limits.waiting_of_one.min(limits.waiting),
        };
        Self { limits, turns: Turns::new(places), lines: Arc::default(), sessions: Arc::default() }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whose handshake is next.
    pub(crate) fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Somebody was sent away before it was looked at who it is.
    pub(crate) fn too_busy(&self, from: SocketAddr, why: &str) {
        self.count(|counts| counts.handshakes_refused += 1);
        if let Some(left_out) = self.lines.busy.may_tell() {
            tracing::warn!(%from, left_out, why, "a dial was refused");
        }
    }

    /// Somebody was not let in.
    pub(crate) fn not_let_in(&self, from: SocketAddr, error: &(dyn std::error::Error + 'static)) {
        self.count(|counts| counts.refused += 1);
        if let Some(left_out) = self.lines.refused.may_tell() {
            tracing::info!(%from, left_out, error, "connection not let in");
        }
    }

    /// A place for a connection, or `None` when there is none left.
    pub(crate) fn admit(
        &self,
        peer: &Peer,
        chain: Vec<CertificateDer<'static>>,
        connection: Arc<dyn Ends>,
    ) -> Option<Place> {
        let mut sessions = lock(&self.sessions);
        let own: Vec<u64> = sessions
            .open
            .iter()
            .filter(|(_, session)| session.peer.identity == peer.identity)
            .map(|(number, _)| *number)
            .collect();
        match peer.identity {
            Identity::Plane(_) if own.len() >= self.limits.sessions_per_plane => {
                let oldest = own.first().and_then(|number| sessions.open.remove(number))?;
                sessions.counts.superseded += 1;
                oldest.connection.end(Close::Superseded, "too many sessions of this plane, oldest closed");
            }
            Identity::Plane(_) => {}
            _ if own.len() >= self.limits.sessions_per_admin => {
                return None;
            }
            Identity::Admin(_) | Identity::Operator(_) | Identity::Viewer(_) | Identity::Coordinator(_) => {}
        }
        if sessions.open.len() >= self.limits.sessions {
            return None;
        }
        let number = sessions.next;
        sessions.next += 1;
        let until = first_end(&chain);
        let session = Session { peer: peer.clone(), until, judged: false, chain, connection };
        sessions.open.insert(number, session);
        Some(Place { number, sessions: self.sessions.clone() })
    }

    /// Judges open sessions again and closes those that would be turned away for a reason of their own: all of them by
    /// files that were `changed`, otherwise those that are new, and those for which something has ended since. A thousand
    /// take a tenth of a second, which nobody else waits for.
    pub(super) async fn judge(&self, material: &Material, changed: bool) {
        let now = material.now();
        let all = changed || material.something_ended(now);
        let due: Vec<u64> = {
            let sessions = lock(&self.sessions);
            let due = sessions.open.iter().filter(|(_, session)| all || !session.judged || session.until <= now);
            due.map(|(number, _)| *number).collect()
        };
        for few in due.chunks(JUDGED_AT_ONCE) {
            self.judge_these(material, few);
            tokio::task::yield_now().await;
        }
    }

    fn judge_these(&self, material: &Material, numbers: &[u64]) {
        let mut sessions = lock(&self.sessions);
        let Sessions { open, counts, .. } = &mut *sessions;
        for number in numbers {
            let Some(session) = open.get_mut(number) else { continue };
            session.judged = true;
            let (peer, serial) = (&session.peer.identity, &session.peer.serial);
            match material.judge_client(&session.chain) {
                Standing::Good => {}
                Standing::Doubtful(why) => {
                    tracing::warn!(%peer, %serial, why, "session kept, a new one would be refused")
                }
                Standing::Bad(why) => {
                    tracing::warn!(%peer, %serial, why, "certificate no longer good, session closed");
                    if !session.connection.is_over() {
                        counts.revoked += 1;
                    }
                    session.connection.end(Close::Revoked, &why);
                }
            }
        }
    }

    /// The process ends.
    pub(super) fn end_all(&self) {
        for session in lock(&self.sessions).open.values() {
            session.connection.end(Close::Shutdown, "coordinator ends");
        }
    }

    /// Sessions open now.
    pub(super) fn open(&self) -> usize {
        lock(&self.sessions).open.len()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.sessions).counts);
    }

    pub(super) fn counts(&self) -> Counts {
        lock(&self.sessions).counts
    }
}

/// A view of a server that may outlive it.
#[derive(Clone)]
pub struct Monitor(Admission);

impl Monitor {
    pub(super) fn of(admission: Admission) -> Self {
        Self(admission)
    }

    /// Connections open now, after their TLS handshake.
    pub fn sessions(&self) -> usize {
        self.0.open()
    }

    /// What was turned away or ended since the start.
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// All that are connected; whoever is more than once, by its newest session.
    pub fn peers(&self) -> Vec<Peer> {
        let sessions = lock(&self.0.sessions);
        let newest: BTreeMap<&Identity, &Peer> =
            sessions.open.values().map(|session| (&session.peer.identity, &session.peer)).collect();
        newest.into_values().cloned().collect()
    }

    /// When their certificates end.
    pub fn expiries(&self) -> Vec<Expiry> {
        let end = |peer: Peer| Expiry { identity: peer.identity.to_string(), kind: Kind::Peer, at: peer.until };
        self.peers().into_iter().map(end).collect()
    }
}
