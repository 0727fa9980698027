//! `coordinator console apply` and `delete`, stand-alone, by their exit statuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serving;

use serving::{Serving, manifest, text};
use std::fs;

const SCHEDULE: &str = "apiVersion: federation.pingcap.com/v1alpha1\nkind: VolumeBackupSchedule\n\
    metadata: {name: nightly, namespace: br-admin}\nspec:\n  schedule: '0 3 * * *'\n  pause: true\n  backupTemplate:\n    \
    clusters:\n    - {k8sClusterName: az1, tcName: shop, tcNamespace: tidb}\n    template:\n      br: {}\n      \
    s3: {provider: aws, region: eu-west-1, bucket: b, prefix: p}\n";

fn said(done: &std::process::Output) -> (i32, String) {
    let both = [done.stdout.as_slice(), done.stderr.as_slice()].concat();
    (done.status.code().unwrap(), String::from_utf8(both).unwrap())
}

#[test]
fn what_is_applied_is_there_until_it_is_deleted() {
    let serving = Serving::start("");
    let run = |args: &[&str]| said(&serving.console(args));
    fs::write(serving.path("both.yaml"), format!("{}---\n{SCHEDULE}", manifest("one", "--x"))).unwrap();
    let (status, told) = run(&["apply", "-f", "both.yaml", "-o", "name"]);
    assert_eq!((status, told.as_str()), (0, "br-admin/one\nbr-admin/nightly\n"));
    serving.wait(&["show", "one"], |done| done.status.success());
    serving.wait(&["schedules", "nightly"], |done| done.status.success());
    let (status, told) = run(&["apply", "-f", "both.yaml"]);
    assert!(status == 0 && told.matches("unchanged").count() == 2, "{told}");

    // Its planes never come: it ends badly, or has not ended when the time is over.
    let (status, told) = run(&["apply", "-f", "both.yaml", "--wait", "1s"]);
    assert!(status == 5 && told.contains("has not ended"), "{status} {told}");
    let (status, told) = run(&["delete", "one", "--wait", "30s"]);
    assert!(status == 0 && told.contains("VolumeBackup"), "{status} {told}");
    assert_eq!(run(&["show", "one"]).0, 1, "it is gone");
    let (status, told) = run(&["delete", "vbks", "br-admin/nightly", "--wait", "30s"]);
    assert_eq!(status, 0, "{told}");
    assert_eq!(run(&["schedules", "nightly"]).0, 1, "it is gone");
    let log = text(&serving.path("log"));
    assert!(log.contains("a person applies an object") && log.contains("a person deletes an object"), "{log}");
}

#[test]
fn what_cannot_be_is_refused_and_a_users_own_file_is_never_written() {
    let serving = Serving::start("");
    let run = |args: &[&str]| said(&serving.console(args));
    serving.write("mine", &manifest("mine", "--x"));
    serving.wait(&["show", "mine"], |done| done.status.success());
    let before = text(&serving.path("objects/mine.yaml"));
    fs::write(serving.path("mine.yaml"), manifest("mine", "--y")).unwrap();
    for (args, word) in [
        (["apply", "-f", "mine.yaml"].as_slice(), "stands in mine.yaml, which is yours"),
        (&["delete", "mine"], "stands in mine.yaml, which is yours"),
        (&["delete", "nobody"], "no VolumeBackup is called nobody"),
        (&["delete", "pod", "mine"], "is no kind of ours"),
    ] {
        let (status, told) = run(args);
        assert!(status == 1 && told.contains(word), "{args:?}: {status} {told}");
    }
    assert_eq!(text(&serving.path("objects/mine.yaml")), before);

    fs::write(serving.path("bad.yaml"), manifest("bad", "--y").replace("clusters:", "clutters:")).unwrap();
    let (status, told) = run(&["apply", "-f", "bad.yaml"]);
    assert!(status == 1 && told.contains("clutters"), "{status} {told}");
    fs::write(serving.path("secret.yaml"), format!("{}---\napiVersion: v1\nkind: Secret\n", manifest("two", "--y")))
        .unwrap();
    for (args, word) in [
        (["apply", "-f", "secret.yaml"].as_slice(), "secret.yaml, document 2"),
        (&["apply", "-f", "none.yaml"], "none.yaml cannot be read"),
        (&["apply"], "--file"),
        (&["delete"], "NAME"),
    ] {
        let (status, told) = run(args);
        assert!(status == 2 && told.contains(word), "{args:?}: {status} {told}");
    }
    assert_eq!(run(&["show", "two"]).0, 1, "nothing of a bad file was applied");
}
