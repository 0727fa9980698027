//! Taking the volumes of a restore away: by their tags alone, since no list of them is kept. EC2 may not show for minutes what
//! was asked for, so that finding nothing counts when it was so for a quiet time (I10).

use super::ec2::Ec2;
use crate::{
    actors::plane_context::{PlaneContext, length},
    ports::{Cloud, CloudError, VolumeInfo, VolumeState},
};
use futures::{StreamExt, stream};
use shared::{
    backoff::{Backoff, seed},
    ids::VolumeId,
    reason::Refusal,
    time::Millis,
};
use std::{collections::BTreeMap, time::Duration};

/// Deletions in flight, as of snapshots.
const AT_ONCE: usize = 16;
/// Between two looks, as of snapshots: within seconds as a rule, within minutes at worst.
const LOOK: Backoff = Backoff { first: Millis(2_000), cap: Millis(15_000) };

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenAway {
    /// Asked to be deleted, or gone before that.
    pub deleted: Vec<VolumeId>,
    /// GiB of these.
    pub gib: u64,
    /// Still there.
    pub stays: Vec<Stays>,
}

/// A volume that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// Which.
    pub volume: VolumeId,
    /// GiB.
    pub gib: u64,
    /// For people.
    pub why: String,
}

/// Deletes every volume of the restore in this plane that is attached to nothing, of whichever attempt. `quiet`: so long nothing
/// new must have shown; zero, if nobody can have asked for any. What is attached is never touched.
///
/// # Errors
/// EC2 could not be asked; what was deleted until then is deleted.
pub async fn take_away(
    env: &PlaneContext,
    cloud: &Cloud,
    restore: &str,
    quiet: Millis,
    limit: Duration,
) -> Result<TakenAway, Refusal> {
    let mut taking = Taking { ec2: Ec2 { env, cloud }, deleted: BTreeMap::new(), refused: BTreeMap::new() };
    let begun = env.clock.at();
    let mut last_new = begun;
    let limit = Millis(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let mut looked = 0_u32;
    loop {
        looked = looked.saturating_add(1);
        let found = taking.ec2.find(restore).await?;
        let is_new = taking.delete(&found).await;
        let now = env.clock.at();
        if is_new {
            last_new = now;
        }
        let waiting = is_new || found.iter().any(|info| taking.is_awaited(info));
        if !waiting && now.since(last_new) >= quiet || now.since(begun) >= limit {
            return Ok(taking.told(&found));
        }
        tokio::time::sleep(length(LOOK.wait(looked, seed(restore)))).await;
    }
}

struct Taking<'a> {
    ec2: Ec2<'a>,
    /// With their sizes.
    deleted: BTreeMap<VolumeId, u64>,
    /// EC2 said no to these for good.
    refused: BTreeMap<VolumeId, String>,
}

impl Taking<'_> {
    /// Deletes what may go; was there any?
    async fn delete(&mut self, found: &[VolumeInfo]) -> bool {
        let may_go = |info: &&VolumeInfo| {
            matches!(info.state, VolumeState::Available | VolumeState::Error)
                && !self.deleted.contains_key(&info.volume)
                && !self.refused.contains_key(&info.volume)
        };
        let ec2 = self.ec2;
        let going: Vec<&VolumeInfo> = found.iter().filter(may_go).collect();
        let is_new = !going.is_empty();
        let mut fates = stream::iter(going)
            .map(|info| async move { (info, ec2.delete(&info.volume).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((info, fate)) = fates.next().await {
            match fate {
                Ok(_) => {
                    self.deleted.insert(info.volume.clone(), info.gib);
                }
                // It was attached since it was listed, or EC2 is busy: the next look says which.
                Err(CloudError::InvalidState(_) | CloudError::Throttled(_) | CloudError::OutcomeUnknown(_)) => {}
                Err(error) => {
                    self.refused.insert(info.volume.clone(), error.to_string());
                }
            }
        }
        is_new
    }

    /// It will be something else soon, and may be deleted then.
    fn is_awaited(&self, info: &VolumeInfo) -> bool {
        let refused = self.refused.contains_key(&info.volume);
        match info.state {
            VolumeState::Creating | VolumeState::Unknown => true,
            VolumeState::Available | VolumeState::Error => !refused && !self.deleted.contains_key(&info.volume),
            VolumeState::InUse | VolumeState::Deleting | VolumeState::Deleted => false,
        }
    }

    fn told(self, found: &[VolumeInfo]) -> TakenAway {
        let stays = found.iter().filter_map(|info| {
            let why = match (self.refused.get(&info.volume), info.state) {
                (_, VolumeState::Deleting | VolumeState::Deleted) => return None,
                _ if self.deleted.contains_key(&info.volume) => return None,
                (Some(said), _) => said.clone(),
                (None, VolumeState::InUse) => match &info.instance {
                    Some(instance) => format!("it is attached to {instance}"),
                    None => "it is attached, or on its way to or from an instance".to_owned(),
                },
                (None, VolumeState::Creating) => "EC2 is still making it".to_owned(),
                (None, _) => "the time was over before it".to_owned(),
            };
            Some(Stays { volume: info.volume.clone(), gib: info.gib, why })
        });
        TakenAway {
            stays: stays.collect(),
            gib: self.deleted.values().sum(),
            deleted: self.deleted.into_keys().collect(),
        }
    }
}
