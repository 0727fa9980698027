//! `coordinator console drain` and `release`, by their exit statuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serving;

use serving::{Serving, manifest, text};

fn rows(serving: &Serving, args: &[&str]) -> serde_json::Value {
    serde_json::from_slice(&serving.console(&[args, &["-o", "json"]].concat()).stdout).unwrap()
}

#[test]
fn a_drain_begins_and_ends_by_a_persons_word() {
    let serving = Serving::start("");
    let status = |args: &[&str]| serving.console(args).status.code().unwrap();
    assert_eq!(status(&["drain", "az1", "--for", "30m", "--because", "new nodes", "--wait", "10s"]), 0);
    let seen = rows(&serving, &["drain"]);
    assert_eq!((&seen[0]["plane"], &seen[0]["because"]), (&"az1".into(), &"new nodes".into()), "{seen:#}");
    assert_eq!(serving.console(&["drain", "-o", "name"]).stdout, b"az1\n");
    serving.write("nightly", &manifest("nightly", "--x"));
    serving.wait(&["backups", "-o", "json"], |done| String::from_utf8_lossy(&done.stdout).contains("Drained"));
    assert_eq!(status(&["drain", "az9"]), 1, "there is no such plane");
    assert_eq!(status(&["drain", "az1", "--for", "25h"]), 1, "too long");
    assert_eq!(status(&["release"]), 2, "of which?");
    assert_eq!(status(&["drain", "az1", "--all"]), 2, "one of both");
    assert_eq!(status(&["release", "--all"]), 1, "that one there is not");
    assert_eq!(status(&["release", "az1"]), 0);
    serving.wait(&["show", "nightly", "-o", "json"], |done| {
        let told = String::from_utf8_lossy(&done.stdout);
        told.contains("Preparing")
    });
    let log = text(&serving.path("log"));
    for audit in ["a person drains a plane", "a person releases a drained plane", "the local socket"] {
        assert!(log.contains(audit), "{audit}: {log}");
    }
}
