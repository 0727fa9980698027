//! Golden bytes of every message, per wire version: a change of these bytes is a change of the wire, and needs a new
//! version. `cargo test -p isochron-protocol --test golden -- --ignored` writes the file anew, for a new message or a new version only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod restores;
mod samples;

use shared::wire::{self, Down, Hello, Up, Welcome};
use std::{collections::BTreeMap, path::PathBuf};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1.txt")
}

fn samples() -> impl Iterator<Item = (String, Vec<u8>)> {
    samples::all().into_iter().chain(restores::all())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn kept() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file()).expect("tests/golden/v1.txt");
    text.lines().filter_map(|line| line.split_once(' ')).map(|(name, hex)| (name.to_owned(), hex.to_owned())).collect()
}

#[test]
fn every_message_still_has_its_bytes() {
    let kept = kept();
    let made: BTreeMap<_, _> = samples().map(|(name, bytes)| (name, hex(&bytes))).collect();
    assert_eq!(made.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "messages of wire version 1");
    for (name, hex) in &made {
        assert_eq!(Some(hex), kept.get(name), "bytes of {name} changed: that is a new wire version");
    }
}

#[test]
fn every_kept_message_can_still_be_read_and_means_the_same() {
    for (name, hex) in kept() {
        let body = bytes(&hex);
        let again = match name.split('.').next() {
            Some("down") => wire::encode(&wire::decode::<Down>(&body).unwrap()).unwrap(),
            Some("up") => wire::encode(&wire::decode::<Up>(&body).unwrap()).unwrap(),
            Some("hello") => wire::encode(&wire::decode::<Hello>(&body).unwrap()).unwrap(),
            _ => wire::encode(&wire::decode::<Welcome>(&body).unwrap()).unwrap(),
        };
        assert_eq!(again, body, "{name}");
    }
}

#[test]
fn a_field_that_a_newer_version_adds_is_skipped() {
    // {"Order": {..}} with one more field in the innermost map: names, not positions, decide.
    #[derive(serde::Serialize)]
    struct Newer {
        number: u64,
        colour: &'static str,
    }
    let body = rmp_serde::to_vec_named(&Newer { number: 7, colour: "blue" }).unwrap();
    assert_eq!(wire::decode::<shared::wire::Renew>(&body).unwrap().number, 7);
}

/// A plane of the version before says nothing of kinds of holds: all of its holds are full, and nothing weaker is allowed.
#[test]
fn what_the_version_before_leaves_out_has_its_old_meaning() {
    use shared::{evidence::HoldKind, region_set::RegionSet, wire::*};
    let kept = kept();
    let Down::Order { order: Order::Prepare(prepare), .. } = wire::decode(&bytes(&kept["down.prepare"])).unwrap()
    else {
        panic!("another order")
    };
    assert!(!prepare.spec.allow_weaker_holds);
    let Up::Answer { answer: Answer::Confirmed(mut confirmed), .. } =
        wire::decode(&bytes(&kept["up.confirmed"])).unwrap()
    else {
        panic!("another answer")
    };
    assert_eq!(confirmed.evidence.stores[0].kind, HoldKind::Full);
    assert_eq!((confirmed.evidence.set_after, confirmed.evidence.cover.set), (None, RegionSet::default()));
    confirmed.evidence.stores[0].kind = HoldKind::Weaker;
    confirmed.evidence.set_after = Some(RegionSet { high: u64::MAX, low: 1 });
    let again = wire::decode::<Confirmed>(&wire::encode(&confirmed).unwrap()).unwrap();
    assert_eq!(again, confirmed, "what is new is carried");
}

#[test]
fn what_is_no_message_is_an_error_not_a_panic() {
    for body in [&b""[..], b"\xc1", b"\x81\xa5Order\xc0", &[0x93; 64]] {
        assert!(wire::decode::<Down>(body).is_err());
        assert!(wire::decode::<Up>(body).is_err());
    }
    // Deeper than anything of ours, and deeper than a thread's stack.
    assert!(wire::decode::<Down>(&b"\x81".repeat(100_000)).is_err());
    // One frame is one message: nothing may follow it, whole or cut.
    for (name, hex) in kept().into_iter().filter(|(name, _)| name.starts_with("down.")) {
        for more in [&b"\xc0"[..], b"\x00", b"\x93", b"\xd9", b"\xc1", &bytes(&hex)] {
            let glued = [&bytes(&hex), more].concat();
            assert!(matches!(wire::decode::<Down>(&glued), Err(wire::CodecError::Surplus)), "{name}, {more:x?}");
        }
    }
    assert!(matches!(wire::decode::<Up>(&vec![0; wire::MAX_FRAME_BYTES + 1]), Err(wire::CodecError::TooLarge { .. })));
}

#[test]
#[ignore = "writes the golden file of a new wire version"]
fn write_golden_file() {
    let lines: String = samples().map(|(name, bytes)| format!("{name} {}\n", hex(&bytes))).collect();
    std::fs::write(file(), lines).unwrap();
}
