use shared::{
    ids::PlaneId,
    time::{Millis, Timestamp},
    verify::{Asked, Level, Subject, judge},
    wire::{Finding, FindingState},
};
use std::collections::BTreeMap;

fn finding(subject: &str, state: FindingState) -> Finding {
    Finding { subject: subject.into(), took: Millis(1), state, text: format!("about {subject}") }
}

/// A plane that found everything to be sound, but for this.
fn plane(but: &[(Subject, FindingState)]) -> Asked {
    let state =
        |subject: Subject| but.iter().find(|(of, _)| *of == subject).map_or(FindingState::Sound, |(_, state)| *state);
    Asked::Answered(Subject::ALL.iter().map(|subject| finding(subject.as_str(), state(*subject))).collect())
}

fn level(planes: Vec<Asked>) -> (Level, String) {
    let named = planes.into_iter().enumerate().map(|(at, asked)| (PlaneId::new(format!("az{}", at + 1)), asked));
    let found = judge(&named.collect(), Timestamp(5));
    assert_eq!(found.at, Timestamp(5));
    (found.level, found.message)
}

#[test]
fn the_worst_of_all_planes_counts() {
    use FindingState::{Broken, Doubtful, Unchecked};
    let sound = || plane(&[]);
    assert_eq!(level(vec![sound(), sound()]), (Level::Sound, String::new()));
    let doubt = || plane(&[(Subject::Sharing, Doubtful)]);
    assert_eq!(level(vec![sound(), doubt()]), (Level::Partly, "plane az2, sharing: about sharing".to_owned()));
    let away = || Asked::Unasked("not connected".to_owned());
    assert_eq!(level(vec![doubt(), away()]), (Level::Unchecked, "plane az2: not connected".to_owned()));
    assert_eq!(level(vec![plane(&[(Subject::Blocks, Unchecked)])]).0, Level::Unchecked);
    let broken = plane(&[(Subject::Tags, Broken), (Subject::Sharing, Doubtful)]);
    assert_eq!(level(vec![away(), broken, doubt()]), (Level::Broken, "plane az2, tags: about tags".to_owned()));
}

#[test]
fn what_nobody_spoke_of_was_not_looked_at() {
    assert_eq!(level(Vec::new()).0, Level::Unchecked);
    for silent in Subject::ALL {
        let others = Subject::ALL.iter().filter(|subject| **subject != silent);
        let findings = others.map(|subject| finding(subject.as_str(), FindingState::Sound)).collect();
        let (level, message) = level(vec![Asked::Answered(findings)]);
        assert_eq!(
            (level, message),
            (Level::Unchecked, format!("plane az1, {}: nothing was said of it", silent.as_str()))
        );
    }
}

/// A plane of a later version looks at more: what it finds counts, although this version has no name for it.
#[test]
fn a_subject_that_is_not_known_here_counts() {
    let Asked::Answered(mut findings) = plane(&[]) else { panic!() };
    findings.push(finding("colour", FindingState::Broken));
    assert_eq!(level(vec![Asked::Answered(findings)]).0, Level::Broken);
}

#[test]
fn a_message_is_short_however_much_is_amiss() {
    let long = Finding { text: "x".repeat(10_000), ..finding("tags", FindingState::Broken) };
    let planes: BTreeMap<PlaneId, Asked> =
        (0..100).map(|at| (PlaneId::new(format!("p{at}")), Asked::Answered(vec![long.clone(); 5]))).collect();
    let found = judge(&planes, Timestamp(1));
    assert!(found.message.len() < 500 && found.message.ends_with("; and 497 more"), "{}", found.message);
}

#[test]
fn only_what_was_looked_at_and_is_not_amiss_holds() {
    let holds: Vec<&str> = Level::ALL.into_iter().filter(|level| level.holds()).map(Level::as_str).collect();
    assert_eq!(holds, ["Sound", "Partly"]);
}
