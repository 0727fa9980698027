//! Whose handshake is next. Sources take turns: whoever fills the queue from one address keeps others waiting for one turn, and not
//! for all of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// Where a dial comes from: an address of IPv4; of IPv6 its network of 64 bits, of which a host may have as many addresses as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self(match address.ip().to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// How many at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// Under way, of all sources.
    pub(crate) turns: usize,
    /// Of them of one source.
    pub(crate) turns_of_one: usize,
    /// Waiting for a turn, of all sources.
    pub(crate) waiting: usize,
    /// Of them of one source.
    pub(crate) waiting_of_one: usize,
}

/// What one source has.
#[derive(Default)]
struct Own {
    under_way: usize,
    /// In the order of their coming.
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

#[derive(Default)]
struct Inner {
    under_way: usize,
    waiting: usize,
    sources: BTreeMap<Source, Own>,
    /// Those that wait, whose turn comes first in front.
    order: VecDeque<Source>,
}

/// Clones share them.
#[derive(Clone)]
pub(crate) struct Turns {
    places: Places,
    inner: Arc<Mutex<Inner>>,
}

/// A turn; given back when it is dropped.
pub(crate) struct Turn {
    source: Source,
    /// `None`: it was never given.
    turns: Option<Turns>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.turns.take() {
            turns.give_back(self.source);
        }
    }
}

impl Turns {
    pub(crate) fn new(places: Places) -> Self {
        Self { places, inner: Arc::default() }
    }

    /// No code panics while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under way and waiting.
    pub(crate) fn taken(&self) -> usize {
        let inner = self.lock();
        inner.under_way + inner.waiting
    }

    /// A place in the queue; what comes is the turn. `None`: there is no place, of all or of this source.
    pub(crate) fn queue(&self, source: Source) -> Option<oneshot::Receiver<Turn>> {
        let mut inner = self.lock();
        self.forget_who_left(&mut inner);
        let own = inner.sources.get(&source);
        let (at_once, of_own) = (self.may_begin(&inner, own), own.map_or(0, |own| own.waiting.len()));
        let full = inner.waiting >= self.places.waiting || of_own >= self.places.waiting_of_one;
        if full && !at_once {
            return None;
        }
        let (give, turn) = oneshot::channel();
        let own = inner.sources.entry(source).or_default();
        if own.waiting.is_empty() {
            inner.order.push_back(source);
        }
        inner.sources.entry(source).or_default().waiting.push_back(give);
        inner.waiting += 1;
        self.grant(&mut inner);
        Some(turn)
    }

    /// With nobody before it.
    fn may_begin(&self, inner: &Inner, own: Option<&Own>) -> bool {
        inner.under_way < self.places.turns
            && own.is_none_or(|own| own.waiting.is_empty() && own.under_way < self.places.turns_of_one)
    }

    /// Who waited for too long holds no place.
    fn forget_who_left(&self, inner: &mut Inner) {
        if inner.waiting < self.places.waiting.min(self.places.waiting_of_one) {
            return;
        }
        for own in inner.sources.values_mut() {
            own.waiting.retain(|give| !give.is_closed());
        }
        inner.waiting = inner.sources.values().map(|own| own.waiting.len()).sum();
        inner.order.retain(|source| inner.sources.get(source).is_some_and(|own| !own.waiting.is_empty()));
        inner.sources.retain(|_, own| own.under_way > 0 || !own.waiting.is_empty());
    }

    /// Gives turns to those in front, one of a source after the other.
    fn grant(&self, inner: &mut Inner) {
        let mut passed_over = 0;
        while inner.under_way < self.places.turns && passed_over < inner.order.len() {
            let Some(source) = inner.order.pop_front() else { return };
            let Some(own) = inner.sources.get_mut(&source) else { continue };
            if own.under_way >= self.places.turns_of_one {
                inner.order.push_back(source);
                passed_over += 1;
                continue;
            }
            passed_over = 0;
            let Some(give) = own.waiting.pop_front() else { continue };
            inner.waiting = inner.waiting.saturating_sub(1);
            if !own.waiting.is_empty() {
                inner.order.push_back(source);
            }
            match give.send(Turn { source, turns: Some(self.clone()) }) {
                Ok(()) => {
                    own.under_way += 1;
                    inner.under_way += 1;
                }
                // Its dial is over; and it must not be given back, the lock is ours.
                Err(mut unwanted) => drop(unwanted.turns.take()),
            }
        }
    }

    fn give_back(&self, source: Source) {
        let mut inner = self.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if let Some(own) = inner.sources.get_mut(&source) {
            own.under_way = own.under_way.saturating_sub(1);
        }
        self.grant(&mut inner);
        if inner.sources.get(&source).is_some_and(|own| own.under_way == 0 && own.waiting.is_empty()) {
            inner.sources.remove(&source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: Places = Places { turns: 4, turns_of_one: 3, waiting: 10, waiting_of_one: 7 };

    fn source(last: u8) -> Source {
        Source::of(([192, 0, 2, last], 1).into())
    }

    #[test]
    fn a_host_of_ipv6_is_one_source_and_a_mapped_address_is_what_it_maps() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:2]:9"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_eq!(of("[::ffff:192.0.2.1]:1"), of("192.0.2.1:2"));
        assert_ne!(of("192.0.2.1:1"), of("192.0.2.2:1"));
    }

    #[test]
    fn one_source_leaves_room_and_others_wait_for_one_turn() {
        let turns = Turns::new(PLACES);
        let mut flood: Vec<_> = (0..10).map(|_| turns.queue(source(1)).unwrap()).collect();
        assert!(turns.queue(source(1)).is_none(), "its own places are taken");
        let mut under_way: Vec<Turn> = flood.iter_mut().filter_map(|one| one.try_recv().ok()).collect();
        assert_eq!(under_way.len(), 3);
        // The room that is left.
        let mut second = turns.queue(source(2)).unwrap();
        let second = second.try_recv().unwrap();
        let mut third = turns.queue(source(3)).unwrap();
        assert!(third.try_recv().is_err(), "nothing is free");
        // One of the flood waits before it; when that one has its turn, the third has the next.
        drop(second);
        let third = third.try_recv().expect("the flood is at its bound");
        drop(under_way.pop());
        drop(third);
        let more: Vec<Turn> = flood.iter_mut().filter_map(|one| one.try_recv().ok()).collect();
        assert_eq!(more.len(), 1);
        drop((under_way, more, flood));
        assert_eq!(turns.taken(), 0);
        assert!(turns.lock().sources.is_empty() && turns.lock().order.is_empty(), "nothing is kept of anybody");
    }

    #[test]
    fn many_sources_take_turns() {
        let turns = Turns::new(Places { turns: 1, turns_of_one: 1, waiting: 100, waiting_of_one: 100 });
        let mut first = turns.queue(source(0)).unwrap();
        let held = first.try_recv().unwrap();
        let mut queued: Vec<_> =
            [1, 1, 1, 1, 2, 3].map(|from| (from, turns.queue(source(from)).unwrap())).into_iter().collect();
        drop(held);
        let mut order = Vec::new();
        while let Some(at) = queued.iter_mut().position(|(_, turn)| match turn.try_recv() {
            Ok(turn) => {
                drop(turn);
                true
            }
            Err(_) => false,
        }) {
            order.push(queued.remove(at).0);
        }
        assert_eq!(order, [1, 2, 3, 1, 1, 1]);
    }

    #[test]
    fn who_has_left_holds_no_place() {
        let turns = Turns::new(Places { turns: 1, turns_of_one: 1, waiting: 2, waiting_of_one: 2 });
        let mut first = turns.queue(source(1)).unwrap();
        let held = first.try_recv().unwrap();
        let waiting = [turns.queue(source(1)).unwrap(), turns.queue(source(2)).unwrap()];
        assert!(turns.queue(source(3)).is_none());
        drop(waiting);
        let mut third = turns.queue(source(3)).expect("two have left");
        drop(held);
        drop(third.try_recv().expect("and are passed over"));
        assert_eq!(turns.taken(), 0);
    }
}
