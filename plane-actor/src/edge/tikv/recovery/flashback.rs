//! The two calls that take a region back, and what all calls to a region are addressed with.

use super::keys::raw;
use crate::{
    edge::proto::{
        kvrpcpb::{Context, FlashbackToVersionRequest, PrepareFlashbackToVersionRequest},
        metapb::{Peer, RegionEpoch},
    },
    ports::{Flashback, Piece},
};

/// Whom a call is for.
pub(super) fn context(piece: &Piece) -> Option<Context> {
    Some(Context {
        region_id: piece.region.0,
        region_epoch: Some(RegionEpoch { conf_ver: piece.conf_ver, version: piece.version }),
        peer: Some(Peer { id: piece.peer, store_id: piece.store.0 }),
    })
}

/// Its range in raw keys; an end that is empty is the end of the key space here, too.
///
/// # Errors
/// A key is none that TiDB's transactions make.
pub(super) fn range(piece: &Piece) -> Result<(Vec<u8>, Vec<u8>), String> {
    let of = |key: &[u8], which: &str| {
        let text = || format!("region {} has a {which} key that is not encoded: {key:02x?}", piece.region);
        raw(key).ok_or_else(text)
    };
    Ok((of(&piece.start, "start")?, of(&piece.end, "end")?))
}

pub(super) fn prepare(piece: &Piece, flashback: Flashback) -> Result<PrepareFlashbackToVersionRequest, String> {
    let (start_key, end_key) = range(piece)?;
    let (start_ts, version) = (flashback.start_ts.0, flashback.version.0);
    Ok(PrepareFlashbackToVersionRequest { context: context(piece), start_key, end_key, start_ts, version })
}

pub(super) fn flash_back(piece: &Piece, flashback: Flashback) -> Result<FlashbackToVersionRequest, String> {
    let (start_key, end_key) = range(piece)?;
    let Flashback { version, start_ts, commit_ts } = flashback;
    Ok(FlashbackToVersionRequest {
        context: context(piece),
        version: version.0,
        start_key,
        end_key,
        start_ts: start_ts.0,
        commit_ts: commit_ts.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use shared::{
        ids::{RegionId, StoreId},
        ts::Ts,
    };

    fn piece(start: &[u8], end: &[u8]) -> Piece {
        let (region, store) = (RegionId(7), StoreId(2));
        Piece { region, conf_ver: 3, version: 9, store, peer: 72, start: start.to_vec(), end: end.to_vec() }
    }

    const TIMES: Flashback = Flashback { version: Ts(1), start_ts: Ts(2), commit_ts: Ts(3) };

    /// The same fields have other numbers in the two messages (`facts/restore.md` §3.3).
    #[test]
    fn both_calls_carry_raw_keys_at_the_places_of_their_own() {
        let piece = piece(b"a\0\0\0\0\0\0\0\xf8", b"b\0\0\0\0\0\0\0\xf8");
        let bytes = prepare(&piece, TIMES).unwrap().encode_to_vec();
        assert!(bytes.ends_with(&[0x12, 1, b'a', 0x1a, 1, b'b', 0x20, 2, 0x28, 1]), "{bytes:02x?}");
        let bytes = flash_back(&piece, TIMES).unwrap().encode_to_vec();
        assert!(bytes.ends_with(&[0x10, 1, 0x1a, 1, b'a', 0x22, 1, b'b', 0x28, 2, 0x30, 3]), "{bytes:02x?}");
    }

    #[test]
    fn a_key_that_is_not_encoded_is_refused_by_name() {
        let refused = prepare(&piece(b"", b"raw"), TIMES).unwrap_err();
        assert!(refused.contains("region 7") && refused.contains("end key"), "{refused}");
    }
}
