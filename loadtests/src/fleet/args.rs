//! What `loadtests fleet` is told.

use clap::Args;
use std::{net::SocketAddr, path::PathBuf};

/// Of `loadtests fleet`.
#[derive(Args, Clone, Debug)]
pub(crate) struct FleetArgs {
    /// Planes that are connected over real QUIC with mutual TLS.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=2_000))]
    pub(super) planes: u32,
    /// So many backups that have ended, instead, with 100 planes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(super) backups: Option<u32>,
    /// Planes of one backup; there are as many backups at a time as all planes need. A VolumeBackup takes 256.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(super) members: u32,
    /// How often all sessions are cut, and how often the barriers run; the best of them counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(super) rounds: u32,
    /// What a connected plane may take of the coordinator's memory; in a debug build what waits is larger.
    #[arg(long, default_value_t = 48.0)]
    pub(super) kibibytes: f64,
    /// Times may be so many times as long as on two idle cores: for a debug build, and a machine that others use too.
    #[arg(long, default_value_t = 1.0, value_parser = slack)]
    pub(super) slack: f64,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Log filter of both processes, for example info.
    #[arg(long, default_value = "off")]
    pub(super) log: String,
}

fn slack(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|times| (1.0..=100.0).contains(times)).ok_or_else(|| "1 to 100".to_owned())
}

/// Of the coordinator's process.
#[derive(Args, Clone, Debug)]
pub(crate) struct CoordinatorArgs {
    /// Certificates.
    #[arg(long)]
    pub(super) folder: PathBuf,
    /// Where it listens.
    #[arg(long)]
    pub(super) listen: SocketAddr,
    /// How many planes there are.
    #[arg(long)]
    pub(super) planes: u32,
    /// Planes of one backup.
    #[arg(long)]
    pub(super) members: u32,
    /// Backups that have ended, which it finds.
    #[arg(long)]
    pub(super) backups: u32,
    /// What they are copies of.
    #[arg(long)]
    pub(super) pattern: Option<PathBuf>,
    /// An API server that holds them.
    #[arg(long)]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Log filter.
    #[arg(long)]
    pub(super) log: String,
}
