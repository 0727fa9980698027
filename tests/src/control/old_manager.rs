//! VolumeBackups as br-federation-manager left them (`facts/tidb-operator.md` §1.3): its words in the status, and nothing
//! in the ledger.

use super::{Control, history, rfc3339};
use coordinator::{edge::kube::crd::FINALIZER, ports::LedgerKey};
use serde_json::{Value, json};
use shared::{ids::BackupUid, time::Timestamp};

/// How old a backup of the old manager is.
const MADE_AGO_MS: i64 = 3_600_000;
/// What only we write into a status.
const OURS: [&str; 4] = ["uid", "backupUid", "barrier", "certificate"];

impl Control {
    /// An object whose backup is Complete becomes one of the old manager, with its record and what only we write of it
    /// gone. Its uid; `None`: it is not that far.
    pub fn hand_to_old_manager(&self, key: &str) -> Option<BackupUid> {
        let mut inner = self.lock();
        let object = inner.objects.get_mut(key)?;
        if object["status"]["phase"] != "Complete" || object["metadata"]["deletionTimestamp"].is_string() {
            return None;
        }
        let uid = BackupUid::new(object["metadata"]["uid"].as_str()?);
        let status = object["status"].as_object_mut()?;
        OURS.iter().for_each(|field| drop(status.remove(*field)));
        // It was made long before anybody copies it.
        let now = (self.wall)();
        let ago = |ms: i64| Value::from(rfc3339(Timestamp(now.0 - ms)));
        (status["timeStarted"], status["timeCompleted"]) = (ago(MADE_AGO_MS), ago(MADE_AGO_MS / 2));
        // Its rows say what stands in their planes' `backupmeta` as resolved_ts; ours, how far a plane itself was.
        let commit_ts = status.get("commitTs").cloned().unwrap_or_default();
        for row in status.get_mut("backups").and_then(Value::as_array_mut).into_iter().flatten() {
            row["commitTs"] = commit_ts.clone();
        }
        object["metadata"]["creationTimestamp"] = ago(MADE_AGO_MS);
        if let Some(life) = inner.lives.get_mut(&uid) {
            life.of_old_manager = true;
        }
        let record = LedgerKey::Record(uid.clone());
        if inner.ledger.remove(&record).is_some() {
            history::wrote(&mut inner, &record, None);
        }
        drop(inner);
        self.touched();
        Some(uid)
    }

    /// The old manager began this one and was stopped: its finalizer is on it, and its rows say how far it came.
    pub fn leave_unfinished(&self, manifest: &str, key: &str) -> anyhow::Result<()> {
        self.apply(manifest)?;
        let now = rfc3339((self.wall)());
        let mut inner = self.lock();
        if let Some(object) = inner.objects.get_mut(key) {
            let rows: Vec<Value> = object["spec"]["clusters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|member| json!({"k8sClusterName": member["k8sClusterName"], "backupName": "fed-old", "phase": ""}))
                .collect();
            object["metadata"]["finalizers"] = json!([FINALIZER]);
            object["status"] = json!({
                "phase": "Running", "timeStarted": now, "backups": rows,
                "conditions": [{"type": "Running", "status": "True", "lastTransitionTime": now}],
            });
        }
        drop(inner);
        self.touched();
        Ok(())
    }
}
