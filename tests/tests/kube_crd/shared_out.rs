//! Two coordinators on one API server that share the VolumeBackups out by a label, each with its Lease and its records:
//! both lead at the same time, and the claim on their one TiDB cluster, which is common to both, keeps them apart.

use super::{SETTLE, start};
use anyhow::{Context, Result, ensure};
use coordinator::{
    config::{CoordinatorConfig, Share},
    edge::kube::{KubeLedger, KubeObjects, KubeSchedules, KubeSource, Leader, LeaderConfig, client_of},
    ports::{Ledger, Ports},
};
use serde_json::{Value, json};
use shared::{cron::Zone, request::Limits, time::Timestamp};
use shell::clock::{Clock, system_wall};
use std::{sync::Arc, time::Duration};
use tests::{
    control::Control,
    light::planes::{By, Log, Planes, coordinator_by, held, manifest, one_after_the_other},
    servers::kube::KubeApi,
};
use tokio::{
    task::LocalSet,
    time::{Instant, sleep, timeout},
};

const TEAMS: [&str; 2] = ["a", "b"];
const NAMESPACE: &str = "default";
const BACKUPS: [(&str, &str); 4] = [("a", "one"), ("b", "two"), ("a", "three"), ("b", "four")];
/// Of one TiDB cluster; each has an actor for each coordinator.
const PLANES: Planes = Planes { number: 2, members: 2, account: None, newer: false };
const WORK: Duration = Duration::from_millis(200);
/// Four barriers of some seconds, one after the other; a wait for a claim may be half a minute longer than needed.
const LIMIT: Duration = Duration::from_secs(300);

/// As the program's own `main` joins them, with `name` and `objects.labelSelector` set.
async fn ports(api: &KubeApi, team: &str) -> Result<Ports> {
    let client = client_of(&api.kubeconfig).await?;
    let wall: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(system_wall);
    let share = Share { label_selector: format!("team={team}"), ..Share::default() };
    let others = Control::new(Limits::default(), wall.clone()).ports();
    Ok(Ports {
        source: Arc::new(KubeSource::new(client.clone(), &share, Limits::default())),
        ledger: Arc::new(KubeLedger::named(client.clone(), NAMESPACE, team)),
        objects: Arc::new(KubeObjects::new(client.clone(), team, wall.clone())),
        schedules: Arc::new(KubeSchedules::new(client, &share, Limits::default(), Zone::utc(), team, wall.clone())),
        wall,
        ..others
    })
}

fn of_team(name: &str, team: &str) -> Result<String> {
    let mut object: Value = serde_json::from_str(&manifest(NAMESPACE, name, 0..PLANES.number))?;
    object["metadata"]["labels"] = json!({"team": team});
    Ok(object.to_string())
}

async fn phase(api: &KubeApi, name: &str) -> Result<String> {
    Ok(super::get(api, name).await?["status"]["phase"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn two_coordinators_share_objects_out_by_label_and_never_hold_one_tidb_cluster_at_a_time() -> Result<()> {
    LocalSet::new().run_until(shared_out()).await
}

async fn shared_out() -> Result<()> {
    let api = start().await?;
    let log = Log::default();
    let mut leaders = Vec::new();
    for team in TEAMS {
        let lease = format!("isochron-coordinator-{team}");
        let config = LeaderConfig::new(NAMESPACE, &lease, team, Arc::new(system_wall));
        let leader = Leader::start(client_of(&api.kubeconfig).await?, config);
        let how = By {
            leading: leader.is_leading.clone(),
            clock: Clock::system(),
            work: WORK,
            config: CoordinatorConfig::default(),
        };
        coordinator_by(&how, ports(&api, team).await?, team, PLANES, &log);
        leaders.push(leader);
    }
    for leader in &mut leaders {
        ensure!(*timeout(SETTLE, leader.is_leading.wait_for(|leads| *leads)).await??, "both lead");
    }
    for (team, name) in BACKUPS {
        api.kubectl_with_input(&["create", "-f", "-"], &of_team(name, team)?).await?;
    }
    // Nobody's: it stays as it was written.
    api.kubectl_with_input(&["create", "-f", "-"], &of_team("nobodys", "c")?).await?;
    let begun = Instant::now();
    for (_, name) in BACKUPS {
        while phase(&api, name).await? != "Complete" {
            ensure!(begun.elapsed() < LIMIT, "{name} is {:#}", super::get(&api, name).await?["status"]);
            sleep(Duration::from_millis(200)).await;
        }
    }
    one_after_the_other(&held(&log)?, BACKUPS.len())?;
    ensure!(leaders.iter().all(|leader| *leader.is_leading.borrow()), "both still lead");
    ensure!(super::get(&api, "nobodys").await?["status"].is_null(), "nobody is to take it");
    each_has_its_own_records(&api).await
}

/// By the labels that the manual names, and by what each reads when it begins to lead.
async fn each_has_its_own_records(api: &KubeApi) -> Result<()> {
    let client = client_of(&api.kubeconfig).await?;
    let maps = async |selector: &str| -> Result<usize> {
        let listed = api.kubectl(&["get", "configmaps", "-n", NAMESPACE, "-l", selector, "-o", "json"]).await?;
        let listed: Value = serde_json::from_str(&listed)?;
        Ok(listed["items"].as_array().context("a list")?.len())
    };
    ensure!(maps("isochron.pingcap.com/ledger=record").await? == BACKUPS.len());
    ensure!(maps("isochron.pingcap.com/ledger=claim").await? == 1, "one claim for both");
    ensure!(maps("isochron.pingcap.com/ledger=claim,isochron.pingcap.com/coordinator").await? == 0, "it is nobody's");
    for team in TEAMS {
        let own = BACKUPS.iter().filter(|(of, _)| *of == team).count();
        ensure!(maps(&format!("isochron.pingcap.com/coordinator={team}")).await? == own);
        ensure!(KubeLedger::named(client.clone(), NAMESPACE, team).records().await?.len() == own);
    }
    ensure!(KubeLedger::new(client, NAMESPACE).records().await?.is_empty(), "one without a name has none of them");
    Ok(())
}
