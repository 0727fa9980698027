use super::super::testing::server;
use super::*;
use crate::fixtures::bare;
use api_server::{ApiServer, Fault};
use http::Method;
use serde_json::json;

const UID: &str = "2f7c3f0e-0000-4000-8000-000000000001";

fn record() -> LedgerKey {
    LedgerKey::Record(BackupUid::from(UID))
}

fn ledger() -> (ApiServer, KubeLedger) {
    let (api, client) = server();
    (api, KubeLedger::new(client, "isochron"))
}

#[tokio::test(start_paused = true)]
async fn a_version_wins_once() {
    let (api, ledger) = ledger();
    let first = ledger.write(&record(), &bare("one"), None).await.unwrap();
    assert!(matches!(ledger.write(&record(), &bare("again"), None).await, Err(PortError::Conflict(_))));
    let second = ledger.write(&record(), &bare("two"), Some(&first)).await.unwrap();
    assert!(matches!(ledger.write(&record(), &bare("late"), Some(&first)).await, Err(PortError::Conflict(_))));
    let entry = ledger.read(&record()).await.unwrap().unwrap();
    assert_eq!((entry.body.as_str(), &entry.version), ("two", &second));

    assert!(matches!(ledger.delete(&record(), &first).await, Err(PortError::Conflict(_))));
    ledger.delete(&record(), &second).await.unwrap();
    ledger.delete(&record(), &second).await.unwrap();
    assert_eq!(ledger.read(&record()).await.unwrap(), None);
    assert!(matches!(ledger.write(&record(), &bare("gone"), Some(&second)).await, Err(PortError::Conflict(_))));
    let path = format!("/api/v1/namespaces/isochron/configmaps/isochron-record-{UID}");
    assert_eq!(api.calls()[2], format!("PUT {path}"));
}

#[tokio::test(start_paused = true)]
async fn whether_a_write_would_be_taken_is_asked_and_nothing_is_written() {
    let (api, ledger) = ledger();
    ledger.may_write().await.unwrap();
    let asked = api.requests();
    assert!(matches!(asked.as_slice(), [one] if one.starts_with("POST ") && one.contains("dryRun=All")), "{asked:?}");
    assert!(api.under("/api/v1/namespaces/isochron").is_empty());
    api.fail(Method::POST, Fault::Refuse(403));
    let Err(PortError::Unavailable(text)) = ledger.may_write().await else { panic!() };
    assert!(text.contains("dry run: 403"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_version_never_reaches_the_server() {
    let (api, ledger) = ledger();
    ledger.write(&record(), &bare("one"), None).await.unwrap();
    api.calls();
    let empty = Version(String::new());
    assert!(matches!(ledger.write(&record(), &bare("blind"), Some(&empty)).await, Err(PortError::Conflict(_))));
    assert_eq!(api.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_an_unknown_outcome_before_three_seconds() {
    let (api, ledger) = ledger();
    api.fail(Method::POST, Fault::Mute);
    let asked = tokio::time::Instant::now();
    let Err(PortError::Unavailable(text)) = ledger.write(&record(), &bare("one"), None).await else { panic!() };
    assert!(text.contains("outcome is unknown"), "{text}");
    assert!(asked.elapsed() < std::time::Duration::from_secs(3));
    // It was written after all, as the caller finds out.
    assert_eq!(ledger.read(&record()).await.unwrap().unwrap().body, "one");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_taken_for_a_conflict() {
    let (api, ledger) = ledger();
    for code in [403, 500] {
        api.fail(Method::POST, Fault::Refuse(code));
        let Err(PortError::Unavailable(text)) = ledger.write(&record(), &bare("one"), None).await else { panic!() };
        assert!(text.contains(&format!("write ConfigMap isochron-record-{UID}: {code}")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_never_be_taken_is_told_from_what_may() {
    let (api, ledger) = ledger();
    for (code, reason) in [(413, Reason::TooLarge), (422, Reason::LedgerLost)] {
        api.fail(Method::POST, Fault::Refuse(code));
        let Err(PortError::Refused(refusal)) = ledger.write(&record(), &bare("one"), None).await else { panic!() };
        assert_eq!(refusal.reason, reason, "{refusal}");
        assert!(refusal.message.contains(&format!("write ConfigMap isochron-record-{UID}: {code}")), "{refusal}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_records_are_twenty_pages_and_claims_are_not_among_them() {
    let (api, ledger) = ledger();
    for number in 0..10_000 {
        api.put(
            &format!("/api/v1/namespaces/isochron/configmaps/isochron-record-u{number}"),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"body": "long"},
                "metadata": {
                    "name": format!("isochron-record-u{number}"), "labels": {"isochron.pingcap.com/ledger": "record"},
                    "annotations": {"isochron.pingcap.com/summary": "a note", "isochron.pingcap.com/bytes": "4"},
                },
            }),
        );
    }
    for number in 0..3 {
        ledger.write(&LedgerKey::Claim(ClusterId(number)), &bare(&number.to_string()), None).await.unwrap();
    }
    api.put(
        "/api/v1/namespaces/isochron/configmaps/isochron-claim-x",
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "isochron-claim-x", "labels": {"isochron.pingcap.com/ledger": "claim"}},
        }),
    );
    api.calls();
    let records = ledger.records().await.unwrap();
    assert_eq!(api.calls().len(), 20);
    assert_eq!(records.len(), 10_000);
    assert!(records.iter().all(|noted| noted.note == "a note" && noted.bytes == Some(4)));
    let claims = ledger.claims().await.unwrap();
    assert_eq!(api.calls().len(), 1);
    assert_eq!(claims.iter().map(|entry| entry.body.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_note_stands_beside_the_text() {
    let (api, ledger) = ledger();
    ledger.write(&record(), &Text { body: "{}", note: "{\"name\":\"nightly\"}" }, None).await.unwrap();
    let map = api.get(&format!("/api/v1/namespaces/isochron/configmaps/isochron-record-{UID}")).unwrap();
    let annotations = &map["metadata"]["annotations"];
    assert_eq!(annotations["isochron.pingcap.com/summary"], "{\"name\":\"nightly\"}");
    assert_eq!(annotations["isochron.pingcap.com/bytes"], "2");
    let noted = ledger.records().await.unwrap().remove(0);
    assert_eq!((noted.note.as_str(), noted.bytes), ("{\"name\":\"nightly\"}", Some(2)));
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_bound_is_refused_here() {
    let (api, ledger) = ledger();
    let long = "x".repeat(LEDGER_TEXT_MAX + 1);
    let Err(PortError::Refused(refusal)) = ledger.write(&record(), &bare(&long), None).await else { panic!() };
    assert_eq!(refusal.reason, Reason::TooLarge);
    assert_eq!(api.calls(), Vec::<String>::new());
}

/// Each lists its own records; whose record a claim names is found by its name alone.
#[tokio::test(start_paused = true)]
async fn several_coordinators_have_records_of_their_own_and_one_set_of_claims() {
    let (_api, client) = server();
    let ledgers = ["", "a", "b"].map(|name| KubeLedger::named(client.clone(), "isochron", name));
    let key = |uid: &str| LedgerKey::Record(BackupUid::from(uid));
    for (ledger, uid) in ledgers.iter().zip(["none", "of-a", "of-b"]) {
        ledger.write(&key(uid), &bare(uid), None).await.unwrap();
    }
    let claim = LedgerKey::Claim(ClusterId(7));
    let first = ledgers[1].write(&claim, &bare("a"), None).await.unwrap();
    for (ledger, uid) in ledgers.iter().zip(["none", "of-a", "of-b"]) {
        let own: Vec<_> = ledger.records().await.unwrap().into_iter().map(|noted| noted.backup).collect();
        assert_eq!(own, [BackupUid::from(uid)]);
        assert_eq!(ledger.claims().await.unwrap().len(), 1);
        assert_eq!(ledger.read(&key("of-a")).await.unwrap().unwrap().body, "of-a");
    }
    ledgers[2].write(&claim, &bare("b"), Some(&first)).await.unwrap();
    assert!(matches!(ledgers[1].write(&claim, &bare("a"), Some(&first)).await, Err(PortError::Conflict(_))));
}
