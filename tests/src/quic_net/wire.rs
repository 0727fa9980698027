//! Datagrams between hosts: what becomes of each is drawn from a seed, per direction of each pair of hosts, so that one
//! pair's traffic does not change another's luck.

use super::inbox::{Datagram, Inbox};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::time::Instant;

/// Larger datagrams are dropped: Ethernet's 1500 bytes less the headers of IPv4 and UDP.
const MTU: usize = 1_472;
/// Events kept; a run of some minutes has a tenth of it.
const KEPT: usize = 200_000;

/// How the network behaves. Shares are in a thousand, each drawn for itself; times in milliseconds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// One way through it.
    pub delay: (u64, u64),
    /// Lost.
    pub loss: u32,
    /// Arrive twice, each copy with a delay of its own.
    pub duplicate: u32,
    /// Overtaken by others: delayed by `late_by` in addition.
    pub late: u32,
    /// See `late`.
    pub late_by: (u64, u64),
    /// Come again, byte for byte, after this long.
    pub replay: u32,
    /// See `replay`.
    pub replay_after: (u64, u64),
    /// Followed by a copy that somebody cut short, changed or filled with noise.
    pub mangle: u32,
}

impl Weather {
    /// 1 to 8 ms, in no particular order, and nothing lost.
    pub const CALM: Self = Self {
        delay: (1, 8),
        loss: 0,
        duplicate: 0,
        late: 0,
        late_by: (20, 200),
        replay: 0,
        replay_after: (500, 20_000),
        mangle: 0,
    };
}

/// What the wire did so far, in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to it.
    pub sent: u64,
    /// Lost by the weather.
    pub lost: u64,
    /// Lost in a cut.
    pub cut: u64,
    /// Copied, of every kind.
    pub copied: u64,
    /// Sent to nobody, by nobody, too large, or into a full buffer.
    pub dropped: u64,
}

/// One datagram and its fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Since the first one.
    pub at_ms: u64,
    /// Sender.
    pub from: SocketAddr,
    /// Whom it was for.
    pub to: SocketAddr,
    /// Length. The bytes are ciphertext and differ each time.
    pub bytes: usize,
    /// Delay of each copy that set out; empty: lost.
    pub copies_ms: Vec<u64>,
}

#[derive(Debug)]
struct Inner {
    seed: u64,
    began: Option<Instant>,
    hosts: BTreeMap<String, IpAddr>,
    sockets: BTreeMap<SocketAddr, Weak<Inbox>>,
    random: BTreeMap<(IpAddr, IpAddr), SmallRng>,
    cut: BTreeSet<(IpAddr, IpAddr)>,
    weather: Weather,
    counts: Counts,
    seen: Vec<Seen>,
    keeps: bool,
}

/// Clones share one wire.
#[derive(Clone, Debug)]
pub struct Wire(Arc<Mutex<Inner>>);

impl Wire {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            seed,
            began: None,
            hosts: BTreeMap::new(),
            sockets: BTreeMap::new(),
            random: BTreeMap::new(),
            cut: BTreeSet::new(),
            weather: Weather::CALM,
            counts: Counts::default(),
            seen: Vec::new(),
            keeps: true,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self, host: IpAddr, name: &str) {
        self.lock().hosts.insert(name.to_owned(), host);
    }

    pub(super) fn bind(&self, at: SocketAddr, inbox: &Arc<Inbox>) {
        self.lock().sockets.insert(at, Arc::downgrade(inbox));
    }

    pub(super) fn close(&self, at: SocketAddr) {
        self.lock().sockets.remove(&at);
    }

    /// From now on, for what sets out.
    pub fn weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Nothing gets from one host to the other any more, what is on its way included.
    pub fn cut(&self, from: &str, to: &str) {
        self.edit(from, to, |inner, pair| {
            inner.cut.insert(pair);
        });
    }

    /// Ends [`Self::cut`].
    pub fn heal(&self, from: &str, to: &str) {
        self.edit(from, to, |inner, pair| {
            inner.cut.remove(&pair);
        });
    }

    /// Ends every cut and turns the weather calm.
    pub fn heal_all(&self) {
        let mut inner = self.lock();
        inner.cut.clear();
        inner.weather = Weather::CALM;
    }

    fn edit(&self, from: &str, to: &str, change: impl FnOnce(&mut Inner, (IpAddr, IpAddr))) {
        let mut inner = self.lock();
        if let (Some(from), Some(to)) = (inner.hosts.get(from).copied(), inner.hosts.get(to).copied()) {
            change(&mut inner, (from, to));
        }
    }

    /// What it did so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Months pass: nothing is kept of what passes by.
    pub fn keeps_nothing(&self) {
        self.lock().keeps = false;
    }

    /// Every datagram so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// A datagram of a stranger, to every socket of a host.
    pub fn inject(&self, from: SocketAddr, host: &str, bytes: &[u8]) {
        let ip = self.lock().hosts.get(host).copied();
        let sockets: Vec<_> = {
            let inner = self.lock();
            let of_host = inner.sockets.iter().filter(|(at, _)| Some(at.ip()) == ip);
            of_host.filter_map(|(_, socket)| socket.upgrade()).collect()
        };
        for socket in sockets {
            socket.put(Instant::now(), Datagram { from, ecn: None, bytes: bytes.to_vec() });
        }
    }

    pub(super) fn carry(&self, sender: &Arc<Inbox>, datagram: Datagram, to: SocketAddr) {
        let (copies, receiver) = {
            let mut inner = self.lock();
            inner.counts.sent += 1;
            let from = datagram.from;
            let alive =
                inner.sockets.get(&from).is_some_and(|socket| std::ptr::eq(socket.as_ptr(), Arc::as_ptr(sender)));
            let receiver = inner.sockets.get(&to).and_then(Weak::upgrade);
            let Some(receiver) = receiver.filter(|_| alive && datagram.bytes.len() <= MTU) else {
                inner.counts.dropped += 1;
                return;
            };
            if inner.cut.contains(&(from.ip(), to.ip())) {
                inner.counts.cut += 1;
                return;
            }
            (inner.fate(datagram, to), receiver)
        };
        let now = Instant::now();
        for (delay_ms, copy) in copies {
            if !receiver.put(now + Duration::from_millis(delay_ms), copy) {
                self.lock().counts.dropped += 1;
            }
        }
    }

    /// False: it was cut off on its way.
    pub(super) fn arrives(&self, datagram: &Datagram, at: SocketAddr) -> bool {
        let mut inner = self.lock();
        let cut = inner.cut.contains(&(datagram.from.ip(), at.ip()));
        inner.counts.cut += u64::from(cut);
        !cut
    }
}

impl Inner {
    /// Every copy that sets out, with its delay.
    fn fate(&mut self, datagram: Datagram, to: SocketAddr) -> Vec<(u64, Datagram)> {
        let weather = self.weather;
        let pair = (datagram.from.ip(), to.ip());
        let seed = self.seed ^ mix(pair);
        let random = self.random.entry(pair).or_insert_with(|| SmallRng::seed_from_u64(seed));
        let mut happens = |share: u32| random.random_range(0..1_000) < share;
        let (lost, twice, late) = (happens(weather.loss), happens(weather.duplicate), happens(weather.late));
        let (replayed, mangled) = (happens(weather.replay), happens(weather.mangle));
        let mut within = |(from, to): (u64, u64)| random.random_range(from..=to.max(from));
        let mut delays = Vec::new();
        if !lost {
            delays.push(within(weather.delay) + if late { within(weather.late_by) } else { 0 });
        }
        if twice {
            delays.push(within(weather.delay));
        }
        if replayed {
            delays.push(within(weather.replay_after));
        }
        let mut copies: Vec<_> = delays.into_iter().map(|delay| (delay, datagram.clone())).collect();
        if mangled {
            let delay = within(weather.delay);
            copies.push((delay, Datagram { bytes: mangle(&datagram.bytes, random), ..datagram.clone() }));
        }
        self.counts.lost += u64::from(lost);
        self.counts.copied += (copies.len() as u64).saturating_sub(u64::from(!lost));
        if self.keeps && self.seen.len() < KEPT {
            let began = *self.began.get_or_insert_with(Instant::now);
            self.seen.push(Seen {
                at_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                from: datagram.from,
                to,
                bytes: datagram.bytes.len(),
                copies_ms: copies.iter().map(|(delay, _)| *delay).collect(),
            });
        }
        copies
    }
}

/// Cut short, some bytes changed, or noise of the same length.
fn mangle(bytes: &[u8], random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match random.random_range(0..3) {
        0 => bytes.truncate(random.random_range(1..=bytes.len())),
        1 => {
            for _ in 0..random.random_range(1..=8) {
                let place = random.random_range(0..bytes.len());
                bytes[place] ^= random.random_range(1..=255_u8);
            }
        }
        _ => random.fill(bytes.as_mut_slice()),
    }
    bytes
}

fn mix((from, to): (IpAddr, IpAddr)) -> u64 {
    let bytes = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits() as u64,
    };
    bytes(from).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ bytes(to).rotate_left(32)
}
