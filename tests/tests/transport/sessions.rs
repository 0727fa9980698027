//! Processes that die without a word and are back at once: the newest session of a plane is the one that counts.

use crate::{LIMIT, at, nothing_left, slow, story, world};
use shared::barrier::Stage as Durable;
use shell::quic::{FLUSH_LIMIT, IDLE_LIMIT};
use std::{rc::Rc, time::Duration};
use tests::{quic_net::QuicNet, stage::Stage};
use tokio::time::sleep;

/// A new session takes the place of the dead process's one, whose end is then told under an old generation: it must not
/// count as the end of the new one, whenever in an attempt it comes.
#[test]
fn the_newer_session_of_a_plane_supersedes_the_older() {
    for (seed, moment) in (1..).zip([0, 5, 20, 100, 400]) {
        story(world(seed), async |stage: Rc<Stage<QuicNet>>| {
            sleep(Duration::from_secs(2)).await;
            let monitor = stage.net.monitor().unwrap();
            let before = monitor.sessions();
            stage.kill_plane("az2");
            stage.start_plane("az2");
            while monitor.sessions() == before {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_millis(moment)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            sleep(FLUSH_LIMIT + Duration::from_secs(1)).await;
            assert_eq!(monitor.sessions(), before, "superseded, not given up after {IDLE_LIMIT:?}");
            assert_eq!(stage.ended(LIMIT).await, "Complete", "after {moment} ms: {:?}", stage.failure());
            assert_eq!(stage.record().unwrap().attempt, 1);
            assert_eq!(stage.lies(), Vec::<String>::new());
            nothing_left(&stage, "superseded").await;
        });
    }
}

/// After the certificate a plane may restart as it likes: it goes on where it is asked to, on its newest session.
#[test]
fn a_plane_that_restarts_while_snapshots_complete_goes_on() {
    story(world(13), async |stage: Rc<Stage<QuicNet>>| {
        stage.control.apply(&stage.manifest("")).unwrap();
        at(&stage, Durable::Certified).await;
        for _ in 0..3 {
            stage.kill_plane("az1");
            stage.start_plane("az1");
            sleep(Duration::from_millis(700)).await;
        }
        assert_eq!(stage.ended(LIMIT).await, "Complete", "{:?}", stage.failure());
        assert_eq!(stage.lies(), Vec::<String>::new());
        nothing_left(&stage, "restarted").await;
    });
}

/// A plane that dies again and again is not locked out by its own dead connections.
#[test]
fn a_plane_that_restarts_often_gets_in_each_time() {
    story(world(5), async |stage: Rc<Stage<QuicNet>>| {
        for _ in 0..7 {
            sleep(Duration::from_millis(300)).await;
            stage.kill_plane("az3");
            stage.start_plane("az3");
        }
        sleep(Duration::from_secs(1)).await;
        let monitor = stage.net.monitor().unwrap();
        assert!(monitor.counts().superseded >= 3, "{:?}", monitor.counts());
        assert!(monitor.sessions() <= 2 + 4, "{}", monitor.sessions());
        assert_eq!(stage.backup("", LIMIT).await, "Complete", "{:?}", stage.failure());
        assert_eq!(stage.lies(), Vec::<String>::new());
        nothing_left(&stage, "restarts").await;
    });
}

/// A coordinator that dies and is back at once answers its planes' old connections with what they do not understand;
/// they find it again when those are idle for too long.
#[test]
fn a_coordinator_that_was_replaced_is_found_again() {
    for (seed, moment) in (6..12).zip([100, 900, 1_800, 2_600, 3_400, 7_000]) {
        story(slow(seed), async |stage: Rc<Stage<QuicNet>>| {
            sleep(Duration::from_secs(2)).await;
            stage.control.apply(&stage.manifest("")).unwrap();
            sleep(Duration::from_millis(moment)).await;
            stage.kill_coordinator();
            stage.start_coordinator();
            crate::judge(&stage, &format!("coordinator replaced after {moment} ms")).await;
        });
    }
}
