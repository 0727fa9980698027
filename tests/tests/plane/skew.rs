//! A coordinator of a version to come.

use crate::{
    scenario,
    scripted::{EPOCH, ScriptedCoordinator, attempt},
};
use serde_json::{Value, json};
use shared::{reason::Reason, wire::Answer};
use tests::world::WorldConfig;

fn order(what: &Value) -> Value {
    json!({ "Order": { "attempt": attempt(1), "epoch": EPOCH, "order": what } })
}

#[test]
fn an_order_that_is_not_known_is_refused_by_name_and_the_next_one_is_obeyed() {
    scenario(WorldConfig::seeded(43), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        for plane in &mut hand.planes {
            plane.send(&json!({ "Weather": { "sun": 1 } })).await;
            plane.send(&order(&json!({ "Defragment": { "deep": true } }))).await;
            let Answer::Refused(refusal) = plane.hear(true).await else { panic!("an answer") };
            assert_eq!(refusal.reason, Reason::UnknownWord, "{refusal}");
            assert!(refusal.message.contains("Defragment"), "{refusal}");
        }
        let answers = hand.snapshot().await;
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Snapshotted(_))), "{answers:?}");
    });
}

#[test]
fn letting_go_is_understood_whatever_the_reason() {
    scenario(WorldConfig::seeded(44), |world| async move {
        let mut hand = ScriptedCoordinator::covered(&world).await;
        for plane in &mut hand.planes {
            plane.send(&order(&json!({ "Abort": { "reason": "Comet" } }))).await;
            let answer = plane.hear(false).await;
            assert!(matches!(answer, Answer::Aborted(_)), "{answer:?}");
        }
        assert_eq!(world.left_over().leases, 0, "nothing is held any more");
    });
}
