//! What another process may have written.

use crate::fixtures::{CLUSTER, Kit, NONE, ended, holder, read, started, uid, want};
use shared::{
    claims::{HolderRecord, Input, Standing},
    epoch::Epoch,
    time::Millis,
};

const HOLDS: HolderRecord = record(Some((CLUSTER, Epoch(4))), true);
const PREPARES: HolderRecord = record(None, true);
const OVER: HolderRecord = HolderRecord::Read { standing: Standing { under_way: false, may_hold: None }, ours: false };

const fn record(may_hold: Option<(shared::ids::ClusterId, Epoch)>, ours: bool) -> HolderRecord {
    HolderRecord::Read { standing: Standing { under_way: true, may_hold }, ours }
}

/// A process begins to lead and finds the claim held by `x`.
fn found() -> Kit {
    let mut kit = Kit::new(&[]);
    assert_eq!(kit.tell(read(4, Some("x"))), ["read record of x for 4"]);
    kit
}

#[test]
fn a_claim_whose_record_names_it_stays() {
    let mut kit = found();
    assert_eq!(kit.tell(holder(4, "x", HOLDS)), NONE);
    assert!(kit.rests(), "nothing is looked at again");
    kit.tell(started("a"));
    assert_eq!(kit.tell(want("a", 0)), ["a: taken by a backup of another process"]);
    kit.tell(started("x"));
    assert_eq!(kit.tell(want("a", 0)), ["a: taken by ns/x"]);
}

/// Objects may be shared out among several coordinators, and then nobody here is told when the other's backup ends.
#[test]
fn a_claim_that_another_coordinator_holds_is_looked_at_while_somebody_waits() {
    let mut kit = found();
    assert_eq!(kit.tell(holder(4, "x", HOLDS)), NONE);
    kit.tell(started("a"));
    assert_eq!(kit.tell(want("a", 0)), ["a: taken by a backup of another process"]);
    for _ in 0..3 {
        assert_eq!(kit.wait(), NONE, "in half a minute it is doubted");
        assert_eq!(kit.wait(), ["read"]);
        assert_eq!(kit.tell(read(4, Some("x"))), ["read record of x for 4"]);
        assert_eq!(kit.tell(holder(4, "x", HOLDS)), NONE);
    }
    assert_eq!(kit.wait(), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(4, None)), ["a: free"]);
    assert_eq!(kit.tell(want("a", 0)), ["save 5 a"]);
}

/// It took over what it found: snapshots are copied under that epoch, and it has saved the record since.
#[test]
fn a_claim_whose_record_names_it_stays_also_when_it_is_our_own() {
    let mut kit = found();
    kit.tell(started("x"));
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.tell(holder(4, "x", HOLDS)), NONE);
    assert!(kit.rests());
}

#[test]
fn a_claim_granted_nothing_whose_record_is_missing_or_over() {
    for record in [HolderRecord::Absent, OVER] {
        assert_eq!(found().tell(holder(4, "x", record)), ["save 4 free"]);
    }
    let mut kit = found();
    kit.tell(started("x"));
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.tell(holder(4, "x", record(Some((CLUSTER, Epoch(3))), true))), ["save 4 free"], "an epoch before");
}

#[test]
fn a_record_that_another_process_may_still_save_keeps_the_claim_until_we_saved_it() {
    let mut kit = found();
    assert_eq!(kit.tell(holder(4, "x", PREPARES)), NONE);
    assert_eq!(kit.wait(), ["read record of x for 4"]);
    kit.tell(started("x"));
    assert_eq!(kit.tell(holder(4, "x", PREPARES)), NONE, "a look is no save");
    assert_eq!(kit.wait(), ["read record of x for 4"]);
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.tell(holder(4, "x", PREPARES)), ["save 4 free"]);
}

/// Its own barrier saved the record before and another process ended it since: it is nobody's to go on with.
#[test]
fn a_record_that_is_over_ends_the_claim_whoever_saved_it() {
    let mut kit = found();
    kit.tell(started("x"));
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.tell(holder(4, "x", OVER)), ["save 4 free"]);
}

/// It had saved the record, was deposed, and its successor was granted what it now reads and is about to save.
#[test]
fn what_a_successor_was_granted_is_not_ended_by_who_saved_its_record_before() {
    let mut kit = found();
    kit.tell(started("x"));
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.tell(holder(4, "x", record(None, false))), ["x: contradicted"]);
    assert_eq!(kit.wait(), ["read record of x for 4"]);
    assert_eq!(kit.tell(holder(4, "x", PREPARES)), ["save 4 free"]);
}

/// A deposed process was granted the claim and saved the record last, and is gone: whoever leads saves nothing while its
/// barrier waits, so it would never hear that the record is not its own.
#[test]
fn a_barrier_that_waits_for_its_own_claim_is_told_that_another_process_has_its_record() {
    let mut kit = Kit::new(&["x"]);
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.tell(want("x", 0)), ["save 1 x"]);
    assert_eq!(kit.tell(crate::fixtures::not_saved()), ["x: taken by nobody: no answer"]);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(1, Some("x"))), ["read record of x for 1"]);
    assert_eq!(kit.tell(holder(1, "x", record(None, false))), ["x: contradicted"]);
    // It starts again from the ledger, and saves what it found there.
    assert_eq!(kit.tell(ended("x")), NONE);
    assert_eq!(kit.tell(started("x")), NONE);
    assert_eq!(kit.wait(), ["read record of x for 1"]);
    assert_eq!(kit.tell(holder(1, "x", record(None, false))), NONE, "it has not saved yet");
    kit.tell(Input::BarrierSaved(uid("x")));
    assert_eq!(kit.wait(), ["read record of x for 1"]);
    assert_eq!(kit.tell(holder(1, "x", PREPARES)), ["save 1 free"]);
}

/// Its give-back met the grant that another process made meanwhile, to the same backup for the same attempt.
#[test]
fn a_give_back_that_failed_ends_no_later_grant() {
    let mut kit = Kit::new(&["x"]);
    kit.grant("x", 1);
    assert_eq!(kit.tell(crate::fixtures::give("x")), ["save 1 free"]);
    kit.tell(ended("x"));
    assert_eq!(kit.tell(crate::fixtures::not_saved()), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(2, Some("x"))), ["read record of x for 2"]);
    assert_eq!(kit.tell(holder(2, "x", record(Some((CLUSTER, Epoch(2))), false))), NONE);
}

/// Its grant was not saved and its barrier has ended; what is read then is the grant that another process made meanwhile,
/// to a barrier of the same backup.
#[test]
fn what_was_to_be_given_back_after_a_save_that_failed_is_another_processs() {
    let mut kit = Kit::new(&["x"]);
    assert_eq!(kit.tell(want("x", 0)), ["save 1 x"]);
    assert_eq!(kit.tell(crate::fixtures::give("x")), NONE);
    assert_eq!(kit.tell(ended("x")), NONE);
    assert_eq!(kit.tell(crate::fixtures::not_saved()), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(2, Some("x"))), ["read record of x for 2"]);
    assert_eq!(kit.tell(holder(2, "x", PREPARES)), NONE, "its record names the epoch as soon as it is saved");
    // If it had been ours all the same, its record says that nothing is held.
    assert_eq!(kit.wait(), ["read record of x for 2"]);
    assert_eq!(kit.tell(holder(2, "x", OVER)), ["save 2 free"]);
}

/// Nobody knew what is stored when it was given back: the very claim that was known ends, whatever its record says (one
/// that holds nothing any more says for as long as snapshots are copied that it may); another one is judged.
#[test]
fn what_is_given_back_while_it_is_read_is_the_claim_that_was_known() {
    for (epoch, effect) in [(1, "save 1 free"), (2, "read record of x for 2")] {
        let mut kit = Kit::new(&["x"]);
        kit.grant("x", 1);
        kit.tell(Input::Doubted { backup: uid("x"), named: None });
        assert_eq!(kit.tell(crate::fixtures::give("x")), NONE);
        assert_eq!(kit.wait(), ["read"]);
        assert_eq!(kit.tell(read(epoch, Some("x"))), [effect]);
    }
}

/// The save did not happen, and the claim is still the one that was granted before: its barrier has it no more.
#[test]
fn what_is_given_back_while_a_higher_epoch_is_saved_is_nobodys_whatever_comes_of_the_save() {
    let mut kit = Kit::new(&["x"]);
    kit.grant("x", 1);
    assert_eq!(kit.tell(want("x", 0)), ["save 2 x"]);
    assert_eq!(kit.tell(crate::fixtures::give("x")), NONE);
    assert_eq!(kit.tell(crate::fixtures::not_saved()), ["x: taken by nobody: no answer"]);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(1, Some("x"))), ["read record of x for 1"]);
}

#[test]
fn who_gives_back_what_another_holds_ends_nothing_while_it_is_read() {
    let mut kit = Kit::new(&["a", "b"]);
    kit.grant("a", 1);
    kit.tell(Input::Doubted { backup: uid("a"), named: None });
    assert_eq!(kit.tell(crate::fixtures::give("b")), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(1, Some("a"))), NONE, "it is a's grant, as before");
}

#[test]
fn a_record_that_cannot_be_read_keeps_the_claim() {
    let mut kit = found();
    assert_eq!(kit.tell(holder(4, "x", HolderRecord::NotRead)), NONE);
    assert_eq!(kit.wait(), ["read record of x for 4"]);
    assert_eq!(kit.tell(holder(4, "x", HolderRecord::Unreadable)), NONE);
    assert!(kit.rests());
}

#[test]
fn an_answer_about_an_earlier_claim_changes_nothing() {
    let mut kit = found();
    kit.tell(Input::Doubted { backup: uid("x"), named: None });
    assert_eq!(kit.tell(holder(4, "x", OVER)), NONE, "it is being read");
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(5, Some("y"))), ["read record of y for 5"]);
    assert_eq!(kit.tell(holder(4, "x", OVER)), NONE);
    assert_eq!(kit.tell(holder(5, "x", OVER)), NONE);
}

#[test]
fn an_answer_that_nobody_asked_for_ends_no_grant() {
    let mut kit = Kit::new(&["a"]);
    kit.grant("a", 1);
    assert_eq!(kit.tell(holder(1, "a", OVER)), NONE);
    assert_eq!(kit.tell(want("a", 0)), ["save 2 a"]);
}

#[test]
fn an_answer_about_an_earlier_epoch_of_the_same_backup_ends_nothing() {
    let mut kit = found();
    kit.tell(Input::Doubted { backup: uid("x"), named: None });
    kit.wait();
    assert_eq!(kit.tell(read(5, Some("x"))), ["read record of x for 5"]);
    assert_eq!(kit.tell(holder(4, "x", OVER)), NONE);
    assert_eq!(kit.tell(holder(5, "x", OVER)), ["save 5 free"]);
}

#[test]
fn a_grant_of_this_process_needs_no_record() {
    let mut kit = Kit::new(&["a"]);
    kit.grant("a", 1);
    kit.tell(Input::Doubted { backup: uid("a"), named: Some(CLUSTER) });
    kit.wait();
    assert_eq!(kit.tell(read(1, Some("a"))), NONE);
    assert_eq!(kit.tell(ended("a")), NONE);
    kit.tell(started("a"));
    kit.tell(Input::Doubted { backup: uid("a"), named: None });
    kit.wait();
    assert_eq!(kit.tell(read(1, Some("a"))), ["read record of a for 1"], "its barrier is another one");
}

#[test]
fn claims_of_a_backup_that_is_deleted_are_looked_for() {
    let deleted = |backup: &str| Input::BarrierEnded { backup: uid(backup), deleted: true };
    let mut kit = Kit::new(&["a", "b", "c"]);
    assert_eq!(kit.tell(deleted("a")), ["list"]);
    assert_eq!(kit.tell(deleted("b")), NONE, "one list at a time");
    assert_eq!(kit.tell(Input::NotListed), NONE);
    assert_eq!(kit.tell(deleted("c")), NONE);
    assert_eq!(kit.wait(), ["list"], "for all of them");
    assert_eq!(kit.tell(Input::Listed(vec![(CLUSTER, uid("b"))])), NONE);
    assert_eq!(kit.wait(), ["read"]);
    assert_eq!(kit.tell(read(9, Some("b"))), ["read record of b for 9"]);
    assert_eq!(kit.tell(holder(9, "b", HolderRecord::Absent)), ["save 9 free"]);
}

#[test]
fn what_is_read_while_it_is_saved_is_older() {
    let mut kit = Kit::new(&["a"]);
    kit.tell(want("a", 0));
    assert_eq!(kit.tell(read(0, None)), NONE);
    kit.pass(Millis::secs(1));
    assert_eq!(kit.tell(Input::Saved(CLUSTER)), ["a: granted 1"]);
}

#[test]
fn what_is_due_later_is_looked_at_later() {
    let mut kit = found();
    assert_eq!(kit.tell(holder(4, "x", HolderRecord::NotRead)), NONE);
    kit.pass(Millis(500));
    assert_eq!(kit.tell(Input::BarrierEnded { backup: uid("y"), deleted: true }), ["list"]);
    assert_eq!(kit.tell(Input::NotListed), NONE);
    assert_eq!(kit.wait(), ["read record of x for 4"]);
    assert_eq!(kit.wait(), ["list"]);
}

#[test]
fn hundreds_of_claims_are_looked_at_again_at_once() {
    let mut kit = Kit::new(&[]);
    let cluster = |number| shared::ids::ClusterId(number);
    for number in 0..300 {
        let claim = shared::barrier::Claim { cluster: cluster(number), ..crate::fixtures::claim(4, Some("x")) };
        kit.tell(Input::Read { cluster: cluster(number), claim: Some(claim) });
        let (epoch, backup, record) = (Epoch(4), uid("x"), HolderRecord::NotRead);
        assert_eq!(kit.tell(Input::HolderRead { cluster: cluster(number), epoch, backup, record }), NONE);
    }
    assert_eq!(kit.wait().len(), 300);
    assert!(kit.rests());
}
