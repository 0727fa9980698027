//! Verify: what is there after the roll-back. It judges nothing; what it saw goes into the certificate.

use super::{
    cluster::{Dialled, RestoredCluster},
    look::Look,
    progress::{LOOK_AGAIN, Progress, count},
};
use crate::ports::{Piece, PortError, Summed};
use futures::{StreamExt, stream};
use shared::{
    ids::RegionId,
    reason::{Reason, Refusal},
    recovery::{Checked, FlashbackTimes},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::sleep;

/// Regions that are read at the same time, over all stores: reading is what volumes that have to be fetched are slow at.
const AT_ONCE: usize = 16;

/// Passes over what could not be read.
const PASSES: u32 = 5;

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// At which two moments a reader must see the same.
    pub times: FlashbackTimes,
    /// Of so many regions one is added up; 1: all, 0: none.
    pub one_in: u32,
}

/// Looks at all leaders, adds up what was asked for, and looks again.
///
/// # Errors
/// A store restarted, or a region could not be read.
pub async fn verify(cluster: &RestoredCluster, order: &Check, progress: Progress<'_>) -> Result<Checked, Refusal> {
    let met = cluster.up().await?;
    let stores = cluster.dial(&met).await?;
    let sums = sums(&stores, order, progress).await?;
    let look = Look::at(&stores).await?;
    cluster.same(&met).await?;
    let mut checked = Checked {
        regions: count(look.led.len()),
        tiling: look.tiling(),
        in_flashback: count(look.in_flashback()),
        compared: count(sums.len()),
        stores: met,
        ..Checked::default()
    };
    for (then, now) in sums.values() {
        checked.different += u64::from((then.checksum, then.keys) != (now.checksum, now.keys));
        checked.keys = checked.keys.saturating_add(now.keys);
        checked.bytes = checked.bytes.saturating_add(now.bytes);
    }
    Ok(checked)
}

/// Of each chosen region: at the moment that was restored, and as it is now.
type Sums = BTreeMap<RegionId, (Summed, Summed)>;

async fn sums(stores: &[Dialled], order: &Check, progress: Progress<'_>) -> Result<Sums, Refusal> {
    let mut sums = Sums::new();
    let Some(step) = usize::try_from(order.one_in).ok().filter(|step| *step > 0) else { return Ok(sums) };
    let mut look = Look::at(stores).await?;
    let chosen: BTreeSet<RegionId> = look.pieces().step_by(step).map(|piece| piece.region).collect();
    let mut why = String::new();
    for pass in 0..PASSES {
        if pass > 0 {
            sleep(LOOK_AGAIN).await;
            look = Look::at(stores).await?;
        }
        let open: Vec<&Piece> =
            look.pieces().filter(|p| chosen.contains(&p.region) && !sums.contains_key(&p.region)).collect();
        let mut adding = stream::iter(open)
            .map(|piece| async move { (piece.region, both(stores, piece, order.times).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((region, added)) = adding.next().await {
            match added {
                Ok(both) => drop(sums.insert(region, both)),
                Err(PortError::Unavailable(text)) => why = text,
                Err(PortError::Refused(refusal)) => return Err(refusal),
            }
            progress(count(sums.len()), count(chosen.len()), "adding up regions");
        }
        if sums.len() == chosen.len() {
            return Ok(sums);
        }
    }
    let text = format!("{} of {} regions could not be added up: {why}", chosen.len() - sums.len(), chosen.len());
    Err(Refusal::new(Reason::CoverageUnstable, text))
}

async fn both(stores: &[Dialled], piece: &Piece, times: FlashbackTimes) -> Result<(Summed, Summed), PortError> {
    let store = stores.iter().find(|store| store.met.store == piece.store);
    let away = || PortError::Unavailable(format!("store {} is not connected", piece.store));
    let recovery = &store.ok_or_else(away)?.recovery;
    Ok((recovery.checksum(piece, times.version).await?, recovery.checksum(piece, times.commit_ts).await?))
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{Fake, silent},
        *,
    };
    use shared::ts::Ts;

    const TIMES: FlashbackTimes = FlashbackTimes { version: Ts(50), start_ts: Ts(101), commit_ts: Ts(102) };

    async fn verified(fake: &Fake, one_in: u32) -> Checked {
        verify(&fake.cluster(), &Check { times: TIMES, one_in }, &silent).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn all_or_some_or_no_regions_are_added_up() {
        let fake = Fake::whole();
        let all = verified(&fake, 1).await;
        assert!(all.tiling.is_whole() && all.regions == 3 && all.in_flashback == 0, "{all:?}");
        assert_eq!((all.compared, all.different, all.keys, all.bytes), (3, 0, 6, 60));
        assert_eq!(all.stores.len(), 3);
        assert_eq!(verified(&fake, 2).await.compared, 2);
        assert_eq!(verified(&fake, 0).await.compared, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_as_it_was_is_counted() {
        let fake = Fake::whole();
        fake.region(20, |region| region.now = 9);
        fake.region(30, |region| region.in_flashback = true);
        let seen = verified(&fake, 1).await;
        assert_eq!((seen.different, seen.in_flashback), (1, 1));
        fake.state().leaders.remove(&RegionId(30));
        assert!(!verified(&fake, 1).await.tiling.is_whole());
    }

    #[tokio::test(start_paused = true)]
    async fn a_region_that_cannot_be_read_is_tried_again_and_then_named() {
        let fake = Fake::whole();
        fake.state().unreadable = 2;
        assert_eq!(verified(&fake, 1).await.compared, 3);
        fake.state().unreadable = 1000;
        let order = Check { times: TIMES, one_in: 1 };
        let refused = verify(&fake.cluster(), &order, &silent).await.unwrap_err();
        assert!(refused.message.contains("3 of 3 regions could not be added up"), "{refused}");
    }
}
