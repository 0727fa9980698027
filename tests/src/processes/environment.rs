//! What the programs run in: every server, one TiDB cluster or more, and their Kubernetes objects under the rights of
//! `deploy/`.

use super::{
    cluster_objects::{self, EBS, Part},
    commands,
    site::{PLANES, Site, SitePlan},
};
use crate::models::ec2::Home;
use crate::servers::{
    ec2::{Ec2Server, Ec2State},
    front::Front,
    kube::KubeApi,
    moto::Moto,
    process,
};
use anyhow::{Context, Result, ensure};
use plane_actor::{
    edge::aws::{AwsCloud, AwsConfig},
    ports::{Cloud, CloudConnect, CloudIdentity},
};
use serde_json::Value;
use shared::request::S3Target;
use std::{fmt::Write as _, path::PathBuf};
use tempfile::TempDir;

/// The account that moto gives to access keys it does not know; our EC2 knows the key by the same.
pub const ACCOUNT: &str = "123456789012";
/// Of every part of every site.
pub const REGION: &str = "eu-west-1";
/// In the secret that VolumeBackups name.
pub const ACCESS_KEY: &str = "AKIAISOCHRON";
/// Made when the rig starts.
pub const BUCKET: &str = "shop-backup";

/// Where users keep their VolumeBackups.
pub const ADMIN_NAMESPACE: &str = "br-admin";

const COORDINATOR_MANIFESTS: &str = include_str!("../../../deploy/coordinator.yaml");
const PLANE_MANIFESTS: &str = include_str!("../../../deploy/plane-actor.yaml");

/// Servers and objects, and a folder for what belongs to one rig.
#[derive(Debug)]
pub struct Environment {
    /// TiDB clusters, in the order of the plans.
    pub sites: Vec<Site>,
    /// Below all sites.
    pub ec2: Ec2Server,
    /// S3 and STS.
    pub moto: Moto,
    /// Stands before moto for all programs.
    pub front: Front,
    /// The API server of all planes and of the control plane.
    pub kube: KubeApi,
    pub(super) folder: TempDir,
}

impl Environment {
    /// Starts the servers and makes the objects.
    pub async fn start(plans: &[SitePlan]) -> Result<Self> {
        let home = Home::new(ACCOUNT, REGION);
        let sites = futures::future::try_join_all(plans.iter().map(Site::start));
        let (kube, moto, sites) = tokio::try_join!(KubeApi::start(), Moto::start(), sites)?;
        let cloud = sites.iter().fold(Ec2State::of(ACCOUNT, ACCESS_KEY), |cloud, site| site.furnish(cloud, &home));
        let ec2 = Ec2Server::start(cloud).await?;
        let front = Front::start(moto.address, ec2.handle.clone()).await?;
        for plane in PLANES {
            front.handle.know(own_key(plane));
        }
        let folder = tempfile::Builder::new().prefix("isochron-whole-").tempdir()?;
        let made = Self { sites, ec2, moto, front, kube, folder };
        let answer = process::http("PUT", made.moto.address, &format!("/{BUCKET}"), "").await?;
        ensure!(answer.status == 200, "moto makes no bucket: {} {}", answer.status, answer.body);
        made.kinds().await?;
        for site in &made.sites {
            for part in &site.parts {
                made.add_part(part, EBS).await?;
            }
        }
        Ok(made)
    }

    /// Kinds and namespaces, and the coordinator's ServiceAccount with its rights.
    async fn kinds(&self) -> Result<()> {
        let kinds = commands::crds().await?;
        self.kube.apply(&format!("{kinds}\n---\n{}", cluster_objects::tidb_cluster_kind())).await?;
        for kind in [
            "tidbclusters.pingcap.com",
            "volumebackups.federation.pingcap.com",
            "volumebackupschedules.federation.pingcap.com",
            "volumerestores.federation.pingcap.com",
        ] {
            self.kube
                .kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &format!("crd/{kind}")])
                .await?;
        }
        let namespace = cluster_objects::namespace(ADMIN_NAMESPACE);
        self.kube.apply(&format!("{COORDINATOR_MANIFESTS}\n---\n{namespace}")).await?;
        Ok(())
    }

    /// A plane's part of a TiDB cluster, and the plane actor's rights there.
    pub async fn add_part(&self, part: &Part, driver: &str) -> Result<()> {
        let mut text = cluster_objects::namespace(&part.namespace).to_string();
        write!(text, "\n---\n{}", plane_manifests(part))?;
        for object in part.objects(ACCESS_KEY, driver) {
            write!(text, "\n---\n{object}")?;
        }
        self.kube.apply(&text).await?;
        for (ordinal, store) in part.stores.iter().enumerate() {
            let (pod, status) = (part.pod_name(ordinal), Part::pod_status(store).to_string());
            let patch = ["patch", "pod", &pod, "-n", &part.namespace, "--subresource=status", "--type=merge", "-p"];
            self.kube.kubectl(&[&patch[..], &[&status]].concat()).await?;
        }
        Ok(())
    }

    /// A kubeconfig with the rights that `deploy/` gives to the coordinator or to one plane's actor.
    pub async fn kubeconfig(&self, program: &str) -> Result<PathBuf> {
        let (namespace, account) = match program {
            "coordinator" => ("isochron".to_owned(), "isochron-coordinator".to_owned()),
            plane => (plane_namespace(plane), format!("isochron-plane-actor-{plane}")),
        };
        let token = self.kube.kubectl(&["create", "token", &account, "-n", &namespace, "--duration=1h"]).await?;
        self.kube.kubeconfig_for(program, token.trim())
    }

    /// S3 and EC2 as the secret's key sees them.
    pub async fn cloud(&self) -> Result<Cloud> {
        let config = AwsConfig {
            region: REGION.into(),
            endpoint_ec2: self.ec2.url.clone(),
            endpoint_ebs: self.ec2.url.clone(),
            endpoint_s3: self.moto.url.clone(),
            endpoint_sts: self.moto.url.clone(),
            session: String::new(),
        };
        let identity = CloudIdentity::Keys { access_key: ACCESS_KEY.into(), secret_key: "any".into() };
        let storage = S3Target { region: REGION.into(), ..S3Target::example(BUCKET, "") };
        Ok(AwsCloud::new(config).connect(&identity, &storage).await?)
    }

    /// An object as the API server has it; `None`: there is none.
    pub async fn get(&self, kind: &str, name: &str, namespace: &str) -> Result<Option<Value>> {
        let text = self.kube.kubectl(&["get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found"]).await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&text).context("kubectl printed no JSON")?))
    }
}

/// The access key that a plane actor has of its own, by its environment. It may do nothing but what a test allows it.
#[allow(clippy::expect_used)] // Who asks for another plane has no test.
pub fn own_key(plane: &str) -> &'static str {
    const KEYS: [&str; 3] = ["AKIAPLANE1", "AKIAPLANE2", "AKIAPLANE3"];
    let index = PLANES.iter().position(|known| *known == plane).expect("a plane of the rig");
    KEYS[index]
}

/// All planes share one API server here, so each plane's actor has a namespace of its own.
pub fn plane_namespace(plane: &str) -> String {
    format!("isochron-{plane}")
}

/// `deploy/plane-actor.yaml` for this plane and this TidbCluster, by the changes that its head names. Names without a
/// namespace, and the namespace itself, are made the plane's own.
fn plane_manifests(part: &Part) -> String {
    PLANE_MANIFESTS
        .replace("prod-az1", &part.plane)
        .replace("namespace: tidb\n", &format!("namespace: {}\n", part.namespace))
        .replace("shop-az1", &part.name)
        .replace("namespace: isochron\n", &format!("namespace: {}\n", plane_namespace(&part.plane)))
        .replace("kind: Namespace\nmetadata:\n  name: isochron\n", &namespace_head(&part.plane))
        .replace("isochron-plane-actor", &format!("isochron-plane-actor-{}", part.plane))
}

fn namespace_head(plane: &str) -> String {
    format!("kind: Namespace\nmetadata:\n  name: {}\n", plane_namespace(plane))
}

/// A ConfigMap's namespace and the like, for tests that look at what programs keep.
pub fn items(list: &Value) -> &[Value] {
    list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
