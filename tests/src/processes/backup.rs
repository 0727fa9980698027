//! A VolumeBackup as users write it, and how its end is waited for.

use super::{
    environment::{ADMIN_NAMESPACE, BUCKET, REGION},
    rig::Rig,
    site::Site,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Until a backup is Complete, Failed or Invalid. A plane that never connects is waited for 60 s.
pub const END_LIMIT: Duration = Duration::from_secs(120);

/// Until a deleted object is gone.
const GONE_LIMIT: Duration = Duration::from_secs(90);

const LOOK: Duration = Duration::from_millis(500);

/// What stands in the manifest.
#[derive(Clone, Debug)]
pub struct Wish {
    /// `metadata.name`.
    pub name: String,
    /// k8sClusterName, tcName, tcNamespace.
    pub clusters: Vec<[String; 3]>,
    /// `s3.secretName`.
    pub secret: String,
    /// `s3.bucket`.
    pub bucket: String,
    /// `s3.prefix`.
    pub prefix: String,
}

impl Wish {
    /// A right one.
    pub fn of(site: &Site, name: &str) -> Self {
        let parts = site.parts.iter().map(|part| [part.plane.clone(), part.name.clone(), part.namespace.clone()]);
        Self {
            name: name.to_owned(),
            clusters: parts.collect(),
            secret: "s3-secret".to_owned(),
            bucket: BUCKET.to_owned(),
            prefix: format!("volumes/{name}"),
        }
    }

    /// The user page's AK/SK manifest, word for word but for what stands in `${…}` there.
    pub fn manifest(&self) -> String {
        let Self { name, secret, bucket, prefix, .. } = self;
        let mut clusters = String::new();
        for [plane, tc, namespace] in &self.clusters {
            let _to_a_string = write!(
                clusters,
                "
  - k8sClusterName: {plane}
    tcName: {tc}
    tcNamespace: {namespace}"
            );
        }
        format!(
            "---
apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackup
metadata:
  name: {name}
spec:
  clusters:{clusters}
  template:
    br:
      sendCredToTikv: true
    s3:
      provider: aws
      secretName: {secret}
      region: {REGION}
      bucket: {bucket}
      prefix: {prefix}
    toolImage: pingcap/br:v7.5.1
    cleanPolicy: Delete
    calcSizeLevel: all
"
        )
    }
}

impl Rig {
    /// `kubectl apply -f backup-fed.yaml -n br-admin`.
    pub async fn apply_backup(&self, manifest: &str) -> Result<String> {
        self.kube.kubectl_with_input(&["apply", "-n", ADMIN_NAMESPACE, "-f", "-"], manifest).await
    }

    /// The status as it stands; null before the first.
    pub async fn backup_status(&self, name: &str) -> Result<Value> {
        let object = self.get("vbk", name, ADMIN_NAMESPACE).await?;
        Ok(object.with_context(|| format!("there is no VolumeBackup {name}"))?["status"].clone())
    }

    /// Waits for the end, and returns the status.
    pub async fn ended(&self, name: &str) -> Result<Value> {
        let started = Instant::now();
        loop {
            let status = self.backup_status(name).await?;
            if matches!(status["phase"].as_str(), Some("Complete" | "Failed" | "Invalid")) {
                return Ok(status);
            }
            if started.elapsed() > END_LIMIT {
                bail!("VolumeBackup {name} did not end within {END_LIMIT:?}: {status:#}");
            }
            sleep(LOOK).await;
        }
    }

    /// `kubectl delete vbk`, and waits until the object is gone.
    pub async fn delete_backup(&self, name: &str) -> Result<()> {
        self.kube.kubectl(&["delete", "vbk", name, "-n", ADMIN_NAMESPACE, "--wait=false"]).await?;
        self.deleted(name).await
    }

    /// Waits until a deleted object is gone.
    pub async fn deleted(&self, name: &str) -> Result<()> {
        let started = Instant::now();
        while let Some(object) = self.get("vbk", name, ADMIN_NAMESPACE).await? {
            if started.elapsed() > GONE_LIMIT {
                bail!("VolumeBackup {name} is not gone within {GONE_LIMIT:?}: {:#}", object["status"]);
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

/// The condition of the status's own phase: reason and message.
pub fn why(status: &Value) -> (String, String) {
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let of_phase = conditions.rfind(|condition| condition["type"] == status["phase"]);
    let text = |key: &str| of_phase.and_then(|it| it[key].as_str()).unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}
