//! Cleaning: what is ours goes although a lock is missing, what is not is named, and nobody waits for it.

use crate::{
    scenario,
    scripted::{ScriptedCoordinator, attempt},
};
use shared::{
    epoch::Epoch,
    reason::Reason,
    wire::{Abort, Answer, Clean, CleanReport, CleanScope, Order, Prepare},
};
use tests::{
    by_order::member_spec,
    world::{Ec2Faults, Span, World, WorldConfig},
};

fn ec2(world: &World, plane: &str, change: impl FnOnce(&mut Ec2Faults)) {
    world.faults(|faults| change(faults.ec2.entry(plane.to_owned()).or_default()));
}

async fn complete(world: &World) -> ScriptedCoordinator {
    let mut hand = ScriptedCoordinator::new(world);
    hand.up_to_confirmed().await;
    hand.all(|_| Order::Release).await;
    hand.complete().await;
    hand
}

#[test]
fn without_a_lock_what_is_provably_ours_is_deleted() {
    scenario(WorldConfig::seeded(33), |world| async move {
        let mut hand = complete(&world).await;
        assert!(world.remove_object("nightly-az1/backup.lock"));
        let reports = hand.clean(CleanScope::Backup).await;
        assert!(reports.iter().all(|report| report.notes.is_empty()), "{reports:?}");
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
    });
}

#[test]
fn without_a_lock_what_may_be_somebody_elses_is_left_and_named() {
    scenario(WorldConfig::seeded(34), |world| async move {
        let mut hand = complete(&world).await;
        assert!(world.remove_object("nightly-az1/backup.lock"));
        let strangers = br#"{"tikv":{"stores":[{"volumes":[{"snapshot_id":"snap-0fff"}]}]}}"#;
        world.put_object("nightly-az1/backupmeta", strangers);
        let reports = hand.clean(CleanScope::Backup).await;
        let note = reports[0].notes.join("; ");
        assert!(note.contains("nightly-az1/backupmeta") && note.contains("There is no backup.lock"), "{note}");
        assert_eq!(world.objects()["nightly-az1/backupmeta"], strangers);
        assert_eq!(world.left_over().snapshots, 0, "found by their tags: {:?}", world.left_over().names);
    });
}

#[test]
fn a_snapshot_that_ec2_never_shows_is_deleted_by_its_id_and_named() {
    scenario(WorldConfig::seeded(35), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        hand.snapshot().await;
        ec2(&world, "az1", |faults| faults.never_shown = true);
        hand.all(|_| Order::Abort(Abort { reason: Reason::Cancelled })).await;
        let reports = hand.clean(CleanScope::Attempt).await;
        let stores = hand.prepared["az1"].stores.iter().map(|store| store.volumes.len()).sum::<usize>();
        assert_eq!(reports[0].notes.len(), stores, "{:?}", reports[0].notes);
        assert!(reports[0].notes[0].contains("never showed it; it was deleted by its id"), "{:?}", reports[0].notes);
        assert_eq!(world.left_over().total(), 0, "{:?}", world.left_over().names);
    });
}

#[test]
fn what_ec2_will_not_delete_is_told_apart_and_not_asked_for_again_at_once() {
    scenario(WorldConfig::seeded(36), |world| async move {
        let mut hand = complete(&world).await;
        ec2(&world, "az1", |faults| {
            faults.undeletable = Some(("OperationNotPermitted", "The snapshot is locked in compliance mode"));
        });
        let order =
            |hand: &ScriptedCoordinator| Order::Clean(Clean::of(member_spec(&hand.world, "az1"), CleanScope::Backup));
        let ask = async |hand: &mut ScriptedCoordinator| -> CleanReport {
            let clean = order(hand);
            hand.planes[0].say(clean).await;
            let Answer::Cleaned(cleaned) = hand.hear_first().await else { panic!("no report") };
            cleaned.report
        };
        let first = ask(&mut hand).await;
        assert!(first.left.iter().all(|line| line.contains("it is locked: it can go when its lock ends")), "{first:?}");
        let second = ask(&mut hand).await;
        assert!(second.left.iter().all(|line| line.contains("EC2 is asked again in")), "{second:?}");
        ec2(&world, "az1", |faults| faults.undeletable = None);
        hand.wait(std::time::Duration::from_secs(61)).await;
        assert_eq!(ask(&mut hand).await.left, Vec::<String>::new(), "the lock was lifted");
    });
}

#[test]
fn a_recycle_bin_that_goes_on_billing_is_named() {
    scenario(WorldConfig::seeded(37), |world| async move {
        let mut hand = complete(&world).await;
        ec2(&world, "az2", |faults| faults.recycles = true);
        let reports = hand.clean(CleanScope::Backup).await;
        assert_eq!(reports[0].notes, Vec::<String>::new());
        assert!(reports[1].notes[0].contains("the Recycle Bin keeps, and bills,"), "{:?}", reports[1].notes);
    });
}

#[test]
fn cleans_wait_in_a_queue_of_their_own_and_keep_no_backup_from_preparing() {
    let mut config = WorldConfig::seeded(38);
    config.ec2.describe = Span(4_000, 5_000);
    scenario(config, |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        let old = 40;
        for number in 100..100 + old {
            hand.turn_to(number, Epoch(3));
            let clean = Clean::of(member_spec(&world, "az1"), CleanScope::Attempt);
            hand.planes[0].say(Order::Clean(clean)).await;
        }
        hand.turn_to(1, Epoch(3));
        hand.planes[0].say(Order::Prepare(Prepare { round: 1, spec: member_spec(&world, "az1") })).await;
        let (mut cleaned, mut prepared_after) = (0, None);
        while cleaned < old || prepared_after.is_none() {
            match hand.hear_first().await {
                Answer::Cleaned(_) => cleaned += 1,
                Answer::Prepared(_) => prepared_after = Some(cleaned),
                other => panic!("{:?} after {cleaned} cleans: {other:?}", attempt(1)),
            }
        }
        assert!(prepared_after < Some(old / 2), "the backup waited for {prepared_after:?} of {old} cleans");
    });
}
