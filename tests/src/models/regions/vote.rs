//! Raft's own rule of who may be elected.

use super::peer::Peer;
use shared::ids::StoreId;

/// A majority of the members that the candidate knows vote for it: those whose log has no more than its own, by the term of
/// the last entry and then by its index. `copies`: who can be reached, itself included.
pub(crate) fn is_elected<'a>(candidate: StoreId, copies: impl Fn(StoreId) -> Option<&'a Peer>) -> bool {
    let Some(own) = copies(candidate).filter(|own| own.region.peers.contains(&candidate)) else { return false };
    let progress = |peer: &Peer| (peer.term(), peer.last());
    let voters = own.region.peers.iter().filter_map(|member| copies(*member));
    voters.filter(|other| progress(other) <= progress(own)).count() >= own.region.majority()
}

/// Term of a copy's hard state when it was cut. Some took part in elections that nobody won, and so have a higher one than
/// their last entry (`facts/restore.md` §3.4).
pub(crate) fn hard_term(store: StoreId, region: u64, peer: &Peer) -> u64 {
    peer.term() + u64::from((store.0 + region).is_multiple_of(5))
}

/// Peer ids of doubles that keep none: of region and store.
pub(crate) fn peer_id(region: u64, store: StoreId) -> u64 {
    region * 100 + store.0
}
