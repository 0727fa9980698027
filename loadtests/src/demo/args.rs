//! What can be changed about the demo.

use clap::Args;
use std::path::PathBuf;

/// Of `cargo demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// Kubernetes clusters that the TiDB cluster spans.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) planes: u32,
    /// TiKV stores per plane.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) stores: u32,
    /// Workload and latencies; searched from here for one that shows why a barrier is needed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave here, before they are deleted, the S3 objects as files, and beside them `report.html` and `timeline.svg`.
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
    /// Log filter, for example info.
    #[arg(long, default_value = "off")]
    pub(crate) log: String,
}
