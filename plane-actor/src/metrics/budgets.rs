//! What is left of the budgets of AWS calls, computed at each scrape: a bucket fills while nothing happens.

use crate::ports::{Level, Levels};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, gauge::ConstGauge},
};
use std::fmt;

/// One series for each bucket that was ever used and still is kept: some accounts and Regions times eight actions.
#[derive(Debug)]
pub(super) struct Budgets(pub(super) Levels);

impl Collector for Budgets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let looked = self.0.look();
        let mut told = |name: &str, help: &str, value: fn(&Level) -> u64| -> fmt::Result {
            let mut all = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            looked.iter().try_for_each(|level| one(&mut all, level, value(level)))
        };
        let help = "Calls of AWS that may be made at once, by this plane's part of the account's budget";
        told("isochron_plane_budget_left_calls", help, |level| level.left.milli)?;
        let help = "Calls of AWS that come back to that budget each second; less while a throttle is remembered";
        told("isochron_plane_budget_refill_calls_per_second", help, |level| level.left.rate_milli)
    }
}

fn one(all: &mut MetricEncoder<'_>, level: &Level, milli: u64) -> fmt::Result {
    let labels = [("account", level.account.as_str()), ("region", level.region.as_str()), ("action", level.action)];
    // Budgets are some thousands of calls at most: exact as a float.
    ConstGauge::new(milli as f64 / 1000.0).encode(all.encode_family(&labels)?)
}
