//! The plane actor's manual pages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, process::Command};

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_plane-actor")).arg("man").arg(folder.path()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    for (name, words) in
        [("plane-actor", "man"), ("plane-actor-run", "print"), ("plane-actor-preflight", "nothing is changed")]
    {
        let page = fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains(words), "{name}: {page}");
    }
}
