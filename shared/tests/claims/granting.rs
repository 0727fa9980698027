//! Who gets a claim, under which epoch, and who gives it back.

use crate::fixtures::{CLUSTER, Kit, NONE, claim, ended, give, not_saved, read, started, want};
use shared::claims::{Input, LEAP};

#[test]
fn an_epoch_is_above_the_claim_and_above_what_planes_obeyed() {
    let mut kit = Kit::new(&["a"]);
    assert_eq!(kit.tell(Input::Read { cluster: CLUSTER, claim: Some(claim(5, None)) }), NONE);
    assert_eq!(kit.tell(want("a", 3)), ["save 6 a"]);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["a: granted 6"]);
    assert_eq!(kit.tell(give("a")), ["save 6 free"]);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), NONE);
    assert_eq!(kit.tell(want("a", 9)), ["save 10 a"]);
}

#[test]
fn a_word_of_a_plane_that_cannot_be_true_is_refused_and_changes_nothing() {
    let mut kit = Kit::new(&["a", "b"]);
    assert_eq!(kit.tell(want("a", u64::MAX - 1)), ["a: refused, EpochImplausible"]);
    assert_eq!(kit.tell(want("a", LEAP + 1)), ["a: refused, EpochImplausible"]);
    kit.grant("b", 1);
}

#[test]
fn nothing_is_granted_before_it_is_saved_and_to_nobody_while_it_is() {
    let mut kit = Kit::new(&["a", "b"]);
    assert_eq!(kit.tell(want("a", 0)), ["save 1 a"]);
    assert_eq!(kit.tell(want("b", 0)), ["b: taken by another request for it"]);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["a: granted 1"]);
    assert_eq!(kit.tell(want("b", 0)), ["b: taken by ns/a"]);
}

#[test]
fn a_holder_that_asks_again_gets_a_higher_epoch() {
    let mut kit = Kit::new(&["a"]);
    kit.grant("a", 1);
    kit.grant("a", 2);
}

#[test]
fn a_barrier_that_ended_meanwhile_gets_nothing() {
    let mut kit = Kit::new(&["a"]);
    kit.tell(want("a", 0));
    assert_eq!(kit.tell(ended("a")), NONE);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["read record of a for 1"]);
    assert_eq!(kit.tell(want("a", 0)), NONE, "words of a barrier that is gone");
}

#[test]
fn what_one_barrier_asked_for_is_not_granted_to_the_next_one_of_its_backup() {
    let mut kit = Kit::new(&["a"]);
    kit.tell(want("a", 0));
    kit.tell(ended("a"));
    kit.tell(started("a"));
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["read record of a for 1"]);
}

#[test]
fn what_is_given_back_during_a_save_is_given_back_after_it() {
    let mut kit = Kit::new(&["a"]);
    kit.tell(want("a", 0));
    assert_eq!(kit.tell(give("a")), NONE);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["a: granted 1", "save 1 free"]);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), NONE);
    assert!(kit.claims.held().next().is_none() && kit.rests());
}

#[test]
fn only_the_holder_gives_it_back() {
    let mut kit = Kit::new(&["a", "b"]);
    kit.grant("a", 1);
    assert_eq!(kit.tell(give("b")), NONE);
    assert_eq!(kit.tell(want("b", 0)), ["b: taken by ns/a"]);
}

#[test]
fn a_give_back_that_failed_is_made_again() {
    let mut kit = Kit::new(&["a"]);
    kit.grant("a", 1);
    kit.tell(give("a"));
    kit.tell(ended("a"));
    assert_eq!(kit.tell(not_saved()), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(Input::NotRead(CLUSTER)), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(1, Some("a"))), ["save 1 free"]);
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), NONE);
    assert!(kit.rests());
}

#[test]
fn a_give_back_that_failed_does_not_end_a_later_attempt() {
    let mut kit = Kit::new(&["a"]);
    kit.grant("a", 1);
    kit.tell(give("a"));
    kit.tell(not_saved());
    kit.wait();
    // Another process has it for the same backup meanwhile, for another attempt.
    let mut later = claim(2, Some("a"));
    later.live.as_mut().unwrap().attempt = 2;
    assert_eq!(kit.tell(Input::Read { cluster: CLUSTER, claim: Some(later) }), ["read record of a for 2"]);
}

#[test]
fn a_grant_whose_save_failed_was_none() {
    let mut kit = Kit::new(&["a"]);
    kit.tell(want("a", 0));
    assert_eq!(kit.tell(not_saved()), ["a: taken by nobody: no answer"]);
    assert_eq!(kit.tell(want("a", 0)), ["a: taken by another request for it"]);
    assert_eq!(kit.wait(), ["read"]);
    // The save had happened: its record cannot name it, so it is ended; then the one that waits is called.
    assert_eq!(kit.tell(read(1, Some("a"))), ["read record of a for 1"]);
}

#[test]
fn nothing_new_is_granted_when_the_process_is_to_end() {
    let mut kit = Kit::new(&["a", "b"]);
    kit.grant("a", 1);
    kit.tell(Input::Draining);
    assert_eq!(kit.tell(give("a")), ["save 1 free"]);
    assert!(kit.claims.is_saving());
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), NONE);
    assert_eq!(kit.tell(want("b", 0)), NONE);
    assert!(!kit.claims.is_saving());
}

#[test]
fn what_a_barrier_did_not_hear_it_has_not_got() {
    let mut kit = Kit::new(&["a", "b"]);
    kit.grant("a", 1);
    kit.tell(want("b", 0));
    assert_eq!(kit.tell(Input::NotTold("a".into())), ["read record of a for 1"]);
    assert_eq!(kit.tell(started("a")), NONE);
}
