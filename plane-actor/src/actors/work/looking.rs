//! Looking for our snapshots: page after page, each within the account's budget, because every caller in the account
//! shares it and an account may hold 100,000 of them.

use super::cloud::throttled;
use crate::{
    actors::plane_context::PlaneContext,
    budgets::Action,
    ports::{Cloud, CloudError, Find, Found, SnapshotInfo},
};
use shared::ids::{SnapshotId, VolumeId};

const BY_TAG: Action = Action::DescribeByFilter;
const BY_ID: Action = Action::DescribeByIds;
/// Ids per describe: at most 1000 are allowed (`facts/aws.md` A2).
const IDS: usize = 200;
/// Ids of one question to the Recycle Bin.
const BIN: usize = 1000;
/// Pages of one look. An account may hold 100,000 snapshots in a Region (100 pages); pages may be short or empty.
pub(super) const PAGES: usize = 1000;

/// All pages, each by the token that came with the one before; `None`: they have no end, for a token came twice, or there are more
/// than `most`.
pub(super) async fn follow<T, E, F>(most: usize, ask: impl Fn(Option<String>) -> F) -> Result<Option<Vec<T>>, E>
where
    F: Future<Output = Result<(T, Option<String>), E>>,
{
    let (mut all, mut page) = (Vec::new(), None);
    for _ in 0..most {
        let (part, next) = ask(page.clone()).await?;
        all.push(part);
        match next {
            None => return Ok(Some(all)),
            again if again == page => return Ok(None),
            next => page = next,
        }
    }
    Ok(None)
}

/// All pages of one look.
pub(super) async fn find(env: &PlaneContext, cloud: &Cloud, find: &Find) -> Result<Vec<SnapshotInfo>, CloudError> {
    paged(env, cloud, |page| cloud.ec2.find_snapshots(find, page)).await
}

async fn paged<F>(
    env: &PlaneContext,
    cloud: &Cloud,
    look: impl Fn(Option<String>) -> F,
) -> Result<Vec<SnapshotInfo>, CloudError>
where
    F: Future<Output = Result<Found, CloudError>>,
{
    let ask = |page| {
        let looking = look(page);
        async move {
            env.permit(&cloud.account, &cloud.region, BY_TAG).await;
            throttled(env, cloud, BY_TAG, looking.await).map(|found| (found.snapshots, found.next))
        }
    };
    let no_end =
        || CloudError::OutcomeUnknown(format!("{}: no end: a page came twice, or more than {PAGES}", BY_TAG.name()));
    Ok(follow(PAGES, ask).await?.ok_or_else(no_end)?.into_iter().flatten().collect())
}

/// What takes up slots of these volumes: their snapshots that are pending, or ended in error.
pub(super) async fn unfinished(
    env: &PlaneContext,
    cloud: &Cloud,
    volumes: &[VolumeId],
) -> Result<Vec<SnapshotInfo>, CloudError> {
    let mut found = Vec::new();
    for some in volumes.chunks(IDS) {
        found.extend(paged(env, cloud, |page| cloud.ec2.unfinished_snapshots(some, page)).await?);
    }
    Ok(found)
}

/// Every completed snapshot of these volumes, whoever made it.
pub(super) async fn completed(
    env: &PlaneContext,
    cloud: &Cloud,
    volumes: &[VolumeId],
) -> Result<Vec<SnapshotInfo>, CloudError> {
    paged(env, cloud, |page| cloud.ec2.completed_snapshots(volumes, page)).await
}

/// Those of `ids` that EC2 shows.
pub(super) async fn by_id(
    env: &PlaneContext,
    cloud: &Cloud,
    ids: &[SnapshotId],
) -> Result<Vec<SnapshotInfo>, CloudError> {
    let mut found = Vec::new();
    for page in ids.chunks(IDS) {
        env.permit(&cloud.account, &cloud.region, BY_ID).await;
        found.extend(throttled(env, cloud, BY_ID, cloud.ec2.snapshots(page).await)?);
    }
    Ok(found)
}

/// Those of `ids`, which were deleted, that a rule of the Recycle Bin keeps. Which bucket this call has is not documented;
/// it asks by ids alone.
pub(super) async fn in_recycle_bin(
    env: &PlaneContext,
    cloud: &Cloud,
    ids: &[SnapshotId],
) -> Result<Vec<SnapshotId>, CloudError> {
    let mut kept = Vec::new();
    for part in ids.chunks(BIN) {
        env.permit(&cloud.account, &cloud.region, BY_ID).await;
        kept.extend(throttled(env, cloud, BY_ID, cloud.ec2.in_recycle_bin(part).await)?);
    }
    Ok(kept)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A server whose page `n` is followed by what `next` says; and how often it was asked.
    async fn followed(next: impl Fn(usize) -> Option<usize>) -> (Option<Vec<usize>>, usize) {
        let asked = Cell::new(0);
        let ask = |page: Option<String>| {
            asked.set(asked.get() + 1);
            let number = page.map_or(0, |page| page.parse().unwrap());
            let next = next(number).map(|next| next.to_string());
            async move { Ok((number, next)) }
        };
        let pages = follow::<_, CloudError, _>(PAGES, ask).await.unwrap();
        (pages, asked.get())
    }

    #[tokio::test]
    async fn pages_are_followed_to_their_end_and_never_for_ever() {
        assert_eq!(followed(|_| None).await, (Some(vec![0]), 1));
        assert_eq!(followed(|page| (page < 3).then_some(page + 1)).await, (Some(vec![0, 1, 2, 3]), 4));
        assert_eq!(followed(|page| Some((page + 1).min(2))).await, (None, 3), "a token comes twice");
        assert_eq!(followed(|page| Some(page + 1)).await, (None, PAGES), "no end");
        let lost: Result<Option<Vec<()>>, _> =
            follow(PAGES, async |_| Err(CloudError::OutcomeUnknown("x".to_owned()))).await;
        assert!(lost.is_err());
    }
}
