//! Two schedules whose runs never meet.

use anyhow::Context;
use serde_json::{Value, json};
use shared::calendar;
use std::time::Duration;
use tests::rig::{NAMESPACE, Network, Rig};

/// Backups that each of them keeps.
pub(crate) const KEPT: usize = 4;

/// One of them.
pub(crate) struct Scheduled {
    name: &'static str,
    cron: &'static str,
    /// Between two of its runs.
    pub(crate) every: Duration,
}

/// The first runs at the beginning of each interval of so many minutes, the second between two of these, every third time or once a day.
pub(crate) fn both(minutes: u32) -> [Scheduled; 2] {
    let (often, seldom, times) = match minutes {
        10 => ("*/10 * * * *", "5,35 * * * *", 3),
        20 => ("*/20 * * * *", "10 * * * *", 3),
        180 => ("0 */3 * * *", "30 12 * * *", 8),
        _ => ("0 * * * *", "30 */3 * * *", 3),
    };
    let every = Duration::from_secs(60 * u64::from(minutes));
    [Scheduled { name: "often", cron: often, every }, Scheduled { name: "seldom", cron: seldom, every: every * times }]
}

impl Scheduled {
    pub(crate) fn apply(&self, rig: &Rig<impl Network>, paused: bool) -> anyhow::Result<()> {
        let more = format!("  maxBackups: {KEPT}\n");
        rig.control.apply(&rig.schedule_of(self.name, self.name, "Delete", self.cron, &more, paused))
    }

    /// How old the moment is at which its last proven backup was due, in intervals of its own.
    pub(crate) fn age(&self, rig: &Rig<impl Network>) -> anyhow::Result<f64> {
        let object = rig.control.get_schedule(&format!("{NAMESPACE}/{}", self.name)).context("no schedule")?;
        let name = object["status"]["lastSuccess"].as_str();
        let stamp = name.and_then(|name| name.strip_prefix(self.name)?.strip_prefix('-'));
        let at = stamp.and_then(calendar::parse_name_stamp);
        let at = at.with_context(|| format!("{} has made no good backup: {}", self.name, object["status"]))?;
        let age = Duration::from_millis(u64::try_from(rig.world.wall().0 - at.0)?);
        Ok(age.as_secs_f64() / self.every.as_secs_f64())
    }
}

/// Every VolumeBackup that is not Complete, a person deletes.
pub(crate) fn delete_failed(rig: &Rig<impl Network>) {
    let failed = |object: &Value| object["status"]["phase"] != json!("Complete");
    let objects = rig.control.objects();
    objects.iter().filter(|(_, object)| failed(object)).for_each(|(key, _)| rig.control.delete(key));
}
