//! What goes wrong in the middle: the backup is never Complete, says why, and leaves nothing.

use serde_json::Value;
use std::time::{Duration, Instant};
use tests::{
    processes::{
        backup::{Wish, why},
        leftovers::Leftovers,
        rig::Rig,
        site::SitePlan,
    },
    servers::{ec2::Fault, tikv::Mode},
};
use tokio::time::sleep;

/// A CreateSnapshots call that answers so late keeps every hold for a while: two renewals of a store's lease.
const HELD: Duration = Duration::from_secs(6);

/// From the fault to the outcome: a store's lease that nobody answers (10 s) and what planes do at once. A plane that is
/// not told to let go does so after 31 s by itself (`holds_end`), and the outcome waits for it.
const PROMPT: Duration = Duration::from_secs(25);

/// Until something that is sure to come has come.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_under_a_hold_is_never_complete() {
    let rig = Rig::start(&[SitePlan::shop()]).await.unwrap();
    // Cases follow each other faster than EC2 lets anybody snapshot a volume.
    rig.ec2.handle.rules(|rules| rules.volume_gap = Duration::ZERO);
    a_lease_that_lapses_and_is_taken_again(&rig).await;
    a_renewal_that_nobody_answers(&rig).await;
    a_volume_that_moves_after_it_was_prepared(&rig).await;
    a_volume_that_moves_under_the_hold(&rig).await;
    a_snapshot_that_ends_in_error(&rig).await;
    a_tikv_that_is_older_than_it_says(&rig).await;
    a_weaker_hold_that_was_allowed(&rig).await;
    a_plane_that_stops_answering(&rig).await;
    a_lost_reply_is_looked_up_and_costs_nothing(&rig).await;
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < SOON, "not {what} within {SOON:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Starts a backup and returns once all its CreateSnapshots calls are under way, one of which answers late.
async fn held(rig: &Rig, name: &str) -> Wish {
    let calls = rig.ec2.handle.count("CreateSnapshots") + rig.sites[0].stores().count() as u64;
    rig.ec2.handle.plan("CreateSnapshots", Fault::SlowReply(HELD), 1);
    let wish = Wish::of(&rig.sites[0], name);
    rig.apply_backup(&wish.manifest()).await.unwrap();
    until("all snapshots asked for", async || rig.ec2.handle.count("CreateSnapshots") >= calls).await;
    wish
}

/// The backup ends so; its holds and snapshots are gone by then, everything else once it is deleted.
async fn fails(rig: &Rig, name: &str, expected: &str, part: &str) {
    let begun = Instant::now();
    let status = rig.ended(name).await.unwrap();
    assert!(begun.elapsed() < PROMPT, "{name} ended {:?} after the fault: {status:#}", begun.elapsed());
    let (reason, message) = why(&status);
    assert_eq!((&status["phase"], reason.as_str()), (&Value::from("Failed"), expected), "{name}: {status:#}");
    assert!(message.contains(part), "{name}: {part:?} is not in {message:?}");
    assert!(status["certificate"].is_null() || expected == "SnapshotFailed", "{name}: {status:#}");
    let held = async || Leftovers { objects: Vec::new(), ..rig.traces().await.unwrap() };
    until("free of holds and snapshots", async || held().await == Leftovers::default()).await;
    rig.delete_backup(name).await.unwrap();
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default(), "{name}");
}

async fn a_lease_that_lapses_and_is_taken_again(rig: &Rig) {
    held(rig, "lapsed").await;
    let site = &rig.sites[0];
    // The next renewal takes it again at once, and must not count.
    site.tikv.expire_lease(site.stores_of(1)[0]);
    fails(rig, "lapsed", "StoreHoldLost", &format!("{}", site.stores_of(1)[0])).await;
}

async fn a_renewal_that_nobody_answers(rig: &Rig) {
    held(rig, "mute").await;
    let site = &rig.sites[0];
    let store = site.stores_of(0)[1];
    site.tikv.turn(store, |knobs| knobs.mute_renewals = true);
    fails(rig, "mute", "StoreHoldLost", &format!("{store}")).await;
    site.tikv.turn(store, |knobs| knobs.mute_renewals = false);
}

async fn a_volume_that_moves_after_it_was_prepared(rig: &Rig) {
    let site = &rig.sites[0];
    let slow = site.stores_of(1)[0];
    // Its lease is opened so late that the volume has moved before anybody asks for a snapshot.
    site.tikv.turn(slow, |knobs| knobs.renewal_delay = Duration::from_secs(2));
    let calls = rig.ec2.handle.count("CreateSnapshots");
    rig.apply_backup(&Wish::of(site, "moved").manifest()).await.unwrap();
    until("pausing PD", async || !rig.traces().await.unwrap().paused.is_empty()).await;
    let (volume, home) = (&site.parts[2].stores[0].raft, &site.parts[2].stores[0].instance);
    // On nobody's instance: one of ours would notice a volume too many, maybe before the volume's own plane notices.
    attach(rig, volume, "i-0000000000000dead");
    fails(rig, "moved", "VolumeMoved", volume).await;
    let made = rig.ec2.handle.count("CreateSnapshots") - calls;
    assert!(made < site.stores().count() as u64, "the moved volume's instance was asked for nothing");
    attach(rig, volume, home);
    site.tikv.turn(slow, |knobs| knobs.renewal_delay = Duration::ZERO);
}

async fn a_volume_that_moves_under_the_hold(rig: &Rig) {
    let site = &rig.sites[0];
    let (volume, home) = (&site.parts[2].stores[0].data, &site.parts[2].stores[0].instance);
    held(rig, "moved-late").await;
    attach(rig, volume, &site.parts[0].stores[0].instance);
    fails(rig, "moved-late", "VolumeMoved", volume).await;
    attach(rig, volume, home);
}

fn attach(rig: &Rig, volume: &str, instance: &str) {
    rig.ec2.handle.state(|state| {
        let attachment = state.ec2.volumes.get_mut(volume).and_then(|row| row.attachment.as_mut());
        attachment.expect("an attached volume").instance = instance.to_owned();
    });
}

async fn a_snapshot_that_ends_in_error(rig: &Rig) {
    let volume = &rig.sites[0].parts[1].stores[0].data;
    rig.ec2.handle.fail_snapshot_of(volume, "a disk of EC2 broke");
    rig.apply_backup(&Wish::of(&rig.sites[0], "error").manifest()).await.unwrap();
    fails(rig, "error", "SnapshotFailed", "a disk of EC2 broke").await;
}

async fn a_tikv_that_is_older_than_it_says(rig: &Rig) {
    let site = &rig.sites[0];
    let store = site.stores_of(2)[0];
    let calls = rig.ec2.handle.count("CreateSnapshots");
    site.tikv.turn(store, |knobs| knobs.mode = Mode::Old);
    rig.apply_backup(&Wish::of(site, "fork").manifest()).await.unwrap();
    fails(rig, "fork", "VersionUnsupported", &format!("{store}")).await;
    assert_eq!(rig.ec2.handle.count("CreateSnapshots"), calls, "no snapshot was asked for");
    site.tikv.turn(store, |knobs| knobs.mode = Mode::Normal);
}

/// The same store, and a user who accepts less than a proof.
async fn a_weaker_hold_that_was_allowed(rig: &Rig) {
    let site = &rig.sites[0];
    let store = site.stores_of(2)[0];
    site.tikv.turn(store, |knobs| knobs.mode = Mode::Old);
    let manifest = Wish::of(site, "weaker").manifest();
    rig.apply_backup(&format!("{manifest}  barrier:\n    allowWeakerHolds: true\n")).await.unwrap();
    let status = rig.ended("weaker").await.unwrap();
    assert_eq!((&status["phase"], &status["certificate"]["verdict"]), (&"Complete".into(), &"Weaker".into()));
    let conditions = status["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|row| row["reason"] == "StoresNotHeldInFull"), "{status:#}");
    let counters = site.tikv.counters(store);
    assert!(counters.import_stops >= 2 && counters.import_starts == 1, "suspended, confirmed, let go: {counters:?}");
    for other in site.tikv.stores().into_iter().filter(|other| *other != store) {
        assert_eq!(site.tikv.counters(other).import_stops, 0, "store {other} can be held in full");
    }
    rig.delete_backup("weaker").await.unwrap();
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
    site.tikv.turn(store, |knobs| knobs.mode = Mode::Normal);
}

/// A plane that hangs frees its stores by silence; when it goes on it has nothing to say but that it let go.
async fn a_plane_that_stops_answering(rig: &Rig) {
    let site = &rig.sites[0];
    held(rig, "hung").await;
    rig.programs().plane(1).signal("STOP").unwrap();
    let store = site.stores_of(1)[0];
    until("free by its own clock", async || !site.tikv.leased(store)).await;
    rig.programs().plane(1).signal("CONT").unwrap();
    let status = rig.ended("hung").await.unwrap();
    let (reason, message) = why(&status);
    let causes = ["PlaneLost", "PlaneLeaseExpired", "StoreHoldLost", "PlaneRestarted"];
    assert_eq!(status["phase"], "Failed", "{status:#}");
    assert!(causes.contains(&reason.as_str()), "{reason}: {message}");
    fails(rig, "hung", &reason, "").await;
}

async fn a_lost_reply_is_looked_up_and_costs_nothing(rig: &Rig) {
    let site = &rig.sites[0];
    rig.ec2.handle.plan("CreateSnapshots", Fault::LostReply, 1);
    rig.apply_backup(&Wish::of(site, "lost-reply").manifest()).await.unwrap();
    let status = rig.ended("lost-reply").await.unwrap();
    assert_eq!(status["phase"], "Complete", "{status:#}");
    assert_eq!(status["certificate"]["snapshots"], 2 * site.stores().count());
    rig.delete_backup("lost-reply").await.unwrap();
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
}
