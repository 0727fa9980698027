//! What must hold of every outcome, whoever died: it is legal and proved, record and status say the same, and in the
//! end nothing is left.

use super::table::{Case, Expect};
use anyhow::{Context, Result, bail, ensure};
use coordinator::{
    actors::Stored,
    edge::kube::{KubeLedger, client_of},
    ports::{Ledger as _, LedgerKey},
};
use serde_json::Value;
use std::time::{Duration, Instant};
use tests::{
    processes::{backup::why, environment::ADMIN_NAMESPACE, leftovers::Leftovers, rig::Rig},
    servers::process,
};
use tokio::time::sleep;

/// Namespace of the coordinator's ledger.
const LEDGER: &str = "isochron";

/// Until what was deleted, or runs out, is gone; the longest is a plane that tries to clean again.
const CLEANED_LIMIT: Duration = Duration::from_secs(45);

/// The outcome in one word, once it has been judged.
pub(crate) async fn outcome(rig: &Rig, name: &str, case: &Case) -> Result<String> {
    let status = rig.ended(name).await?;
    let (reason, message) = why(&status);
    let is_complete = match status["phase"].as_str() {
        Some("Complete") => true,
        Some("Failed") => false,
        _ => bail!("a right wish ended as {status:#}"),
    };
    let legal = match case.expect {
        Expect::Good => is_complete,
        Expect::Failed(reasons) => !is_complete && among(reasons, &reason),
        Expect::Either(reasons) => is_complete || among(reasons, &reason),
    };
    ensure!(legal, "{:?} is expected, not {reason}: {message}\n{status:#}", case.expect);
    ensure!(status["alarms"].is_null(), "impossible states were seen: {status:#}");
    agrees_with_record(rig, name, &status).await?;
    if is_complete {
        proved(rig, &status).await?;
        return Ok("Complete".to_owned());
    }
    ensure!(!message.is_empty() && status["certificate"].is_null(), "{status:#}");
    // Snapshots without a certificate are worthless: they go before anybody deletes the backup.
    free_of(rig, "snapshots of a failed attempt", |traces| traces.snapshots.is_empty()).await?;
    Ok(format!("Failed, {reason}"))
}

fn among(reasons: &[&str], reason: &str) -> bool {
    reasons.is_empty() || reasons.contains(&reason)
}

async fn ledger(rig: &Rig) -> Result<Vec<(LedgerKey, Value)>> {
    let ledger = KubeLedger::new(client_of(&rig.kube.kubeconfig).await?, LEDGER);
    let mut entries = ledger.claims().await?;
    for noted in ledger.records().await? {
        entries.extend(ledger.read(&LedgerKey::Record(noted.backup)).await?);
    }
    entries
        .into_iter()
        .map(|entry| {
            let stored = Stored::<Value>::parse(&entry.body).map_err(anyhow::Error::msg)?;
            Ok((entry.key, stored.body))
        })
        .collect()
}

async fn agrees_with_record(rig: &Rig, name: &str, status: &Value) -> Result<()> {
    let object = rig.get("vbk", name, ADMIN_NAMESPACE).await?.context("the object")?;
    let uid = object["metadata"]["uid"].as_str().context("an uid")?.to_owned();
    let entries = ledger(rig).await?;
    let of_backup = |key: &LedgerKey| matches!(key, LedgerKey::Record(backup) if backup.to_string() == uid);
    let (_, record) = entries.iter().find(|(key, _)| of_backup(key)).context("no record of the backup")?;
    let same = |left: &Value, right: &Value, what: &str| {
        ensure!(left == right, "{what}: the status says {left}, the record {right}");
        Ok(())
    };
    same(&status["phase"], &record["stage"], "outcome")?;
    let (reason, _) = why(status);
    if status["phase"] == "Failed" {
        same(&Value::String(reason), &record["failure"]["reason"], "reason")?;
    }
    same(&status["certificate"].is_null().into(), &record["certificate"].is_null().into(), "no certificate")?;
    let text = |ts: &Value| ts.as_str().map(str::to_owned).unwrap_or_else(|| ts.to_string());
    if status["phase"] == "Complete" {
        ensure!(text(&status["commitTs"]) == text(&record["commit_ts"]), "commitTs: {status:#}\n{record:#}");
    }
    Ok(())
}

/// A certificate, every file, every snapshot, and every store held until the last snapshot was made: by what the servers
/// saw, whatever the programs believe.
async fn proved(rig: &Rig, status: &Value) -> Result<()> {
    let site = &rig.sites[0];
    let certificate = &status["certificate"];
    let (stores, snapshots) = (site.stores().count(), rig.ec2.handle.snapshots());
    ensure!(certificate["verdict"] == "Consistent", "{status:#}");
    ensure!(certificate["stores"] == stores && certificate["snapshots"] == 2 * stores, "{certificate:#}");
    let mut taken: Vec<&str> = snapshots.values().map(|snapshot| snapshot.volume.as_str()).collect();
    taken.sort_unstable();
    taken.dedup();
    let mut wanted: Vec<&str> = site.stores().flat_map(|store| [store.data.as_str(), &store.raft]).collect();
    wanted.sort_unstable();
    ensure!(taken == wanted, "snapshots of {taken:?} instead of {wanted:?}");
    // One moment, by both clocks: what is measured later looks longer ago.
    let (at, now) = (Instant::now(), rig.ec2.handle.now());
    let last = snapshots.values().map(|snapshot| snapshot.created).max().context("snapshots")?;
    for store in site.tikv.stores() {
        let ago = at.saturating_duration_since(site.tikv.leased_at(store).context("never leased")?);
        ensure!(ago < now - last, "store {store} was last asked {:?} before the last snapshot", ago + last - now);
    }
    let keys = rig.traces().await?.objects;
    for part in &site.parts {
        for file in ["backup.lock", "backupmeta", "clustermeta", "isochron-certificate.json"] {
            let there = keys.iter().any(|key| key.contains(&part.plane) && key.ends_with(&format!("/{file}")));
            ensure!(there, "{file} of {} is missing: {keys:?}", part.plane);
        }
    }
    Ok(())
}

async fn free_of(rig: &Rig, what: &str, free: impl Fn(&Leftovers) -> bool) -> Result<()> {
    let begun = Instant::now();
    loop {
        let traces = rig.traces().await?;
        if free(&traces) {
            return Ok(());
        }
        ensure!(begun.elapsed() < CLEANED_LIMIT, "{what} are still there after {CLEANED_LIMIT:?}: {traces:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// After the deletion: no snapshot, object, pause, lease or safe point; no record, and no claim that is held.
pub(crate) async fn nothing_left(rig: &Rig, case: &Case) -> Result<()> {
    if case.safe_point_may_stay() {
        drop_safe_points(rig).await?;
    }
    let traces = rig.traces().await?;
    ensure!(traces == Leftovers::default(), "left over: {traces:?}");
    for (key, body) in ledger(rig).await? {
        match key {
            LedgerKey::Record(uid) => bail!("the record of {uid} outlives its object: {body:#}"),
            LedgerKey::Claim(cluster) => ensure!(body["live"].is_null(), "claim of {cluster} is held: {body:#}"),
            LedgerKey::Restore(uid) => bail!("nobody restores here, and there is a record of {uid}"),
        }
    }
    Ok(())
}

/// Its end was read from PD (it is one of the matrix's figures); waiting for it would take minutes.
async fn drop_safe_points(rig: &Rig) -> Result<()> {
    let site = &rig.sites[0];
    for service in site.held().await?.safe_points.into_keys() {
        let path = format!("/pd/api/v1/gc/safepoint/{service}");
        let answer = process::http("DELETE", site.pd.members()[0].address, &path, "").await?;
        ensure!(answer.status == 200, "DELETE {path}: {} {}", answer.status, answer.body);
    }
    Ok(())
}
