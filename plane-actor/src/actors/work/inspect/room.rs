//! What the account may have of volumes, and has. EC2 tells no quota: they are in the plane's configuration, and only where one
//! is, what is used is counted (`facts/restore.md` §5.4).

use super::super::{
    looking::follow,
    question::{Look, Stop},
};
use crate::{budgets::Action, ports::Cloud};
use shared::wire::{RestorePlace, VolumeWish};

/// Pages of a count: a hundred thousand volumes.
pub(super) const PAGES: usize = 100;

pub(super) async fn place(look: &Look<'_>, cloud: &Cloud, wish: &VolumeWish) -> RestorePlace {
    let quotas = &look.env().config.volumes;
    let quota_gib = quotas.quota_gib.get(&wish.kind.name).copied();
    let used_gib = match quota_gib {
        // What could not be counted is told as not counted.
        Some(_) => used(look, cloud, &wish.kind.name).await.ok().flatten(),
        None => None,
    };
    RestorePlace {
        account: cloud.account.clone(),
        region: cloud.region.clone(),
        quota_gib,
        used_gib,
        initialization: quotas.initialization_mib_per_second,
    }
}

/// `None`: they have no end within [`PAGES`].
async fn used(look: &Look<'_>, cloud: &Cloud, kind: &str) -> Result<Option<u64>, Stop> {
    let ask = async |page: Option<String>| {
        let asked = || cloud.ec2.sum_volumes(kind, page.clone());
        let answer = look.ec2(cloud, Action::DescribeByFilter, asked).await?;
        Ok((answer.gib, answer.next))
    };
    Ok(follow(PAGES, ask).await?.map(|pages| pages.into_iter().fold(0_u64, u64::saturating_add)))
}
