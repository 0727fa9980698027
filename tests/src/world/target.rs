//! TiDB clusters that stand ready to be restored into: objects, and a PD that knows nothing of the world's own cluster
//! (`facts/restore.md` §2.3, §3.2).

use plane_actor::ports::PdCluster;
use serde_json::{Value, json};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::{ClusterId, StoreId},
    time::Millis,
};

/// One of them, in every plane.
#[derive(Clone, Debug)]
pub struct TargetCluster {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// PD's cluster id.
    pub cluster: ClusterId,
    /// `spec.version`.
    pub version: String,
    /// `spec.recoveryMode`.
    pub recovery_mode: bool,
    /// It has the annotation that lets TiKV start.
    pub volumes_ready: bool,
    /// PD has the mark of a restore.
    pub marked: bool,
    /// Stores that have joined it.
    pub stores: u64,
}

impl TargetCluster {
    /// As a restore wants it.
    #[must_use]
    pub fn fresh(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cluster: ClusterId(7_400_000_000_000_000_009),
            version: "v7.5.2".to_owned(),
            recovery_mode: true,
            volumes_ready: false,
            marked: false,
            stores: 0,
        }
    }

    /// Where its PD is.
    pub(super) fn url(namespace: &str, name: &str) -> String {
        format!("http://{name}-pd.{namespace}:2379")
    }

    pub(super) fn object(&self) -> Value {
        let annotations =
            if self.volumes_ready { json!({"tidb.pingcap.com/tikv-volumes-ready": "tidb/fed-x"}) } else { json!({}) };
        json!({
            "apiVersion": "pingcap.com/v1alpha1",
            "kind": "TidbCluster",
            "metadata": {"name": self.name, "namespace": self.namespace, "uid": "uid-target", "annotations": annotations},
            "spec": {"version": self.version, "recoveryMode": self.recovery_mode, "pd": {"replicas": 1}, "tikv": {"replicas": 3}},
        })
    }

    pub(super) fn pd(&self) -> PdCluster {
        let version = self.version.trim_start_matches('v').to_owned();
        PdCluster { id: self.cluster, version, recovering: self.marked, min_resolved_ts_enabled: true }
    }

    pub(super) fn listed(&self) -> Vec<ClusterStore> {
        let store = |at: u64| ClusterStore {
            store: StoreId(at),
            address: format!("{}-tikv-{at}:20160", self.name),
            state: StoreState::Up,
            start_timestamp: 1_700_000_000,
            uptime: Millis::secs(60),
            heartbeat_age: Millis::secs(1),
            version: self.version.trim_start_matches('v').to_owned(),
        };
        (1..=self.stores).map(store).collect()
    }

    /// The one of this name.
    pub(super) fn named<'a>(all: &'a [Self], namespace: &str, name: &str) -> Option<&'a Self> {
        all.iter().find(|target| target.namespace == namespace && target.name == name)
    }

    /// The one whose PD is there.
    pub(super) fn at<'a>(all: &'a [Self], url: &str) -> Option<&'a Self> {
        all.iter().find(|target| Self::url(&target.namespace, &target.name) == url)
    }
}
