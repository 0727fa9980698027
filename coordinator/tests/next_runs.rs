//! `coordinator next-runs` as a person meets it: what it prints, and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

/// Exit status, standard output, standard error.
fn next_runs(args: &[&str]) -> (i32, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_coordinator")).arg("next-runs").args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

#[test]
fn runs_as_text() {
    let (status, out, _) = next_runs(&["0 3 * * *", "--from", "2024-05-01T03:00:00Z", "--count", "2"]);
    assert_eq!((status, out.as_str()), (0, "2024-05-02T03:00:00Z\n2024-05-03T03:00:00Z\n"));
    // The clock is set forward on 31 March: half past two does not exist.
    let berlin = ["30 2 * * *", "--tz", "Europe/Berlin", "--from", "2024-03-30T00:00:00Z", "--count", "2"];
    let (status, out, _) = next_runs(&berlin);
    let lines = "2024-03-30T02:30:00+01:00  2024-03-30T01:30:00Z\n2024-04-01T02:30:00+02:00  2024-04-01T00:30:00Z\n";
    assert_eq!((status, out.as_str()), (0, lines));
}

#[test]
fn runs_as_json() {
    let args = ["TZ=Asia/Tokyo @monthly", "--from", "2024-05-01T00:00:00+09:00", "--count", "1", "--output", "json"];
    let (status, out, _) = next_runs(&args);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!({
        "expression": "TZ=Asia/Tokyo @monthly",
        "zone": "Asia/Tokyo",
        "from": "2024-04-30T15:00:00Z",
        "runs": [{ "local": "2024-06-01T00:00:00+09:00", "utc": "2024-05-31T15:00:00Z" }],
    });
    assert_eq!((status, answer), (0, expected));
}

#[test]
fn without_a_moment_it_counts_from_now() {
    let (status, out, _) = next_runs(&["* * * * *"]);
    assert_eq!((status, out.lines().count()), (0, 10));
}

#[test]
fn an_expression_that_never_fires_is_no_mistake() {
    let (status, out, _) = next_runs(&["0 0 31 2 *"]);
    assert_eq!((status, out.as_str()), (0, "no run within five years\n"));
}

#[test]
fn what_cannot_be_read_is_wrong_use() {
    for (args, message) in [
        (
            vec!["0 3 * * 7"],
            "coordinator: day-of-week, item '7': 7 is out of range; allowed are 0-6 (0 is Sunday) and sun-sat\n",
        ),
        (
            vec!["0 3 * * *", "--tz", "Mars"],
            "coordinator: --tz: time zone 'Mars' is unknown; write a name of the IANA database, for example Europe/Berlin or UTC\n",
        ),
    ] {
        let (status, out, error) = next_runs(&args);
        assert_eq!((status, out.as_str(), error.as_str()), (2, "", message));
    }
    let (status, _, error) = next_runs(&["0 3 * * *", "--from", "yesterday"]);
    assert_eq!(status, 2);
    assert!(error.starts_with("coordinator: --from: 'yesterday' is not a moment in RFC 3339, for example"), "{error}");
    assert_eq!(next_runs(&["0 3 * * *", "--count", "0"]).0, 2);
    assert_eq!(next_runs(&[]).0, 2);
}
