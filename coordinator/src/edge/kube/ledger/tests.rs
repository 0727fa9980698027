use super::super::testing::{Api as FakeApi, Fault};
use super::*;
use http::Method;
use serde_json::json;

const UID: &str = "2f7c3f0e-0000-4000-8000-000000000001";

fn record() -> LedgerKey {
    LedgerKey::Record(BackupUid::from(UID))
}

fn ledger() -> (FakeApi, KubeLedger) {
    let (api, client) = FakeApi::start();
    (api, KubeLedger::new(client, "isochron"))
}

#[tokio::test(start_paused = true)]
async fn a_version_wins_once() {
    let (api, ledger) = ledger();
    let first = ledger.write(&record(), "one", None).await.unwrap();
    assert!(matches!(ledger.write(&record(), "again", None).await, Err(PortError::Conflict(_))));
    let second = ledger.write(&record(), "two", Some(&first)).await.unwrap();
    assert!(matches!(ledger.write(&record(), "late", Some(&first)).await, Err(PortError::Conflict(_))));
    let entry = ledger.read(&record()).await.unwrap().unwrap();
    assert_eq!((entry.body.as_str(), &entry.version), ("two", &second));

    assert!(matches!(ledger.delete(&record(), &first).await, Err(PortError::Conflict(_))));
    ledger.delete(&record(), &second).await.unwrap();
    ledger.delete(&record(), &second).await.unwrap();
    assert_eq!(ledger.read(&record()).await.unwrap(), None);
    assert!(matches!(ledger.write(&record(), "gone", Some(&second)).await, Err(PortError::Conflict(_))));
    let path = format!("/api/v1/namespaces/isochron/configmaps/isochron-record-{UID}");
    assert_eq!(api.calls()[2], format!("PUT {path}"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_version_never_reaches_the_server() {
    let (api, ledger) = ledger();
    ledger.write(&record(), "one", None).await.unwrap();
    api.calls();
    let empty = Version(String::new());
    assert!(matches!(ledger.write(&record(), "blind", Some(&empty)).await, Err(PortError::Conflict(_))));
    assert_eq!(api.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_an_unknown_outcome_before_three_seconds() {
    let (api, ledger) = ledger();
    api.fail(Method::POST, Fault::Mute);
    let asked = tokio::time::Instant::now();
    let Err(PortError::Unavailable(text)) = ledger.write(&record(), "one", None).await else { panic!() };
    assert!(text.contains("outcome is unknown"), "{text}");
    assert!(asked.elapsed() < std::time::Duration::from_secs(3));
    // It was written after all, as the caller finds out.
    assert_eq!(ledger.read(&record()).await.unwrap().unwrap().body, "one");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_taken_for_a_conflict() {
    let (api, ledger) = ledger();
    for code in [403, 500, 422] {
        api.fail(Method::POST, Fault::Refuse(code));
        let Err(PortError::Unavailable(text)) = ledger.write(&record(), "one", None).await else { panic!() };
        assert!(text.contains(&format!("write ConfigMap isochron-record-{UID}: {code}")), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_goes_through_all_pages_and_leaves_strangers_out() {
    let (api, ledger) = ledger();
    for number in 0..70 {
        ledger.write(&LedgerKey::Claim(ClusterId(number)), &number.to_string(), None).await.unwrap();
    }
    ledger.write(&record(), "r", None).await.unwrap();
    api.put(
        "/api/v1/namespaces/isochron/configmaps/isochron-claim-x",
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "isochron-claim-x"}}),
    );
    api.calls();
    let mut entries = ledger.list().await.unwrap();
    assert_eq!(api.calls().len(), 3);
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(entries.len(), 71);
    assert_eq!((&entries[0].key, entries[0].body.as_str()), (&record(), "r"));
    assert_eq!(entries[70].key, LedgerKey::Claim(ClusterId(69)));
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_bound_is_refused_here() {
    let (api, ledger) = ledger();
    assert!(ledger.write(&record(), &"x".repeat(MAX_BODY + 1), None).await.is_err());
    assert_eq!(api.calls(), Vec::<String>::new());
}
