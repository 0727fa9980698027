//! What can be changed about the sandbox.

use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

/// Of `cargo sandbox`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SandboxArgs {
    /// Kubernetes clusters that the TiDB cluster spans.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(super) planes: u32,
    /// TiKV stores per plane.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(super) stores: u32,
    /// Workload and latencies.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Where the web page and the metrics are.
    #[arg(long, default_value = "127.0.0.1:6060")]
    pub(super) http: SocketAddr,
    /// Certificates, objects and what the coordinator keeps; without it a folder that is removed at the end.
    #[arg(long)]
    pub(super) dir: Option<PathBuf>,
    /// Objects on a real kube-apiserver, the one of the tests (`tests/servers/provide`), and a kubeconfig for it; in a build with
    /// feature `servers`.
    #[arg(long)]
    pub(super) kube: bool,
    /// Log filter, for example info.
    #[arg(long, default_value = "off")]
    pub(super) log: String,
}
