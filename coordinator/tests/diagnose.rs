//! `coordinator console diagnose`, of a coordinator that is a program of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serving;

use serving::{Serving, manifest, text};
use std::{collections::BTreeMap, fs::File, io::Read, os::unix::fs::PermissionsExt, path::Path};

/// Files by their names below the one folder.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(File::open(path).unwrap()));
    let files = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (name.split_once('/').unwrap().1.to_owned(), text)
    });
    files.collect()
}

/// Words of the private keys that lie beside the configuration.
fn keys(serving: &Serving) -> Vec<String> {
    let pki = serving.path("pki");
    let files = std::fs::read_dir(pki).unwrap().map(|entry| entry.unwrap().path());
    let keys = files.filter(|path| path.extension().is_some_and(|ending| ending == "key"));
    keys.map(|path| text(&path).lines().nth(1).unwrap().to_owned()).collect()
}

#[test]
fn one_archive_tells_all_but_what_is_secret() {
    // Where somebody may have written what does not belong there.
    let serving = Serving::start("prices: {currency: 'secret_key=planted-in-the-configuration'}\n");
    serving.write("nightly", &manifest("nightly", "--s3.sse-customer-key=planted-in-the-manifest"));
    serving.wait(&["show", "nightly"], |done| done.status.success());
    // What is logged may quote it, too.
    let unknown = serving.console(&["show", "password=planted-in-the-log"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    assert!(text(&serving.path("log")).contains("planted-in-the-log"));

    let done = serving.console(&["diagnose", "nightly", "--file", "it.tar.gz"]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "it.tar.gz\n");
    let path = serving.path("it.tar.gz");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let files = unpacked(&path);
    for name in [
        "README.txt",
        "status.json",
        "planes.txt",
        "check.txt",
        "schedules.json",
        "orphans.json",
        "coordinator/versions.json",
        "coordinator/configuration.json",
        "coordinator/sessions.txt",
        "coordinator/certificates.json",
        "coordinator/metrics.txt",
        "coordinator/log.txt",
        "coordinator/machines.json",
        "backup/show.json",
        "backup/why.txt",
        "backup/timeline.svg",
        "backup/report.html",
    ] {
        assert!(
            files.get(name).is_some_and(|text| !text.is_empty() || name.ends_with("sessions.txt")),
            "{name}: {:?}",
            files.keys()
        );
    }
    assert!(files["coordinator/log.txt"].contains("coordinator serves"), "{}", files["coordinator/log.txt"]);
    assert!(files["coordinator/metrics.txt"].contains("isochron_leading 1"));
    assert!(files["coordinator/certificates.json"].contains("coordinator/here"));
    let machines = &files["coordinator/machines.json"];
    assert!(machines.contains("barrier br-admin/nightly") && machines.contains("Start -> "), "{machines}");
    assert!(files["backup/show.json"].contains("nightly") && files["README.txt"].contains("Nothing is missing"));
    let readme = &files["README.txt"];
    assert!(readme.contains("Planes that say nothing of themselves:\naz1"), "{readme}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("plane az2 says nothing of itself: it is not connected"));

    let mut secrets = keys(&serving);
    assert_eq!(secrets.len(), 2, "of the authority and of the coordinator");
    secrets.extend(["planted-in"].map(str::to_owned));
    for secret in secrets {
        let holds: Vec<_> = files.iter().filter(|(_, text)| text.contains(&secret)).map(|(name, _)| name).collect();
        assert_eq!(holds, Vec::<&String>::new(), "{secret}");
    }
    assert!(files["coordinator/configuration.json"].contains("secret_key=(removed)"));

    let again = serving.console(&["diagnose", "--file", "it.tar.gz"]);
    assert_eq!(again.status.code(), Some(1), "what is there is not overwritten");
    assert!(String::from_utf8_lossy(&again.stderr).contains("it.tar.gz is not written"), "{again:?}");
}

#[test]
fn what_cannot_be_had_is_named_and_the_rest_is_there() {
    let serving = Serving::start("");
    let done = serving.console(&["diagnose", "nobody", "--file", "it.tar.gz"]);
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(error.contains("backup/show: no VolumeBackup called nobody"), "{error}");
    let files = unpacked(&serving.path("it.tar.gz"));
    assert!(files.contains_key("coordinator/log.txt") && files.contains_key("planes.json"), "{:?}", files.keys());
    assert!(files["README.txt"].contains("Missing:\n"), "{}", files["README.txt"]);

    let alone = serving.console(&["diagnose", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&alone.stdout).unwrap();
    assert!(told["process"]["writer"].is_string() && told["metrics"].is_string(), "{told:#}");

    let nobody = serving.command().args(["diagnose", "--socket", "/nowhere"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3), "{nobody:?}");
    let left: Vec<_> = std::fs::read_dir(serving.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("isochron-diagnose")), "{left:?}");
}
