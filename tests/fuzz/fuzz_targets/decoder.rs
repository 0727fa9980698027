//! One decoder under libFuzzer: `DECODER` names it, as `tests::decoders::TARGETS` does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use tests::decoders::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("DECODER").unwrap_or_default();
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("DECODER={name:?} is none of {names:?}"))
});

fuzz_target!(|bytes: &[u8]| {
    (TARGET.run)(bytes);
});
