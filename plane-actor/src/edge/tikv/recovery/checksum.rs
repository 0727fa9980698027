//! What a region holds, added up by its coprocessor (`facts/restore.md` §3.3).

use super::flashback::{context, range};
use crate::{
    edge::proto::{
        coprocessor::{KeyRange, Request},
        tipb::{ChecksumRequest, ChecksumResponse},
    },
    ports::{Piece, Summed},
};
use prost::Message;
use shared::ts::Ts;

/// `REQ_TYPE_CHECKSUM`.
const CHECKSUM: i64 = 105;

/// Above every key of TiDB, whose first byte is a letter. An end that is empty is no end here but the lowest key of all: TiKV would add
/// up nothing, and say so without an error.
const ABOVE_ALL: [u8; 32] = [0xff; 32];

/// # Errors
/// A key is none that TiDB's transactions make.
pub(super) fn request(piece: &Piece, at: Ts) -> Result<Request, String> {
    let (start, mut end) = range(piece)?;
    if end.is_empty() {
        end = ABOVE_ALL.to_vec();
    }
    Ok(Request {
        context: context(piece),
        tp: CHECKSUM,
        data: ChecksumRequest::default().encode_to_vec(),
        ranges: vec![KeyRange { start, end }],
        start_ts: at.0,
    })
}

/// # Errors
/// It is no answer to that.
pub(super) fn answer(data: &[u8]) -> Result<Summed, String> {
    let answer = ChecksumResponse::decode(data).map_err(|error| format!("the checksum cannot be read: {error}"))?;
    Ok(Summed { checksum: answer.checksum, keys: answer.total_kvs, bytes: answer.total_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::{RegionId, StoreId};

    #[test]
    fn the_last_region_is_added_up_to_a_key_above_all() {
        let (region, store, start) = (RegionId(7), StoreId(2), b"t\0\0\0\0\0\0\0\xf8".to_vec());
        let piece = Piece { region, conf_ver: 3, version: 9, store, peer: 72, start, end: Vec::new() };
        let request = request(&piece, Ts(5)).unwrap();
        assert_eq!((request.tp, request.start_ts), (105, 5));
        let range = &request.ranges[0];
        assert!(range.start == b"t" && range.end > b"zzzz".to_vec(), "{range:?}");
    }

    #[test]
    fn an_answer_is_three_numbers() {
        let said = ChecksumResponse { checksum: u64::MAX, total_kvs: 2, total_bytes: 3 };
        let summed = answer(&said.encode_to_vec()).unwrap();
        assert_eq!(summed, Summed { checksum: u64::MAX, keys: 2, bytes: 3 });
        assert!(answer(b"\xff\xff").is_err());
    }
}
