//! What a store leads, with members and flashback: CheckPendingAdminOp, read for a restore.

use crate::{
    edge::proto::backup::CheckAdminResponse,
    ports::{Leading, Piece},
};
use shared::ids::{RegionId, StoreId};

/// One answer of the store `store`.
///
/// # Errors
/// It does not say what has to be known, or says that it could not be told.
pub(super) fn leading(answer: CheckAdminResponse, store: StoreId) -> Result<Leading, String> {
    if let Some(error) = answer.error {
        return Err(error.msg);
    }
    let region = answer.region.ok_or("an answer names no region")?;
    let of = |what: &str| format!("region {} is named without {what}", region.id);
    let epoch = region.region_epoch.ok_or_else(|| of("its epoch"))?;
    let own = region.peers.iter().find(|peer| peer.store_id == store.0);
    let peer = own.ok_or_else(|| of(&format!("a peer on store {store}, which is to lead it")))?.id;
    Ok(Leading {
        members: region.peers.iter().map(|peer| StoreId(peer.store_id)).collect(),
        pending: answer.has_pending_admin,
        in_flashback: region.is_in_flashback,
        piece: Piece {
            region: RegionId(region.id),
            conf_ver: epoch.conf_ver,
            version: epoch.version,
            store,
            peer,
            start: region.start_key,
            end: region.end_key,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::proto::metapb::{Peer, Region, RegionEpoch};

    #[test]
    fn a_region_is_read_with_its_leaders_peer_and_refused_without() {
        let region = Region {
            id: 7,
            region_epoch: Some(RegionEpoch { conf_ver: 3, version: 9 }),
            peers: vec![Peer { id: 71, store_id: 1 }, Peer { id: 72, store_id: 2 }],
            is_in_flashback: true,
            ..Region::default()
        };
        let answer = CheckAdminResponse { error: None, region: Some(region), has_pending_admin: true };
        let led = leading(answer.clone(), StoreId(2)).unwrap();
        assert_eq!((led.piece.region, led.piece.peer, led.piece.store), (RegionId(7), 72, StoreId(2)));
        assert_eq!((led.members, led.pending, led.in_flashback), (vec![StoreId(1), StoreId(2)], true, true));
        let refused = leading(answer, StoreId(3)).unwrap_err();
        assert!(refused.contains("region 7") && refused.contains("store 3"), "{refused}");
    }
}
