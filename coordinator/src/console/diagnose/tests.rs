use super::*;
use serde_json::json;
use shared::time::Timestamp;
use std::{collections::BTreeMap, io::Read};

fn unpacked(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let files = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let (name, mut text) = (entry.path().unwrap().display().to_string(), String::new());
        entry.read_to_string(&mut text).unwrap();
        (name, text)
    });
    files.collect()
}

#[test]
fn an_archive_is_read_by_hand_and_names_what_is_missing() {
    let (mut told, mut all) = (Told::default(), Vec::new());
    for part in parts(Some("br-admin/nightly")) {
        let answer = match &part.question {
            Question::Diagnose { .. } => {
                json!({"log": ["one", "password=hunter2"], "metrics": "a 1\n", "sessions": [{"a": 1}]})
            }
            Question::Why { .. } => json!({"step": "Failed", "message": "secret_key=hunter2"}),
            Question::Show { .. } | Question::Timeline { .. } => {
                told.missing.push((part.place.to_owned(), "it said token=hunter2".to_owned()));
                continue;
            }
            _ => json!([]),
        };
        told.there.push((part.place.to_owned(), part.tells));
        all.extend(files(&part, &answer));
    }
    let at = Timestamp(1_714_532_420_000);
    assert_eq!(file_name(at), "isochron-diagnose-20240501T030020Z.tar.gz");
    let files = unpacked(&archive(at, Some("br-admin/nightly"), &told, &all).unwrap());
    let of = |name: &str| files[&format!("isochron-diagnose-20240501T030020Z/{name}")].as_str();
    assert_eq!(of("coordinator/log.txt"), "one\npassword=(removed)\n");
    assert_eq!(of("coordinator/metrics.txt"), "a 1\n");
    assert!(of("coordinator/sessions.json").contains("\"a\": 1"));
    assert!(of("backup/why.txt").contains("step: Failed") && of("check.json") == "[]\n");
    let readme = of("README.txt");
    assert!(readme.contains("Missing:\nbackup/show") && readme.contains("of the backup br-admin/nightly"), "{readme}");
    assert!(parts(None).iter().all(|part| readme.contains(part.place)), "{readme}");
    assert!(files.values().all(|text| !text.contains("hunter2")), "{files:#?}");
}
