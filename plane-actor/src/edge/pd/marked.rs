//! [`Marked`] for a real PD: the mark, the allocator of ids and the clock (`facts/restore.md` §3.2). All of it works before PD is
//! bootstrapped.

use super::{
    client::tso,
    leader::{Fail, Leader, Leaders, header_fail, status_fail},
};
use crate::{
    edge::proto::pdpb::{AllocIdRequest, IsBootstrappedRequest, IsSnapshotRecoveringRequest},
    ports::{Marked, MarkedConnect, PdEndpoint, PortError},
};
use async_trait::async_trait;
use http::{Method, StatusCode};
use serde_json::json;
use shared::{ids::ClusterId, reason::Reason, ts::Ts};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const MARK: &str = "/admin/cluster/markers/snapshot-recovering";

/// Setting where the allocator goes on; well below the limit of one attempt, so that what was sent and not answered is never sent
/// again by itself.
const BASE_LIMIT: Duration = Duration::from_secs(5);

/// Makes clients of the PD of a cluster that is being restored.
#[derive(Clone, Copy, Debug, Default)]
pub struct MarkedConnector;

#[async_trait]
impl MarkedConnect for MarkedConnector {
    async fn connect(&self, endpoint: &PdEndpoint) -> Result<Arc<dyn Marked>, PortError> {
        Ok(Arc::new(MarkedClient { leaders: Leaders::connect(endpoint).await? }))
    }
}

struct MarkedClient {
    leaders: Leaders,
}

/// As TiKV asks it when it starts.
async fn is_marked(leader: Leader) -> Result<bool, Fail> {
    let request = IsSnapshotRecoveringRequest { header: leader.header() };
    let answer = leader.grpc().is_snapshot_recovering(request).await.map_err(|s| status_fail(&s))?.into_inner();
    header_fail(answer.header.as_ref())?;
    Ok(answer.marked)
}

async fn is_bootstrapped(leader: Leader) -> Result<bool, Fail> {
    let request = IsBootstrappedRequest { header: leader.header() };
    let answer = leader.grpc().is_bootstrapped(request).await.map_err(|s| status_fail(&s))?.into_inner();
    header_fail(answer.header.as_ref())?;
    Ok(answer.bootstrapped)
}

async fn alloc_id(leader: Leader) -> Result<u64, Fail> {
    let request = AllocIdRequest { header: leader.header() };
    let answer = leader.grpc().alloc_id(request).await.map_err(|s| status_fail(&s))?.into_inner();
    header_fail(answer.header.as_ref())?;
    Ok(answer.id)
}

/// What PD refuses in words of its own is not asked again.
async fn post(leader: &Leader, path: &str, body: String) -> Result<(), Fail> {
    let answer = leader.exchange(Method::POST, path, body).await?;
    if answer.status.is_success() {
        return Ok(());
    }
    let text = format!("POST {path} at {} answered {}: {}", leader.url, answer.status, answer.excerpt());
    match answer.status {
        StatusCode::FORBIDDEN => Err(Fail::Final(PortError::refused(Reason::PdUnavailable, text))),
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Err(Fail::Final(PortError::Unavailable(text))),
        _ => Err(Fail::Again(text)),
    }
}

/// One try only: it sets and does not raise, so that a second one takes back what was handed out since the first. Whoever asked finds
/// out where the allocator stands, and then asks again.
async fn set_base(leader: Leader, base: u64) -> Result<(), Fail> {
    let body = json!({ "id": base.to_string() }).to_string();
    match timeout(BASE_LIMIT, post(&leader, "/admin/base-alloc-id", body)).await {
        Ok(Err(Fail::Again(text))) => Err(Fail::Final(PortError::Unavailable(text))),
        Ok(answer) => answer,
        Err(_) => {
            let text = format!("POST /admin/base-alloc-id at {} was not answered within 5 s", leader.url);
            Err(Fail::Final(PortError::Unavailable(text)))
        }
    }
}

#[async_trait]
impl Marked for MarkedClient {
    async fn cluster(&self) -> Result<ClusterId, PortError> {
        Ok(self.leaders.cluster())
    }

    async fn is_bootstrapped(&self) -> Result<bool, PortError> {
        self.leaders.call("whether it is bootstrapped", is_bootstrapped).await
    }

    async fn is_marked(&self) -> Result<bool, PortError> {
        self.leaders.call("the mark of a restore", is_marked).await
    }

    async fn mark(&self) -> Result<(), PortError> {
        let question = |leader: Leader| async move { post(&leader, MARK, String::new()).await };
        self.leaders.call("setting the mark of a restore", question).await
    }

    async fn unmark(&self) -> Result<(), PortError> {
        let question = |leader: Leader| async move { leader.ask(Method::DELETE, MARK, String::new()).await };
        self.leaders.call("taking the mark of a restore away", question).await.map(drop)
    }

    async fn alloc_id(&self) -> Result<u64, PortError> {
        self.leaders.call("an id", alloc_id).await
    }

    async fn set_base_alloc_id(&self, base: u64) -> Result<(), PortError> {
        self.leaders.call("where ids go on", |leader| set_base(leader, base)).await
    }

    async fn reset_ts(&self, at: Ts) -> Result<(), PortError> {
        // 64 bits, so a string; with force-use-larger PD takes the larger of this and its own.
        let body = json!({ "tso": at.to_string(), "force-use-larger": true }).to_string();
        let question = |leader: Leader| {
            let body = body.clone();
            async move { post(&leader, "/admin/reset-ts", body).await }
        };
        self.leaders.call("moving the clock on", question).await
    }

    async fn now(&self) -> Result<Ts, PortError> {
        self.leaders.call("TSO", |leader| async move { tso(&leader).await }).await
    }
}
