//! Which of the volumes that are there already is the one that is wished for.

use super::{Wish, WishedVolume};
use crate::ports::{VolumeInfo, VolumeState};
use shared::restore::tags;

/// The best of those that this very attempt made of the snapshot in the zone: one that can be used comes before one that cannot,
/// a later one before an earlier, and of two alike that of the lesser id, so that every look chooses the same.
pub(super) fn choose<'a>(found: &'a [VolumeInfo], wish: &Wish<'_>, one: &WishedVolume) -> Option<&'a VolumeInfo> {
    let attempt = wish.attempt.to_string();
    let of = |info: &&VolumeInfo| {
        info.snapshot.as_ref() == Some(&one.call.snapshot)
            && info.zone == one.call.zone
            && tag(info, tags::ATTEMPT) == Some(attempt.as_str())
    };
    let rank = |info: &&VolumeInfo| (usable(info.state), nth(info), std::cmp::Reverse(info.volume.clone()));
    found.iter().filter(of).max_by_key(rank)
}

/// How many times it had been made, by its tag.
pub(super) fn nth(info: &VolumeInfo) -> u32 {
    tag(info, tags::NTH).and_then(|nth| nth.parse().ok()).unwrap_or(1)
}

/// It is there, or on its way.
fn usable(state: VolumeState) -> bool {
    match state {
        VolumeState::Creating | VolumeState::Available | VolumeState::InUse | VolumeState::Unknown => true,
        VolumeState::Deleting | VolumeState::Deleted | VolumeState::Error => false,
    }
}

fn tag<'a>(info: &'a VolumeInfo, key: &str) -> Option<&'a str> {
    info.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::CreateVolume;
    use shared::{
        ids::{SnapshotId, VolumeId},
        wire::VolumeKind,
    };
    use std::time::Duration;

    fn info(id: &str, state: VolumeState, attempt: u32, nth: u32) -> VolumeInfo {
        VolumeInfo {
            volume: VolumeId::new(id),
            snapshot: Some(SnapshotId::new("snap-a")),
            zone: "z".to_owned(),
            state,
            created: None,
            gib: 1,
            kind: VolumeKind { name: "gp3".to_owned(), iops: None, throughput: None },
            instance: None,
            tags: tags::numbered(&[], attempt, nth),
        }
    }

    #[test]
    fn what_can_be_used_is_taken_and_every_look_takes_the_same() {
        let call = CreateVolume {
            snapshot: SnapshotId::new("snap-a"),
            zone: "z".to_owned(),
            kind: VolumeKind { name: "gp3".to_owned(), iops: None, throughput: None },
            rate: None,
        };
        let one = WishedVolume { call, tags: Vec::new() };
        let wish = Wish { restore: "u", attempt: 2, volumes: &[], limit: Duration::ZERO };
        let chosen = |found: &[VolumeInfo]| choose(found, &wish, &one).map(|info| info.volume.0.clone());
        let (error, there) = (info("vol-e", VolumeState::Error, 2, 2), info("vol-t", VolumeState::Available, 2, 1));
        assert_eq!(chosen(&[error.clone(), there.clone()]).as_deref(), Some("vol-t"));
        assert_eq!(chosen(&[error.clone(), info("vol-d", VolumeState::Deleting, 2, 1)]).as_deref(), Some("vol-e"));
        let pair = [there.clone(), info("vol-a", VolumeState::Available, 2, 1)];
        assert_eq!(chosen(&pair).as_deref(), Some("vol-a"), "of two alike the lesser id");
        assert_eq!(chosen(&[there.clone(), info("vol-z", VolumeState::Creating, 2, 2)]).as_deref(), Some("vol-z"));
        let elsewhere = VolumeInfo { zone: "y".to_owned(), ..there.clone() };
        let other = VolumeInfo { snapshot: Some(SnapshotId::new("snap-b")), ..there };
        let earlier = info("vol-1", VolumeState::Available, 1, 1);
        assert_eq!(chosen(&[elsewhere, other, earlier]), None, "none of these is this attempt's");
    }
}
