//! The world of a restore is honest: played by hand, a certified backup becomes a sound bank, and each step that is left out or
//! done wrong shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod hand;
mod objects;
mod steps;
mod wrong;

use hand::{NAME, NAMESPACE, fresh, story, world};
use shared::ids::StoreId;
use tests::world::TargetCluster;

#[test]
fn a_certified_backup_becomes_a_sound_bank() {
    for (seed, target) in [
        (901, fresh()),
        (902, TargetCluster { clock_behind_ms: 3_600_000, ..fresh() }),
        (903, TargetCluster::with_static_class(NAMESPACE, NAME, "restored")),
    ] {
        story(world(seed), target, async |hand| {
            let flashback = hand.restore().await;
            assert_eq!(hand.differing(flashback).await, []);
            hand.finish().await;
            let restored = hand.audit();
            assert!(restored.sound(), "seed {seed}: {restored:#?}");
            assert!(restored.regions > 5 && restored.stores == 6, "seed {seed}: {restored:#?}");
        });
    }
}

/// Stores restart in the middle of elections and of the flashback; answers get lost; PD is away for a while.
#[test]
fn what_is_interrupted_goes_on_with_the_same_times() {
    story(world(910), fresh(), async |hand| {
        hand.world.faults(|faults| {
            faults.restart_at.insert((StoreId(2), "RecoverRegion".to_owned()), 1);
            faults.restart_at.insert((StoreId(3), "KvPrepareFlashbackToVersion".to_owned()), 2);
            faults.restart_at.insert((StoreId(4), "KvFlashbackToVersion".to_owned()), 1);
            faults.lost_replies.insert("KvFlashbackToVersion".to_owned(), 3);
            faults.lost_replies.insert("KvPrepareFlashbackToVersion".to_owned(), 2);
        });
        hand.world.alter_target(NAMESPACE, NAME, |cluster| cluster.end_in_flashback.insert(StoreId(5), 1));
        let flashback = hand.restore().await;
        assert_eq!(hand.differing(flashback).await, []);
        hand.finish().await;
        let restored = hand.audit();
        assert!(restored.sound(), "{restored:#?}");
    });
}
