//! CreateSnapshots whose answer was lost, or that was refused for a moment only.

use crate::{scenario, scripted::ScriptedCoordinator};
use shared::wire::Answer;
use tests::world::WorldConfig;

/// EC2 says InvalidState also while an identical request is unfinished: the proof that the lost one had an effect.
#[test]
fn an_invalid_state_after_a_lost_answer_is_looked_up_and_not_repeated() {
    let mut config = WorldConfig::seeded(40);
    // The lost call's snapshots show late, so that EC2 is asked again before.
    config.ec2.visible = tests::world::Span(16_000, 17_000);
    scenario(config, |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        let calls = hand.prepared.values().map(|prepared| prepared.stores.len() as u64).sum::<u64>();
        world.faults(|faults| {
            let ec2 = faults.ec2.entry("az1".into()).or_default();
            // Who only waits asks once more after the 15 s in which EC2 refuses a second snapshot of a volume.
            (ec2.lose_replies, ec2.invalid_again) = (1, 6);
        });
        let answers = hand.snapshot().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
        assert_eq!(world.mutations().ec2_creates, calls, "nothing was taken twice");
        hand.confirm().await;
        let cut = world.cut(&hand.snapshots(), hand.commit_ts).unwrap();
        assert_eq!(world.judge(&cut), Vec::new());
    });
}

#[test]
fn an_invalid_state_alone_is_waited_out() {
    scenario(WorldConfig::seeded(41), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        world.faults(|faults| faults.ec2.entry("az1".into()).or_default().invalid_states = 2);
        let answers = hand.snapshot().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
        hand.confirm().await;
    });
}

#[test]
fn a_look_under_the_hold_reads_its_own_volumes_and_serves_all_that_wait() {
    scenario(WorldConfig::seeded(42), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        // Thirty nights of three planes.
        world.old_snapshots("az1", 27_000);
        let before = world.mutations().ec2_looks;
        world.faults(|faults| faults.ec2.entry("az1".into()).or_default().lose_replies = 3);
        let answers = hand.snapshot().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
        let pages = world.mutations().ec2_looks - before;
        assert!((1..=9).contains(&pages), "{pages} pages for three lost answers of one plane");
    });
}
