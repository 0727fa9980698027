//! What a plane actor is told at start: [`PlaneConfig`] for [`crate::run`], [`Settings`] as they stand in a file.

use crate::{actors::PlaneView, edge::kube::PdOverride};
use serde::{Deserialize, Serialize};
use shared::{ids::PlaneId, time::Millis};
use std::{
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
};
use tokio::sync::watch;

/// After the last create call whose outcome is unknown, cleaning looks again for this long: describes lag
/// (`facts/aws.md` A2: up to five minutes).
pub const CLEAN_QUIET: Millis = Millis::secs(300);

/// What the actors need to know.
#[derive(Clone)]
pub struct PlaneConfig {
    /// Our name: `k8sClusterName`.
    pub plane: PlaneId,
    /// Quiet time of a clean after a create call whose outcome is unknown.
    pub clean_quiet: Millis,
    /// Planes that share this AWS account and region: each takes its part of EC2's budgets.
    pub sharing: u32,
    /// Runs lease renewals apart from everything else; `None`: beside it (tests, simulation).
    pub lease_runtime: Option<tokio::runtime::Handle>,
    /// Where the plane's view is published.
    pub views: watch::Sender<PlaneView>,
}

impl PlaneConfig {
    /// Defaults for a plane of this name.
    pub fn new(plane: impl Into<String>) -> Self {
        Self {
            plane: PlaneId::new(plane),
            clean_quiet: CLEAN_QUIET,
            sharing: 1,
            lease_runtime: None,
            views: watch::Sender::new(PlaneView::default()),
        }
    }
}

/// One YAML file; every key also as `ISOCHRON_…`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Settings {
    /// Our name: `k8sClusterName`; the certificate must say the same.
    pub plane: String,
    /// Coordinator addresses, `host:port`; whichever leads answers.
    pub coordinator: Vec<String>,
    /// Name in the coordinator's certificate, if it is not the host dialled; empty: the host.
    pub server_name: String,
    /// Trust domain of the URI SANs.
    pub trust_domain: String,
    /// Certificates; read again when they change.
    pub tls: TlsFiles,
    /// `/metrics /healthz /readyz` (6060). `[::]` is all interfaces, IPv4 as well.
    pub http: SocketAddr,
    /// Namespace of the plane's ledger object.
    pub namespace: String,
    /// Where PD is, for TiDB clusters whose operator does not say it (`facts/topology.md` §3).
    pub pd: Vec<PdOverride>,
    /// DNS domain of this Kubernetes cluster, when the operator does not say it; empty: `cluster.local`.
    pub cluster_domain: String,
    /// AWS region and endpoints; empty: from the environment, AWS's own.
    pub aws: AwsSettings,
    /// Planes that share this AWS account and region: each takes its part of EC2's budgets.
    pub sharing_planes: u32,
    /// Seconds that a clean looks again after a create call whose outcome is unknown.
    pub clean_quiet_seconds: u64,
    /// Stand-alone: a file that describes the plane's TiKV, instead of an API server; the ledger lies beside it.
    pub standalone: Option<PathBuf>,
}

/// Endpoints for tests and private links.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct AwsSettings {
    /// Region of the plane's volumes.
    pub region: String,
    /// EC2.
    pub ec2_endpoint: String,
    /// S3; `spec.template.s3.endpoint` comes before it.
    pub s3_endpoint: String,
    /// STS.
    pub sts_endpoint: String,
}

/// PEM files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct TlsFiles {
    /// Trusted roots.
    pub ca: PathBuf,
    /// Own certificate chain.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Revoked certificates: a coordinator named there is not obeyed; empty: none.
    pub crl: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plane: String::new(),
            coordinator: Vec::new(),
            server_name: String::new(),
            trust_domain: shell::tls::TRUST_DOMAIN.to_owned(),
            tls: TlsFiles::default(),
            http: everywhere(6060),
            namespace: "isochron".to_owned(),
            pd: Vec::new(),
            cluster_domain: String::new(),
            aws: AwsSettings::default(),
            sharing_planes: 1,
            clean_quiet_seconds: CLEAN_QUIET.0 / 1000,
            standalone: None,
        }
    }
}

/// All interfaces, both address families.
fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
}
