use super::{super::fixtures::ask, *};
use crate::ports::Storage;
use shared::{ids::VolumeId, time::Timestamp};

fn info(snapshot: &str, volume: &str) -> SnapshotInfo {
    SnapshotInfo {
        snapshot: SnapshotId::new(snapshot),
        volume: VolumeId::new(volume),
        state: SnapshotState::Completed,
        progress: 100,
        start_time: Timestamp(1),
        full_bytes: Some(150),
        message: String::new(),
        tags: vec![("isochron/plane".into(), "az1".into()), ("team".into(), "shop".into())],
        storage: Storage { gib: 10, tier: Tier::Standard, encrypted: false, key: String::new() },
    }
}

/// Both, after a change of the first.
fn shown(change: impl FnOnce(&mut SnapshotInfo)) -> Shown {
    let mut first = info("snap-a", "vol-a");
    change(&mut first);
    let here = [first, info("snap-b", "vol-b")].map(|info| (info.snapshot.clone(), info));
    Shown { here: here.into(), binned: BTreeSet::new() }
}

fn only_b() -> Shown {
    let mut shown = shown(|_| ());
    shown.here.remove(&SnapshotId::new("snap-a"));
    shown
}

fn wanted() -> Vec<(String, String)> {
    vec![("isochron/plane".into(), "az1".into())]
}

#[test]
fn all_is_sound_of_what_is_as_it_was() {
    let (ask, shown) = (ask(), shown(|_| ()));
    let all = [exist(&ask, &shown), tiers(&ask, &shown), tags(&ask, &shown, &wanted())];
    for said in all.into_iter().chain([sizes(&ask, &shown, &VolumeSizes::from([("vol-a".into(), 10)]))]) {
        assert_eq!(said.state, FindingState::Sound, "{}", said.text);
    }
    assert_eq!(shown.usable(&ask).len(), 2);
}

#[test]
fn each_way_not_to_be_there_has_its_word() {
    let ask = ask();
    let of = |shown: &Shown| {
        let said = exist(&ask, shown);
        (said.state, said.text)
    };
    let broken = |text: &str| (FindingState::Broken, text.to_owned());
    assert_eq!(of(&only_b()), broken("snap-a of vol-a does not exist"));
    let binned = Shown { binned: [SnapshotId::new("snap-a")].into(), ..only_b() };
    assert!(of(&binned).1.contains("Recycle Bin"), "{:?}", of(&binned));
    for state in [SnapshotState::Pending, SnapshotState::Error, SnapshotState::Recoverable, SnapshotState::Unknown] {
        let shown = shown(|info| info.state = state);
        assert_eq!(of(&shown), broken(&format!("snap-a of vol-a is in {state:?}: ")));
        assert_eq!(shown.usable(&ask).len(), 1);
    }
    let other = shown(|info| info.volume = VolumeId::new("vol-x"));
    assert_eq!(of(&other), broken("snap-a is of vol-x, the certificate has it for vol-a"));
    let none = Verify { snapshots: Vec::new(), ..ask.clone() };
    assert_eq!(exist(&none, &other).state, FindingState::Broken);
    let many = Verify { snapshots: ask.snapshots.iter().cycle().take(10).cloned().collect(), ..ask.clone() };
    assert!(exist(&many, &Shown::default()).text.ends_with("; and 7 more"));
}

#[test]
fn an_archived_one_is_broken_and_an_unknown_tier_is_in_doubt() {
    let ask = ask();
    let archived = shown(|info| info.storage.tier = Tier::Archive);
    assert_eq!((tiers(&ask, &archived).state, archived.usable(&ask).len()), (FindingState::Broken, 1));
    assert_eq!(tiers(&ask, &shown(|info| info.storage.tier = Tier::Unknown)).state, FindingState::Doubtful);
}

#[test]
fn a_tag_that_is_gone_or_another_is_named() {
    let (ask, wanted) = (ask(), wanted());
    let gone = tags(&ask, &shown(|info| info.tags.clear()), &wanted);
    assert_eq!(gone, Said::broken("snap-a has no tag isochron/plane"));
    let other = tags(&ask, &shown(|info| info.tags[0].1 = "az2".into()), &wanted);
    assert_eq!(other, Said::broken("snap-a: isochron/plane is az2, not az1"));
}

#[test]
fn sizes_are_those_of_the_end_and_of_kubernetes() {
    let (ask, none) = (ask(), VolumeSizes::new());
    let of = |change: fn(&mut SnapshotInfo)| sizes(&ask, &shown(change), &none);
    assert_eq!(of(|info| info.full_bytes = Some(151)).state, FindingState::Broken);
    assert_eq!(of(|info| info.full_bytes = Some(11 << 30)).state, FindingState::Broken);
    // What EC2 does not tell is not compared.
    assert_eq!(of(|info| info.full_bytes = None).state, FindingState::Sound);
    let untold = Verify { full_bytes: None, ..ask.clone() };
    assert_eq!(sizes(&untold, &shown(|info| info.full_bytes = Some(7)), &none).state, FindingState::Sound);
    // What is missing is told elsewhere.
    assert_eq!(sizes(&ask, &only_b(), &none).state, FindingState::Sound);
    let promised = VolumeSizes::from([("vol-a".into(), 11)]);
    assert_eq!(sizes(&ask, &shown(|_| ()), &promised).state, FindingState::Broken);
    assert_eq!(sizes(&ask, &shown(|info| info.storage.gib = 0), &promised).state, FindingState::Sound);
}

#[test]
fn of_what_is_not_there_nothing_else_is_said() {
    let (ask, nothing) = (ask(), Shown::default());
    for said in [tiers(&ask, &nothing), tags(&ask, &nothing, &wanted()), sizes(&ask, &nothing, &VolumeSizes::new())] {
        assert_eq!(said.state, FindingState::Unchecked, "{}", said.text);
    }
}
