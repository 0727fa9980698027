//! How much a backup added: after the end, part by part, and never in anybody's way.

use crate::fixtures::*;
use shared::{
    barrier::{Barrier, Effect, Increments, Input, Milestone, Phase, Record, Size, Summary, Timer},
    reason::{Reason, Refusal},
    request::SizeLevel,
    time::Millis,
    wire::{Answer, CallShare, Completed, MEASURED_AT_ONCE, Measure, Measured, Order},
};

fn completed(measures: bool) -> Answer {
    Answer::Completed(Completed { full_bytes: 10, measures, ..Completed::default() })
}

fn told(from: u32, bytes: u64, unknown: u32) -> Answer {
    let notes = if unknown > 0 { vec!["snap-7: archived".to_owned()] } else { Vec::new() };
    Answer::Measured(Measured { from, bytes, unknown, notes })
}

/// At Complete; `old`: a plane of an earlier version.
fn complete(level: SizeLevel, old: Option<usize>) -> Kit {
    let mut request = request();
    request.size_level = level;
    let mut kit = Kit::new(request);
    kit.completing();
    (0..3).for_each(|i| drop(kit.says(i, completed(Some(i) != old))));
    assert_eq!(kit.view().phase, Phase::Complete);
    kit
}

fn again(kit: &mut Kit, i: usize) -> Option<Measure> {
    kit.raw(Input::PlaneUp(plane(i))).into_iter().find_map(|effect| match effect {
        Effect::Send { order: Order::Measure(measure), .. } => Some(measure),
        _ => None,
    })
}

#[test]
fn only_who_asks_for_it_and_only_planes_that_can() {
    for (level, asked) in
        [(SizeLevel::All, true), (SizeLevel::Incremental, true), (SizeLevel::Full, false), (SizeLevel::None, false)]
    {
        let mut kit = complete(level, Some(1));
        assert_eq!([0, 1, 2].map(|i| again(&mut kit, i).is_some()), [asked, false, asked], "{level:?}");
        assert_eq!(kit.machine.is_over(), !asked, "{level:?}");
        assert_eq!(Summary::of(kit.machine.record()).settled, !asked, "a restart has to read it: {level:?}");
    }
}

#[test]
fn each_plane_tells_what_it_added_and_the_sum_is_the_backups() {
    let mut kit = complete(SizeLevel::All, None);
    assert!(again(&mut kit, 0).is_some_and(|order| order.from == 0 && order.snapshots == snapshots(0)));
    assert!(kit.says(0, told(1, 5, 0)).is_empty(), "another part than was asked for");
    assert_eq!(kit.says(0, told(0, 5, 0)), ["save Complete"]);
    assert!(kit.says(0, told(0, 5, 0)).is_empty(), "said twice");
    assert_eq!((again(&mut kit, 0), kit.machine.record().added()), (None, Size::Pending));
    kit.says(1, told(0, 6, 0));
    kit.says(2, told(0, 7, 0));
    assert_eq!(kit.machine.record().added(), Size::Known(18));
    assert!(kit.machine.is_over() && Summary::of(kit.machine.record()).settled);
}

#[test]
fn planes_of_one_account_share_what_it_may_list() {
    let mut kit = complete(SizeLevel::All, None);
    let count = u32::try_from(snapshots(0).len()).expect("few");
    let share = again(&mut kit, 0).and_then(|order| order.share);
    assert_eq!(share, Some(CallShare { calls: count, of: 3 * count }));
}

#[test]
fn many_snapshots_are_asked_for_in_parts_and_a_restart_goes_on_where_it_was() {
    let kit = complete(SizeLevel::All, None);
    let mut record: Record = kit.machine.record().clone();
    let part = record.certificate.as_mut().and_then(|certificate| certificate.planes.get_mut(&plane(0))).expect("kept");
    let one = part.evidence.snapshots[0].clone();
    part.evidence.snapshots = vec![one; MEASURED_AT_ONCE + 2];
    let mut kit = Kit::of(record);
    kit.feed(Input::Start);
    assert_eq!(again(&mut kit, 0).map(|order| (order.from, order.snapshots.len())), Some((0, MEASURED_AT_ONCE)));
    assert_eq!(kit.says(0, told(0, 100, 0)), ["save Complete", "az1 @5 Measure 16+2"]);
    let mut kit = Kit::of(kit.machine.record().clone());
    kit.feed(Input::Start);
    assert_eq!(again(&mut kit, 0).map(|order| (order.from, order.snapshots.len())), Some((16, 2)));
    assert_eq!(kit.says(0, told(16, 1, 0)), ["save Complete"]);
    assert_eq!(
        kit.machine.record().planes[&plane(0)].increments,
        Some(Increments { done: 18, bytes: 101, unknown: 0 })
    );
}

#[test]
fn what_cannot_be_told_is_unknown_and_says_why() {
    let mut kit = complete(SizeLevel::All, None);
    kit.says(0, told(0, 5, 1));
    kit.says(1, told(0, 5, 0));
    let denied = Refusal::new(Reason::AccessDenied, "ebs:ListChangedBlocks");
    assert_eq!(kit.says(2, Answer::Refused(denied)), ["save Complete"]);
    let record = kit.machine.record();
    assert_eq!((record.milestone, record.added()), (Milestone::Complete, Size::Unknown));
    assert!(record.planes[&plane(0)].notes.join(" ").contains("archived"));
    assert!(record.planes[&plane(2)].notes.join(" ").contains("unknown: AccessDenied: ebs:ListChangedBlocks"));
    assert_eq!(record.added_by(&plane(1), &record.planes[&plane(1)]), Size::Known(5));
    assert!(kit.machine.is_over());
}

#[test]
fn what_may_pass_is_asked_again_for_a_day_and_then_left() {
    let mut kit = complete(SizeLevel::All, None);
    kit.says(0, told(0, 5, 0));
    kit.says(1, told(0, 5, 0));
    let away = || Answer::Refused(Refusal::new(Reason::Ec2Unavailable, "503"));
    assert!(kit.says(2, away()).is_empty());
    let at = kit.now.at;
    assert_eq!(kit.expire(Timer::Measure), ["az3 @5 Measure 0+1"]);
    assert_eq!(kit.now.at.since(at), Millis::secs(300));
    kit.feed(Input::PlaneDown(plane(2)));
    assert_eq!(kit.expire(Timer::Measure), ["save Complete"]);
    assert!(kit.now.at.since(at) >= Millis::secs(23 * 3600), "{:?}", kit.now.at.since(at));
    assert!(kit.machine.is_over() && kit.machine.record().added() == Size::Unknown);
}

#[test]
fn a_deletion_does_not_wait_for_it() {
    let mut kit = complete(SizeLevel::All, None);
    let lines = kit.feed(Input::Delete(shared::request::CleanPolicy::Delete));
    assert_eq!(lines.first().map(String::as_str), Some("save Cleaning"));
    assert!(kit.says(0, told(0, 5, 0)).is_empty());
    let machine: &Barrier = &kit.machine;
    assert!(machine.timers().all(|timer| timer != Timer::Measure));
}
