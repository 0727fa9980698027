//! Every decoder on its corpus and on seeded mutations of it. How many there are is bounded by a count, so the same
//! revision gives the same bytes. `DECODERS_TIMES=100 cargo test -p isochron-testing --test decoders` makes a hundred times as many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeSet, thread};
use tests::decoders::{
    TARGETS, Target, corpus,
    mutate::{Dice, mutated},
};

/// Mutations of each target: all of them take some seconds in a debug build.
const MUTATIONS: u64 = 2_000;

/// Names its bytes when what judges them panics.
struct Shown<'a> {
    target: &'static str,
    what: String,
    bytes: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { target, what, bytes } = self;
            let hex = corpus::to_hex(bytes);
            eprintln!("{target}, {what}: keep these bytes as tests/fuzz/corpus/{target}/NAME.hex\n{hex}");
        }
    }
}

fn judge(target: Target, what: String, bytes: &[u8]) -> bool {
    let shown = Shown { target: target.name, what, bytes };
    (target.run)(shown.bytes)
}

fn times() -> u64 {
    std::env::var("DECODERS_TIMES").map_or(1, |times| times.parse().expect("DECODERS_TIMES is a number"))
}

/// What is in the corpus first, then what is made of it.
fn play(target: Target) {
    let files = corpus::read(target.name).unwrap();
    assert!(!files.is_empty(), "{} has a corpus", target.name);
    for (name, bytes) in &files {
        let is_read = judge(target, name.clone(), bytes);
        assert_eq!(
            is_read,
            !name.starts_with("bad"),
            "{}: {name} is read, unless its name begins with `bad`",
            target.name
        );
    }
    let seeds: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    for seed in 0..MUTATIONS * times() {
        let bytes = mutated(&seeds, &mut Dice::new(seed));
        judge(target, format!("seed {seed}"), &bytes);
    }
}

/// Each target is a test of its own: they share the cores, and one that fails hides no other.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let target = TARGETS.iter().find(|target| target.name == stringify!($name));
            play(*target.expect("it is in the list"));
        })*

        #[test]
        fn no_target_is_left_out() {
            let played = BTreeSet::from([$(stringify!($name)),*]);
            assert_eq!(played, TARGETS.iter().map(|target| target.name).collect());
            let folders = corpus::folder("").read_dir().unwrap().map(|entry| entry.unwrap().file_name());
            let folders: BTreeSet<String> = folders.map(|name| name.into_string().unwrap()).collect();
            assert_eq!(folders, played.iter().map(|name| (*name).to_owned()).collect());
        }
    };
}

targets!(
    wire_down,
    wire_up,
    wire_hello,
    record,
    claim,
    note,
    certificate,
    plane_ledger,
    config,
    environment,
    contexts,
    cron,
    duration,
    names,
    manifests,
    objects,
    question,
    backupmeta,
    clustermeta,
    certified,
    lock,
    tikv_config,
    tidb_cluster,
);

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let seeds = [b"one: 1\n".to_vec(), vec![0x81, 0xa1, 0x61, 0x01]];
    let made = |seed| mutated(&seeds, &mut Dice::new(seed));
    assert!((0..100).all(|seed| made(seed) == made(seed)));
    assert!((0..100).map(made).collect::<BTreeSet<_>>().len() > 60, "and another one others");
}
