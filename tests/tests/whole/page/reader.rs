//! Who reads a page and does what it says: programs, a kubeconfig, control plane and planes with TiKV, each an API server of its own.
//! What is no part of a page is done here: the network (addresses that names would lead to), the kubelets ([`Pod`]), AWS.

use super::{
    blocks,
    pods::{self, Pod},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tests::{
    models::ec2::Home,
    processes::{
        cluster_objects::{self, EBS, Part},
        environment::{ACCESS_KEY, ACCOUNT, BUCKET, REGION, own_key},
        site::{PLANES, Site, SitePlan},
    },
    servers::{
        ec2::{Ec2Server, Ec2State},
        front::Front,
        incumbent,
        kube::KubeApi,
        moto::Moto,
        process,
    },
};
use tokio::process::Command;

/// One block of the page; the longest waits for a backup.
const BLOCK_LIMIT: Duration = Duration::from_secs(240);

/// Where the page's TidbClusters are.
const NAMESPACE: &str = "tidb";

/// The page's own name of the coordinator, which no test's resolver knows.
const HOST: &str = "isochron.internal.example.com";

/// What ran in the control plane before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    OldManager,
}

/// Everything that the reader of the page has. Dropped in the order of the fields: programs first.
pub(super) struct Reader {
    pods: Vec<Pod>,
    /// The control plane, then the planes.
    clusters: Vec<(&'static str, KubeApi)>,
    coordinator: pods::Ports,
    env: Vec<(String, String)>,
    desk: PathBuf,
    _site: Site,
    ec2: Ec2Server,
    front: Front,
    _moto: Moto,
    folder: TempDir,
}

/// Where the repository is.
fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

impl Reader {
    /// What is there before the page's first line.
    pub(super) async fn sit_down(before: Before) -> Result<Self> {
        let start = |name: &'static str| async move { anyhow::Ok((name, KubeApi::start().await?)) };
        let names = std::iter::once("control").chain(PLANES);
        let plan = SitePlan::shop();
        let (clusters, moto, site) =
            tokio::try_join!(futures::future::try_join_all(names.map(start)), Moto::start(), Site::start(&plan))?;
        let home = Home::new(ACCOUNT, REGION);
        let ec2 = Ec2Server::start(site.furnish(Ec2State::of(ACCOUNT, ACCESS_KEY), &home)).await?;
        let front = Front::start(moto.address, ec2.handle.clone()).await?;
        for plane in PLANES {
            front.handle.know(own_key(plane));
        }
        let answer = process::http("PUT", moto.address, &format!("/{BUCKET}"), "").await?;
        ensure!(answer.status == 200, "moto makes no bucket: {} {}", answer.status, answer.body);
        if before == Before::OldManager {
            clusters[0].1.kubectl_with_input(&["create", "-f", "-"], &incumbent::definitions()).await?;
        }
        for (part, (_, plane)) in site.parts.iter().zip(&clusters[1..]) {
            tidb(plane, &Part { namespace: NAMESPACE.to_owned(), ..part.clone() }).await?;
        }
        let folder = tempfile::Builder::new().prefix("isochron-page-").tempdir()?;
        let coordinator = pods::Ports::free()?;
        let env = workplace(folder.path(), &clusters, &coordinator)?;
        let desk = folder.path().join("deploy");
        copy(&repository().join("deploy"), &desk)?;
        Ok(Self { pods: Vec::new(), clusters, coordinator, env, desk, _site: site, ec2, front, _moto: moto, folder })
    }

    /// Does what a page below `deploy/` says, block by block; what was said to all of it.
    pub(super) async fn read(&mut self, page: &str) -> String {
        let text = std::fs::read_to_string(repository().join("deploy").join(page)).unwrap();
        let mut said = String::new();
        for block in &blocks::of(&text).unwrap() {
            let Some(text) = block.played() else { continue };
            eprintln!("== line {}\n{text}", block.line);
            let told = self.play(text).await.with_context(|| format!("deploy/{page}, line {}", block.line));
            let told = told.unwrap_or_else(|error| panic!("{error:#}\n{}", self.log_tails()));
            eprintln!("{told}");
            said += &told;
            self.kubelets().await.unwrap_or_else(|error| panic!("{error:#}\n{}", self.log_tails()));
        }
        said
    }

    /// One block, as pasted into a shell.
    async fn play(&self, block: &str) -> Result<String> {
        let mut command = Command::new("bash");
        process::forget_variables(&mut command);
        command.envs(self.env.iter().cloned()).current_dir(&self.desk).args(["-euo", "pipefail", "-c", block]);
        process::output(&mut command, "", BLOCK_LIMIT).await
    }

    /// What kubelets do after an apply: whatever Deployment there is has its pod, which becomes ready.
    async fn kubelets(&mut self) -> Result<()> {
        for (index, (cluster, api)) in self.clusters.iter().enumerate() {
            let list = api.kubectl(&["get", "deployments", "-A", "-o", "json"]).await?;
            let list: Value = serde_json::from_str(&list)?;
            for deployment in list["items"].as_array().into_iter().flatten() {
                if !self.pods.iter().any(|pod| pod.is_of(cluster, deployment)) {
                    let (env, ports) = match index {
                        0 => (Vec::new(), self.coordinator.clone()),
                        _ => (self.plane_env(cluster), pods::Ports::free()?),
                    };
                    self.pods.push(Pod::start(self.folder.path(), cluster, api, deployment, &ports, env).await?);
                }
            }
        }
        for pod in &mut self.pods {
            pod.ready().await?;
        }
        Ok(())
    }

    /// Names that lead somewhere: the coordinator's, AWS's; and what a role would give.
    fn plane_env(&self, plane: &str) -> Vec<(String, String)> {
        let pairs = [
            ("ISOCHRON_COORDINATOR", process::loopback(self.coordinator.quic).to_string()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_EC2", self.ec2.url.clone()),
            ("AWS_ENDPOINT_URL_EBS", self.ec2.url.clone()),
            ("AWS_ENDPOINT_URL_S3", self.front.url.clone()),
            ("AWS_ENDPOINT_URL_STS", self.front.url.clone()),
            ("AWS_ACCESS_KEY_ID", own_key(plane).to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "an own key that no log shows".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// The coordinator leads; on the old manager's definitions it leads on, and is ready no longer.
    pub(super) async fn leading_is_told_apart_from_ready(&mut self) -> Result<()> {
        let control = &self.clusters[0].1;
        let again = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        control.kubectl_with_input(&again, &incumbent::definitions()).await?;
        let coordinator = &mut self.pods[0];
        let why = coordinator.refused("/readyz").await?;
        ensure!(why.contains("--force-conflicts"), "{why}");
        let leads = coordinator.get("/leadz").await?;
        ensure!(leads.0 == 200, "{leads:?}");
        let metrics = coordinator.get("/metrics").await?.1;
        ensure!(metrics.contains("isochron_custom_resources_fit 0"), "{metrics}");
        Ok(())
    }

    /// What EC2 keeps.
    pub(super) fn snapshots(&self) -> usize {
        self.ec2.handle.snapshots().len()
    }

    fn log_tails(&self) -> String {
        self.pods.iter().map(Pod::log_tail).collect::<Vec<_>>().join("\n")
    }
}

/// A TiDB cluster's part in its plane, as TiDB Operator left it.
async fn tidb(plane: &KubeApi, part: &Part) -> Result<()> {
    let kind = cluster_objects::tidb_cluster_kind();
    plane.apply(&format!("{kind}\n---\n{}", cluster_objects::namespace(NAMESPACE))).await?;
    let established = ["wait", "--for=condition=Established", "--timeout=30s", "crd/tidbclusters.pingcap.com"];
    plane.kubectl(&established).await?;
    let objects: Vec<String> = part.objects(ACCESS_KEY, EBS).iter().map(Value::to_string).collect();
    plane.apply(&objects.join("\n---\n")).await?;
    for (ordinal, store) in part.stores.iter().enumerate() {
        let (pod, status) = (part.pod_name(ordinal), Part::pod_status(store).to_string());
        let patch = ["patch", "pod", &pod, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p"];
        plane.kubectl(&[&patch[..], &[&status]].concat()).await?;
    }
    Ok(())
}

/// Programs on the path, a kubeconfig with a context for each cluster, a home folder; and what DNS would say.
fn workplace(
    folder: &Path,
    clusters: &[(&'static str, KubeApi)],
    coordinator: &pods::Ports,
) -> Result<Vec<(String, String)>> {
    let (bin, home) = (folder.join("bin"), folder.join("home"));
    std::fs::create_dir_all(&bin)?;
    std::fs::create_dir_all(&home)?;
    let programs =
        [("coordinator", "ISOCHRON_COORDINATOR"), ("plane-actor", "ISOCHRON_PLANE_ACTOR"), ("helm", "ISOCHRON_HELM")];
    for (name, variable) in programs {
        symlink(process::program(variable)?, bin.join(name))?;
    }
    pods::script(&bin.join("kubectl"), pods::KUBECTL)?;
    let named =
        |of: &dyn Fn(&str, &KubeApi) -> Value| clusters.iter().map(|(name, api)| of(name, api)).collect::<Value>();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "control",
        "clusters": named(&|name, api| {
            json!({"name": name, "cluster": {"server": api.url, "certificate-authority": api.ca}})
        }),
        "users": named(&|name, api| json!({"name": name, "user": {"token": api.token}})),
        "contexts": named(&|name, _| json!({"name": name, "context": {"cluster": name, "user": name}})),
    });
    let file = folder.join("kubeconfig.yaml");
    std::fs::write(&file, kubeconfig.to_string())?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let real = process::program("ISOCHRON_KUBECTL")?;
    let env = [
        ("PATH", path),
        ("HOME", home.display().to_string()),
        ("XDG_CONFIG_HOME", String::new()),
        ("KUBECONFIG", file.display().to_string()),
        ("KUBERC", "off".to_owned()),
        ("PAGE_KUBECTL", real.display().to_string()),
        ("PAGE_PODS", folder.join("pods").display().to_string()),
        // Where the context's host would lead, and the name that it must prove all the same.
        ("ISOCHRON_SERVER", process::loopback(coordinator.quic).to_string()),
        ("ISOCHRON_SERVER_NAME", HOST.to_owned()),
    ];
    Ok(env.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => drop(std::fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}
