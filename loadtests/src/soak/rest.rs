//! What there is when nothing is under way.

use super::schedules::{KEPT, Scheduled, delete_failed};
use crate::process::{descriptors, live_bytes, resident_kibibytes};
use anyhow::{Context, ensure};
use coordinator::ports::LedgerKey;
use serde::Serialize;
use serde_json::{Value, json};
use shared::barrier::Record;
use std::{collections::BTreeSet, time::Duration};
use tests::{
    control::parse_record,
    rig::{Network, Rig},
};
use tokio::time::sleep;

/// All that is counted.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Rest {
    /// VolumeBackups that were ever made.
    pub(crate) made: usize,
    /// Objects in the ledger.
    pub(crate) objects: usize,
    /// Objects in the ledger beyond a record for each VolumeBackup and one claim.
    pub(crate) ledger_surplus: f64,
    /// The longest object there, in KiB.
    pub(crate) longest: f64,
    /// Barriers that live in the coordinator.
    pub(crate) barriers: f64,
    /// Attempts that planes have in memory, beyond those of the VolumeBackups there are.
    pub(crate) members: f64,
    /// Attempts in planes' own ledgers, of the plane that has most.
    pub(crate) attempts: f64,
    /// Lines of the coordinator's metrics. Those of failures by TiDB cluster are left out: the first failure brings all of them.
    pub(crate) series: f64,
    /// Snapshots that no certificate names.
    pub(crate) snapshots: f64,
    /// Paused schedulers, safe points and leases in TiDB.
    pub(crate) holds: f64,
    /// Records without an object, as the console tells it.
    pub(crate) orphans: f64,
    /// What is allocated, the world included, in bytes.
    pub(crate) live: f64,
    /// Of the process, in MiB.
    pub(crate) resident: f64,
    /// Files and sockets of the process.
    pub(crate) descriptors: f64,
}

impl Rest {
    /// Pauses the schedules and waits until all is at rest, `rest` for what was begun to end, and as long for what failed to be
    /// cleaned once a person has deleted it; the caller begins again.
    ///
    /// # Errors
    /// It does not come to rest: other than as many Complete backups as are kept are there.
    pub(crate) async fn take<N: Network>(
        rig: &Rig<N>,
        planes: &[String],
        schedules: &[Scheduled],
        rest: Duration,
    ) -> anyhow::Result<Self> {
        for schedule in schedules {
            schedule.apply(rig, true)?;
        }
        sleep(rest).await;
        delete_failed(rig);
        sleep(rest).await;
        let objects = rig.control.objects();
        let phases: Vec<&str> = objects.values().filter_map(|it| it["status"]["phase"].as_str()).collect();
        ensure!(phases == vec!["Complete"; KEPT * schedules.len()], "not at rest: {phases:?}");
        // What doubles remember of what is gone would look like a leak.
        let made = rig.control.forget_past();
        rig.world.forget_past();

        let ledger = rig.control.ledger();
        let members = planes.iter().filter_map(|plane| rig.plane_view(plane, |view| view.members.len())).sum::<usize>();
        let ledgers = rig.world.facts().ledgers;
        let left = rig.world.left_over();
        Ok(Self {
            made,
            objects: ledger.len(),
            ledger_surplus: ledger.len() as f64 - objects.len() as f64 - 1.0,
            longest: ledger.values().map(String::len).max().unwrap_or(0) as f64 / 1024.0,
            barriers: barriers(rig).await?,
            members: (members as f64 - (objects.len() * planes.len()) as f64).max(0.0),
            attempts: ledgers.values().map(|ledger| ledger.attempts.len()).max().unwrap_or(0) as f64,
            series: rig.series().saturating_sub(rig.series_with("isochron_cluster_failures", "")) as f64,
            snapshots: left.snapshots.saturating_sub(certified(rig)) as f64,
            holds: (left.paused_schedulers + left.safe_points + left.leases) as f64,
            orphans: rig.orphans_told().await.1.context("no answer on the console")? as f64,
            resident: resident_kibibytes()? / 1024.0,
            descriptors: descriptors()? as f64,
            live: live_bytes() as f64,
        })
    }
}

/// The others are a summary each.
async fn barriers<N: Network>(rig: &Rig<N>) -> anyhow::Result<f64> {
    let said = rig.ask(&json!({"ask": "backups"})).await.context("no answer on the console")?;
    let rows = said["ok"].as_array().with_context(|| format!("no backups in {said}"))?;
    Ok(rows.iter().filter(|row: &&Value| row.get("clock").is_some()).count() as f64)
}

/// Snapshots that certificates in the ledger name.
fn certified<N: Network>(rig: &Rig<N>) -> u64 {
    let ledger = rig.control.ledger();
    let records = ledger.iter().filter(|(key, _)| matches!(key, LedgerKey::Record(_)));
    let named: BTreeSet<String> = records.filter_map(|(_, text)| parse_record(text)).flat_map(named).collect();
    named.len() as u64
}

fn named(record: Record) -> Vec<String> {
    let planes = record.certificate.into_iter().flat_map(|certificate| certificate.planes.into_values());
    planes.flat_map(|plane| plane.evidence.snapshots).map(|snapshot| snapshot.snapshot.to_string()).collect()
}
