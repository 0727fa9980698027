//! `console why` against what was injected: the cause that it names is the one that was planted, it names who is at fault, and
//! its clock is the one that runs.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use serde_json::{Value, json};
use shared::barrier::Milestone;
use std::{rc::Rc, time::Duration};
use tests::rig::{KEY, Rig};

/// Between two looks. No step of a slow world is shorter.
const LOOK: Duration = Duration::from_millis(2);

async fn why(rig: &Rig) -> Value {
    rig.ask(&json!({"ask": "why", "name": "backup"})).await.expect("an answer in time")["ok"].clone()
}

/// Asks until it is at this step.
async fn at_step(rig: &Rig, step: &str) -> Value {
    let seen = async {
        loop {
            let told = why(rig).await;
            if told["step"] == step {
                return told;
            }
            assert!(!matches!(told["step"].as_str(), Some("Complete" | "Failed")), "{step} was never seen: {told:#}");
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LIMIT, seen).await.unwrap_or_else(|_| panic!("never at {step}"))
}

fn text<'a>(told: &'a Value, field: &str) -> &'a str {
    told[field].as_str().unwrap_or_default()
}

/// After the end: the reason, whom the message names, and what to do about it.
async fn blames(rig: &Rig, fault: &str, reasons: &[&str], culprit: &str) {
    assert_eq!(rig.ended(LIMIT).await, "Failed", "{fault}");
    let told = why(rig).await;
    assert!(reasons.contains(&text(&told, "reason")), "{fault}: {told:#}");
    assert!(text(&told, "message").contains(culprit), "{fault}: {culprit} is not named: {told:#}");
    let reason = shared::reason::Reason::ALL.iter().find(|reason| reason.as_str() == text(&told, "reason")).unwrap();
    assert!(text(&told, "action").starts_with(reason.action()), "{fault}: {told:#}");
    let (record, message) = rig.failure();
    assert_eq!((text(&told, "reason"), text(&told, "message")), (record.as_str(), message.as_str()), "{fault}");
}

/// Breaks something under the hold, and names whom.
fn under_the_hold(seed: u64, fault: &str, reasons: &[&str], inject: impl Fn(&Rig) -> String) {
    story(slow(world(seed)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let culprit = inject(&rig);
        blames(&rig, fault, reasons, &culprit).await;
        nothing_left(&rig).await;
    });
}

/// The nth store, and how messages call it.
fn store(rig: &Rig, nth: usize) -> (shared::ids::StoreId, String) {
    let store = rig.world.stores()[nth].0;
    (store, format!("store {store}"))
}

#[test]
fn a_hold_that_broke_is_laid_to_its_store() {
    let lost = ["StoreHoldLost", "StoreHeldByOther"];
    under_the_hold(740, "a store restarts", &lost, |rig| {
        let (store, name) = store(rig, 1);
        rig.world.restart_store(store, Duration::from_secs(1));
        name
    });
    under_the_hold(741, "another client takes the hold over", &lost, |rig| {
        let (store, name) = store(rig, 2);
        rig.world.take_over_hold(store, Some(10));
        name
    });
    under_the_hold(742, "another client ends it", &lost, |rig| {
        let (store, name) = store(rig, 3);
        rig.world.finish_by_other(store);
        name
    });
    under_the_hold(743, "renewals are lost", &lost, |rig| {
        let (store, name) = store(rig, 0);
        rig.world.faults(|f| f.drop_renewals.extend([store]));
        name
    });
    under_the_hold(744, "answers to renewals are lost", &lost, |rig| {
        let (store, name) = store(rig, 4);
        rig.world.faults(|f| f.drop_answers.extend([store]));
        name
    });
}

/// What is broken before the backup begins, or before it comes to it.
fn before(seed: u64, fault: &str, reasons: &[&str], culprit: &str, inject: impl Fn(&Rig)) {
    story(world(seed), async |rig: Rc<Rig>| {
        inject(&rig);
        rig.control.apply(&rig.manifest("")).unwrap();
        blames(&rig, fault, reasons, culprit).await;
        nothing_left(&rig).await;
    });
}

#[test]
fn what_pd_tikv_ec2_and_the_plane_refuse_is_laid_to_them() {
    before(750, "PD refuses the safe point", &["SafePointRefused"], "az1", |rig| {
        rig.world.faults(|f| f.refuse_safe_point = true);
    });
    before(
        751,
        "a region never has a safe_ts",
        &["SettleTimedOut", "SafeTsStuck", "CoverageUnstable"],
        "region",
        |rig| {
            rig.world.faults(|f| f.zero_safe_ts = true);
            rig.world.fresh_split();
        },
    );
    before(752, "a snapshot ends in error", &["SnapshotFailed"], "az1", |rig| {
        rig.world.faults(|f| f.ec2.entry("az1".to_owned()).or_default().error_sets = 1);
    });
    before(753, "a plane cannot save", &["LedgerLost"], "az2", |rig| {
        rig.world.faults(|f| assert!(f.ledger_down.insert("az2".into())));
        // So that its part can be let go in the end.
        let world = rig.world.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_secs(90)).await;
            world.faults(|f| assert!(f.ledger_down.remove("az2")));
        });
    });
    before(754, "EC2 allows nothing", &["AccessDenied"], "az3", |rig| {
        rig.world.faults(|f| f.ec2.entry("az3".to_owned()).or_default().denied = true);
    });
    story(world(755), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        let (moved, plane) = rig.world.stores()[1].clone();
        rig.world.faults(|f| f.moved_volume.extend([moved]));
        blames(&rig, "a volume moved", &["VolumeMoved"], &plane).await;
        nothing_left(&rig).await;
    });
}

#[test]
fn who_ended_it_is_told_as_the_cause() {
    under_the_hold(760, "a person cancels", &["Cancelled"], |rig| {
        rig.control.annotate(KEY, "isochron.pingcap.com/cancel", "true");
        String::new()
    });
}

/// What `why` says from one look to the next: a clock that is shown runs as time does, and nothing is over before the one that
/// was shown last.
struct Clocks {
    last: Option<(String, u64, tokio::time::Instant)>,
}

/// Between two looks at clocks.
const CLOCK_LOOK: Duration = Duration::from_millis(250);

impl Clocks {
    /// Its name and what is left, in milliseconds.
    fn look(&mut self, told: &Value, step: &str) -> (String, u64) {
        let now = tokio::time::Instant::now();
        let name = told["clock"]["name"].as_str().unwrap_or_default().to_owned();
        let left = told["clock"]["left_ms"].as_u64().unwrap_or_default();
        if let Some((before, was, at)) = self.last.take().filter(|(before, ..)| *before == name) {
            let passed = u64::try_from((now - at).as_millis()).unwrap();
            assert!(was.abs_diff(left + passed) <= 5, "{step}, clock {before}: {was} - {passed} is not {left}");
        }
        self.last = Some((name.clone(), left, now));
        (name, left)
    }
}

/// In each step that a clock ends a plane is cut off: who is waited for is that plane, whatever the step; the clock that is
/// shown is the one of the step, or the plane's own lease where that is shorter, and runs as time does; and the attempt ends
/// by it, not before and not after.
#[test]
fn in_every_step_the_plane_that_is_away_is_named_beside_the_true_clock() {
    let steps = [
        ("Preparing", "Prepare"),
        ("Reserving", "Prepare"),
        ("Settling", "Settle"),
        ("Suspending", "Reach"),
        ("Covering", "Reach"),
        ("Snapshotting", "Hold"),
        ("Confirming", "Hold"),
    ];
    for (number, (step, clock)) in (0..).zip(steps) {
        story(slow(world(770 + number)), async |rig: Rc<Rig>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            at_step(&rig, step).await;
            rig.net.cut("az2");
            let mut clocks = Clocks { last: None };
            let (mut named, mut left) = (0, 0);
            loop {
                let told = why(&rig).await;
                if matches!(text(&told, "step"), "Failed" | "Aborting") {
                    break;
                }
                let name;
                (name, left) = clocks.look(&told, step);
                if text(&told, "step") == step && text(&told, "waitingFor").contains("az2") {
                    named += 1;
                    let ends_it = [clock, "Connect", "PlaneLost"].contains(&name.as_str());
                    assert!(ends_it, "{step} runs by {clock}: {told:#}");
                }
                tokio::time::sleep(CLOCK_LOOK).await;
            }
            assert!(named > 0, "{step}: nobody said that az2 is waited for");
            assert!(left <= 300, "{step}: it ended {left} ms before the clock that was shown");
            assert_eq!(rig.ended(LIMIT).await, "Failed", "{step}");
            let told = why(&rig).await;
            assert!(text(&told, "message").contains("az2"), "{step}: {told:#}");
            rig.net.heal("az2");
            nothing_left(&rig).await;
        });
    }
}

/// While everything is let go nobody decides any more: `why` names the plane that has not said so, and the moment from which
/// on nothing is held there whatever it says.
#[test]
fn a_release_that_is_not_answered_is_laid_to_its_plane_until_its_holds_have_ended() {
    story(slow(world(780)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at_step(&rig, "Releasing").await;
        rig.net.cut("az2");
        let mut clocks = Clocks { last: None };
        let (mut named, mut left) = (0, 0);
        loop {
            let told = why(&rig).await;
            if text(&told, "step") != "Releasing" {
                assert_eq!(text(&told, "step"), "Completing", "it is proven: {told:#}");
                break;
            }
            let name;
            (name, left) = clocks.look(&told, "Releasing");
            if text(&told, "waitingFor").contains("az2") && !text(&told, "waitingFor").contains("az1") {
                named += 1;
                assert_eq!(name, "HoldsEnd", "{told:#}");
                assert!(told["reason"].is_null(), "nothing failed: {told:#}");
            }
            tokio::time::sleep(CLOCK_LOOK).await;
        }
        assert!(named > 0, "nobody said that az2 is waited for");
        assert!(left <= 300, "it went on {left} ms before the clock that was shown");
        assert_eq!(rig.world.left_over().leases, 0, "what the clock promised");
        rig.net.heal("az2");
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        nothing_left(&rig).await;
    });
}

/// No clock ends the completing: `why` says so, and who or what does.
#[test]
fn a_completing_that_waits_says_for_whom_and_that_no_clock_ends_it() {
    story(world(781), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at_step(&rig, "Completing").await;
        rig.net.cut("az2");
        let told = soon_told(&rig, |told| text(told, "waitingFor").contains("planes to come back: az2")).await;
        assert_eq!((text(&told, "step"), told["clock"].is_null()), ("Completing", true), "{told:#}");
        assert!(text(&told, "endsBy").starts_with("Nothing by itself: the return of az2;"), "{told:#}");
        assert_eq!(text(&told, "action"), "Check the plane actors of az2.", "{told:#}");
        rig.net.heal("az2");
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        nothing_left(&rig).await;
    });
    story(world(782), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Certified).await;
        rig.world.faults(|f| f.s3_down = true);
        let told = soon_told(&rig, |told| !told["reason"].is_null()).await;
        assert_eq!((text(&told, "step"), text(&told, "reason")), ("Completing", "StorageUnavailable"), "{told:#}");
        assert!(text(&told, "message").starts_with("plane az"), "{told:#}");
        assert!(text(&told, "endsBy").starts_with("Nothing by itself: a try on az"), "{told:#}");
        let again = told["planes"].as_array().unwrap().iter().filter_map(|plane| plane["again_ms"].as_u64()).max();
        assert!(again.is_some(), "when it is tried again: {told:#}");
        rig.world.faults(|f| f.s3_down = false);
        assert_eq!(rig.ended(LIMIT).await, "Complete");
        nothing_left(&rig).await;
    });
}

/// Nobody is blamed for what S3 does to the first touch but the plane that met it.
#[test]
fn a_lock_that_cannot_be_written_is_laid_to_s3_and_its_plane() {
    story(slow(world(783)), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at_step(&rig, "Preparing").await;
        // What Prepare looks at is read; the lock is the first that is written.
        soon_told(&rig, |told| text(told, "step") == "Claiming" || text(told, "step") == "Reserving").await;
        rig.world.faults(|f| f.s3_down = true);
        let reasons = ["StorageUnavailable", "PrepareTimedOut"];
        assert_eq!(rig.ended(LIMIT).await, "Failed");
        let told = why(&rig).await;
        assert!(reasons.contains(&text(&told, "reason")), "{told:#}");
        assert!(text(&told, "message").contains("az"), "{told:#}");
        rig.world.faults(|f| f.s3_down = false);
        nothing_left(&rig).await;
    });
}

/// Asks until this is told.
async fn soon_told(rig: &Rig, is_told: impl Fn(&Value) -> bool) -> Value {
    let seen = async {
        loop {
            let told = why(rig).await;
            if is_told(&told) {
                return told;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LIMIT, seen).await.expect("it is told")
}
