//! A real kube-apiserver, the one of the tests: objects, ledger and events are stored there, and kubectl is the way to them. No
//! node and no controller runs.

use super::common::{NAMESPACE, OwnLogs, limits};
use anyhow::Context;
use coordinator::{
    config::Share,
    edge::kube::{KubeLedger, KubeManifests, KubeObjects, KubeSchedules, KubeSource, client_of, crds},
    ports::{NoRestores, NoTraces, Ports},
};
use shared::cron::Zone;
use shell::clock::Wall;
use std::sync::Arc;
use tests::servers::kube::KubeApi;

/// Of the ledger.
const LEDGER: &str = "isochron";
const KINDS: [&str; 3] = [
    "crd/volumebackups.federation.pingcap.com",
    "crd/volumebackupschedules.federation.pingcap.com",
    "crd/volumerestores.federation.pingcap.com",
];

/// It ends with this.
pub(super) struct Served(KubeApi);

impl Served {
    pub(super) async fn start(wall: Wall) -> anyhow::Result<(Self, Ports)> {
        let api = KubeApi::start()
            .await
            .context("no kube-apiserver; `set -a; . <(tests/servers/provide kube)` finds or builds it")?;
        api.apply(&crds()).await?;
        api.kubectl(&[&["wait", "--for=condition=Established", "--timeout=30s"], &KINDS[..]].concat()).await?;
        for namespace in [NAMESPACE, LEDGER] {
            api.kubectl(&["create", "namespace", namespace]).await?;
        }
        let client = client_of(&api.kubeconfig).await?;
        let share = Share::default();
        let schedules = KubeSchedules::new(client.clone(), &share, limits(), Zone::utc(), "sandbox", wall.clone());
        let ports = Ports {
            source: Arc::new(KubeSource::new(client.clone(), &share, limits())),
            ledger: Arc::new(KubeLedger::new(client.clone(), LEDGER)),
            objects: Arc::new(KubeObjects::new(client.clone(), "sandbox", wall.clone())),
            schedules: Arc::new(schedules),
            manifests: Arc::new(KubeManifests::new(client)),
            restores: Arc::new(NoRestores),
            logs: Arc::new(OwnLogs),
            traces: Arc::new(NoTraces),
            wall,
        };
        Ok((Self(api), ports))
    }

    pub(super) async fn apply(&self, manifest: &str) -> anyhow::Result<()> {
        self.0.apply(manifest).await.map(drop)
    }

    /// It is gone once its snapshots are.
    pub(super) async fn delete(&self, name: &str) -> anyhow::Result<()> {
        self.0.kubectl(&["delete", "vbk", name, "-n", NAMESPACE, "--wait=false"]).await.map(drop)
    }

    pub(super) fn environment(&self) -> String {
        format!("export KUBECONFIG='{}'\n", self.0.kubeconfig.display())
    }
}
