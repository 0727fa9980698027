//! A renewed certificate is shown on a new link as soon as nothing is under way, and never in the middle of a backup.

use crate::{scenario, scripted::ScriptedCoordinator, truth::ends_well};
use shared::wire::Answer;
use std::time::Duration;
use tests::world::WorldConfig;

/// Longer than a dial, shorter than a lease.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn an_idle_plane_links_anew_at_once() {
    scenario(WorldConfig::seeded(51), |world| async move {
        let mut hand = ScriptedCoordinator::new(&world);
        let plane = &mut hand.planes[0];
        assert!(plane.dials_within(SOON).await, "at its start");
        assert!(!plane.dials_within(SOON).await, "and keeps the link");
        plane.outdated.notify_one();
        assert!(plane.dials_within(SOON).await);
        assert!(!plane.dials_within(SOON).await, "once for one renewal");
        let answers = hand.prepare().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Prepared(_))), "{answers:?}");
    });
}

#[test]
fn a_renewal_cuts_no_backup() {
    scenario(WorldConfig::seeded(52), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        hand.planes[0].outdated.notify_one();
        assert!(!hand.planes[0].dials_within(SOON).await, "the stores are held");
        // Once its evidence is saved it may link anew; the hand, as a coordinator, goes on over the newer link.
        ends_well(&world, &mut hand).await;
    });
}
