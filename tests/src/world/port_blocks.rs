//! The double of EBS direct, behind [`Blocks`]: pages as the model cuts them.

use super::World;
use crate::models::ec2::BLOCK_BYTES;
use async_trait::async_trait;
use plane_actor::ports::{BlockPage, Blocks, CloudError};
use shared::ids::SnapshotId;

/// Blocks of a page: few, so that a small world has several.
const PAGE: u64 = 100;

pub(crate) struct BlocksDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
}

impl BlocksDouble {
    async fn list(
        &self,
        action: &'static str,
        first: Option<&SnapshotId>,
        second: &SnapshotId,
        page: Option<String>,
    ) -> Result<BlockPage, CloudError> {
        self.world.pause(self.world.with(|state| state.config.ec2.describe)).await;
        tokio::time::sleep(self.world.with(|state| state.ec2_faults(&self.plane).slow_blocks)).await;
        self.world.with(|state| {
            state.counters.ebs_lists += 1;
            if state.ec2_faults(&self.plane).blocks_denied {
                return Err(CloudError::Denied(format!("ebs:{action}: AccessDeniedException")));
            }
            state.admit(&self.plane, action)?;
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            let from = page.and_then(|page| page.parse().ok()).unwrap_or_default();
            let first = first.map(|first| first.0.as_str());
            let page = state.cloud.ec2.block_page(now, &home, first, &second.0, (from, PAGE));
            let page = page.map_err(|refusal| match refusal.code {
                "ResourceNotFoundException" => CloudError::NotFound(refusal.message),
                code => CloudError::Refused { code: code.to_owned(), message: refusal.message },
            })?;
            let blocks = page.blocks.iter().filter(|block| block.in_second).count() as u64;
            Ok(BlockPage { blocks, block_bytes: BLOCK_BYTES, next: page.next.map(|next| next.to_string()) })
        })
    }
}

#[async_trait]
impl Blocks for BlocksDouble {
    async fn changed(
        &self,
        first: &SnapshotId,
        second: &SnapshotId,
        page: Option<String>,
    ) -> Result<BlockPage, CloudError> {
        self.list("ListChangedBlocks", Some(first), second, page).await
    }

    async fn written(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<BlockPage, CloudError> {
        self.list("ListSnapshotBlocks", None, snapshot, page).await
    }
}
