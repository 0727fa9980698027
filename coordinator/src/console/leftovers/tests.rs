#![allow(clippy::unwrap_used)]
use super::*;
use shared::{ids::BackupUid, time::Timestamp};

fn one(backup: &str, snapshots: u64, kept: Option<&str>) -> Unnamed {
    Unnamed {
        backup: BackupUid::new(backup),
        attempt: 1,
        namespace: "ns".to_owned(),
        name: "n".to_owned(),
        cluster: "7".to_owned(),
        path: format!("s3://b/{backup}-az1"),
        files: false,
        certified: kept == Some("certified"),
        snapshots,
        gib: 10,
        first: (snapshots > 0).then_some(Timestamp(1_000)),
        kept: kept.map(str::to_owned),
    }
}

fn place(account: &str, found: Vec<Unnamed>) -> ScannedPlace {
    let (account, region) = (account.to_owned(), "r".to_owned());
    ScannedPlace { account, region, bucket: "b".to_owned(), snapshots: 9, found, ..ScannedPlace::default() }
}

fn looked(places: Vec<ScannedPlace>) -> Looked {
    let scanned = Scanned { number: 1, places, calls: 3 };
    Looked { planes: vec![(PlaneId::new("az1"), Asked::Answered { scanned, cut: 0 })] }
}

fn value(looked: &Looked) -> Value {
    let Answered::Ok(value) = looked.answer(&[]) else { panic!("no answer") };
    value
}

#[test]
fn what_is_seen_from_two_places_counts_once_and_by_the_one_that_could_tell() {
    let found = looked(vec![
        place("1", vec![one("u", 3, Some("its files are in another bucket"))]),
        place("1", vec![one("u", 3, None), one("v", 0, Some("x"))]),
        place("2", vec![one("u", 2, None), one("w", 7, Some("certified"))]),
    ]);
    assert_eq!(found.unnamed(), (5, 1));
    let told = value(&found);
    assert_eq!(told["found"].as_array().unwrap().len(), 4, "{told:#}");
    assert!(told["found"].as_array().unwrap().iter().filter(|row| row["uid"] == "u").all(|row| row["stays"].is_null()));
    assert!(found.is_whole());
}

#[test]
fn a_plane_that_did_not_look_is_told() {
    let mut found = looked(vec![]);
    assert!(!found.is_whole(), "nobody said where to look");
    found.planes.push((PlaneId::new("az2"), Asked::Unasked("it is not connected".to_owned())));
    assert!(!found.is_whole());
    let told = value(&found);
    assert!(told["planes"][0]["notSeen"][0].as_str().unwrap().contains("where to look"), "{told:#}");
    assert_eq!(told["planes"][1]["notSeen"][0], "it is not connected");
    let mut cut = looked(vec![ScannedPlace { unseen: vec!["snapshots: denied".to_owned()], ..place("1", vec![]) }]);
    assert!(!cut.is_whole());
    let Some((_, Asked::Answered { scanned, cut: left })) = cut.planes.first_mut() else { panic!() };
    scanned.places[0].unseen.clear();
    *left = 1;
    assert!(!cut.is_whole());
}
