//! The recovery edge against a server that says what a test wants: what goes over the wire, and what each answer is read as
//! (`facts/restore.md` §3.3, §3.4, §3.7).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(feature = "servers")]

use futures::{Stream, stream};
use plane_actor::{
    edge::{
        proto::{
            backup::{
                CheckAdminRequest, CheckAdminResponse, PrepareSnapshotBackupRequest, PrepareSnapshotBackupResponse,
            },
            coprocessor, errorpb,
            kvrpcpb::{
                FlashbackToVersionRequest, FlashbackToVersionResponse, LockInfo, PrepareFlashbackToVersionRequest,
                PrepareFlashbackToVersionResponse,
            },
            metapb,
            recover_data::{ReadRegionMetaRequest, RecoverRegionRequest, RecoverRegionResponse, RegionMeta},
            tipb::ChecksumResponse,
        },
        tikv::RecoveryConnector,
    },
    ports::{Asked, Flashback, FlashedBack, Piece, PortError, Recovery, RecoveryConnect, Summed},
};
use prost::Message;
use shared::{
    ids::{RegionId, StoreId},
    reason::Reason,
    ts::Ts,
};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{net::TcpListener, time::sleep};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};

mod proto {
    #![allow(clippy::all, missing_docs, unreachable_pub)]
    pub(crate) mod backup {
        tonic::include_proto!("backup");
    }
    pub(crate) mod recover_data {
        tonic::include_proto!("recover_data");
    }
    pub(crate) mod tikvpb {
        tonic::include_proto!("tikvpb");
    }
}
use proto::{
    backup::backup_server::{Backup, BackupServer},
    recover_data::recover_data_server::{RecoverData, RecoverDataServer},
    tikvpb::tikv_server::{Tikv, TikvServer},
};

const LIMIT: Duration = Duration::from_secs(20);
const TIMES: Flashback = Flashback { version: Ts(449), start_ts: Ts(450), commit_ts: Ts(451) };

#[derive(Default)]
struct Script {
    metas: Vec<RegionMeta>,
    /// What RecoverRegion was sent before it began.
    asked: Vec<RecoverRegionRequest>,
    /// `None`: there is no end.
    recovered: Option<Result<(), Status>>,
    led: Vec<metapb::Region>,
    region_error: Option<errorpb::Error>,
    error: String,
    prepared: Option<PrepareFlashbackToVersionRequest>,
    flashed: Option<FlashbackToVersionRequest>,
    checksum: coprocessor::Response,
    summed: Option<coprocessor::Request>,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Script>>);

impl Store {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// Serves until the test ends, outside of recovery mode or in it.
    async fn serve(&self, recovering: bool) -> Arc<dyn Recovery> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let recover_data = recovering.then(|| RecoverDataServer::new(self.clone()));
        let server = Server::builder()
            .add_service(TikvServer::new(self.clone()))
            .add_service(BackupServer::new(self.clone()))
            .add_optional_service(recover_data);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        RecoveryConnector.connect(&address, None).await.unwrap()
    }
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl RecoverData for Store {
    type ReadRegionMetaStream = Answers<RegionMeta>;

    async fn read_region_meta(
        &self,
        _: Request<ReadRegionMetaRequest>,
    ) -> Result<Response<Self::ReadRegionMetaStream>, Status> {
        let metas = self.script().metas.clone();
        Ok(Response::new(Box::pin(stream::iter(metas.into_iter().map(Ok)))))
    }

    /// Begins when the client has half-closed, as TiKV does.
    async fn recover_region(
        &self,
        request: Request<Streaming<RecoverRegionRequest>>,
    ) -> Result<Response<RecoverRegionResponse>, Status> {
        let (mut requests, mut asked) = (request.into_inner(), Vec::new());
        while let Some(request) = requests.message().await? {
            asked.push(request);
        }
        self.script().asked = asked;
        let recovered = self.script().recovered.clone();
        match recovered {
            Some(recovered) => recovered.map(|()| Response::new(RecoverRegionResponse { error: None, store_id: 1 })),
            None => std::future::pending().await,
        }
    }
}

#[tonic::async_trait]
impl Backup for Store {
    type CheckPendingAdminOpStream = Answers<CheckAdminResponse>;
    type PrepareSnapshotBackupStream = Answers<PrepareSnapshotBackupResponse>;

    async fn check_pending_admin_op(
        &self,
        _: Request<CheckAdminRequest>,
    ) -> Result<Response<Self::CheckPendingAdminOpStream>, Status> {
        let led = self.script().led.clone();
        let answer = |region| Ok(CheckAdminResponse { error: None, region: Some(region), has_pending_admin: false });
        Ok(Response::new(Box::pin(stream::iter(led.into_iter().map(answer)))))
    }

    async fn prepare_snapshot_backup(
        &self,
        _: Request<Streaming<PrepareSnapshotBackupRequest>>,
    ) -> Result<Response<Self::PrepareSnapshotBackupStream>, Status> {
        Err(Status::unimplemented("nobody asks for it here"))
    }
}

#[tonic::async_trait]
impl Tikv for Store {
    async fn kv_prepare_flashback_to_version(
        &self,
        request: Request<PrepareFlashbackToVersionRequest>,
    ) -> Result<Response<PrepareFlashbackToVersionResponse>, Status> {
        let mut script = self.script();
        script.prepared = Some(request.into_inner());
        let (region_error, error) = (script.region_error.clone(), script.error.clone());
        Ok(Response::new(PrepareFlashbackToVersionResponse { region_error, error }))
    }

    async fn kv_flashback_to_version(
        &self,
        request: Request<FlashbackToVersionRequest>,
    ) -> Result<Response<FlashbackToVersionResponse>, Status> {
        let mut script = self.script();
        script.flashed = Some(request.into_inner());
        let (region_error, error) = (script.region_error.clone(), script.error.clone());
        Ok(Response::new(FlashbackToVersionResponse { region_error, error }))
    }

    async fn coprocessor(
        &self,
        request: Request<coprocessor::Request>,
    ) -> Result<Response<coprocessor::Response>, Status> {
        let mut script = self.script();
        script.summed = Some(request.into_inner());
        Ok(Response::new(script.checksum.clone()))
    }
}

/// From `t` on, as TiKV encodes it, to the end of the key space.
fn piece() -> Piece {
    let start = b"t\0\0\0\0\0\0\0\xf8".to_vec();
    let (region, store) = (RegionId(7), StoreId(2));
    Piece { region, conf_ver: 3, version: 9, store, peer: 72, start, end: Vec::new() }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, PortError>) -> (Reason, String) {
    match answer {
        Err(PortError::Refused(refusal)) => (refusal.reason, refusal.message),
        other => panic!("{other:?}"),
    }
}

fn unavailable<T: std::fmt::Debug>(answer: Result<T, PortError>) -> String {
    match answer {
        Err(PortError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_mode_shows_by_the_service_that_is_known() {
    let store = Store::default();
    assert!(store.serve(true).await.is_recovering().await.unwrap(), "also without any region");
    let normal = store.serve(false).await;
    assert!(!normal.is_recovering().await.unwrap());
    let (_, text) = refused(normal.region_metas().await);
    assert!(text.contains("ReadRegionMeta") && text.contains("Unimplemented"), "{text}");
    let nobody = RecoveryConnector.connect("127.0.0.1:9", None).await.map(drop);
    assert!(unavailable(nobody).contains("127.0.0.1:9 cannot be reached"));
}

#[tokio::test]
async fn copies_are_told_without_tombstones() {
    let store = Store::default();
    let meta = RegionMeta { region_id: 7, peer_id: 73, last_log_term: 6, last_index: 20, ..RegionMeta::default() };
    store.script().metas = vec![meta.clone(), RegionMeta { tombstone: true, region_id: 8, ..meta }];
    let metas = store.serve(true).await.region_metas().await.unwrap();
    assert_eq!(metas.len(), 1);
    assert_eq!((metas[0].region, metas[0].peer, metas[0].term, metas[0].last_index), (RegionId(7), 73, 6, 20));
}

#[tokio::test]
async fn elections_begin_when_all_was_sent_and_end_at_the_limit() {
    let (store, regions) = (Store::default(), [7, 8, 9].map(RegionId));
    let recovery = store.serve(true).await;
    store.script().recovered = Some(Ok(()));
    assert_eq!(recovery.lead(&regions, LIMIT).await.unwrap(), Asked::Answered);
    let asked = std::mem::take(&mut store.script().asked);
    assert!(asked.len() == 3 && asked.iter().all(|asked| asked.as_leader && !asked.tombstone), "{asked:?}");
    assert_eq!(recovery.lead(&[], LIMIT).await.unwrap(), Asked::Answered, "nothing to lead is a call as well");

    store.script().recovered = Some(Err(Status::aborted("another recovery is running")));
    assert_eq!(recovery.lead(&regions, LIMIT).await.unwrap(), Asked::Aborted);
    store.script().recovered = None;
    let begun = std::time::Instant::now();
    assert_eq!(recovery.lead(&regions, Duration::from_millis(300)).await.unwrap(), Asked::Cut);
    assert!(begun.elapsed() < LIMIT);
    // It is not left open: the connection goes on.
    sleep(Duration::from_millis(50)).await;
    assert!(recovery.is_recovering().await.unwrap());
}

#[tokio::test]
async fn what_is_led_is_told_with_members_and_flashback() {
    let store = Store::default();
    store.script().led = vec![metapb::Region {
        id: 7,
        region_epoch: Some(metapb::RegionEpoch { conf_ver: 3, version: 9 }),
        peers: vec![metapb::Peer { id: 71, store_id: 1 }, metapb::Peer { id: 72, store_id: 2 }],
        start_key: piece().start,
        is_in_flashback: true,
        ..metapb::Region::default()
    }];
    let recovery = store.serve(true).await;
    let led = recovery.led(StoreId(2)).await.unwrap();
    assert!(led[0].piece == piece() && led[0].in_flashback && led[0].members == [1, 2].map(StoreId), "{led:?}");
    assert!(unavailable(recovery.led(StoreId(4)).await).contains("region 7 is named without a peer on store 4"));
}

#[tokio::test]
async fn a_flashback_carries_raw_keys_and_names_its_peer() {
    let store = Store::default();
    let recovery = store.serve(true).await;
    assert_eq!(recovery.prepare_flashback(&piece(), TIMES).await.unwrap(), FlashedBack::Done);
    let sent = store.script().prepared.take().unwrap();
    assert_eq!((sent.start_key.as_slice(), sent.end_key.as_slice()), (&b"t"[..], &b""[..]));
    assert_eq!((sent.version, sent.start_ts), (449, 450));
    let context = sent.context.unwrap();
    assert_eq!((context.region_id, context.peer), (7, Some(metapb::Peer { id: 72, store_id: 2 })));
    assert_eq!(context.region_epoch, Some(metapb::RegionEpoch { conf_ver: 3, version: 9 }));
    assert_eq!(recovery.flashback(&piece(), TIMES).await.unwrap(), FlashedBack::Done);
    let sent = store.script().flashed.take().unwrap();
    assert_eq!((sent.start_key.as_slice(), sent.version, sent.start_ts, sent.commit_ts), (&b"t"[..], 449, 450, 451));
}

#[tokio::test]
async fn each_refusal_of_a_region_is_told_apart() {
    let store = Store::default();
    let recovery = store.serve(true).await;
    let says = |error: errorpb::Error| {
        store.script().region_error = Some(errorpb::Error { message: "in its words".to_owned(), ..error });
    };
    says(errorpb::Error { not_leader: Some(errorpb::NotLeader::default()), ..errorpb::Error::default() });
    let moved = FlashedBack::Moved("not_leader: in its words".to_owned());
    assert_eq!(recovery.prepare_flashback(&piece(), TIMES).await.unwrap(), moved);
    assert_eq!(recovery.flashback(&piece(), TIMES).await.unwrap(), moved);
    let flashback_not_prepared = Some(errorpb::FlashbackNotPrepared { region_id: 7 });
    says(errorpb::Error { flashback_not_prepared, ..errorpb::Error::default() });
    assert_eq!(recovery.flashback(&piece(), TIMES).await.unwrap(), FlashedBack::NotPrepared);
    let in_progress = |flashback_start_ts| errorpb::Error {
        flashback_in_progress: Some(errorpb::FlashbackInProgress { region_id: 7, flashback_start_ts }),
        ..errorpb::Error::default()
    };
    says(in_progress(450));
    let again = FlashedBack::Again("flashback_in_progress: in its words".to_owned());
    assert_eq!(recovery.flashback(&piece(), TIMES).await.unwrap(), again);
    says(in_progress(600));
    let (reason, text) = refused(recovery.flashback(&piece(), TIMES).await);
    assert!(reason == Reason::StoreHeldByOther && text.contains("region 7") && text.contains("600"), "{text}");
    says(errorpb::Error::default());
    let text = unavailable(recovery.flashback(&piece(), TIMES).await);
    assert!(text.contains("127.0.0.1") && text.contains("region 7") && text.contains("in its words"), "{text}");
    store.script().region_error = None;
    store.script().error = "InvalidTxnTso".to_owned();
    assert!(unavailable(recovery.flashback(&piece(), TIMES).await).contains("InvalidTxnTso"));
}

#[tokio::test]
async fn a_checksum_reads_to_the_last_key_and_takes_no_error_for_a_sum() {
    let store = Store::default();
    let recovery = store.serve(true).await;
    let sum = ChecksumResponse { checksum: u64::MAX, total_kvs: 2, total_bytes: 3 };
    store.script().checksum.data = sum.encode_to_vec();
    let summed = recovery.checksum(&piece(), Ts(449)).await.unwrap();
    assert_eq!(summed, Summed { checksum: u64::MAX, keys: 2, bytes: 3 });
    let asked = store.script().summed.take().unwrap();
    assert_eq!((asked.tp, asked.start_ts), (105, 449));
    let range = &asked.ranges[0];
    assert!(range.start == b"t" && range.end > b"zzzz".to_vec(), "an empty end reads nothing: {range:?}");

    let lock = LockInfo { lock_version: 440, ..LockInfo::default() };
    store.script().checksum = coprocessor::Response { locked: Some(lock), ..coprocessor::Response::default() };
    assert!(refused(recovery.checksum(&piece(), Ts(449)).await).1.contains("began at 440"));
    let other_error = "deadline is exceeded".to_owned();
    store.script().checksum = coprocessor::Response { other_error, ..coprocessor::Response::default() };
    assert!(unavailable(recovery.checksum(&piece(), Ts(449)).await).contains("deadline is exceeded"));
    let region_error = Some(errorpb::Error { message: "busy".to_owned(), ..errorpb::Error::default() });
    store.script().checksum = coprocessor::Response { region_error, ..coprocessor::Response::default() };
    assert!(unavailable(recovery.checksum(&piece(), Ts(449)).await).contains("region error: busy"));
}
