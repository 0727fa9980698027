//! Backups that have ended, as an API server and the ledger hold them: one that was really made, in virtual time, and copies
//! of it under other names.

use anyhow::{Context, ensure};
use coordinator::{
    actors::{Stored, Writer},
    edge::kube::KubeLedger,
    ports::{Ledger, LedgerKey, Text},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    barrier::{Record, Summary},
    ids::BackupUid,
    schedule::SCHEDULE_LABEL,
};
use std::{rc::Rc, sync::Arc, time::Duration};
use tests::{
    light::plane_name,
    rig::{self, KEY, Rig},
    world::WorldConfig,
};
use tokio::task::JoinSet;

pub(super) const NAMESPACE: &str = "default";
/// What each schedule has made of them.
pub(super) const OF_A_SCHEDULE: u32 = 100;
/// A backup of a small cluster, in virtual time.
const LIMIT: Duration = Duration::from_secs(1_800);
/// Requests under way at a time.
const WIDTH: u32 = 16;

/// The one that was made.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Pattern {
    object: Value,
    record: Record,
}

impl Pattern {
    /// Makes it: three planes of three stores.
    pub(super) fn make() -> anyhow::Result<Self> {
        let mut world = WorldConfig::seeded(1);
        for (number, plane) in (0..).zip(&mut world.planes) {
            plane.name = plane_name(number);
        }
        rig::run(world, async |rig: Rc<Rig>| {
            let phase = rig.backup("", LIMIT).await;
            ensure!(phase == "Complete", "the backup ended as {phase:?}: {:?}", rig.failure());
            // The sizes come a little later, and are the last that is owed.
            let settled = async {
                loop {
                    match rig.record() {
                        Some(record) if Summary::of(&record).settled => return record,
                        _ => tokio::time::sleep(Duration::from_secs(1)).await,
                    }
                }
            };
            let record = tokio::time::timeout(LIMIT, settled).await.context("it owes something")?;
            Ok(Self { object: rig.control.get(KEY).context("no object")?, record })
        })
    }

    fn object(&self, number: u32) -> anyhow::Result<DynamicObject> {
        let labels = json!({ SCHEDULE_LABEL: schedule_name(number / OF_A_SCHEDULE) });
        let metadata = json!({
            "name": name(number), "namespace": NAMESPACE, "labels": labels,
            "finalizers": self.object["metadata"]["finalizers"],
        });
        let mut object = self.object.clone();
        object["metadata"] = metadata;
        Ok(serde_json::from_value(object)?)
    }

    fn schedule(&self, number: u32) -> anyhow::Result<DynamicObject> {
        Ok(serde_json::from_value(json!({
            "apiVersion": self.object["apiVersion"], "kind": "VolumeBackupSchedule",
            "metadata": {"name": schedule_name(number), "namespace": NAMESPACE},
            // Nothing of it comes due while this runs.
            "spec": {"schedule": "0 0 29 2 *", "maxBackups": 1_000, "backupTemplate": self.object["spec"]},
        }))?)
    }

    fn record(&self, uid: &BackupUid, number: u32) -> Record {
        let mut record = self.record.clone();
        (record.request.backup, record.request.name) = (uid.clone(), name(number));
        NAMESPACE.clone_into(&mut record.request.namespace);
        record
    }
}

pub(super) fn name(number: u32) -> String {
    format!("backup-{number:05}")
}

pub(super) fn schedule_name(number: u32) -> String {
    format!("schedule-{number:03}")
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    let kind = GroupVersionKind::gvk("federation.pingcap.com", "v1alpha1", kind);
    ApiResource::from_gvk_with_plural(&kind, plural)
}

/// Stores `backups` of them with their records in `ledger`'s namespace, and the schedules that made them.
pub(super) async fn store(client: &Client, pattern: &Pattern, backups: u32, ledger: &str) -> anyhow::Result<()> {
    let objects = |kind, plural| -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), NAMESPACE, &resource(kind, plural))
    };
    let schedules = objects("VolumeBackupSchedule", "volumebackupschedules");
    for number in 0..backups.div_ceil(OF_A_SCHEDULE) {
        schedules.create(&PostParams::default(), &pattern.schedule(number)?).await.context("a schedule")?;
    }
    let backup_objects = objects("VolumeBackup", "volumebackups");
    let (pattern, ledger) = (Arc::new(pattern.clone()), Arc::new(KubeLedger::new(client.clone(), ledger)));
    let mut workers = JoinSet::new();
    for first in 0..WIDTH {
        let (pattern, ledger, objects) = (pattern.clone(), ledger.clone(), backup_objects.clone());
        workers.spawn(async move {
            for number in (first..backups).step_by(WIDTH as usize) {
                let made =
                    objects.create(&PostParams::default(), &pattern.object(number)?).await.context("a backup")?;
                let uid = BackupUid::new(made.metadata.uid.context("an object without uid")?);
                let record = pattern.record(&uid, number);
                let note = serde_json::to_string(&Summary::of(&record))?;
                let stored = Stored { writer: Writer("fleet".to_owned()), save: 1, body: record };
                let text = stored.text()?;
                ledger.write(&LedgerKey::Record(uid), &Text { body: &text, note: &note }, None).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}
