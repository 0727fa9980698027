//! `tikvpb.Tikv` of one process, as far as a restore calls it (`facts/restore.md` §3.3, §3.7).

use super::{errors::region_error, kept::Served, keys::encoded};
use crate::{
    models::restored::{RegionError, Unflashed},
    servers::tikv::proto::tikvpb::tikv_server::Tikv,
};
use plane_actor::{
    edge::proto::{
        coprocessor::{Request as Asked, Response as Answer},
        errorpb,
        kvrpcpb::{
            self, FlashbackToVersionRequest, FlashbackToVersionResponse, LockInfo, PrepareFlashbackToVersionRequest,
            PrepareFlashbackToVersionResponse,
        },
        tipb::{ChecksumRequest, ChecksumResponse},
    },
    ports::{Flashback, Piece},
};
use prost::Message;
use shared::{
    ids::{RegionId, StoreId},
    ts::Ts,
};
use tonic::{Request, Response, Status};

/// `REQ_TYPE_CHECKSUM`.
const CHECKSUM: i64 = 105;

/// The service of one process.
#[derive(Clone)]
pub(super) struct KvService {
    pub(super) process: Served,
}

/// A request's region, with raw keys.
fn piece(context: Option<kvrpcpb::Context>, start: Vec<u8>, end: Vec<u8>) -> Piece {
    let context = context.unwrap_or_default();
    let (epoch, peer) = (context.region_epoch.unwrap_or_default(), context.peer.unwrap_or_default());
    Piece {
        region: RegionId(context.region_id),
        conf_ver: epoch.conf_ver,
        version: epoch.version,
        store: StoreId(peer.store_id),
        peer: peer.id,
        start,
        end,
    }
}

/// The two errors of a flashback's answer; a broken connection is none.
fn answered(region: RegionId, done: Result<(), Unflashed>) -> Result<(Option<errorpb::Error>, String), Status> {
    match done {
        Ok(()) => Ok((None, String::new())),
        Err(Unflashed::Region(error)) => Ok((Some(region_error(region, error)), String::new())),
        Err(Unflashed::Answer(error)) => Ok((None, error)),
        Err(Unflashed::Broken) => Err(Status::unavailable("connection reset by peer")),
    }
}

#[tonic::async_trait]
impl Tikv for KvService {
    async fn kv_prepare_flashback_to_version(
        &self,
        request: Request<PrepareFlashbackToVersionRequest>,
    ) -> Result<Response<PrepareFlashbackToVersionResponse>, Status> {
        let PrepareFlashbackToVersionRequest { context, start_key, end_key, start_ts, version } = request.into_inner();
        let piece = piece(context, start_key, end_key);
        let times = Flashback { version: Ts(version), start_ts: Ts(start_ts), commit_ts: Ts::ZERO };
        let done = self.process.with(|cluster, pod, _| cluster.prepare_flashback(pod, &piece, times))?;
        let (region_error, error) = answered(piece.region, done.map_err(Unflashed::Region))?;
        Ok(Response::new(PrepareFlashbackToVersionResponse { region_error, error }))
    }

    async fn kv_flashback_to_version(
        &self,
        request: Request<FlashbackToVersionRequest>,
    ) -> Result<Response<FlashbackToVersionResponse>, Status> {
        let asked = request.into_inner();
        let piece = piece(asked.context, asked.start_key, asked.end_key);
        let (version, start_ts, commit_ts) = (Ts(asked.version), Ts(asked.start_ts), Ts(asked.commit_ts));
        let times = Flashback { version, start_ts, commit_ts };
        let done = self.process.with(|cluster, pod, now| cluster.flashback(pod, &piece, times, now))?;
        let (region_error, error) = answered(piece.region, done)?;
        Ok(Response::new(FlashbackToVersionResponse { region_error, error }))
    }

    async fn coprocessor(&self, request: Request<Asked>) -> Result<Response<Answer>, Status> {
        let asked = request.into_inner();
        if asked.tp != CHECKSUM || ChecksumRequest::decode(&*asked.data).is_err() {
            let other_error = format!("unsupported tp {}", asked.tp);
            return Ok(Response::new(Answer { other_error, ..Answer::default() }));
        }
        let mut sum = ChecksumResponse::default();
        for range in asked.ranges {
            let (piece, at) = (piece(asked.context, range.start, range.end), Ts(asked.start_ts));
            // An empty end is the lowest key of all: nothing is read, and nothing is an error.
            if piece.end.is_empty() {
                continue;
            }
            match self.process.with(|cluster, pod, _| cluster.checksum(pod, &piece, at))? {
                Ok(summed) => {
                    sum.checksum ^= summed.checksum;
                    sum.total_kvs += summed.keys;
                    sum.total_bytes += summed.bytes;
                }
                Err(RegionError::Locked(start_ts)) => {
                    let locked = Some(LockInfo { lock_version: start_ts.0, ..LockInfo::default() });
                    return Ok(Response::new(Answer { locked, ..Answer::default() }));
                }
                Err(error) => {
                    let region_error = Some(region_error(piece.region, error));
                    return Ok(Response::new(Answer { region_error, ..Answer::default() }));
                }
            }
        }
        Ok(Response::new(Answer { data: sum.encode_to_vec(), ..Answer::default() }))
    }
}

/// A region as it is told on the wire.
pub(super) fn region_pb(led: &plane_actor::ports::Leading) -> plane_actor::edge::proto::metapb::Region {
    use crate::models::regions::vote::peer_id;
    use plane_actor::edge::proto::metapb::{Peer, Region, RegionEpoch};
    let piece = &led.piece;
    let peer = |store: &StoreId| Peer { id: peer_id(piece.region.0, *store), store_id: store.0 };
    Region {
        id: piece.region.0,
        start_key: encoded(&piece.start),
        end_key: encoded(&piece.end),
        region_epoch: Some(RegionEpoch { conf_ver: piece.conf_ver, version: piece.version }),
        peers: led.members.iter().map(peer).collect(),
        is_in_flashback: led.in_flashback,
        ..Region::default()
    }
}
