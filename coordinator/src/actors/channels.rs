//! Sessions of the planes in which one barrier or restore has a part.

use super::messages::Channel;
use shared::ids::PlaneId;
use std::collections::BTreeMap;

/// By plane, the newest that was heard of.
pub(super) struct Channels(BTreeMap<PlaneId, Channel>);

impl Channels {
    pub(super) fn new(known: BTreeMap<PlaneId, Channel>) -> Self {
        Self(known)
    }

    pub(super) fn planes(&self) -> Vec<PlaneId> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn get(&self, plane: &PlaneId) -> Option<&Channel> {
        self.0.get(plane)
    }

    pub(super) fn begin(&mut self, plane: PlaneId, channel: Channel) {
        self.0.insert(plane, channel);
    }

    pub(super) fn remove(&mut self, plane: &PlaneId) {
        self.0.remove(plane);
    }

    /// False: it is not the one that is known.
    pub(super) fn end(&mut self, plane: &PlaneId, generation: u64) -> bool {
        let known = self.0.get(plane).is_some_and(|channel| channel.generation == generation);
        if known {
            self.0.remove(plane);
        }
        known
    }

    /// Whatever was lost to a full mailbox: planes whose session ended, and newer sessions.
    pub(super) fn missed(&self, now: BTreeMap<PlaneId, Channel>) -> (Vec<PlaneId>, Vec<(PlaneId, Channel)>) {
        let generations = |of: &BTreeMap<PlaneId, Channel>| -> BTreeMap<PlaneId, u64> {
            of.iter().map(|(plane, channel)| (plane.clone(), channel.generation)).collect()
        };
        let (ended, new) = missed(&generations(&self.0), &generations(&now));
        (ended, now.into_iter().filter(|(plane, _)| new.contains(plane)).collect())
    }
}

/// Planes whose session ended, and planes that have a newer one than is known.
fn missed(known: &BTreeMap<PlaneId, u64>, now: &BTreeMap<PlaneId, u64>) -> (Vec<PlaneId>, Vec<PlaneId>) {
    let ended = known.keys().filter(|plane| !now.contains_key(*plane)).cloned().collect();
    let is_new = |plane: &PlaneId, generation: &u64| known.get(plane).is_none_or(|known| known < generation);
    (ended, now.iter().filter(|(plane, at)| is_new(plane, at)).map(|(plane, _)| plane.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(&str, u64)]) -> BTreeMap<PlaneId, u64> {
        all.iter().map(|(plane, generation)| (PlaneId::from(*plane), *generation)).collect()
    }

    #[test]
    fn a_session_that_was_not_heard_of_is_found_at_the_resync() {
        let known = of(&[("az1", 1), ("az2", 2), ("az3", 3)]);
        assert_eq!(missed(&known, &known), (vec![], vec![]), "nothing is told twice");
        let now = of(&[("az1", 1), ("az3", 7), ("az4", 5)]);
        assert_eq!(missed(&known, &now), (vec!["az2".into()], vec!["az3".into(), "az4".into()]));
        assert_eq!(missed(&now, &known).1, ["az2".into()], "an older generation is no news");
    }
}
