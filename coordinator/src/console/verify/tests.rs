//! What a person reads who asks whether a backup is still whole.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    console::check::drawn,
    fixtures::{complete, not_in_the_runbook},
};
use shared::{
    time::{Millis, Timestamp},
    verify::judge,
    wire::FindingState,
};

/// 2024-05-01T03:00:20Z
const NOW: Timestamp = Timestamp(1_714_532_420_000);

fn finding(subject: Subject, state: FindingState, text: &str) -> Finding {
    Finding { subject: subject.as_str().to_owned(), took: Millis(12), state, text: text.to_owned() }
}

/// A plane that found everything to be sound, but for these.
fn plane(but: &[(Subject, FindingState, &str)]) -> Asked {
    let of = |subject: &Subject| {
        let other = but.iter().find(|(of, ..)| of == subject);
        let (_, state, text) = other.copied().unwrap_or((*subject, FindingState::Sound, "as it was"));
        finding(*subject, state, text)
    };
    Asked::Answered(Subject::ALL.iter().map(of).collect())
}

fn looked(planes: Vec<(&str, Asked)>) -> Value {
    let planes: BTreeMap<PlaneId, Asked> =
        planes.into_iter().map(|(plane, asked)| (PlaneId::new(plane), asked)).collect();
    let verification = judge(&planes, NOW);
    Looked { record: Box::new(complete()), planes, verification, calls: 7 }.value(true)
}

#[test]
fn people_see_a_mark_and_a_page_for_everything() {
    let amiss = plane(&[
        (Subject::StorageTier, FindingState::Broken, "snap-1 is archived"),
        (Subject::Sharing, FindingState::Doubtful, "access denied"),
        (Subject::Blocks, FindingState::Unchecked, "no time"),
    ]);
    let value = looked(vec![("az1", amiss), ("az2", Asked::Unasked("not checked: 0.1 does not know".to_owned()))]);
    assert_eq!((value["level"].as_str(), value["fine"].as_bool()), (Some("Broken"), Some(false)));
    let text = drawn(&value);
    let shown = |line: &str| assert!(text.contains(line), "{line}\n{text}");
    shown("√ plane az1  lock          as it was (12 ms)");
    shown("× plane az1  storage tier  snap-1 is archived (12 ms)");
    shown("see deploy/runbook.md#verify-storage-tier");
    shown("‼ plane az1  sharing       access denied (12 ms)");
    shown("see deploy/runbook.md#verify-sharing");
    shown("× plane az1  blocks        no time (12 ms)");
    shown("× plane az2  plane         not checked: 0.1 does not know");
    shown("see deploy/runbook.md#verify-unchecked");
    assert!(text.ends_with("11 checks, 3 refused, 1 warning"), "{text}");
}

#[test]
fn a_missing_right_does_not_make_it_fail_and_a_plane_that_is_away_does() {
    let doubt = || plane(&[(Subject::Sharing, FindingState::Doubtful, "access denied")]);
    let partly = looked(vec![("az1", plane(&[])), ("az2", doubt())]);
    assert_eq!((partly["level"].as_str(), partly["fine"].as_bool()), (Some("Partly"), Some(true)));
    let away = looked(vec![("az1", doubt()), ("az2", Asked::Unasked("not connected".to_owned()))]);
    assert_eq!((away["level"].as_str(), away["fine"].as_bool()), (Some("Unchecked"), Some(false)));
    let sound = looked(vec![("az1", plane(&[]))]);
    assert_eq!((sound["of"].as_str(), sound["calls"].as_u64()), (Some("backup br-admin/nightly"), Some(7)));
    assert_eq!((sound["level"].as_str(), sound["message"].as_str()), (Some("Sound"), Some("")));
}

#[test]
fn every_page_that_is_named_is_there() {
    let subjects = Subject::ALL.iter().map(|subject| anchor(subject.as_str()));
    assert_eq!(not_in_the_runbook(subjects.chain([anchor("colour")])), Vec::<String>::new());
}

#[test]
fn an_answer_fits_into_a_frame_however_much_planes_say() {
    let long = "x".repeat(100_000);
    let much = plane(&[(Subject::Tags, FindingState::Broken, &long)]);
    let names: Vec<String> = (0..300).map(|at| format!("p{at}")).collect();
    let value = looked(names.iter().map(|name| (name.as_str(), much.clone())).collect());
    let text = value.to_string();
    assert!(text.len() < shared::wire::MAX_FRAME_BYTES, "{}", text.len());
    assert_eq!(value["leftOut"].as_u64(), Some(300 * Subject::ALL.len() as u64 - LINES_MAX as u64));
}
