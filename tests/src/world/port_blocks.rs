//! The double of EBS direct, behind [`Blocks`]: pages as the model cuts them.

use super::{World, engine::State};
use crate::models::ec2::{BLOCK_BYTES, Block, BlockData, Refusal};
use async_trait::async_trait;
use plane_actor::ports::{BlockAt, BlockPage, BlockRead, Blocks, CloudError, SomeBlocks};
use shared::ids::SnapshotId;

/// Blocks of a page: few, so that a small world has several.
const PAGE: u64 = 100;

pub(crate) struct BlocksDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
}

/// How many of them somebody asks for who wants to read some.
const SOME: u64 = 100;

/// As the edge reads EBS's codes.
fn refused(refusal: Refusal) -> CloudError {
    match refusal.code {
        "ResourceNotFoundException" => CloudError::NotFound(refusal.message),
        code => CloudError::Refused { code: code.to_owned(), message: refusal.message },
    }
}

impl BlocksDouble {
    /// One call of EBS direct.
    async fn call<T: Send>(
        &self,
        action: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, Refusal> + Send,
    ) -> Result<T, CloudError> {
        let number = self.world.with(|state| state.calls.called(&self.plane, action));
        self.world.pause(self.world.with(|state| state.config.ec2.describe)).await;
        tokio::time::sleep(self.world.with(|state| state.ec2_faults(&self.plane).slow_blocks)).await;
        self.world.with(|state| {
            if state.ec2_faults(&self.plane).blocks_denied {
                return Err(CloudError::Denied(format!("ebs:{action}: AccessDeniedException")));
            }
            let answer = state.admit(&self.plane, action).and_then(|()| act(state).map_err(refused));
            state.calls.replied(&self.plane, number, answer)
        })
    }

    async fn list(
        &self,
        action: &'static str,
        first: Option<&SnapshotId>,
        second: &SnapshotId,
        page: Option<String>,
    ) -> Result<BlockPage, CloudError> {
        self.call(action, |state| {
            state.counters.ebs_lists += 1;
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            let from = page.and_then(|page| page.parse().ok()).unwrap_or_default();
            let first = first.map(|first| first.0.as_str());
            let page = state.cloud.ec2.block_page(now, &home, first, &second.0, (from, PAGE))?;
            let blocks = page.blocks.iter().filter(|block| block.in_second).count() as u64;
            Ok(BlockPage { blocks, block_bytes: BLOCK_BYTES, next: page.next.map(|next| next.to_string()) })
        })
        .await
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

    async fn some_blocks(&self, snapshot: &SnapshotId, page: Option<String>) -> Result<SomeBlocks, CloudError> {
        self.call("ListSnapshotBlocks", |state| {
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            let from = page.and_then(|page| page.parse().ok()).unwrap_or_default();
            let page = state.cloud.ec2.block_page(now, &home, None, &snapshot.0, (from, SOME))?;
            let at =
                |block: &Block| Some(BlockAt { index: u32::try_from(block.index).ok()?, token: "AAAB".to_owned() });
            let blocks = page.blocks.iter().filter_map(at).collect();
            Ok(SomeBlocks { blocks, next: page.next.map(|next| next.to_string()) })
        })
        .await
    }

    async fn read(&self, snapshot: &SnapshotId, block: &BlockAt) -> Result<BlockRead, CloudError> {
        self.call("GetSnapshotBlock", |state| {
            let (now, home) = (state.moment(), state.home_of(&self.plane));
            let BlockData { data, summed } = state.cloud.ec2.block(now, &home, &snapshot.0, block.index.into())?;
            Ok(BlockRead { bytes: data.len() as u64, matches: data == summed })
        })
        .await
    }
}
