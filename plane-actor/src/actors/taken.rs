//! When volumes were last snapshotted: EC2 takes one snapshot of a volume in 15 s (`facts/aws.md` A3).

use shared::{
    ids::VolumeId,
    time::{Instant, Millis},
};
use std::collections::BTreeMap;

/// The rule's 15 s, and one for calls that take their time.
pub(crate) const REST: Millis = Millis::secs(16);

/// When this process last asked for snapshots of which volume. Those at rest are forgotten, so it holds the volumes of the
/// last 16 s at most.
#[derive(Debug, Default)]
pub(crate) struct Taken(BTreeMap<VolumeId, Instant>);

impl Taken {
    /// A call for these was made, whatever became of it.
    pub(crate) fn note<'a>(&mut self, volumes: impl IntoIterator<Item = &'a VolumeId>, now: Instant) {
        self.0.retain(|_, at| now.since(*at) < REST);
        self.0.extend(volumes.into_iter().map(|volume| (volume.clone(), now)));
    }

    /// Until all of these are at rest.
    pub(crate) fn wait<'a>(&self, volumes: impl IntoIterator<Item = &'a VolumeId>, now: Instant) -> Millis {
        let last = volumes.into_iter().filter_map(|volume| self.0.get(volume)).max();
        last.map_or(Millis(0), |at| (*at + REST).since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_volumes_of_the_last_seconds_are_waited_for() {
        let (a, b) = (VolumeId::new("a"), VolumeId::new("b"));
        let mut taken = Taken::default();
        taken.note([&a], Instant(1_000));
        assert_eq!(taken.wait([&a, &b], Instant(6_000)), Millis(11_000));
        assert_eq!(taken.wait([&b], Instant(6_000)), Millis(0));
        assert_eq!(taken.wait([&a], Instant(17_000)), Millis(0));
        taken.note([&b], Instant(18_000));
        assert_eq!(taken.0.len(), 1, "those at rest are forgotten");
    }
}
