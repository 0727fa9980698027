//! Processes that die without a word and are back at once: the newest session of a plane is the one that counts.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use shared::barrier::Milestone;
use shell::quic::{FLUSH_LIMIT, IDLE_LIMIT};
use std::{rc::Rc, time::Duration};
use tests::{quic_net::QuicNet, rig::Rig};
use tokio::time::sleep;

/// A new session takes the place of the dead process's one, whose end is then told under an old generation: it must not
/// count as the end of the new one, whenever in an attempt it comes.
#[test]
fn the_newer_session_of_a_plane_supersedes_the_older() {
    for (seed, moment) in (1..).zip([0, 5, 20, 100, 400]) {
        story(world(seed), async |rig: Rc<Rig<QuicNet>>| {
            sleep(Duration::from_secs(2)).await;
            let monitor = rig.net.monitor().unwrap();
            let before = monitor.sessions();
            rig.kill_plane("az2");
            rig.start_plane("az2");
            while monitor.sessions() == before {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_millis(moment)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            sleep(FLUSH_LIMIT + Duration::from_secs(1)).await;
            assert_eq!(monitor.sessions(), before, "superseded, not given up after {IDLE_LIMIT:?}");
            assert_eq!(rig.ended(LIMIT).await, "Complete", "after {moment} ms: {:?}", rig.failure());
            assert_eq!(rig.record().unwrap().attempt, 1);
            assert_eq!(rig.lies(), Vec::<String>::new());
            nothing_left(&rig, "superseded").await;
        });
    }
}

/// After the certificate a plane may restart as it likes: it goes on where it is asked to, on its newest session.
#[test]
fn a_plane_that_restarts_while_snapshots_complete_goes_on() {
    story(world(13), async |rig: Rc<Rig<QuicNet>>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Certified).await;
        for _ in 0..3 {
            rig.kill_plane("az1");
            rig.start_plane("az1");
            sleep(Duration::from_millis(700)).await;
        }
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig, "restarted").await;
    });
}

/// A plane that dies again and again is not locked out by its own dead connections.
#[test]
fn a_plane_that_restarts_often_gets_in_each_time() {
    story(world(5), async |rig: Rc<Rig<QuicNet>>| {
        for _ in 0..7 {
            sleep(Duration::from_millis(300)).await;
            rig.kill_plane("az3");
            rig.start_plane("az3");
        }
        sleep(Duration::from_secs(1)).await;
        let monitor = rig.net.monitor().unwrap();
        assert_eq!(monitor.counts().let_in, 3 + 7, "each time: {:?}", monitor.counts());
        // What a newer session superseded is closed at once, so that no dead one has its place until it is idle for too long.
        assert_eq!(monitor.sessions(), 3);
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        nothing_left(&rig, "restarts").await;
    });
}

/// A coordinator that dies and is back at once answers its planes' old connections with what they do not understand;
/// they find it again when those are idle for too long.
#[test]
fn a_coordinator_that_was_replaced_is_found_again() {
    for (seed, moment) in (6..12).zip([100, 900, 1_800, 2_600, 3_400, 7_000]) {
        story(slow(seed), async |rig: Rc<Rig<QuicNet>>| {
            sleep(Duration::from_secs(2)).await;
            rig.control.apply(&rig.manifest("")).unwrap();
            sleep(Duration::from_millis(moment)).await;
            rig.kill_coordinator();
            rig.start_coordinator();
            crate::judge(&rig, &format!("coordinator replaced after {moment} ms")).await;
        });
    }
}
