//! Which reply of a prepare stream belongs to which asker. Pure: no stream, no clock of its own.

use crate::{
    edge::proto::{errorpb, metapb},
    ports::{Applied, RegionAt},
};
use shared::ids::RegionId;
use std::collections::{BTreeMap, VecDeque};
use tokio::{sync::oneshot, time::Instant};

/// A wait-apply whose asker still waits.
struct Batch {
    /// Not sent yet.
    unsent: VecDeque<RegionAt>,
    /// Not answered, sent or not.
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
    // Regions sent and not answered, also by batches that are over: an answer to an older question must never be taken for
    // the answer to a newer one. As many as the store leads at most.
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

    /// Notes a wait-apply, to be sent in parts. A region that an earlier wait still waits for is answered here, as TiKV would
    /// answer it ("Duplicated", `facts/pd-tikv.md` §2.5).
    pub(super) fn wait_apply(
        &mut self,
        mut regions: Vec<RegionAt>,
        deadline: Instant,
        reply: oneshot::Sender<Applied>,
    ) {
        self.give_up("another wait-apply took the place of this one");
        let mut said = Applied::default();
        regions.retain(|at| {
            let vacant = !self.asked.contains_key(&at.region.0);
            if !vacant {
                said.again.insert(at.region, "an earlier wait for this region has not been answered".into());
            }
            vacant
        });
        self.batch = Some(Batch { missing: regions.len(), unsent: regions.into(), said, deadline, reply });
        self.close_if_complete();
    }

    /// Some regions are still to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| !batch.unsent.is_empty())
    }

    /// At most so many of them, about to be sent.
    pub(super) fn next_part(&mut self, most: usize) -> Vec<RegionAt> {
        let Some(batch) = &mut self.batch else { return Vec::new() };
        let part: Vec<_> = batch.unsent.drain(..batch.unsent.len().min(most)).collect();
        self.asked.extend(part.iter().map(|at| {
            let RegionAt { region, conf_ver, version } = *at;
            (region.0, Asked { conf_ver, version, waited_for: true })
        }));
        part
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
        batch.said.again.extend(batch.unsent.drain(..).map(|at| (at.region, text.into())));
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
        pairing.wait_apply(vec![at(7, 1)], soon(), reply);
        assert_eq!(pairing.next_part(10), [at(7, 1)]);
        drop(given_up);
        let (reply, answer) = oneshot::channel();
        pairing.wait_apply(vec![at(7, 1)], soon(), reply);
        assert!(!pairing.has_unsent());
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
        assert_eq!(pairing.next_part(10).len(), 2);
        assert!(pairing.applied(echo(7, 2), None) && pairing.applied(echo(8, 1), None));
        let said = answer.await.unwrap();
        assert!(said.done == 1 && said.again.contains_key(&RegionId(7)), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn parts_are_small_and_lose_nothing() {
        let mut pairing = Pairing::default();
        let (reply, mut answer) = oneshot::channel();
        pairing.wait_apply((1..=5).map(|id| at(id, 1)).collect(), soon(), reply);
        let mut sent = Vec::new();
        while pairing.has_unsent() {
            let part = pairing.next_part(2);
            assert!(part.len() <= 2 && answer.try_recv().is_err());
            assert!(part.iter().all(|at| pairing.applied(echo(at.region.0, 1), None)));
            sent.extend(part);
        }
        assert_eq!(sent, (1..=5).map(|id| at(id, 1)).collect::<Vec<_>>());
        assert_eq!(answer.await, Ok(Applied { done: 5, ..Applied::default() }));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_at_the_deadline_is_named() {
        let mut pairing = Pairing::default();
        let (reply, answer) = oneshot::channel();
        pairing.wait_apply(vec![at(7, 1), at(8, 1), at(9, 1)], soon(), reply);
        assert_eq!(pairing.next_part(2).len(), 2);
        assert!(pairing.applied(echo(8, 1), None));
        pairing.expire();
        assert!(pairing.deadline().is_none());
        let said = answer.await.unwrap();
        let again: Vec<_> = said.again.keys().map(|region| region.0).collect();
        assert!(said.done == 1 && again == [7, 9], "{said:?}");
        assert!(!pairing.has_unsent(), "what nobody waits for is not sent");
    }
}
