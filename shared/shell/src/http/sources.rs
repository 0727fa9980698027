//! How many connections each address has, so that none ever has all.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Of 32 connections: a probe, a scraper and a load balancer come from other addresses than who keeps these.
pub(super) const MAX_OF_ONE: usize = 24;

/// Addresses that have connections, at most as many as there are connections.
#[derive(Clone, Default)]
pub(super) struct Sources(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// One connection of an address, until it is dropped.
pub(super) struct Seat {
    of: Sources,
    address: IpAddr,
}

impl Sources {
    /// `None`: it has as many as one may.
    pub(super) fn seat(&self, address: IpAddr) -> Option<Seat> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(address.to_canonical()).or_default();
        if *taken >= MAX_OF_ONE {
            return None;
        }
        *taken += 1;
        Some(Seat { of: self.clone(), address: address.to_canonical() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = all.get(&self.address).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            all.remove(&self.address);
        } else {
            all.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_address_has_so_many_and_others_come_in_all_the_same() {
        let sources = Sources::default();
        let (greedy, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut seats: Vec<Seat> = (0..MAX_OF_ONE).map(|_| sources.seat(greedy).unwrap()).collect();
        assert!(sources.seat(greedy).is_none() && sources.seat("::ffff:10.0.0.1".parse().unwrap()).is_none());
        assert!(sources.seat(other).is_some());
        seats.pop();
        seats.push(sources.seat(greedy).unwrap());
        drop(seats);
        assert!(sources.0.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
