//! What `loadtests barrier` is told.

use clap::Args;

/// Of `loadtests barrier`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BarrierArgs {
    /// A whole barrier over so many planes of one AWS account, in virtual time.
    #[arg(long, required_unless_present = "regions", value_parser = clap::value_parser!(u8).range(1..=10))]
    pub(super) planes: Option<u8>,
    /// One plane with as many regions as the field has, in real time, on one core.
    #[arg(long, conflicts_with = "planes")]
    pub(super) regions: bool,
    /// Stores of each plane.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=200))]
    pub(super) stores: u8,
    /// With --planes: volumes of each store; 2 are data and raft log, the third is for Titan's large values.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub(super) volumes: u8,
    /// With --regions: regions that each store leads.
    #[arg(long, default_value_t = 11_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) leaders: u32,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// With --regions: log filter of the plane, for example info.
    #[arg(long, default_value = "off")]
    pub(super) log: String,
}
