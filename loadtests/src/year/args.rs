//! What `loadtests year` is told.

use clap::Args;
use std::time::Duration;

/// A year has so many, whatever its length.
pub(super) const MONTHS: u32 = 12;

/// Of `loadtests year`.
#[derive(Args, Clone, Debug)]
pub(crate) struct YearArgs {
    /// Days of virtual time. A shorter year has twelve months all the same, and certificates whose lives are as much shorter.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Minutes between two backups of the first schedule: 10, 20, 60 or 180.
    #[arg(long, default_value_t = 180, value_parser = crate::soak::minutes)]
    pub(super) every: u32,
    /// Fixes workload, failures and what becomes of every datagram.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(super) json: bool,
}

impl YearArgs {
    /// Intervals of the first schedule in a month.
    pub(super) fn intervals(&self) -> u32 {
        self.days.saturating_mul(24 * 60) / self.every / MONTHS
    }

    /// Between two backups of the first schedule.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(60 * u64::from(self.every))
    }

    /// How long a certificate lives: a month, and a part of an interval, so that what ends by itself ends beside a backup.
    pub(super) fn life(&self) -> Duration {
        self.interval() * self.intervals() + self.interval() * 2 / 5
    }

    /// How long a list of the revoked lives.
    pub(super) fn list_life(&self) -> Duration {
        self.life() / 2
    }
}
