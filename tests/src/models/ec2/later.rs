//! What becomes of a snapshot that was there already, and what EC2 and EBS then do with it (`facts/aws.md` A13).

use super::{BLOCK_BYTES, Ec2, Home, Refusal, Snapshot};
use std::time::Duration;

/// A block that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockData {
    /// What comes.
    pub data: Vec<u8>,
    /// What the sum that comes with it was made of.
    pub summed: Vec<u8>,
}

impl Ec2 {
    /// DescribeSnapshotAttribute of createVolumePermission.
    ///
    /// # Errors
    /// There is no such snapshot.
    pub fn shared_with(&self, now: Duration, home: &Home, id: &str) -> Result<Vec<String>, Refusal> {
        Ok(self.visible(now, home, id)?.later.shared_with.clone())
    }

    /// Those of these that the Recycle Bin has.
    pub fn binned<'a>(&'a self, home: &'a Home, ids: &'a [String]) -> impl Iterator<Item = &'a String> {
        let binned =
            move |id: &&String| self.snapshots.get(*id).is_some_and(|one| &one.home == home && one.later.binned);
        ids.iter().filter(binned)
    }

    /// GetSnapshotBlock of a block that was listed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn block(&self, now: Duration, home: &Home, id: &str, index: u64) -> Result<BlockData, Refusal> {
        let snapshot = self.readable(now, home, id)?;
        if index >= snapshot.full_bytes.div_ceil(BLOCK_BYTES) {
            return Err(Refusal::new("ValidationException", "INVALID_BLOCK"));
        }
        let of = |seed: u64| vec![u8::try_from(seed % 251).unwrap_or_default(); BLOCK_BYTES as usize];
        let summed = of(index);
        let data = if snapshot.later.damaged { of(index + 1) } else { summed.clone() };
        Ok(BlockData { data, summed })
    }

    pub(super) fn readable(&self, now: Duration, home: &Home, id: &str) -> Result<&Snapshot, Refusal> {
        let found = self.visible(now, home, id);
        let found = found.map_err(|_| Refusal::new("ResourceNotFoundException", "SNAPSHOT_NOT_FOUND"))?;
        if found.state(now) != "completed" || found.later.archived {
            return Err(Refusal::new("ValidationException", "INVALID_SNAPSHOT_ID"));
        }
        if found.later.key.as_ref().is_some_and(|key| self.disabled_keys.contains(key)) {
            return Err(Refusal::new("ValidationException", "INVALID_CUSTOMER_KEY"));
        }
        Ok(found)
    }
}
