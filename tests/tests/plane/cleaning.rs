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
    models::ec2::Guard,
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

/// Orders the first plane to clean; what it reports.
async fn report(hand: &mut ScriptedCoordinator, afresh: bool) -> CleanReport {
    let clean = Clean { afresh, ..Clean::of(member_spec(&hand.world, "az1"), CleanScope::Backup) };
    hand.planes[0].say(Order::Clean(clean)).await;
    // Nothing is live that would be renewed.
    match hand.planes[0].hear(false).await {
        Answer::Cleaned(cleaned) => cleaned.report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_needs_a_person_is_named_and_not_asked_for_again_at_once() {
    scenario(WorldConfig::seeded(36), |world| async move {
        let mut hand = complete(&world).await;
        world.guard_snapshots("az1", Some(Guard::Lock));
        let own = world.left_over().snapshots / 3;
        let first = report(&mut hand, false).await;
        let line = format!("and {} more: locked: it can go when its snapshot lock ends or is lifted", own - 3);
        assert!(first.left.len() == 1 && first.left[0].contains(&line), "{first:?}");
        assert!(first.needs_person && first.left[0].contains("account 111122223333, eu-west-1"), "{first:?}");
        let calls = world.mutations().ec2_delete_calls;
        let second = report(&mut hand, false).await;
        assert!(second.left[0].contains("EC2 is asked again in") && second.needs_person, "{second:?}");
        assert_eq!(world.mutations().ec2_delete_calls, calls, "asked again at once");
        // A new session, or a person: what was in the way may be gone.
        assert!(report(&mut hand, true).await.left[0].contains("locked"));
        assert_eq!(world.mutations().ec2_delete_calls, calls + own);
        world.guard_snapshots("az1", None);
        assert!(report(&mut hand, false).await.left[0].contains("EC2 is asked again in"));
        hand.wait(std::time::Duration::from_secs(61)).await;
        assert_eq!(report(&mut hand, false).await.left, Vec::<String>::new(), "the lock was lifted");
    });
}

/// EC2 throttles, and nothing of it needs a person: the report says so, and what is gone is gone.
#[test]
fn what_passes_and_what_needs_a_person_are_told_apart_in_one_report() {
    scenario(WorldConfig::seeded(39), |world| async move {
        let mut hand = complete(&world).await;
        ec2(&world, "az1", |faults| faults.no_deletes = true);
        let denied = report(&mut hand, false).await;
        assert!(
            denied.needs_person && denied.left[0].contains("give the role of this backup ec2:DeleteSnapshot"),
            "{denied:?}"
        );
        ec2(&world, "az1", |faults| (faults.no_deletes, faults.throttled_deletes) = (false, true));
        let throttled = report(&mut hand, true).await;
        assert!(!throttled.needs_person && throttled.left[0].contains("EC2 throttles"), "{throttled:?}");
        ec2(&world, "az1", |faults| faults.throttled_deletes = false);
        let last = report(&mut hand, false).await;
        assert_eq!((last.left, last.needs_person), (Vec::new(), false));
    });
}

/// What is denied for some is denied for all: hundreds of calls would only tell it again.
#[test]
fn a_denial_is_not_heard_for_every_snapshot() {
    scenario(WorldConfig::seeded(41), |world| async move {
        let mut hand = complete(&world).await;
        world.multiply_snapshots(19);
        ec2(&world, "az1", |faults| faults.no_deletes = true);
        let all = world.left_over().snapshots / 3;
        let denied = report(&mut hand, false).await;
        assert!(denied.left[0].contains(&format!("and {} more: not allowed", all - 3)), "{denied:?}");
        let calls = world.mutations().ec2_delete_calls;
        assert!(calls < 30 && calls < all, "{calls} of {all} were asked for");
    });
}

/// A call may take seconds; one after the other they would stay far below what the user and EC2 allow.
#[test]
fn several_deletions_are_in_flight() {
    let mut config = WorldConfig::seeded(40);
    config.ec2.delete = Span(3_000, 3_000);
    scenario(config, |world| async move {
        let mut hand = complete(&world).await;
        world.multiply_snapshots(9);
        let all = world.left_over().snapshots / 3;
        let begun = tokio::time::Instant::now();
        let report = report(&mut hand, false).await;
        assert_eq!((report.snapshots, report.left), (all, Vec::new()));
        // `snapshotsDeleteRatio` of one a second, a group of ten at once.
        let (took, least) = (begun.elapsed().as_secs(), all - 10);
        assert!((least..least + 10).contains(&took), "{all} snapshots took {took} s");
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
