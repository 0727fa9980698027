//! The port [`Blocks`] on aws-sdk-ebs. What is in a block is added up and let go; nothing of it is kept or told.

use super::errors::{cloud_error, unreadable};
use crate::ports::{BlockAt, BlockPage, BlockRead, Blocks, CloudError, SomeBlocks};
use async_trait::async_trait;
use aws_sdk_ebs::{Client, types::ChecksumAlgorithm};
use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};
use shared::ids::SnapshotId;

/// EBS's largest page (`facts/aws.md` A6).
const PAGE: i32 = 10_000;
/// EBS's smallest page.
const SMALL_PAGE: i32 = 100;
const READ: &str = "ebs:GetSnapshotBlock";

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

    async fn some_blocks(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<SomeBlocks, CloudError> {
        let asked = self.client.list_snapshot_blocks().snapshot_id(&snapshot.0);
        let answer = asked.max_results(SMALL_PAGE).set_next_token(page).send().await;
        let answer = answer.map_err(|error| cloud_error("ebs:ListSnapshotBlocks", &error))?;
        let blocks = answer.blocks().iter().filter_map(|block| {
            let index = u32::try_from(block.block_index()?).ok()?;
            Some(BlockAt { index, token: block.block_token()?.to_owned() })
        });
        let next = answer.next_token().filter(|next| !next.is_empty()).map(str::to_owned);
        Ok(SomeBlocks { blocks: blocks.collect(), next })
    }

    async fn read(&self, snapshot: &SnapshotId, block: &BlockAt) -> Result<BlockRead, CloudError> {
        let index = i32::try_from(block.index).map_err(|_| unreadable(READ, "a block beyond any volume"))?;
        let asked = self.client.get_snapshot_block().snapshot_id(&snapshot.0);
        let answer = asked.block_index(index).block_token(&block.token).send().await;
        let answer = answer.map_err(|error| cloud_error(READ, &error))?;
        if answer.checksum_algorithm() != Some(&ChecksumAlgorithm::ChecksumAlgorithmSha256) {
            return Err(unreadable(READ, "no sum, or one of another kind than SHA256"));
        }
        let told = answer.checksum().unwrap_or_default().to_owned();
        let data = answer.block_data.collect().await;
        let data = data.map_err(|error| CloudError::OutcomeUnknown(format!("{READ}: {error}")))?.into_bytes();
        let sum = BASE64_STANDARD.encode(Sha256::digest(&data));
        Ok(BlockRead { bytes: data.len() as u64, matches: sum == told })
    }
}
