//! Which reply of a prepare stream belongs to which asker. Pure: no stream, no clock of its own.

use crate::{
    edge::proto::{errorpb, metapb},
    ports::{Applied, RegionAt},
};
use shared::ids::RegionId;
use std::collections::{BTreeMap, VecDeque, btree_map::Entry};
use tokio::{sync::oneshot, time::Instant};

/// A wait-apply whose asker still waits.
struct Batch {
    /// Asked for and not answered.
    missing: usize,
    said: Applied,
    deadline: Instant,
    reply: oneshot::Sender<Applied>,
}

impl Batch {
    /// Answers the asker.
    fn close(self) {
        // An asker that stopped waiting needs no answer.
        let _ = self.reply.send(self.said);
    }
}

/// What was asked of a region, and whether the present wait waits for it.
struct Asked {
    conf_ver: u64,
    version: u64,
    waited_for: bool,
}

#[derive(Default)]
pub(super) struct Pairing {
    // UpdateLease and Finish, in the order they were sent. An asker that gave up keeps its place, so that a late reply
    // is never taken for the next one's.
    leases: VecDeque<oneshot::Sender<bool>>,
    // Regions asked for and not answered, also by batches that are over: an answer to an older question must never be
    // taken for the answer to a newer one. As many as the store leads.
    asked: BTreeMap<u64, Asked>,
    batch: Option<Batch>,
}

/// A region as WaitApply looks at it: by number and epoch (`facts/pd-tikv.md` §2.4).
pub(super) fn without_keys(at: &RegionAt) -> metapb::Region {
    let region_epoch = Some(metapb::RegionEpoch { conf_ver: at.conf_ver, version: at.version });
    metapb::Region { id: at.region.0, region_epoch, ..metapb::Region::default() }
}

impl Pairing {
    /// Notes an UpdateLease or Finish about to be sent.
    pub(super) fn lease(&mut self, reply: oneshot::Sender<bool>) {
        self.leases.push_back(reply);
    }

    /// The oldest lease request was answered. False: there is none.
    pub(super) fn leased(&mut self, valid: bool) -> bool {
        let Some(reply) = self.leases.pop_front() else { return false };
        // An asker that stopped waiting has counted it as unanswered already.
        let _ = reply.send(valid);
        true
    }

    /// Notes a wait-apply; returns what is to be sent. A region that an earlier wait still waits for is answered here,
    /// as TiKV would answer it ("Duplicated", `facts/pd-tikv.md` §2.5).
    pub(super) fn wait_apply(
        &mut self,
        mut regions: Vec<RegionAt>,
        deadline: Instant,
        reply: oneshot::Sender<Applied>,
    ) -> Vec<RegionAt> {
        self.give_up("another wait-apply took the place of this one");
        let mut said = Applied::default();
        regions.retain(|at| {
            let asked = Asked { conf_ver: at.conf_ver, version: at.version, waited_for: true };
            match self.asked.entry(at.region.0) {
                Entry::Occupied(_) => {
                    said.again.insert(at.region, "an earlier wait for this region has not been answered".into());
                    false
                }
                Entry::Vacant(place) => {
                    place.insert(asked);
                    true
                }
            }
        });
        self.batch = Some(Batch { missing: regions.len(), said, deadline, reply });
        self.close_if_complete();
        regions
    }

    /// A region was answered. False: it was not asked for.
    pub(super) fn applied(&mut self, region: metapb::Region, error: Option<&errorpb::Error>) -> bool {
        let Some(asked) = self.asked.remove(&region.id) else { return false };
        let Some(batch) = self.batch.as_mut().filter(|_| asked.waited_for) else { return true };
        batch.missing = batch.missing.saturating_sub(1);
        let echo = metapb::RegionEpoch { conf_ver: asked.conf_ver, version: asked.version };
        match error {
            Some(error) => drop(batch.said.again.insert(RegionId(region.id), describe(error).into())),
            // The echo is how a reply names its question; another epoch answers another question.
            None if region.region_epoch == Some(echo) => batch.said.done += 1,
            None => {
                let text = "the answer names another epoch than was asked for";
                batch.said.again.insert(RegionId(region.id), text.into());
            }
        }
        self.close_if_complete();
        true
    }

    /// When the present wait-apply is over at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.batch.as_ref().map(|batch| batch.deadline)
    }

    /// The deadline has passed.
    pub(super) fn expire(&mut self) {
        self.give_up("it has not applied what it had proposed in time");
    }

    /// Answers the asker of the present wait; whatever is still missing gets `text`.
    fn give_up(&mut self, text: &'static str) {
        let Some(mut batch) = self.batch.take() else { return };
        for (id, asked) in self.asked.iter_mut().filter(|(_, asked)| asked.waited_for) {
            asked.waited_for = false;
            batch.said.again.insert(RegionId(*id), text.into());
        }
        batch.close();
    }

    fn close_if_complete(&mut self) {
        if let Some(batch) = self.batch.take_if(|batch| batch.missing == 0) {
            batch.close();
        }
    }
}

/// A region error in one line: which kind, and TiKV's own words.
fn describe(error: &errorpb::Error) -> String {
    let kind = match error {
        errorpb::Error { epoch_not_match: Some(_), .. } => "epoch_not_match",
        errorpb::Error { region_not_found: Some(_), .. } => "region_not_found",
        errorpb::Error { stale_command: Some(_), .. } => "stale_command",
        errorpb::Error { not_leader: Some(_), .. } => "not_leader",
        _ => "refused",
    };
    format!("{kind}: {}", error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(id: u64, version: u64) -> RegionAt {
        RegionAt { region: RegionId(id), conf_ver: 1, version }
    }

    fn echo(id: u64, version: u64) -> metapb::Region {
        let region_epoch = Some(metapb::RegionEpoch { conf_ver: 1, version });
        metapb::Region { id, region_epoch, ..metapb::Region::default() }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_lease_reply_is_not_taken_for_the_next_one() {
        let mut pairing = Pairing::default();
        let (first, given_up) = oneshot::channel();
        let (second, answer) = oneshot::channel();
        pairing.lease(first);
        drop(given_up);
        pairing.lease(second);
        assert!(pairing.leased(true) && pairing.leased(false));
        assert_eq!(answer.await, Ok(false));
        assert!(!pairing.leased(true), "a reply without a question");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_an_abandoned_wait_does_not_count_for_a_new_one() {
        let mut pairing = Pairing::default();
        let (reply, given_up) = oneshot::channel();
        assert_eq!(pairing.wait_apply(vec![at(7, 1)], soon(), reply).len(), 1);
        drop(given_up);
        let (reply, answer) = oneshot::channel();
        assert!(pairing.wait_apply(vec![at(7, 1)], soon(), reply).is_empty());
        let said = answer.await.unwrap();
        assert!(said.done == 0 && said.again.contains_key(&RegionId(7)), "{said:?}");
        assert!(pairing.applied(echo(7, 1), None));
        assert!(!pairing.applied(echo(7, 1), None), "answered twice");
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_of_another_epoch_is_not_done() {
        let mut pairing = Pairing::default();
        let (reply, answer) = oneshot::channel();
        pairing.wait_apply(vec![at(7, 1), at(8, 1)], soon(), reply);
        assert!(pairing.applied(echo(7, 2), None) && pairing.applied(echo(8, 1), None));
        let said = answer.await.unwrap();
        assert!(said.done == 1 && said.again.contains_key(&RegionId(7)), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_at_the_deadline_is_named() {
        let mut pairing = Pairing::default();
        let (reply, answer) = oneshot::channel();
        pairing.wait_apply(vec![at(7, 1), at(8, 1)], soon(), reply);
        assert!(pairing.applied(echo(8, 1), None));
        pairing.expire();
        assert!(pairing.deadline().is_none());
        let said = answer.await.unwrap();
        assert!(said.done == 1 && said.again.contains_key(&RegionId(7)), "{said:?}");
    }
}
