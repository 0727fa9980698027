//! [`Recovery`] for a real store.

use super::{
    checksum,
    errors::{Meaning, meaning},
    flashback,
    led::leading,
};
use crate::{
    edge::{
        proto::{
            backup::{CheckAdminRequest, backup_client::BackupClient},
            errorpb,
            recover_data::{
                ReadRegionMetaRequest, RecoverRegionRequest, RegionMeta, recover_data_client::RecoverDataClient,
            },
            tikvpb::tikv_client::TikvClient,
        },
        tls::chain_of,
    },
    ports::{Asked, Flashback, FlashedBack, Leading, Piece, PortError, Recovery, Summed},
};
use async_trait::async_trait;
use shared::{
    ids::{RegionId, StoreId},
    reason::Reason,
    recovery::Meta,
    ts::Ts,
};
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Response, Status, transport::Channel};

/// TiKV reads the state of every region before its first word: seconds for 100 000 of them from volumes that have to be fetched first.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// All copies of a store: some ten megabytes from volumes that have to be fetched first.
const METAS_LIMIT: Duration = Duration::from_secs(300);

/// Every leader answers from its own mailbox.
const LED_LIMIT: Duration = Duration::from_secs(60);

/// One region: 256 keys a batch, each batch through raft, from volumes that have to be fetched first.
const FLASHBACK_LIMIT: Duration = Duration::from_secs(300);

/// One region, all of it read.
const CHECKSUM_LIMIT: Duration = Duration::from_secs(300);

/// Ten times what TiKV is run with; a stream must not be endless.
const MOST: usize = 1_000_000;

/// A dialled store of a cluster that is being restored.
pub(super) struct RecoveryStore {
    address: String,
    channel: Channel,
}

impl RecoveryStore {
    pub(super) fn new(address: String, channel: Channel) -> Self {
        Self { address, channel }
    }

    fn of(&self, call: &str, text: &str) -> String {
        format!("TiKV {}, {call}: {text}", self.address)
    }

    fn unavailable(&self, call: &str, text: &str) -> PortError {
        PortError::Unavailable(self.of(call, text))
    }

    fn failed(&self, call: &str, status: &Status) -> PortError {
        let text = self.of(call, &format!("{:?}: {}", status.code(), chain_of(status)));
        match status.code() {
            Code::Unimplemented => PortError::refused(Reason::VersionUnsupported, text),
            Code::Unauthenticated | Code::PermissionDenied => PortError::refused(Reason::StoreUnavailable, text),
            _ => PortError::Unavailable(text),
        }
    }

    async fn within<T>(
        &self,
        call: &str,
        limit: Duration,
        asked: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let late = || self.unavailable(call, &format!("no whole answer within {} s", limit.as_secs()));
        timeout(limit, asked).await.unwrap_or_else(|_| Err(late()))
    }

    fn recover_data(&self) -> RecoverDataClient<Channel> {
        RecoverDataClient::new(self.channel.clone())
    }

    fn tikv(&self) -> TikvClient<Channel> {
        TikvClient::new(self.channel.clone())
    }

    async fn read_metas(&self) -> Result<Vec<Meta>, PortError> {
        let call = "ReadRegionMeta";
        let answer = self.recover_data().read_region_meta(ReadRegionMetaRequest::default()).await;
        let mut stream = answer.map_err(|s| self.failed(call, &s))?.into_inner();
        let mut metas = Vec::new();
        while let Some(told) = stream.message().await.map_err(|s| self.failed(call, &s))? {
            if metas.len() == MOST {
                return Err(self.unavailable(call, "more than a million regions were named"));
            }
            if !told.tombstone {
                metas.push(meta(told));
            }
            tokio::task::coop::consume_budget().await;
        }
        Ok(metas)
    }

    async fn read_led(&self, store: StoreId) -> Result<Vec<Leading>, PortError> {
        let call = "CheckPendingAdminOp";
        let answer = BackupClient::new(self.channel.clone()).check_pending_admin_op(CheckAdminRequest {}).await;
        let mut stream = answer.map_err(|s| self.failed(call, &s))?.into_inner();
        let mut led = Vec::new();
        while let Some(told) = stream.message().await.map_err(|s| self.failed(call, &s))? {
            if led.len() == MOST {
                return Err(self.unavailable(call, "more than a million regions were named"));
            }
            led.push(leading(told, store).map_err(|text| self.unavailable(call, &text))?);
            tokio::task::coop::consume_budget().await;
        }
        Ok(led)
    }

    /// What a flashback's answer comes to. Its two errors are empty when well.
    fn flashed(
        &self,
        call: &str,
        start_ts: Ts,
        region_error: Option<&errorpb::Error>,
        error: &str,
    ) -> Result<FlashedBack, PortError> {
        if !error.is_empty() {
            return Err(self.unavailable(call, error));
        }
        match region_error.map(|error| meaning(error, start_ts)) {
            None => Ok(FlashedBack::Done),
            Some(Meaning::Answer(answer)) => Ok(answer),
            Some(Meaning::Foreign(text)) => {
                Err(PortError::refused(Reason::StoreHeldByOther, self.of(call, &format!("another client's {text}"))))
            }
            Some(Meaning::Unknown(text)) => Err(self.unavailable(call, &text)),
        }
    }

    /// A key that cannot be sent.
    fn unsendable(&self, call: &str, text: &str) -> PortError {
        PortError::refused(Reason::EvidenceBroken, self.of(call, text))
    }
}

fn meta(told: RegionMeta) -> Meta {
    Meta {
        region: RegionId(told.region_id),
        peer: told.peer_id,
        term: told.last_log_term,
        last_index: told.last_index,
        version: told.version,
        start: told.start_key,
        end: told.end_key,
    }
}

#[async_trait]
impl Recovery for RecoveryStore {
    async fn is_recovering(&self) -> Result<bool, PortError> {
        let call = "ReadRegionMeta, to see whether it is in recovery mode";
        let first = async {
            let answer = self.recover_data().read_region_meta(ReadRegionMetaRequest::default()).await?;
            // Some servers say that they do not know a call only behind their headers.
            answer.into_inner().message().await
        };
        let asked = async {
            match first.await {
                Ok(_) => Ok(true),
                Err(status) if status.code() == Code::Unimplemented => Ok(false),
                Err(status) => Err(self.failed(call, &status)),
            }
        };
        self.within(call, PROBE_LIMIT, asked).await
    }

    async fn region_metas(&self) -> Result<Vec<Meta>, PortError> {
        self.within("ReadRegionMeta", METAS_LIMIT, self.read_metas()).await
    }

    async fn lead(&self, regions: &[RegionId], limit: Duration) -> Result<Asked, PortError> {
        let call = "RecoverRegion";
        let of_region =
            |region: &RegionId| RecoverRegionRequest { region_id: region.0, as_leader: true, tombstone: false };
        let requests: Vec<_> = regions.iter().map(of_region).collect();
        let mut client = self.recover_data();
        // The end of the stream is the half-close that TiKV waits for.
        let asked = client.recover_region(tokio_stream::iter(requests));
        match timeout(limit, asked).await {
            Err(_) => Ok(Asked::Cut),
            Ok(Ok(answer)) => match answer.into_inner().error {
                None => Ok(Asked::Answered),
                Some(error) => Err(self.unavailable(call, &error.msg)),
            },
            Ok(Err(status)) if status.code() == Code::Aborted => Ok(Asked::Aborted),
            Ok(Err(status)) => Err(self.failed(call, &status)),
        }
    }

    async fn led(&self, store: StoreId) -> Result<Vec<Leading>, PortError> {
        self.within("CheckPendingAdminOp", LED_LIMIT, self.read_led(store)).await
    }

    async fn prepare_flashback(&self, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, PortError> {
        let call = format!("KvPrepareFlashbackToVersion of region {}", piece.region);
        let request = flashback::prepare(piece, flashback).map_err(|text| self.unsendable(&call, &text))?;
        let asked = async {
            let answer = self.tikv().kv_prepare_flashback_to_version(request).await;
            let answer = answer.map(Response::into_inner).map_err(|s| self.failed(&call, &s))?;
            self.flashed(&call, flashback.start_ts, answer.region_error.as_ref(), &answer.error)
        };
        self.within(&call, FLASHBACK_LIMIT, asked).await
    }

    async fn flashback(&self, piece: &Piece, flashback: Flashback) -> Result<FlashedBack, PortError> {
        let call = format!("KvFlashbackToVersion of region {}", piece.region);
        let request = flashback::flash_back(piece, flashback).map_err(|text| self.unsendable(&call, &text))?;
        let asked = async {
            let answer = self.tikv().kv_flashback_to_version(request).await;
            let answer = answer.map(Response::into_inner).map_err(|s| self.failed(&call, &s))?;
            self.flashed(&call, flashback.start_ts, answer.region_error.as_ref(), &answer.error)
        };
        self.within(&call, FLASHBACK_LIMIT, asked).await
    }

    async fn checksum(&self, piece: &Piece, at: Ts) -> Result<Summed, PortError> {
        let call = format!("checksum of region {} at {at}", piece.region);
        let request = checksum::request(piece, at).map_err(|text| self.unsendable(&call, &text))?;
        let asked = async {
            let answer = self.tikv().coprocessor(request).await;
            let answer = answer.map(Response::into_inner).map_err(|s| self.failed(&call, &s))?;
            if let Some(error) = &answer.region_error {
                return Err(self.unavailable(&call, &format!("region error: {}", error.message)));
            }
            if let Some(lock) = &answer.locked {
                let text = format!("a transaction that began at {} has left a lock", lock.lock_version);
                return Err(PortError::refused(Reason::EvidenceBroken, self.of(&call, &text)));
            }
            if !answer.other_error.is_empty() {
                return Err(self.unavailable(&call, &answer.other_error));
            }
            checksum::answer(&answer.data).map_err(|text| self.unavailable(&call, &text))
        };
        self.within(&call, CHECKSUM_LIMIT, asked).await
    }
}
