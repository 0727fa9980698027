//! Lead: every region gets a leader. TiKV says that it is done whatever came of it (`facts/restore.md` §3.4), so what counts is what
//! leaders say afterwards; what is not led is asked anew, of the next copy.

use super::{
    cluster::{Dialled, RestoredCluster, each, numbers},
    ids,
    look::Look,
    progress::{LOOK_AGAIN, Progress, count},
    prove::{Proved, prove},
};
use crate::ports::{Asked, PortError};
use futures::future::join_all;
use shared::{
    ids::{RegionId, StoreId},
    reason::{Reason, Refusal},
    recovery::{Elected, Fault, Led, Meta, Plan, plan},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How leaders are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// PD hands out no id up to here, whatever is on the volumes: what an earlier try has found.
    pub floor: u64,
    /// How long one round of elections may take. A region without a quorum takes all of it.
    pub limit: Duration,
    /// How many rounds: each asks the next copy of what is not led.
    pub rounds: u32,
}

impl Default for Lead {
    fn default() -> Self {
        Self { floor: 0, limit: Duration::from_secs(600), rounds: 6 }
    }
}

/// What it came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaders {
    /// For the certificate.
    pub led: Led,
    /// How many regions each store leads.
    pub stores: BTreeMap<StoreId, u64>,
    /// Stores that do not know wait-apply: that they have applied their logs is TiKV's word only.
    pub unwaited: BTreeSet<StoreId>,
}

/// Rounds of elections, until every key has one leader that has applied its log. A store that is away is waited for as long as a round
/// may take.
///
/// # Errors
/// No copy of a region is left to be asked, or rounds or time are used up: the region is named.
pub async fn lead(cluster: &RestoredCluster, order: &Lead, progress: Progress<'_>) -> Result<Leaders, Refusal> {
    let mut elections = Elections { cluster, order, progress, rounds: 0, failed: BTreeMap::new() };
    let mut last_round = Instant::now();
    loop {
        let before = elections.rounds;
        let why = match elections.round().await {
            Ok(leaders) => return Ok(leaders),
            Err(End::Final(refusal)) => return Err(refusal),
            Err(End::Again(text)) => text,
        };
        let rounds = elections.rounds;
        if rounds > before {
            last_round = Instant::now();
        }
        if rounds >= order.rounds || last_round.elapsed() >= order.limit {
            let text = format!("after {rounds} rounds of elections: {why}");
            return Err(Refusal::new(Reason::TilingBroken, text));
        }
        progress(0, 0, &format!("round {rounds} of elections: {why}"));
        sleep(LOOK_AGAIN).await;
    }
}

/// Why a round brought no proof.
enum End {
    /// Another round changes nothing.
    Final(Refusal),
    /// It may.
    Again(String),
}

/// What one store cannot do now it may in the next round; whoever is told that he may not is told for good.
impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        if refusal.reason.is_passing() { Self::Again(refusal.message) } else { Self::Final(refusal) }
    }
}

struct Elections<'a> {
    cluster: &'a RestoredCluster,
    order: &'a Lead,
    progress: Progress<'a>,
    /// In which all stores have told of their copies.
    rounds: u32,
    /// Copies that were asked to lead and did not.
    failed: BTreeMap<RegionId, BTreeSet<StoreId>>,
}

impl Elections<'_> {
    async fn round(&mut self) -> Result<Leaders, End> {
        let met = self.cluster.up().await?;
        let stores = self.cluster.dial(&met).await?;
        // Leaders of an earlier try stay.
        let leads = Look::at(&stores).await?.leads();
        let told: BTreeMap<StoreId, Vec<Meta>> =
            each(&stores, |store| async move { store.recovery.region_metas().await }).await?.into_iter().collect();
        self.rounds += 1;
        let elected = Elected { leads, failed: self.failed.clone() };
        let plan = plan(&told, &elected).map_err(|faults| no_plan(&faults))?;
        ids::raise(self.cluster.marked.as_ref(), plan.largest_id.max(self.order.floor)).await?;
        let (total, round) = (count(plan.regions.len()), self.rounds);
        (self.progress)(0, total, &format!("round {round} of elections on {} stores", stores.len()));
        let asked = self.ask(&stores, &plan).await;
        let leads = Look::at(&stores).await?.leads();
        self.cluster.same(&met).await?;
        (self.progress)(count(leads.len()), total, &format!("round {round}: {} regions are led", leads.len()));
        self.note(&plan, &leads, &asked)?;
        let proved = prove(self.cluster, &stores, &plan).await.map_err(End::Again)?;
        // A store that restarted behind the look has lost its leaders.
        self.cluster.same(&met).await?;
        let Proved { regions, tiling, stores, unwaited } = proved;
        Ok(Leaders { led: Led { regions, tiling, rounds: round, largest_id: plan.largest_id }, stores, unwaited })
    }

    /// All at once: a store votes whether it is asked or not. Those that lead nothing are asked as well, which ends elections of theirs
    /// that an earlier try has begun.
    async fn ask(&self, stores: &[Dialled], plan: &Plan) -> BTreeMap<StoreId, Result<Asked, PortError>> {
        let leaders = plan.leaders(numbers(stores));
        let limit = self.order.limit;
        let asking = stores.iter().map(|store| {
            let regions = leaders.get(&store.met.store).map_or(&[][..], Vec::as_slice);
            async move { (store.met.store, store.recovery.lead(regions, limit).await) }
        });
        join_all(asking).await.into_iter().collect()
    }

    /// Who was asked for a region that nobody leads is not asked for it again, if he was asked to the end.
    fn note(
        &mut self,
        plan: &Plan,
        leads: &BTreeMap<RegionId, StoreId>,
        asked: &BTreeMap<StoreId, Result<Asked, PortError>>,
    ) -> Result<(), End> {
        let missing: Vec<_> = plan.regions.iter().filter(|(region, _)| !leads.contains_key(region)).collect();
        let Some((first, planned)) = missing.first() else { return Ok(()) };
        let (leader, copies, of) = (planned.leader, planned.copies, missing.len());
        let said = asked.get(&leader).map_or_else(|| "was not asked".to_owned(), word);
        let text =
            format!("{of} regions are not led, region {first} of {copies} copies among them: store {leader} {said}");
        for (region, planned) in missing {
            if matches!(asked.get(&planned.leader), Some(Ok(Asked::Answered | Asked::Cut))) {
                self.failed.entry(*region).or_default().insert(planned.leader);
            }
        }
        Err(End::Again(text))
    }
}

fn word(said: &Result<Asked, PortError>) -> String {
    match said {
        Ok(Asked::Answered) => "says that it was seen to".to_owned(),
        Ok(Asked::Cut) => "was not done within its time: is there a quorum?".to_owned(),
        Ok(Asked::Aborted) => "was asked by another client".to_owned(),
        Err(error) => format!("failed: {error}"),
    }
}

/// A stream of metas that ended too early leaves holes; the next one may not.
fn no_plan(faults: &[Fault]) -> End {
    let text = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if faults.iter().any(|fault| matches!(fault, Fault::Leaderless { .. })) {
        return End::Final(Refusal::new(Reason::TilingBroken, text));
    }
    End::Again(text)
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{Fake, silent},
        *,
    };

    const QUICK: Lead = Lead { floor: 0, limit: Duration::from_secs(30), rounds: 4 };

    #[tokio::test(start_paused = true)]
    async fn every_region_comes_to_be_led_by_its_furthest_copy() {
        let fake = Fake::unled();
        let leaders = lead(&fake.cluster(), &QUICK, &silent).await.unwrap();
        assert!(leaders.led.tiling.is_whole() && leaders.led.regions == 3 && leaders.led.rounds == 1, "{leaders:?}");
        assert_eq!(leaders.led.largest_id, 310);
        assert_eq!(fake.state().bases, [310]);
        assert_eq!(leaders.stores.values().sum::<u64>(), 3);
        assert!(leaders.unwaited.is_empty());
        let asked = fake.state().asked.clone();
        assert_eq!(asked.len(), 3, "also who leads nothing: {asked:?}");
        // Once more: the same, and no id goes back.
        let again = lead(&fake.cluster(), &Lead { floor: 400, ..QUICK }, &silent).await.unwrap();
        assert_eq!(again.stores, leaders.stores, "leaders stay");
        assert_eq!(fake.state().bases, [310, 400]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_is_not_elected_gives_way_to_the_next() {
        let fake = Fake::unled();
        fake.store(1, |store| store.cannot_lead.extend([10, 20, 30].map(RegionId)));
        let leaders = lead(&fake.cluster(), &QUICK, &silent).await.unwrap();
        assert_eq!(leaders.led.rounds, 2);
        assert_eq!(leaders.stores.get(&StoreId(1)), None, "{leaders:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_without_a_quorum_is_named() {
        let fake = Fake::unled();
        for store in 1..=3 {
            fake.store(store, |store| store.cannot_lead.extend([RegionId(20)]));
        }
        let refused = lead(&fake.cluster(), &Lead { rounds: 9, ..QUICK }, &silent).await.unwrap_err();
        assert_eq!(refused.message, "none of the 3 copies of region 20 was elected");
        let refused = lead(&fake.cluster(), &Lead { rounds: 2, ..QUICK }, &silent).await.unwrap_err();
        assert!(refused.message.contains("after 2 rounds") && refused.message.contains("region 20"), "{refused}");
    }

    /// Its leaders are gone with it, and TiKV said that all was done.
    #[tokio::test(start_paused = true)]
    async fn a_store_that_restarts_in_the_middle_is_asked_again() {
        let fake = Fake::unled();
        fake.store(1, |store| store.restarts_after_lead = true);
        let leaders = lead(&fake.cluster(), &QUICK, &silent).await.unwrap();
        assert_eq!(leaders.led.rounds, 2);
        assert!(fake.state().asked.len() == 6 && leaders.led.tiling.is_whole());
    }

    /// No election is held without it, and none is counted.
    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_is_waited_for() {
        let fake = Fake::unled();
        fake.store(2, |store| store.up = false);
        let cluster = fake.cluster();
        let back = async {
            sleep(Duration::from_secs(25)).await;
            fake.store(2, |store| store.up = true);
        };
        let (leaders, ()) = tokio::join!(lead(&cluster, &QUICK, &silent), back);
        assert_eq!(leaders.unwrap().led.rounds, 1);
        fake.store(2, |store| store.up = false);
        let refused = lead(&cluster, &QUICK, &silent).await.unwrap_err();
        assert!(refused.message.contains("after 0 rounds") && refused.message.contains("store 2 at s2"), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn another_client_that_cuts_in_is_no_fault_of_the_copy() {
        let fake = Fake::unled();
        fake.state().aborts = 1;
        let leaders = lead(&fake.cluster(), &QUICK, &silent).await.unwrap();
        assert_eq!(leaders.led.rounds, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ended_too_early_is_read_again() {
        let fake = Fake::unled();
        fake.state().metas_cut = 1;
        assert_eq!(lead(&fake.cluster(), &QUICK, &silent).await.unwrap().led.rounds, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_know_wait_apply_is_told() {
        let fake = Fake::unled();
        fake.store(2, |store| store.knows_wait_apply = false);
        let leaders = lead(&fake.cluster(), &QUICK, &silent).await.unwrap();
        assert_eq!(leaders.unwaited, [StoreId(2)].into());
    }
}
