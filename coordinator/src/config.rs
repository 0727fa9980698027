//! What a coordinator is told at start.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

/// One YAML file; every key also as `ISOCHRON_…`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct CoordinatorConfig {
    /// Every plane that may be named in `spec.clusters`; others are `Invalid/PlaneUnknown`.
    pub planes: BTreeSet<String>,
    /// QUIC, planes and admins (7443/udp).
    pub listen: SocketAddr,
    /// `/metrics /healthz /readyz` (6060).
    pub http: SocketAddr,
    /// Trust domain of the URI SANs.
    pub trust_domain: String,
    /// Certificates; read again when they change.
    pub tls: TlsFiles,
    /// Namespace of the ledger's ConfigMaps and the leader Lease.
    pub namespace: String,
    /// Where the wall clock of schedules hangs that name no zone themselves: an IANA name. The old manager took it from
    /// the chart's value `timezone`.
    pub timezone: String,
    /// Stand-alone: the directory of VolumeBackup files, instead of Kubernetes.
    pub standalone: Option<PathBuf>,
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
    /// Revoked certificates; empty: none.
    pub crl: PathBuf,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            planes: BTreeSet::new(),
            listen: SocketAddr::from(([0, 0, 0, 0], 7443)),
            http: SocketAddr::from(([0, 0, 0, 0], 6060)),
            trust_domain: "isochron.local".to_owned(),
            tls: TlsFiles::default(),
            namespace: "isochron".to_owned(),
            timezone: "UTC".to_owned(),
            standalone: None,
        }
    }
}
