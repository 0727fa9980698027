//! Is there room for so many more snapshots in the account? EC2 counts all that it has in the Region (`facts/aws.md` A3), whoever
//! made them, and would say so only when stores are held.

use super::{
    checks::{Checked, Seen},
    cloud::{Service, cloud_refusal, throttled},
    looking::{PAGES, follow},
};
use crate::{
    actors::plane_context::{Count, PlaneContext},
    budgets::{Action, Quotas},
    ports::{Cloud, CloudError},
};
use shared::{
    reason::{Reason, Refusal},
    time::Millis,
};
use std::time::Duration;
use tokio::time::timeout;

/// A count is believed for so long where nothing is near its limit: it is one call for each thousand snapshots.
const FRESH: Millis = Millis::secs(3600);
/// Between two tries of a page.
const AGAIN: Duration = Duration::from_secs(1);
/// Room for fewer backups than this is told: at one a day a person has so many days.
const FEW: usize = 10;
/// Counts kept; a plane works in one account and Region or two.
const MAX_COUNTS: usize = 64;

/// For `wanted` snapshots more. What cannot be counted within `limit` is told and refuses nothing.
pub(super) async fn check_quotas(
    env: &PlaneContext,
    cloud: &Cloud,
    wanted: usize,
    limit: Duration,
) -> Checked<(), Seen> {
    let quotas = env.config.quotas;
    let place = (cloud.account.clone(), cloud.region.clone());
    let known = env.counts.borrow().get(&place).copied();
    let fresh = known.filter(|count| {
        let young = env.clock.at().since(count.at) < FRESH;
        young && quotas.pending_snapshots == 0 && room(quotas.snapshots, count.snapshots) >= wanted.saturating_mul(FEW)
    });
    let count = match fresh {
        Some(count) => count,
        None => match timeout(limit, count(env, cloud)).await {
            Ok(Ok(Some(count))) => {
                let mut counts = env.counts.borrow_mut();
                if counts.len() >= MAX_COUNTS {
                    counts.pop_first();
                }
                counts.insert(place, count);
                count
            }
            Ok(Ok(None)) => {
                let text = "not counted: EC2's pages of them have no end".to_owned();
                return Ok(((), Seen::with(text, None)));
            }
            Ok(Err(error)) => return Err(cloud_refusal(Service::Ec2, "DescribeSnapshots, counting all", &error)),
            Err(_) => {
                let text = format!("not counted within {} s: there are too many pages of them", limit.as_secs());
                return Ok(((), Seen::with(text, None)));
            }
        },
    };
    judge(quotas, &cloud.account, &cloud.region, wanted, count)
}

fn judge(quotas: Quotas, account: &str, region: &str, wanted: usize, count: Count) -> Checked<(), Seen> {
    let Count { snapshots, pending, .. } = count;
    let limit = quotas.snapshots;
    let left = room(limit, snapshots);
    if left < wanted {
        let text = format!(
            "account {account} has {snapshots} of {limit} snapshots in Region {region}, and this plane takes {wanted}: delete some, \
             or have the quota raised and say so in aws.quotas.snapshots"
        );
        return Err(Refusal::new(Reason::SnapshotQuota, text));
    }
    let most = quotas.pending_snapshots;
    if most > 0 && room(most, pending) < wanted {
        let text = format!(
            "account {account} has {pending} pending snapshots in Region {region}, at most {most} by aws.quotas.pendingSnapshots, \
             and this plane takes {wanted}: wait until they are completed"
        );
        return Err(Refusal::new(Reason::SnapshotQuota, text));
    }
    let text = format!("{snapshots} of {limit} in the Region, {pending} of them pending; room for {left}");
    let few = left < wanted.saturating_mul(FEW);
    let warning = few.then(|| {
        let text = format!(
            "account {account} has room for {left} snapshots more in Region {region} ({snapshots} of {limit}), and this plane takes \
             {wanted} at a time"
        );
        Refusal::new(Reason::SnapshotQuota, text)
    });
    Ok(((), Seen::with(text, warning)))
}

fn room(limit: u32, used: u32) -> usize {
    usize::try_from(limit.saturating_sub(used)).unwrap_or(usize::MAX)
}

/// `None`: there is no end of them.
async fn count(env: &PlaneContext, cloud: &Cloud) -> Result<Option<Count>, CloudError> {
    const LISTS: Action = Action::DescribeByFilter;
    let ask = async |page: Option<String>| loop {
        env.permit(&cloud.account, &cloud.region, LISTS).await;
        match throttled(env, cloud, LISTS, cloud.ec2.count_snapshots(page.clone()).await) {
            // The same page again; whoever waits bounds it.
            Err(CloudError::Throttled(_) | CloudError::OutcomeUnknown(_)) => tokio::time::sleep(AGAIN).await,
            counted => return counted.map(|counted| ((counted.snapshots, counted.pending), counted.next)),
        }
    };
    let none = Count { snapshots: 0, pending: 0, at: env.clock.at() };
    let add = |sum: Count, (snapshots, pending): (u32, u32)| Count {
        snapshots: sum.snapshots.saturating_add(snapshots),
        pending: sum.pending.saturating_add(pending),
        ..sum
    };
    Ok(follow(PAGES, ask).await?.map(|pages| pages.into_iter().fold(none, add)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use shared::time::Instant;

    fn said(snapshots: u32, pending: u32, most_pending: u32, wanted: usize) -> Result<Option<String>, String> {
        let quotas = Quotas { snapshots: 100_000, pending_snapshots: most_pending };
        let count = Count { snapshots, pending, at: Instant(0) };
        let judged = judge(quotas, "1", "r", wanted, count).map_err(|refusal| refusal.to_string());
        judged.map(|((), seen)| seen.warning().map(|warning| warning.message.clone()))
    }

    #[test]
    fn what_would_not_fit_is_refused_with_its_numbers_and_little_room_is_told() {
        assert_eq!(said(97_000, 5, 0, 300), Ok(None));
        let few = said(97_001, 5, 0, 300).unwrap().unwrap();
        assert!(few.contains("room for 2999") && few.contains("97001 of 100000") && few.contains("300"), "{few}");
        assert!(said(99_700, 5, 0, 300).is_ok());
        let full = said(99_701, 5, 0, 300).unwrap_err();
        assert!(full.contains("99701 of 100000") && full.contains("aws.quotas.snapshots"), "{full}");
        assert_eq!(said(10, 70, 100, 30), Ok(None));
        let pending = said(10, 71, 100, 30).unwrap_err();
        assert!(pending.contains("71 pending") && pending.contains("at most 100"), "{pending}");
    }
}
