//! The port [`Blocks`] on aws-sdk-ebs. Only lists are asked for; what is in a block is never read.

use super::errors::cloud_error;
use crate::ports::{BlockPage, Blocks, CloudError};
use async_trait::async_trait;
use aws_sdk_ebs::Client;
use shared::ids::SnapshotId;

/// EBS's largest page (`facts/aws.md` A6).
const PAGE: i32 = 10_000;

/// What EBS counts in where an answer does not say it.
const BLOCK_BYTES: u64 = 512 * 1024;

/// EBS direct of one identity and Region.
pub(crate) struct EbsEdge {
    client: Client,
}

impl EbsEdge {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }
}

fn counted(blocks: usize, block_bytes: Option<i32>, next: Option<&str>) -> BlockPage {
    let block_bytes = block_bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    BlockPage {
        blocks: blocks as u64,
        block_bytes: block_bytes.unwrap_or(BLOCK_BYTES),
        next: next.filter(|next| !next.is_empty()).map(str::to_owned),
    }
}

#[async_trait]
impl Blocks for EbsEdge {
    async fn changed(
        &self,
        first: &SnapshotId,
        second: &SnapshotId,
        page: Option<String>,
    ) -> Result<BlockPage, CloudError> {
        let asked = self.client.list_changed_blocks().first_snapshot_id(&first.0).second_snapshot_id(&second.0);
        let answer = asked.max_results(PAGE).set_next_token(page).send().await;
        let answer = answer.map_err(|error| cloud_error("ebs:ListChangedBlocks", &error))?;
        // Without a second token it is a block of the first snapshot alone.
        let blocks = answer.changed_blocks().iter().filter(|block| block.second_block_token().is_some()).count();
        Ok(counted(blocks, answer.block_size(), answer.next_token()))
    }

    async fn written(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<BlockPage, CloudError> {
        let asked = self.client.list_snapshot_blocks().snapshot_id(&snapshot.0);
        let answer = asked.max_results(PAGE).set_next_token(page).send().await;
        let answer = answer.map_err(|error| cloud_error("ebs:ListSnapshotBlocks", &error))?;
        Ok(counted(answer.blocks().len(), answer.block_size(), answer.next_token()))
    }
}
