//! [`Tikv`] for a real store.

use super::{hold::PrepareHold, settings, turns::Turns, weaker::ImportHold};
use crate::{
    edge::{
        proto::{
            backup::{CheckAdminRequest, CheckAdminResponse, backup_client::BackupClient},
            debugpb::{GetRegionReadProgressRequest, debug_client::DebugClient},
        },
        rest::Rest,
        tls::chain_of,
    },
    ports::{EachRegion, Hold, HoldError, LedRegion, PortError, RegionAt, Tikv, TikvSettings},
};
use async_trait::async_trait;
use shared::{ids::RegionId, reason::Reason, ts::Ts};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use tonic::{Code, Status, transport::Channel};

/// One region's word: answered from memory.
const SAFE_TS_LIMIT: Duration = Duration::from_secs(10);

/// Every leader of a store answers from its own mailbox; a busy store of 50 000 leaders needs seconds. Longer than this
/// cannot be of use: the whole reach clock is 120 s, and the store is asked twice.
const LED_REGIONS_LIMIT: Duration = Duration::from_secs(30);

/// Ten times what TiKV is run with; a stream must not be endless.
const LED_REGIONS_MOST: usize = 1_000_000;

/// A dialled store.
pub(super) struct TikvStore {
    address: String,
    channel: Channel,
    turns: Turns,
    rest: Rest,
    status_url: String,
}

impl TikvStore {
    pub(super) fn new(address: String, channel: Channel, turns: Turns, rest: Rest, status_url: String) -> Self {
        Self { address, channel, turns, rest, status_url }
    }

    fn refused(&self, call: &str, status: &Status) -> PortError {
        let text = format!("TiKV {}, {call}: {:?}: {}", self.address, status.code(), chain_of(status));
        match status.code() {
            // Only raftstore v2 lacks this call, and says so in two ways (`facts/pd-tikv.md` §1.12).
            Code::Unimplemented => PortError::refused(Reason::EngineUnsupported, text),
            Code::Internal if status.message().contains("not implemented") => {
                PortError::refused(Reason::EngineUnsupported, text)
            }
            Code::Unauthenticated | Code::PermissionDenied => PortError::refused(Reason::StoreUnavailable, text),
            _ => PortError::Unavailable(text),
        }
    }

    fn unavailable(&self, call: &str, text: &str) -> PortError {
        PortError::Unavailable(format!("TiKV {}, {call}: {text}", self.address))
    }

    async fn read_led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError> {
        let call = "CheckPendingAdminOp";
        let mut client = BackupClient::new(self.channel.clone());
        let answer = client.check_pending_admin_op(CheckAdminRequest {}).await;
        let mut stream = answer.map_err(|s| self.refused(call, &s))?.into_inner();
        let mut regions = 0;
        while let Some(answer) = stream.message().await.map_err(|s| self.refused(call, &s))? {
            if regions == LED_REGIONS_MOST {
                return Err(self.unavailable(call, "more than a million regions were named"));
            }
            regions += 1;
            each(led_region(&answer).map_err(|text| self.unavailable(call, &text))?);
            // A stream that is full of answers is always ready: what else this thread has to do gets its turn.
            tokio::task::coop::consume_budget().await;
        }
        Ok(())
    }
}

fn led_region(answer: &CheckAdminResponse) -> Result<LedRegion<'_>, String> {
    if let Some(error) = &answer.error {
        return Err(error.msg.clone());
    }
    let region = answer.region.as_ref().ok_or("an answer names no region")?;
    let epoch = region.region_epoch.ok_or("an answer names a region without an epoch")?;
    let at = RegionAt { region: RegionId(region.id), conf_ver: epoch.conf_ver, version: epoch.version };
    Ok(LedRegion { at, start: &region.start_key, end: &region.end_key, pending: answer.has_pending_admin })
}

#[async_trait]
impl Tikv for TikvStore {
    async fn settings(&self) -> Result<TikvSettings, PortError> {
        settings::ask(&self.rest, &self.status_url).await
    }

    async fn open_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        Ok(Arc::new(PrepareHold::open(self.channel.clone(), self.turns.clone())))
    }

    async fn open_weaker_hold(&self) -> Result<Arc<dyn Hold>, HoldError> {
        Ok(Arc::new(ImportHold::new(self.channel.clone())))
    }

    async fn led_regions(&self, each: &mut EachRegion<'_>) -> Result<(), PortError> {
        timeout(LED_REGIONS_LIMIT, self.read_led_regions(each)).await.unwrap_or_else(|_| {
            let text = format!("not all leaders answered within {} s", LED_REGIONS_LIMIT.as_secs());
            Err(self.unavailable("CheckPendingAdminOp", &text))
        })
    }

    async fn safe_ts(&self, region: RegionId) -> Result<Ts, PortError> {
        let call = format!("GetRegionReadProgress of region {region}");
        let mut client = DebugClient::new(self.channel.clone());
        let asked = client.get_region_read_progress(GetRegionReadProgressRequest { region_id: region.0 });
        let answer = match timeout(SAFE_TS_LIMIT, asked).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) if status.code() == Code::Unimplemented => {
                let text = format!("TiKV {}, {call}: it does not know the call", self.address);
                return Err(PortError::refused(Reason::VersionUnsupported, text));
            }
            Ok(Err(status)) => return Err(self.refused(&call, &status)),
            Err(_) => return Err(self.unavailable(&call, "no answer within 10 s")),
        };
        if !answer.error.is_empty() {
            return Err(self.unavailable(&call, &answer.error));
        }
        // A store without this region's read progress says 0 as well; both mean "ask again" (`facts/pd-tikv.md` §6.4).
        Ok(if answer.region_read_progress_exist { Ts(answer.safe_ts) } else { Ts::ZERO })
    }
}
