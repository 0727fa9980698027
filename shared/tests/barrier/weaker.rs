//! Weaker holds: only where the user allows them, only with the same regions before and after, never called consistent.

use crate::fixtures::*;
use shared::{
    barrier::Verdict,
    epoch::Epoch,
    evidence::{Evidence, HoldKind},
    region_set::RegionSet,
    wire::{Answer, Confirmed},
};

/// Everybody confirms; plane 1 held its store in the weaker way, and all read their regions again.
fn confirmed_with(allowed: bool, bend: impl Fn(usize, &mut Evidence)) -> Kit {
    let mut request = request();
    request.allow_weaker_holds = allowed;
    let mut kit = Kit::new(request);
    kit.confirming();
    kit.all(|i| {
        let mut seen = evidence(i, Epoch(5));
        seen.set_after = Some(seen.cover.set);
        if i == 1 {
            seen.stores[0].kind = HoldKind::Weaker;
        }
        bend(i, &mut seen);
        Answer::Confirmed(Confirmed { evidence: seen })
    });
    kit
}

fn verdict(kit: &Kit) -> Option<Verdict> {
    kit.view().record.certificate.map(|certificate| certificate.verdict)
}

#[test]
fn one_weaker_hold_makes_the_verdict_weaker() {
    assert_eq!(verdict(&confirmed_with(true, |_, _| {})), Some(Verdict::Weaker));
}

#[test]
fn a_lease_without_log_compaction_is_weaker_too() {
    let compacting = |_: usize, seen: &mut Evidence| seen.stores[0].kind = HoldKind::Compacting;
    assert_eq!(verdict(&confirmed_with(true, compacting)), Some(Verdict::Weaker));
    refused(&confirmed_with(false, compacting), "does not allow");
}

#[test]
fn full_holds_are_consistent_also_where_weaker_ones_are_allowed() {
    let kit = confirmed_with(true, |_, seen| seen.stores[0].kind = HoldKind::Full);
    assert_eq!(verdict(&kit), Some(Verdict::Consistent));
}

#[test]
fn a_weaker_hold_that_nobody_allowed_proves_nothing() {
    refused(&confirmed_with(false, |_, _| {}), "does not allow");
}

#[test]
fn regions_that_changed_meanwhile_are_seen_in_any_plane() {
    let changed = RegionSet::of_region(9, 9, 9, b"", b"");
    for plane in 0..3 {
        let kit = confirmed_with(true, |i, seen| {
            if i == plane {
                seen.set_after = Some(changed);
            }
        });
        refused(&kit, "regions changed");
    }
}

#[test]
fn a_region_may_be_led_elsewhere_but_must_be_read_again() {
    let moved = confirmed_with(true, |i, seen| {
        let set = |i: usize| cover(i).set;
        seen.set_after = Some([set(0) + set(1), RegionSet::default(), set(2)][i]);
    });
    assert_eq!(verdict(&moved), Some(Verdict::Weaker));
    let unread = confirmed_with(true, |i, seen| {
        if i == 2 {
            seen.set_after = None;
        }
    });
    refused(&unread, "read its regions again");
}

/// All that full holds must prove, weaker ones must as well.
#[test]
fn the_other_evidence_counts_as_always() {
    refused(&confirmed_with(true, |_, seen| seen.stores[0].renewals_valid = 2), "E2");
    refused(&confirmed_with(true, |_, seen| seen.stores[0].start_timestamp = 101), "E1");
    refused(&confirmed_with(true, |_, seen| seen.snapshots.clear()), "E4");
    refused(&confirmed_with(true, |_, seen| seen.cover.tiling = Default::default()), "E3");
}
