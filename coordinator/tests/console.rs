//! `coordinator console` as a person meets it before any coordinator is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

/// Exit status and standard error.
fn console(args: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator"));
    let done = command.arg("console").args(["--socket", "/nowhere"]).args(args).output().unwrap();
    (done.status.code().unwrap(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn only_what_is_drawn_is_shown_as_a_picture() {
    for args in
        [["planes", "-o", "svg"].as_slice(), &["show", "nightly", "-o", "svg"], &["report", "nightly", "-o", "svg"]]
    {
        assert_eq!(console(args), (2, "coordinator: svg is for `console timeline NAME`\n".to_owned()), "{args:?}");
    }
    assert_eq!(console(&["status", "-o", "html"]), (2, "coordinator: html is for `console report NAME`\n".to_owned()));
    for args in
        [["timeline", "nightly", "-o", "svg"].as_slice(), &["report", "nightly"], &["report", "nightly", "-o", "html"]]
    {
        let (status, error) = console(args);
        assert!(status == 3 && error.contains("/nowhere"), "{args:?}: {status} {error}");
    }
}
