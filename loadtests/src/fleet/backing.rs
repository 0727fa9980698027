//! What stands behind the coordinator's ports: objects and ledger in memory, or an API server that holds backups which have
//! ended, itself in memory or a real one.

use super::{args::CoordinatorArgs, objects::InMemory, stored};
use anyhow::Context;
use api_server::ApiServer;
use coordinator::{
    config::Share,
    edge::kube::{KubeLedger, KubeObjects, KubeSchedules, KubeSource, client_of},
    ports::{Logs, NoManifests, NoRestores, NoTraces, Ports},
};
use kube::Client;
use shared::{cron::Zone, request::Limits, time::Timestamp};
use shell::clock::system_wall;
use std::{path::Path, sync::Arc};
use tests::control::Control;

/// What is listed; the rest is not installed.
const LISTED: [&str; 3] = ["volumebackups", "volumebackupschedules", "configmaps"];

pub(super) struct Backing {
    pub(super) ports: Ports,
    /// Where backups are applied; `None`: nobody applies any.
    pub(super) objects: Option<InMemory>,
}

/// What is logged is said at the start.
struct AsToldAtStart;

impl Logs for AsToldAtStart {
    fn filter(&self) -> Result<String, String> {
        Ok(String::new())
    }

    fn set_filter(&self, _: &str) -> Result<(), String> {
        Err("it is said at the start".to_owned())
    }
}

impl Backing {
    pub(super) async fn new(args: &CoordinatorArgs) -> anyhow::Result<Self> {
        let mut share = Share::default();
        let client = match (&args.kubeconfig, args.backups) {
            (Some(kubeconfig), _) => client_of(kubeconfig).await?,
            (None, 0) => {
                let objects = InMemory::default();
                let behind = Arc::new(objects.clone());
                let others = Control::new(Limits::default(), Arc::new(system_wall)).ports();
                let ports = Ports { source: behind.clone(), objects: behind, ..others };
                return Ok(Self { ports, objects: Some(objects) });
            }
            (None, backups) => {
                let client = ApiServer::listing(&LISTED).1;
                let pattern = read(args.pattern.as_deref().context("no pattern")?)?;
                stored::store(&client, &pattern, backups, stored::NAMESPACE).await?;
                // It lists by namespace only.
                share.namespaces.insert(stored::NAMESPACE.to_owned());
                client
            }
        };
        Ok(Self { ports: ports(client, &share), objects: None })
    }
}

fn read(path: &Path) -> anyhow::Result<stored::Pattern> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// As the program's own `main` joins them.
fn ports(client: Client, share: &Share) -> Ports {
    let wall: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(system_wall);
    let limits = Limits::default();
    Ports {
        source: Arc::new(KubeSource::new(client.clone(), share, limits.clone())),
        ledger: Arc::new(KubeLedger::new(client.clone(), stored::NAMESPACE)),
        objects: Arc::new(KubeObjects::new(client.clone(), "fleet", wall.clone())),
        schedules: Arc::new(KubeSchedules::new(client, share, limits, Zone::utc(), "fleet", wall.clone())),
        manifests: Arc::new(NoManifests),
        restores: Arc::new(NoRestores),
        logs: Arc::new(AsToldAtStart),
        traces: Arc::new(NoTraces),
        wall,
    }
}
