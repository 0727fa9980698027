//! Stores that were started under PD's mark, and the elections among them: who leads is what the product's plan of recovery asks for, as
//! often as it takes (`facts/restore.md` §3.4).

use super::peer::Peer;
use crate::models::regions::vote::{hard_term, is_elected, peer_id};
use shared::{
    ids::{RegionId, StoreId},
    recovery::{Elected, Meta, plan},
};
use std::collections::BTreeMap;

/// More than a region has copies: each round asks one more of them.
const ROUNDS: usize = 8;

/// What each store has, all that it knew to be committed applied.
type Started = BTreeMap<StoreId, BTreeMap<RegionId, Peer>>;

/// Who leads each region; or why there is no plan.
pub(super) fn lead(started: &Started) -> Result<BTreeMap<RegionId, StoreId>, String> {
    let told = started
        .iter()
        .map(|(store, peers)| (*store, peers.iter().map(|(id, peer)| meta(*store, *id, peer)).collect::<Vec<_>>()));
    let told: BTreeMap<StoreId, Vec<Meta>> = told.collect();
    let mut elected = Elected::default();
    for _ in 0..ROUNDS {
        let plan = plan(&told, &elected)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let mut all = true;
        for (id, planned) in &plan.regions {
            if is_elected(planned.leader, |store| started.get(&store).and_then(|peers| peers.get(id))) {
                elected.leads.insert(*id, planned.leader);
            } else {
                elected.failed.entry(*id).or_default().insert(planned.leader);
                all = false;
            }
        }
        if all {
            return Ok(elected.leads.into_iter().filter(|(id, _)| plan.regions.contains_key(id)).collect());
        }
    }
    Err(format!("no leaders after {ROUNDS} rounds"))
}

/// What TiKV tells of a copy: nothing of members, and the term of its hard state.
fn meta(store: StoreId, id: RegionId, peer: &Peer) -> Meta {
    Meta {
        region: id,
        peer: peer.region.peers.iter().map(|member| peer_id(id.0, *member)).max().unwrap_or_default(),
        term: hard_term(store, id.0, peer),
        last_index: peer.last(),
        version: peer.region.version,
        start: peer.region.start.clone(),
        end: peer.region.end.clone(),
    }
}
