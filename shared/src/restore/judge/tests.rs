use super::{
    super::{Prices, Told, plan},
    *,
};
use crate::wire::{RestorePlace, Source, VolumeWish};

fn asking(rate: Option<u32>) -> Asking {
    Asking { wish: VolumeWish { rate, ..VolumeWish::plain() }, hours: 4, prices: Prices::default() }
}

/// Everything sound, but for this subject.
fn findings(target: bool, but: Option<(&str, FindingState)>) -> Asked {
    let of = |subject: &str| {
        let state = but.filter(|(of, _)| *of == subject).map_or(FindingState::Sound, |(_, state)| state);
        Finding { subject: subject.to_owned(), took: Millis(1), state, text: "t".to_owned() }
    };
    Asked::Answered(must(target).into_iter().map(of).collect())
}

fn judged(asked: Asked, target: bool, rate: Option<u32>, place: Option<bool>) -> Judged {
    let plane = PlaneId::from("az1");
    let source = Source {
        place: place.map(|_| crate::wire::PodPlace { name: "tikv".to_owned(), ordinal: 0 }),
        gib: 10,
        bytes: Some(1),
        ..Source::example("vol-1")
    };
    let room = RestorePlace {
        account: "1".to_owned(),
        region: "eu".to_owned(),
        quota_gib: Some(if place == Some(false) { 9 } else { 10 }),
        used_gib: Some(0),
        initialization: 299,
    };
    let told = vec![(plane.clone(), Told { place: Some(room), sources: vec![source] })];
    let asking = asking(rate);
    let targets = if target { BTreeSet::from([plane.clone()]) } else { BTreeSet::new() };
    judge(&plan(&told, &asking), BTreeMap::from([(plane, asked)]), &targets, &asking)
}

fn mapping_of(judged: &Judged) -> Option<FindingState> {
    let Some(Asked::Answered(findings)) = judged.planes.values().next() else { return None };
    findings.iter().find(|one| one.subject == "mapping").map(|one| one.state)
}

#[test]
fn it_holds_only_if_everything_was_looked_at_and_is_well() {
    assert!(judged(findings(false, None), false, None, Some(true)).holds);
    assert!(judged(findings(true, None), true, Some(100), Some(true)).holds);
    assert!(!judged(findings(false, None), true, None, Some(true)).holds, "nothing was said of the target");
    assert!(!judged(Asked::Unasked("away".to_owned()), false, None, Some(true)).holds);
    assert!(!judged(findings(false, None), false, None, Some(false)).holds, "no storage");
    assert!(!judged(findings(false, None), false, Some(300), Some(true)).holds, "not one fits the rate");
    for subject in must(true) {
        for (state, holds) in
            [(FindingState::Doubtful, true), (FindingState::Unchecked, false), (FindingState::Broken, false)]
        {
            let judged = judged(findings(true, Some((subject, state))), true, None, Some(true));
            assert_eq!(judged.holds, holds, "{subject} {state:?}");
        }
    }
    let nobody = judge(&plan(&[], &asking(None)), BTreeMap::new(), &BTreeSet::new(), &asking(None));
    assert!(!nobody.holds);
}

#[test]
fn pods_are_as_doubtful_as_the_look_at_backupmeta() {
    let of = |but, place| mapping_of(&judged(findings(false, but), false, None, place));
    assert_eq!(of(None, Some(true)), Some(FindingState::Sound));
    assert_eq!(of(None, None), Some(FindingState::Broken), "backupmeta names no pod");
    for state in [FindingState::Doubtful, FindingState::Unchecked] {
        assert_eq!(of(Some(("backupmeta", state)), None), Some(state));
    }
    assert_eq!(of(Some(("backupmeta", FindingState::Broken)), None), Some(FindingState::Broken));
}
