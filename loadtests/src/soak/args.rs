//! What `loadtests soak` is told.

use clap::Args;

/// Of `loadtests soak`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SoakArgs {
    /// Hours of virtual time.
    #[arg(long, default_value_t = 720, value_parser = clap::value_parser!(u32).range(3..=100_000))]
    pub(super) hours: u32,
    /// Minutes between two backups of the first schedule: 10, 20, 60 or 180. The second one makes one every three of them, or one a day.
    #[arg(long, default_value_t = 60, value_parser = minutes)]
    pub(super) every: u32,
    /// Fixes workload and failures.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
    /// Log filter, for example warn.
    #[arg(long, default_value = "off")]
    pub(super) log: String,
}

impl SoakArgs {
    /// Of the first schedule.
    pub(super) fn intervals(&self) -> u32 {
        self.hours.saturating_mul(60) / self.every
    }
}

pub(crate) fn minutes(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(minutes @ (10 | 20 | 60 | 180)) => Ok(minutes),
        Ok(_) | Err(_) => Err("10, 20, 60 or 180".to_owned()),
    }
}
