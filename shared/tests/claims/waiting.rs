//! Who waits, in which order.

use crate::fixtures::{CLUSTER, Kit, NONE, ended, give, want};
use shared::{
    claims::{Input, Timer},
    time::Millis,
};

/// `a` has the claim; the others wait.
fn held() -> Kit {
    let mut kit = Kit::new(&["a", "b", "c"]);
    kit.grant("a", 1);
    assert_eq!(kit.tell(want("b", 0)), ["b: taken by ns/a"]);
    assert_eq!(kit.tell(want("c", 0)), ["c: taken by ns/a"]);
    kit
}

#[test]
fn one_is_called_and_has_a_right_to_be_first() {
    let mut kit = held();
    assert_eq!(kit.tell(give("a")), ["save 1 free"]);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["b: free"]);
    assert_eq!(kit.tell(want("c", 0)), ["c: taken by one that has waited longer"]);
    kit.grant("b", 2);
    kit.tell(give("b"));
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["c: free"]);
}

#[test]
fn whoever_is_called_and_does_not_come_holds_up_nobody() {
    let mut kit = held();
    kit.tell(give("a"));
    kit.tell(Input::Saved(CLUSTER));
    assert_eq!(kit.wait(), NONE, "b may still come");
    kit.pass(Millis::secs(60));
    assert_eq!(kit.wait(), ["c: free"]);
    kit.grant("c", 2);
}

#[test]
fn whoever_is_called_and_ends_hands_it_on() {
    let mut kit = held();
    kit.tell(give("a"));
    kit.tell(Input::Saved(CLUSTER));
    assert_eq!(kit.tell(ended("b")), ["c: free"]);
    assert_eq!(kit.tell(give("c")), NONE);
    assert!(kit.rests());
}

#[test]
fn whoever_is_called_and_refused_hands_it_on() {
    let mut kit = held();
    kit.tell(give("a"));
    kit.tell(Input::Saved(CLUSTER));
    assert_eq!(kit.tell(want("b", u64::MAX)), ["b: refused, EpochImplausible", "c: free"]);
}

#[test]
fn a_call_that_was_not_heard_goes_to_the_next() {
    let mut kit = held();
    kit.tell(give("a"));
    kit.tell(Input::Saved(CLUSTER));
    assert_eq!(kit.tell(Input::NotTold("b".into())), ["c: free"]);
}

#[test]
fn who_gives_up_waiting_is_not_called() {
    let mut kit = held();
    kit.tell(give("b"));
    kit.tell(give("a"));
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["c: free"]);
}

/// It is looked again and again whether anybody is to be called.
#[test]
fn nobody_is_called_to_a_claim_that_is_held_or_being_saved() {
    let mut kit = held();
    assert_eq!(kit.wait(), NONE, "a has it");
    let mut kit = Kit::new(&["a", "b"]);
    assert_eq!(kit.tell(want("a", 0)), ["save 1 a"]);
    assert_eq!(kit.tell(want("b", 0)), ["b: taken by another request for it"]);
    assert_eq!(kit.claims.timers().collect::<Vec<_>>(), [Timer::Call]);
    assert_eq!(kit.wait(), NONE, "nobody has it, but a is about to");
}
