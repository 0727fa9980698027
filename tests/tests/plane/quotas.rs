//! How many snapshots an account may have: counted while nothing is held, and seldom.

use crate::{scenario, scripted::ScriptedCoordinator};
use shared::{reason::Reason, wire::Answer};
use tests::world::WorldConfig;

#[test]
fn an_account_that_is_full_is_refused_with_its_numbers() {
    scenario(WorldConfig::seeded(41), |world| async move {
        // Of 100,000; three stores of two volumes want six.
        world.old_snapshots("az2", 99_995);
        let mut hand = ScriptedCoordinator::new(&world);
        let answers = hand.prepare().await;
        let [Answer::Prepared(_), Answer::Refused(refusal), Answer::Prepared(_)] = answers.as_slice() else {
            panic!("{answers:?}")
        };
        assert_eq!(refusal.reason, Reason::SnapshotQuota, "{refusal}");
        for number in ["99995 of 100000", "takes 6"] {
            assert!(refusal.message.contains(number), "{refusal}");
        }
        // Somebody made room: what was counted before does not count.
        world.old_snapshots("az2", 90_000);
        let answers = hand.prepare_round(2).await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Prepared(_))), "{answers:?}");
    });
}
