//! Making the volumes: what is there already is taken, what lacks is asked for, and all are looked at until they can be used.

use super::{BuildProgress, Built, Wish, WishedVolume, asking::ask, choice, ec2::Ec2};
use crate::{
    actors::plane_context::{PlaneContext, length},
    ports::{Cloud, VolumeInfo, VolumeState},
};
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    backoff::{Backoff, seed},
    ids::VolumeId,
    reason::{Reason, Refusal},
    time::{Instant, Millis},
};
use std::{cell::RefCell, collections::BTreeMap};
use tokio::time::timeout;

/// CreateVolume calls in flight: what EC2's bucket refills in three seconds, which a call takes at worst but for an outage.
const AT_ONCE: usize = 16;
/// How many times a volume is made: one that ended in error, or vanished, once more.
const TIMES: u32 = 2;
/// Between two looks: a volume is made within seconds.
const LOOK: Backoff = Backoff { first: Millis(1_000), cap: Millis(5_000) };
/// Volumes that a text names.
const NAMED: usize = 3;

/// Makes what is not there yet, and returns when all can be used: one for each that is wished for, in the order of the wish.
/// Whoever calls it again with the same wish gets the same volumes.
///
/// # Errors
/// `VolumeFailed`, `VolumeQuota`, or what kept EC2 from being asked. What was made stays, and is found by its tags.
pub async fn make(
    env: &PlaneContext,
    cloud: &Cloud,
    wish: &Wish<'_>,
    report: &dyn Fn(BuildProgress),
) -> Result<Vec<Built>, Refusal> {
    let work = Making { ec2: Ec2 { env, cloud }, wish, report, rows: RefCell::default() };
    let made = timeout(wish.limit, work.all()).await;
    made.unwrap_or_else(|_| Err(work.late()))
}

/// One volume on its way.
#[derive(Clone)]
struct Row<'a> {
    one: &'a WishedVolume,
    /// Which time it is made.
    time: u32,
    /// As EC2 told of it last; `None`: to be asked for.
    info: Option<VolumeInfo>,
    /// When EC2 last showed it, or accepted it.
    shown: Instant,
}

impl Row<'_> {
    fn is_done(&self) -> bool {
        let done = |info: &VolumeInfo| matches!(info.state, VolumeState::Available | VolumeState::InUse);
        self.info.as_ref().is_some_and(done)
    }

    /// The volume cannot be used: another one, if it may be.
    fn again(&mut self, info: &VolumeInfo, why: &str) -> Result<(), Refusal> {
        let (snapshot, zone, volume) = (&self.one.call.snapshot, &self.one.call.zone, &info.volume);
        if self.time >= TIMES {
            let text =
                format!("a volume of {snapshot} in {zone} was made {TIMES} times; the last one, {volume}, {why}");
            return Err(Refusal::new(Reason::VolumeFailed, text));
        }
        tracing::warn!(%snapshot, zone, %volume, why, "a volume is made once more");
        self.time += 1;
        self.info = None;
        Ok(())
    }
}

struct Making<'a> {
    ec2: Ec2<'a>,
    wish: &'a Wish<'a>,
    report: &'a dyn Fn(BuildProgress),
    /// In the order of the wish.
    rows: RefCell<Vec<Row<'a>>>,
}

impl<'a> Making<'a> {
    async fn all(&self) -> Result<Vec<Built>, Refusal> {
        let mut rows = self.found().await?;
        for looked in 1.. {
            self.create(&mut rows).await?;
            self.show(&rows);
            if rows.iter().all(Row::is_done) {
                break;
            }
            tokio::time::sleep(length(LOOK.wait(looked, seed(self.wish.restore)))).await;
            self.look(&mut rows).await?;
            self.show(&rows);
        }
        Ok(rows.iter().filter_map(built).collect())
    }

    /// What an earlier process has asked for, as far as EC2 shows it.
    async fn found(&self) -> Result<Vec<Row<'a>>, Refusal> {
        let found = self.ec2.find(self.wish.restore).await?;
        let now = self.ec2.env.clock.at();
        let row = |one: &'a WishedVolume| {
            let info = choice::choose(&found, self.wish, one).cloned();
            let time = info.as_ref().map_or(1, choice::nth);
            Row { one, time, info, shown: now }
        };
        Ok(self.wish.volumes.iter().map(row).collect())
    }

    /// Asks for every volume that is not there.
    async fn create(&self, rows: &mut [Row<'a>]) -> Result<(), Refusal> {
        let (ec2, wish) = (self.ec2, self.wish);
        let lacking: Vec<(usize, &WishedVolume, u32)> = (0..)
            .zip(rows.iter())
            .filter(|(_, row)| row.info.is_none())
            .map(|(at, row)| (at, row.one, row.time))
            .collect();
        let mut made = stream::iter(lacking)
            .map(|(at, one, time)| async move { ask(ec2, wish, one, time).await.map(|info| (at, info)) })
            .buffer_unordered(AT_ONCE);
        while let Some((at, info)) = made.try_next().await? {
            if let Some(row) = rows.get_mut(at) {
                // What a create call says of its state is how it began.
                row.info = Some(VolumeInfo { state: VolumeState::Creating, ..info });
                row.shown = ec2.env.clock.at();
            }
            self.show(rows);
        }
        Ok(())
    }

    /// How those stand that cannot be used yet.
    async fn look(&self, rows: &mut [Row<'a>]) -> Result<(), Refusal> {
        let open: Vec<VolumeId> = rows
            .iter()
            .filter(|row| !row.is_done())
            .filter_map(|row| row.info.as_ref().map(|info| info.volume.clone()))
            .collect();
        let shown = self.ec2.described(&open).await?;
        let shown: BTreeMap<&VolumeId, &VolumeInfo> = shown.iter().map(|info| (&info.volume, info)).collect();
        let now = self.ec2.env.clock.at();
        for row in rows.iter_mut().filter(|row| !row.is_done()) {
            let Some(info) = row.info.clone() else { continue };
            match shown.get(&info.volume) {
                Some(told) if told.state == VolumeState::Error => {
                    self.drop_failed(told).await;
                    row.again(told, "ended in state error")?;
                }
                Some(told) if matches!(told.state, VolumeState::Deleting | VolumeState::Deleted) => {
                    row.again(told, "was deleted")?;
                }
                Some(told) => (row.info, row.shown) = (Some((*told).clone()), now),
                // A key that may not be used shows like this, too; and so does, for a while, every volume.
                None if now.since(row.shown) >= self.ec2.env.config.clean_quiet => {
                    row.again(&info, "vanished, or EC2 has never shown it")?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// What cannot be deleted now is found by its tags when the restore is undone.
    async fn drop_failed(&self, told: &VolumeInfo) {
        if let Err(error) = self.ec2.delete(&told.volume).await {
            tracing::warn!(volume = %told.volume, %error, "a volume in error was not deleted");
        }
    }

    fn show(&self, rows: &[Row<'a>]) {
        let asked = rows.iter().filter(|row| row.info.is_some()).count();
        let done = rows.iter().filter(|row| row.is_done()).count();
        (self.report)(BuildProgress { asked, done, of: rows.len() });
        *self.rows.borrow_mut() = rows.to_vec();
    }

    /// The time was over.
    fn late(&self) -> Refusal {
        let rows = self.rows.borrow();
        let open: Vec<String> = rows.iter().filter(|row| !row.is_done()).map(waits).collect();
        let more = open.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named = open.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let text = format!(
            "{} of {} volumes cannot be used within {} s: {named}{more}",
            open.len(),
            self.wish.volumes.len(),
            self.wish.limit.as_secs()
        );
        Refusal::new(Reason::VolumeFailed, text)
    }
}

fn built(row: &Row<'_>) -> Option<Built> {
    let info = row.info.as_ref()?;
    Some(Built {
        snapshot: row.one.call.snapshot.clone(),
        volume: info.volume.clone(),
        zone: info.zone.clone(),
        gib: info.gib,
        nth: row.time,
    })
}

fn waits(row: &Row<'_>) -> String {
    let of = format!("of {} in {}", row.one.call.snapshot, row.one.call.zone);
    row.info.as_ref().map_or_else(|| format!("one {of} (not accepted)"), |info| format!("{} {of}", info.volume))
}
