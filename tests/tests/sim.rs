//! A few seeds of the simulation, as a test; `loadtests simulate` runs many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tests::sim::{Kind, Options, run};

#[test]
fn seeds_break_no_invariant_and_give_the_same_bytes_again() {
    for seed in 1..=12 {
        let outcome = run(seed, &Options::default());
        assert_eq!(outcome.violations, vec![], "seed {seed}");
        assert!(!outcome.ends.is_empty(), "seed {seed}");
        if seed <= 4 {
            assert_eq!(run(seed, &Options::default()).hash, outcome.hash, "seed {seed} gave other bytes");
        }
    }
}

#[test]
fn a_trace_tells_what_happened_and_changes_nothing() {
    let (quiet, told) = (run(5, &Options::default()), run(5, &Options { trace: true, ..Options::default() }));
    assert_eq!(quiet.hash, told.hash);
    assert!(quiet.trace.is_empty());
    assert!(told.trace.iter().any(|line| line.contains("ledger:")), "{:?}", told.trace);
    assert!(told.trace.last().unwrap().contains("history"));
}

#[test]
fn every_kind_of_fault_has_its_own_name_and_some_weight() {
    let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    assert!(Kind::ALL.iter().all(|kind| kind.weight() > 0));
}
