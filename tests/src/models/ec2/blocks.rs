//! EBS direct: which blocks a snapshot holds, and which differ from an earlier one's (`facts/aws.md` A6). A volume is
//! written from its first block on, and written over from its last one back: so the last blocks are what has changed.

use super::{Ec2, Home, Refusal, Snapshot};
use std::time::Duration;

/// Bytes of a block.
pub const BLOCK_BYTES: u64 = 512 * 1024;

/// One block of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Ascending.
    pub index: u64,
    /// The first snapshot has it.
    pub in_first: bool,
    /// The second snapshot, the one that is asked about, has it.
    pub in_second: bool,
}

/// One page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// May be empty although another follows: pages are cut by index, whether a block has changed or not.
    pub blocks: Vec<Block>,
    /// Index from which the next page goes on.
    pub next: Option<u64>,
}

fn blocks_of(snapshot: &Snapshot) -> u64 {
    snapshot.full_bytes.div_ceil(BLOCK_BYTES)
}

impl Ec2 {
    /// ListSnapshotBlocks without a first snapshot, else ListChangedBlocks: `size` indexes from `from` on.
    ///
    /// # Errors
    /// Whatever EBS direct refuses.
    pub fn block_page(
        &self,
        now: Duration,
        home: &Home,
        first: Option<&str>,
        second: &str,
        (from, size): (u64, u64),
    ) -> Result<Page, Refusal> {
        let this = self.readable(now, home, second)?;
        let before = first.map(|first| self.readable(now, home, first)).transpose()?;
        if before.is_some_and(|before| before.volume != this.volume) {
            return Err(Refusal::new("ValidationException", "UNRELATED_SNAPSHOTS"));
        }
        let (own, earlier) = (blocks_of(this), before.map_or(0, blocks_of));
        let written = before
            .map_or(own, |before| this.ever_written.saturating_sub(before.ever_written).div_ceil(BLOCK_BYTES).min(own));
        let end = own.max(earlier);
        let changed = (from..end.min(from.saturating_add(size))).filter_map(|index| {
            let block = Block { index, in_first: index < earlier, in_second: index < own };
            (index >= own - written).then_some(block)
        });
        let next = from.saturating_add(size);
        Ok(Page { blocks: changed.collect(), next: (next < end).then_some(next) })
    }
}
