//! Ledger and Lease as the real API server keeps them.

use super::SETTLE;
use anyhow::{Result, ensure};
use coordinator::{
    edge::kube::{KubeLedger, Leader, LeaderConfig, client_of},
    ports::{LEDGER_TEXT_MAX, Ledger, LedgerKey, PortError, Text},
};
use shared::{
    ids::{BackupUid, ClusterId},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};
use tests::servers::kube::KubeApi;
use tokio::time::timeout;

fn bare(body: &str) -> Text<'_> {
    Text { body, note: "" }
}

#[tokio::test]
async fn ledger_and_lease_are_fenced_by_the_real_server() -> Result<()> {
    let mut api = KubeApi::start().await?;
    let client = client_of(&api.kubeconfig).await?;
    let ledger = KubeLedger::new(client.clone(), "default");
    let key = LedgerKey::Claim(ClusterId(u64::MAX));
    let first = ledger.write(&key, &bare("{\"epoch\":1}"), None).await?;
    ensure!(matches!(ledger.write(&key, &bare("x"), None).await, Err(PortError::Conflict(_))));
    let second = ledger.write(&key, &bare("{\"epoch\":2}"), Some(&first)).await?;
    ensure!(matches!(ledger.write(&key, &bare("x"), Some(&first)).await, Err(PortError::Conflict(_))));
    ensure!(matches!(ledger.delete(&key, &first).await, Err(PortError::Conflict(_))));
    let big = "x".repeat(LEDGER_TEXT_MAX);
    for number in 0..40 {
        let text = Text { body: &big, note: &format!("note {number}") };
        ledger.write(&LedgerKey::Record(BackupUid::new(format!("u{number}"))), &text, None).await?;
    }
    let records = ledger.records().await?;
    ensure!(records.len() == 40, "{}", records.len());
    ensure!(records.iter().all(|noted| noted.note == noted.backup.as_str().replace('u', "note ")), "{records:?}");
    ensure!(records.iter().all(|noted| noted.bytes == Some(LEDGER_TEXT_MAX as u64)), "{records:?}");
    ensure!(ledger.claims().await?.len() == 1);

    let config = |identity| LeaderConfig::new("default", "isochron-coordinator", identity, Arc::new(|| Timestamp(0)));
    let mut a = Leader::start(client.clone(), config("a"));
    ensure!(*timeout(SETTLE, a.is_leading.wait_for(|leads| *leads)).await??);
    let mut b = Leader::start(client, config("b"));
    ensure!(timeout(Duration::from_secs(5), b.is_leading.wait_for(|leads| *leads)).await.is_err());
    a.resign().await;
    ensure!(*timeout(SETTLE, b.is_leading.wait_for(|leads| *leads)).await??);

    // A power cut of the API server: the leader stops believing, and what was saved is still there.
    api.kill().await?;
    let lost = tokio::time::Instant::now();
    ensure!(matches!(ledger.write(&key, &bare("x"), Some(&second)).await, Err(PortError::Unavailable(_))));
    ensure!(lost.elapsed() < Duration::from_secs(3));
    ensure!(!*timeout(Duration::from_secs(15), b.is_leading.wait_for(|leads| !*leads)).await??);
    api.restart().await?;
    let entry = ledger.read(&key).await?;
    ensure!(entry.is_some_and(|entry| entry.body == "{\"epoch\":2}" && entry.version == second));
    ledger.delete(&key, &second).await?;
    ledger.delete(&key, &second).await?;
    ensure!(*timeout(SETTLE, b.is_leading.wait_for(|leads| *leads)).await??);
    Ok(())
}
