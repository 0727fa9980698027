//! Blocks of snapshots, as EBS direct tells of them.

/// One page, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPage {
    /// How many; a page may be empty although another follows.
    pub blocks: u64,
    /// Bytes of each.
    pub block_bytes: u64,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
}

/// Blocks that may be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SomeBlocks {
    /// Ascending.
    pub blocks: Vec<BlockAt>,
    /// Token of the next page; `None`: this was the last.
    pub next: Option<String>,
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockAt {
    /// Its place in the volume, in blocks.
    pub index: u32,
    /// By which EBS knows it for a while.
    pub token: String,
}

/// One block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRead {
    /// How much came.
    pub bytes: u64,
    /// It has the sum that EBS told with it.
    pub matches: bool,
}
