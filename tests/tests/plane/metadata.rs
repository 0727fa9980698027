//! What lies in S3: proved readable before anything is held, and not lost with one object.

use crate::{scenario, scripted::ScriptedCoordinator};
use shared::{
    reason::Reason,
    wire::{Aborted, Answer, CleanScope, Order},
};
use tests::world::WorldConfig;

#[test]
fn a_right_that_completing_needs_is_missed_before_anything_is_held() {
    scenario(WorldConfig::seeded(30), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.prepare().await;
        // Everything that Prepare does with S3 is allowed; only objects that are there cannot be read (kms:Decrypt).
        world.faults(|faults| faults.s3_unreadable = true);
        for answer in hand.all(|_| Order::Reserve).await {
            let Answer::Aborted(Aborted { cause: Some(cause) }) = answer else { panic!("{answer:?}") };
            assert_eq!(cause.reason, Reason::AccessDenied, "{cause}");
            assert!(cause.message.contains("s3:GetObject"), "{cause}");
        }
        let touched = world.mutations();
        assert_eq!((touched.pd_schedulers, touched.pd_safe_points, touched.tikv_leases), (0, 0, 0));
    });
}

#[test]
fn metadata_that_somebody_removed_is_written_again_by_the_process_that_knows_it() {
    scenario(WorldConfig::seeded(31), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.up_to_confirmed().await;
        hand.all(|_| Order::Release).await;
        assert!(world.remove_object("nightly-az2/clustermeta") && world.remove_object("nightly-az2/backup.lock"));
        let answers = hand.complete().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Completed(_))), "{answers:?}");
        assert!(world.objects().contains_key("nightly-az2/backup.lock"), "and the prefix is taken again");
        hand.clean(CleanScope::Backup).await;
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
    });
}

#[test]
fn a_process_that_restarted_needs_the_lock_that_says_the_backup_was_not_deleted() {
    scenario(WorldConfig::seeded(32), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        hand.up_to_confirmed().await;
        hand.all(|_| Order::Release).await;
        for plane in &mut hand.planes {
            plane.start(&world);
        }
        assert!(world.remove_object("nightly-az1/backup.lock"));
        let answers = hand.complete().await;
        let Answer::Refused(refusal) = &answers[0] else { panic!("{:?}", answers[0]) };
        assert_eq!(refusal.reason, Reason::StorageUnavailable);
        assert!(refusal.message.contains("put it back"), "{refusal}");
        assert!(matches!(answers[1], Answer::Completed(_)), "{:?}", answers[1]);
    });
}
