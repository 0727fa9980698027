use super::{super::fixtures::ask, *};
use shared::ids::BackupUid;

fn meta(ts: &str, volumes: &str) -> String {
    format!(
        r#"{{"cluster_info":{{"full_backup_type":"aws-ebs","resolved_ts":{ts}}},"tikv":{{"stores":[{{"volumes":[{volumes}]}}]}}}}"#
    )
}

#[test]
fn the_lock_names_backup_and_attempt() {
    let attempt = ask().attempt;
    let said = |number: u32, backup: &str| {
        let body = super::super::super::storage::lock_text(&Attempt { backup: BackupUid::new(backup), number }, "l-1");
        lock(Some(body.as_bytes()), &attempt).state
    };
    assert_eq!(said(2, "u-1"), FindingState::Sound);
    assert_eq!((said(1, "u-1"), said(2, "u-2")), (FindingState::Broken, FindingState::Broken));
    assert_eq!(lock(None, &attempt).state, FindingState::Broken);
    assert_eq!(lock(Some(b"DO NOT DELETE"), &attempt).state, FindingState::Broken);
}

#[test]
fn backupmeta_names_the_moment_and_the_snapshots_of_the_certificate() {
    const A: &str = r#"{"volume_id":"vol-a","snapshot_id":"snap-a"}"#;
    const B: &str = r#"{"volume_id":"vol-b","snapshot_id":"snap-b"}"#;
    const TS: &str = "449462718912512001";
    let of = |text: &str| {
        let Said { state, text } = backupmeta(Some(text.as_bytes()), &ask());
        (state, text)
    };
    assert_eq!(of(&meta(TS, &format!("{A},{B}"))).0, FindingState::Sound);
    // Above 2^53: a float would not see the difference.
    let table = [
        (meta("449462718912512002", &format!("{A},{B}")), "its resolved_ts is 449462718912512002"),
        (meta(TS, A), "it does not name vol-b"),
        (meta(TS, &format!("{A},{}", B.replace("snap-b", "snap-x"))), "it has snap-x for vol-b"),
        (meta(TS, &format!("{A},{B},{}", B.replace("vol-b", "vol-c"))), "it names vol-c"),
        (meta(TS, &format!("{A},{B}")).replace("aws-ebs", "log"), "cannot be read"),
        ("{".to_owned(), "cannot be read"),
    ];
    for (text, word) in table {
        let (state, said) = of(&text);
        assert!(state == FindingState::Broken && said.contains(word), "{text}: {said}");
    }
    assert_eq!(backupmeta(None, &ask()).state, FindingState::Broken);
}

#[test]
fn the_certificates_file_says_what_the_record_says() {
    let record = ask().certificate;
    let of = |text: &str| certificate(Some(text.as_bytes()), &record);
    assert_eq!(of(&record).state, FindingState::Sound);
    let otherwise = record.replace(r#""hold_ms":1"#, r#""hold_ms":2"#);
    assert!(of(&otherwise).state == FindingState::Sound && of(&otherwise).text.contains("beside it"));
    let changed = of(&record.replace(r#""attempt":2"#, r#""attempt":3,"name":"x""#));
    assert_eq!(changed, Said::broken("its file says otherwise than the record: attempt, name"));
    assert_eq!(of("{}").state, FindingState::Broken);
    assert_eq!(certificate(None, &record).state, FindingState::Broken);
    assert_eq!(certificate(Some(record.as_bytes()), "{}").state, FindingState::Unchecked);
}

#[test]
fn what_kubernetes_was_told_of_sizes_is_read_where_it_can_be() {
    let pv = |handle: &str, size: &str| serde_json::json!({"spec": {"csi": {"volumeHandle": handle}, "capacity": {"storage": size}}});
    let old = serde_json::json!({"spec": {
        "awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-c"}, "capacity": {"storage": "3Ti"}}});
    let meta = serde_json::json!({"kubernetes": {"pvs": [pv("vol-a", "10Gi"), pv("vol-b", "1e12"), old]}});
    let read = volume_sizes(meta.to_string().as_bytes()).unwrap();
    assert_eq!(read, VolumeSizes::from([("vol-a".into(), 10), ("vol-c".into(), 3072)]));
    assert_eq!(volume_sizes(b"{}"), None);
}
