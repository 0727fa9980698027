//! Manifests for the world that a rig stands on.

use super::{NAMESPACE, Network, Rig};

impl<N: Network> Rig<N> {
    /// The user page's AK/SK manifest for this world, with lines of `spec` in addition (indented by two).
    pub fn manifest(&self, more: &str) -> String {
        self.manifest_of("backup", "p", "Delete", more)
    }

    /// The same with another name, S3 prefix and clean policy.
    pub fn manifest_of(&self, name: &str, prefix: &str, policy: &str, more: &str) -> String {
        let spec = self.spec_of(prefix, policy);
        format!(
            "apiVersion: federation.pingcap.com/v1alpha1\nkind: VolumeBackup\nmetadata:\n  name: {name}\n  \
             namespace: {NAMESPACE}\nspec:\n{spec}{more}"
        )
    }

    /// A schedule of such backups; `more`: lines of its `spec` in addition.
    pub fn schedule_of(&self, name: &str, prefix: &str, policy: &str, cron: &str, more: &str, paused: bool) -> String {
        let indented: String = self.spec_of(prefix, policy).lines().map(|line| format!("  {line}\n")).collect();
        format!(
            "apiVersion: federation.pingcap.com/v1alpha1\nkind: VolumeBackupSchedule\nmetadata:\n  name: {name}\n  \
             namespace: {NAMESPACE}\nspec:\n  schedule: \"{cron}\"\n  pause: {paused}\n{more}  backupTemplate:\n{indented}"
        )
    }

    /// A restore of the backup under `prefix` into the TidbCluster `tidb/NAME` of every plane; `more`: lines of its `spec` in addition.
    pub fn restore_of(&self, name: &str, prefix: &str, target: &str, more: &str) -> String {
        let bucket = &self.world.config().bucket;
        let cluster = |plane: &str| {
            format!(
                "  - k8sClusterName: {plane}\n    tcName: {target}\n    tcNamespace: tidb\n    backup:\n      s3:\n        \
                 provider: aws\n        secretName: s3-secret\n        region: eu-west-1\n        bucket: {bucket}\n        \
                 prefix: {prefix}-{plane}\n"
            )
        };
        let clusters: String = self.world.config().planes.iter().map(|plane| cluster(&plane.name)).collect();
        format!(
            "apiVersion: federation.pingcap.com/v1alpha1\nkind: VolumeRestore\nmetadata:\n  name: {name}\n  namespace: \
             {NAMESPACE}\nspec:\n  clusters:\n{clusters}{more}"
        )
    }

    /// The lines of a backup's `spec`.
    fn spec_of(&self, prefix: &str, policy: &str) -> String {
        let config = self.world.config();
        let clusters = config.clusters();
        format!(
            "  clusters:\n{clusters}  template:\n    br:\n      sendCredToTikv: true\n    s3:\n      provider: aws\n      \
             secretName: s3-secret\n      region: eu-west-1\n      bucket: {}\n      prefix: {prefix}\n    toolImage: \
             pingcap/br:v8.5.3\n    cleanPolicy: {policy}\n    calcSizeLevel: all\n",
            config.bucket
        )
    }
}
