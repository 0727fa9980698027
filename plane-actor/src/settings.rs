//! The configuration as it stands in a file, and how a command reads it.

use clap::Args;
use plane_actor::{
    config::{Budgets, CLEAN_QUIET, PlaneConfig, Quotas, UserTags, VolumeQuotas},
    edge::kube::PdOverride,
};
use serde::{Deserialize, Serialize};
use shared::time::Millis;
use shell::{config, telemetry, tls::Mapping};
use std::{
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
};

#[derive(Args)]
pub(crate) struct Common {
    /// Configuration file (YAML).
    #[arg(long, env = "ISOCHRON_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Log form: text or json.
    #[arg(long, env = "ISOCHRON_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: telemetry::Format,
    /// Log filter.
    #[arg(long, env = "ISOCHRON_LOG", default_value = "info")]
    pub(crate) log: String,
}

/// One YAML file; every key also as `ISOCHRON_…`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct Settings {
    /// Our name: `k8sClusterName`; the certificate must say the same.
    pub(crate) plane: String,
    /// Coordinator addresses, `host:port`; whichever leads answers.
    pub(crate) coordinator: Vec<String>,
    /// Name in the coordinator's certificate, if it is not the host dialled; empty: the host.
    pub(crate) server_name: String,
    /// Where UDP is dropped: the way over TCP.
    pub(crate) fallback: FallbackSettings,
    /// Trust domain of the URI SANs.
    pub(crate) trust_domain: String,
    /// Whom URI SANs of another form name: this plane, and the coordinator.
    pub(crate) identities: Vec<Mapping>,
    /// Certificates; read again when they change.
    pub(crate) tls: TlsFiles,
    /// `/metrics /healthz /readyz` (6060). `[::]` is all interfaces, IPv4 as well.
    pub(crate) http: SocketAddr,
    /// Namespace of the plane's ledger object.
    pub(crate) namespace: String,
    /// Where PD is, for TiDB clusters whose operator does not say it (`facts/topology.md` §3).
    pub(crate) pd: Vec<PdOverride>,
    /// DNS domain of this Kubernetes cluster, when the operator does not say it; empty: `cluster.local`.
    pub(crate) cluster_domain: String,
    /// AWS region and endpoints; empty: from the environment, AWS's own.
    pub(crate) aws: AwsSettings,
    /// Planes that share this AWS account and region: each takes its part of EC2's budgets.
    pub(crate) sharing_planes: u32,
    /// Seconds that a clean looks again after a create call whose outcome is unknown.
    pub(crate) clean_quiet_seconds: u64,
    /// Whether this plane may be restored into.
    pub(crate) restore: RestoreSettings,
    /// Stand-alone: a file that describes the plane's TiKV, instead of an API server; the ledger lies beside it.
    pub(crate) standalone: Option<PathBuf>,
}

/// TLS over TCP, once nothing has come back over UDP for a while.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct FallbackSettings {
    /// Coordinator addresses, `host:port`, of its `tcp`; empty: none is dialled.
    pub(crate) tcp: Vec<String>,
    /// So long nothing may come back over UDP before they are.
    pub(crate) after_seconds: u64,
}

impl Default for FallbackSettings {
    fn default() -> Self {
        Self { tcp: Vec::new(), after_seconds: 30 }
    }
}

/// Restores into this plane: it then writes volumes and claims, and deletes pods of TiKV.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct RestoreSettings {
    /// It has the rights for it, and says so to the coordinator.
    pub(crate) enabled: bool,
}

/// Endpoints for tests and private links.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct AwsSettings {
    /// Region of the plane's volumes.
    pub(crate) region: String,
    /// EC2.
    pub(crate) ec2_endpoint: String,
    /// S3; `spec.template.s3.endpoint` comes before it.
    pub(crate) s3_endpoint: String,
    /// STS.
    pub(crate) sts_endpoint: String,
    /// EBS direct.
    pub(crate) ebs_endpoint: String,
    /// What EC2 allows this account, where AWS has raised a quota.
    pub(crate) budgets: Budgets,
    /// How many snapshots this account may have, where AWS has raised it.
    pub(crate) quotas: Quotas,
    /// What it may have of volumes, for plans of restores.
    pub(crate) volumes: VolumeQuotas,
    /// Tags for every snapshot, besides those of the volumes and our own.
    pub(crate) tags: UserTags,
    /// Snapshots bear the tags of their volumes as well, as room allows.
    pub(crate) copy_volume_tags: bool,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            region: String::new(),
            ec2_endpoint: String::new(),
            s3_endpoint: String::new(),
            sts_endpoint: String::new(),
            ebs_endpoint: String::new(),
            budgets: Budgets::default(),
            quotas: Quotas::default(),
            volumes: VolumeQuotas::default(),
            tags: UserTags::default(),
            copy_volume_tags: true,
        }
    }
}

/// PEM files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(crate) struct TlsFiles {
    /// Trusted roots.
    pub(crate) ca: PathBuf,
    /// Own certificate chain.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
    /// Revoked certificates: a coordinator named there is not obeyed; empty: none.
    pub(crate) crl: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plane: String::new(),
            coordinator: Vec::new(),
            server_name: String::new(),
            fallback: FallbackSettings::default(),
            trust_domain: shell::tls::TRUST_DOMAIN.to_owned(),
            identities: Vec::new(),
            tls: TlsFiles::default(),
            http: everywhere(6060),
            namespace: "isochron".to_owned(),
            pd: Vec::new(),
            cluster_domain: String::new(),
            aws: AwsSettings::default(),
            sharing_planes: 1,
            clean_quiet_seconds: CLEAN_QUIET.0 / 1000,
            restore: RestoreSettings::default(),
            standalone: None,
        }
    }
}

/// All interfaces, both address families.
fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
}

/// Reads the configuration and sets up logs.
pub(crate) fn settings(common: &Common) -> anyhow::Result<Settings> {
    let loaded = config::load::<Settings>(common.config.as_deref(), std::env::vars())?;
    telemetry::init(common.log_format, &common.log)?;
    Ok(loaded.value)
}

pub(crate) fn plane_config(settings: &Settings) -> PlaneConfig {
    let mut config = PlaneConfig::new(settings.plane.clone());
    config.new_ledger = uuid::Uuid::new_v4().to_string();
    config.clean_quiet = Millis::secs(settings.clean_quiet_seconds);
    config.sharing = settings.sharing_planes.max(1);
    config.budgets = settings.aws.budgets;
    config.quotas = settings.aws.quotas;
    config.volumes = settings.aws.volumes.clone();
    config.tags = settings.aws.tags.clone();
    config.copy_volume_tags = settings.aws.copy_volume_tags;
    // There is nothing in it that JSON cannot hold.
    config.whole = serde_json::to_value(settings).unwrap_or_default();
    config
}
