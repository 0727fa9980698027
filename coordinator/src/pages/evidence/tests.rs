//! The numbers are those of the certificate.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::fixtures::{proven, record};
use shared::{evidence::HoldKind, ids::PlaneId};

#[test]
fn each_proof_has_its_number() {
    let found: Vec<_> = proofs(&proven()).into_iter().map(|proof| (proof.number, proof.weaker, proof.found)).collect();
    let expected = [
        ("E1", "9 of 9 stores, in 3 planes"),
        ("E2", "9 of 9 holds unbroken; of 36 renewals 36 were answered true"),
        ("E3", "42 regions add up to the whole key space, no hole and no overlap"),
        ("E4", "18 of 18 volumes, on 9 instances; TiKV's own directories lie on them"),
        (
            "E5",
            "commitTs 449462718912512000 (2024-05-01T11:50:04Z), 3481 ms above the GC safe point 449462718000000000; \
             no version is above 449462719004262401",
        ),
        ("E6", "cluster 7365000000000000001, seen by all 3 planes"),
    ];
    let shown: Vec<_> = found.iter().map(|(number, weaker, text)| (*number, *weaker, text.as_str())).collect();
    assert_eq!(shown, expected.map(|(number, text)| (number, false, text)), "\n{shown:#?}");
}

#[test]
fn what_was_not_proved_is_not_called_proved() {
    let mut weaker = proven();
    let part = weaker.certificate.as_mut().unwrap().planes.get_mut(&PlaneId::from("az2")).unwrap();
    part.evidence.stores[0].kind = HoldKind::Weaker;
    part.directories.clear();
    let found = proofs(&weaker);
    let marked: Vec<_> = found.iter().filter(|proof| proof.weaker).map(|proof| proof.number).collect();
    assert_eq!(marked, ["E2", "E3"]);
    assert!(found[1].found.contains("1 stores were held in the weaker way"), "{}", found[1].found);
    assert!(found[3].found.ends_with("as far as 2 planes looked"), "{}", found[3].found);
    assert_eq!(proofs(&record()), [], "nothing is proved without a certificate");
}
