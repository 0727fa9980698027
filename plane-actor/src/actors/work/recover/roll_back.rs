//! Roll back: every region is taken to the moment of the backup, all with the same timestamps, all prepared before the first is flashed
//! back. Done as often as need be: what was done before is done again and comes to the same (`facts/restore.md` §3.7).

use super::{
    super::retry::tried,
    cluster::{Dialled, RestoredCluster, numbers},
    look::Look,
    progress::{Progress, count},
};
use crate::ports::{Flashback, FlashedBack, Piece, PortError, Recovery};
use futures::{StreamExt, stream};
use shared::{
    ids::{RegionId, StoreId},
    reason::{Reason, Refusal},
    recovery::{FlashbackTimes, RolledBack},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Regions at the same time, over all stores; each keeps one of a store's scheduler threads.
const AT_ONCE: usize = 64;

/// Between two passes that did not get on, and the longest of these waits.
const WAIT: Duration = Duration::from_millis(500);
const WAIT_CAP: Duration = Duration::from_secs(10);

/// So often a region that says that it was not prepared is prepared anew.
const PREPARATIONS: u32 = 3;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollBack {
    /// Saved before the first use, and never chosen anew.
    pub times: FlashbackTimes,
    /// How long all of it may take.
    pub limit: Duration,
}

/// A region as it is flashed back: another version has another range.
type At = (RegionId, u64);

fn at(piece: &Piece) -> At {
    (piece.region, piece.version)
}

/// Prepares all regions, then flashes all back, until a look at all leaders shows only regions that this call has finished.
///
/// # Errors
/// A store restarted (`StoresChanged`: leaders must be made again first), keys are without a leader, a region is in somebody else's
/// flashback, or time is over: what is last in the way is named.
pub async fn roll_back(
    cluster: &RestoredCluster,
    order: &RollBack,
    progress: Progress<'_>,
) -> Result<RolledBack, Refusal> {
    may_flash_back(cluster, order.times).await?;
    let met = cluster.up().await?;
    let stores = cluster.dial(&met).await?;
    let mut rolling = Rolling::new(&stores, order.times.into(), progress);
    let (end, mut wait) = (Instant::now() + order.limit, WAIT);
    loop {
        cluster.same(&met).await?;
        let seen = match Look::at(&stores).await {
            Ok(look) => look.whole(&numbers(&stores)).map(|tiling| (look, tiling)),
            Err(refusal) => Err(refusal.message),
        };
        let got_on = match seen {
            Ok((look, tiling)) => {
                let open: Vec<&Piece> = look.pieces().filter(|piece| !rolling.finished.contains(&at(piece))).collect();
                if open.is_empty() {
                    return Ok(RolledBack { regions: count(look.led.len()), tiling });
                }
                rolling.pass(open, look.led.len()).await?
            }
            Err(text) => {
                rolling.why = text;
                false
            }
        };
        if got_on {
            wait = WAIT;
            continue;
        }
        if Instant::now() + wait > end {
            // A store that died and came back tells by itself why nothing went on.
            cluster.same(&met).await?;
            return Err(Refusal::new(Reason::CoverageUnstable, format!("not rolled back in time: {}", rolling.why)));
        }
        sleep(wait).await;
        wait = (wait * 2).min(WAIT_CAP);
    }
}

/// TiKV dies of a flashback whose timestamps are below what users wrote (`facts/restore.md` §3.7): none is sent once they may write, and none
/// with timestamps that are not of this PD.
async fn may_flash_back(cluster: &RestoredCluster, times: FlashbackTimes) -> Result<(), Refusal> {
    let FlashbackTimes { version, start_ts, commit_ts } = times;
    let broken = |text: String| Err(Refusal::new(Reason::EvidenceBroken, text));
    if version >= start_ts || start_ts >= commit_ts {
        return broken(format!("a flashback to {version} cannot be written from {start_ts} to {commit_ts}"));
    }
    let now = tried(Reason::PdUnavailable, || cluster.marked.now()).await?;
    if now <= commit_ts {
        return broken(format!("PD gives {now}, and the flashback's {commit_ts} is said to be of it"));
    }
    if !tried(Reason::PdUnavailable, || cluster.marked.is_marked()).await? {
        return broken(
            "PD is not marked any more: users may have written since, and TiKV would die of a flashback".to_owned(),
        );
    }
    Ok(())
}

struct Rolling<'a> {
    recoveries: BTreeMap<StoreId, Arc<dyn Recovery>>,
    flashback: Flashback,
    progress: Progress<'a>,
    prepared: BTreeSet<At>,
    finished: BTreeSet<At>,
    /// How often a region has said that it was not prepared.
    denied: BTreeMap<At, u32>,
    /// What was last in the way.
    why: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Prepare,
    Flashback,
}

impl<'a> Rolling<'a> {
    fn new(stores: &[Dialled], flashback: Flashback, progress: Progress<'a>) -> Self {
        let recoveries = stores.iter().map(|store| (store.met.store, store.recovery.clone())).collect();
        let (prepared, finished) = (BTreeSet::new(), BTreeSet::new());
        Self { recoveries, flashback, progress, prepared, finished, denied: BTreeMap::new(), why: String::new() }
    }

    /// One call to each: of those that are not prepared, if there are any. True: something was done.
    async fn pass(&mut self, open: Vec<&Piece>, total: usize) -> Result<bool, Refusal> {
        let unprepared: Vec<&Piece> =
            open.iter().copied().filter(|piece| !self.prepared.contains(&at(piece))).collect();
        let (call, mut pieces) =
            if unprepared.is_empty() { (Call::Flashback, open) } else { (Call::Prepare, unprepared) };
        // Neighbours are often on one store, and numbers are not.
        pieces.sort_by_key(|piece| piece.region);
        let (recoveries, flashback) = (&self.recoveries, self.flashback);
        let mut answers = stream::iter(pieces)
            .map(|piece| async move { (piece, one(recoveries, piece, call, flashback).await) })
            .buffer_unordered(AT_ONCE);
        let (mut got_on, mut said) = (false, Vec::new());
        let before = if call == Call::Prepare { self.prepared.len() } else { self.finished.len() };
        while let Some((piece, answer)) = answers.next().await {
            said.push((at(piece), answer));
            let text = if call == Call::Prepare { "preparing regions" } else { "flashing regions back" };
            (self.progress)(count(before + said.len()), count(total), text);
        }
        drop(answers);
        for (at, answer) in said {
            got_on |= self.take(at, call, answer)?;
        }
        Ok(got_on)
    }

    fn take(&mut self, at: At, call: Call, answer: Result<FlashedBack, PortError>) -> Result<bool, Refusal> {
        let why = match answer {
            Ok(FlashedBack::Done) => {
                let done = if call == Call::Prepare { &mut self.prepared } else { &mut self.finished };
                return Ok(done.insert(at));
            }
            // A region that nobody prepared says the same as one that was finished (`facts/restore.md` §3.7): it is prepared anew, which
            // changes nothing for the latter.
            Ok(FlashedBack::NotPrepared) => {
                self.prepared.remove(&at);
                let denied = self.denied.entry(at).or_default();
                *denied += 1;
                if *denied > PREPARATIONS {
                    let text = format!("region {} was prepared {PREPARATIONS} times and says that it was not", at.0);
                    return Err(Refusal::new(Reason::EvidenceBroken, text));
                }
                format!("region {} was not prepared", at.0)
            }
            Ok(FlashedBack::Moved(text) | FlashedBack::Again(text)) => format!("region {}: {text}", at.0),
            Err(PortError::Unavailable(text)) => text,
            Err(PortError::Refused(refusal)) => return Err(refusal),
        };
        self.why = why;
        Ok(false)
    }
}

async fn one(
    recoveries: &BTreeMap<StoreId, Arc<dyn Recovery>>,
    piece: &Piece,
    call: Call,
    flashback: Flashback,
) -> Result<FlashedBack, PortError> {
    let Some(recovery) = recoveries.get(&piece.store) else {
        return Ok(FlashedBack::Moved(format!("store {} is not connected", piece.store)));
    };
    match call {
        Call::Prepare => recovery.prepare_flashback(piece, flashback).await,
        Call::Flashback => recovery.flashback(piece, flashback).await,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{Fake, silent},
        *,
    };
    use shared::ts::Ts;

    const TIMES: FlashbackTimes = FlashbackTimes { version: Ts(50), start_ts: Ts(101), commit_ts: Ts(102) };
    const ORDER: RollBack = RollBack { times: TIMES, limit: Duration::from_secs(120) };

    async fn rolled(fake: &Fake) -> Result<RolledBack, Refusal> {
        roll_back(&fake.cluster(), &ORDER, &silent).await
    }

    /// PD's clock is past the timestamps, so that new ones would show.
    fn whole() -> Fake {
        let fake = Fake::whole();
        fake.state().clock = 500;
        fake
    }

    fn all_are_back(fake: &Fake) {
        let state = fake.state();
        assert!(state.regions.values().all(|region| region.finished == Some((101, 102)) && !region.in_flashback));
        let same = state.flashbacks.iter().all(|(start_ts, commit_ts)| (*start_ts, *commit_ts) == (101, 102));
        assert!(same, "one pair of timestamps: {:?}", state.flashbacks);
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_prepared_before_the_first_is_flashed_back() {
        let fake = whole();
        let done = rolled(&fake).await.unwrap();
        assert!(done.regions == 3 && done.tiling.is_whole());
        all_are_back(&fake);
        let calls: Vec<&str> = fake.state().calls.iter().map(|(call, _)| *call).collect();
        assert_eq!(calls, ["prepare", "prepare", "prepare", "flashback", "flashback", "flashback"]);
        // Once more, by somebody who knows nothing.
        assert_eq!(rolled(&fake).await.unwrap(), done);
        all_are_back(&fake);
    }

    #[tokio::test(start_paused = true)]
    async fn who_moved_is_looked_up_and_who_is_busy_asked_again() {
        let fake = whole();
        fake.answers(
            "prepare",
            20,
            [FlashedBack::Again("busy".to_owned()), FlashedBack::Moved("elsewhere".to_owned())],
        );
        fake.answers("flashback", 30, [FlashedBack::Moved("elsewhere".to_owned())]);
        rolled(&fake).await.unwrap();
        all_are_back(&fake);
    }

    /// A region that was never prepared, and one that was finished and whose answer was lost, say the same.
    #[tokio::test(start_paused = true)]
    async fn not_prepared_is_not_done() {
        let fake = whole();
        fake.state().forgets_preparation.insert(RegionId(20));
        rolled(&fake).await.unwrap();
        all_are_back(&fake);
        let fake = whole();
        fake.state().answer_is_lost.insert(RegionId(30));
        rolled(&fake).await.unwrap();
        all_are_back(&fake);
        let fake = whole();
        fake.answers("flashback", 10, std::iter::repeat_n(FlashedBack::NotPrepared, 9));
        let refused = rolled(&fake).await.unwrap_err();
        assert!(refused.message.contains("region 10 was prepared 3 times"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_that_splits_is_done_in_both_parts() {
        let fake = whole();
        fake.state().splits_after_prepare = Some((RegionId(20), RegionId(25), b"k".to_vec()));
        assert_eq!(rolled(&fake).await.unwrap().regions, 4);
        all_are_back(&fake);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_restarted_needs_leaders_first() {
        let fake = whole();
        fake.state().restarts_after_prepare = Some(StoreId(2));
        let refused = rolled(&fake).await.unwrap_err();
        assert_eq!(refused.reason, Reason::StoresChanged);
        assert!(refused.message.contains("store 2 at s2 has restarted"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn keys_without_a_leader_are_not_rolled_back() {
        let fake = whole();
        fake.state().leaders.remove(&RegionId(30));
        let refused = rolled(&fake).await.unwrap_err();
        assert!(refused.message.contains("no region holds the keys"), "{refused}");
        assert_eq!(fake.state().calls, []);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_once_users_may_write_or_with_times_of_elsewhere() {
        let fake = whole();
        fake.state().marked = false;
        assert!(rolled(&fake).await.unwrap_err().message.contains("not marked any more"));
        fake.state().marked = true;
        fake.state().clock = 90;
        assert!(rolled(&fake).await.unwrap_err().message.contains("PD gives 91"));
        let times = FlashbackTimes { commit_ts: TIMES.start_ts, ..TIMES };
        let refused = roll_back(&fake.cluster(), &RollBack { times, ..ORDER }, &silent).await.unwrap_err();
        assert!(refused.message.contains("cannot be written"), "{refused}");
        assert_eq!(fake.state().calls, []);
    }
}
