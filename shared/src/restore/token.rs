//! By which ClientToken a volume is made: EC2 makes one volume of a token, however often it is asked (`facts/restore.md` §5.1).
//! So a process that knows nothing of an earlier call asks with the same token again.

use crate::ids::{PlaneId, SnapshotId};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

/// What one CreateVolume is for. Nothing of it changes while a restore lives; in particular no epoch is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeCall<'a> {
    /// `metadata.uid` of the VolumeRestore.
    pub restore: &'a str,
    /// Counts from 1 within the restore: volumes of an attempt that was undone are none of the next one's.
    pub attempt: u32,
    /// Where the volume goes.
    pub plane: &'a PlaneId,
    /// Of which it is made.
    pub snapshot: &'a SnapshotId,
    /// Counts from 1: a volume that ended in `error` is made once more, and its own token would name it for ever.
    pub nth: u32,
}

impl VolumeCall<'_> {
    /// 43 of the 64 ASCII characters that there may be. Never changes: another version must know what this one has asked for.
    ///
    /// 128 bits of SipHash are enough, because who could choose two snapshots of one token could as well delete them; a
    /// cryptographic hash would be a dependency for nothing.
    #[must_use]
    pub fn token(&self) -> String {
        let mut hasher = SipHasher24::new();
        for text in [self.restore, self.plane.as_str(), self.snapshot.as_str()] {
            hasher.write(text.as_bytes());
            hasher.write(&[0]);
        }
        hasher.write(&self.attempt.to_le_bytes());
        hasher.write(&self.nth.to_le_bytes());
        format!("isochron-v-{:032x}", hasher.finish128().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of(restore: &str, attempt: u32, plane: &str, snapshot: &str, nth: u32) -> String {
        let (plane, snapshot) = (PlaneId::new(plane), SnapshotId::new(snapshot));
        VolumeCall { restore, attempt, plane: &plane, snapshot: &snapshot, nth }.token()
    }

    #[test]
    fn every_call_has_its_own_and_it_never_changes() {
        assert_eq!(
            of("0b2e8f4a-6f0e-4f2b-9a7e-0d8f3a1c5b6d", 1, "az1", "snap-0a", 1),
            "isochron-v-4ff4064450617f6dfd4e3dfb896af030"
        );
        let all = [
            of("u", 1, "az1", "snap-0a", 1),
            of("u", 1, "az1", "snap-0a", 2),
            of("u", 2, "az1", "snap-0a", 1),
            of("u", 1, "az1", "snap-0b", 1),
            of("u", 1, "az2", "snap-0a", 1),
            of("v", 1, "az1", "snap-0a", 1),
            of("ua", 1, "z1", "snap-0a", 1),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
        assert!(all.iter().all(|token| token.len() <= 64 && token.is_ascii()), "{all:?}");
    }
}
