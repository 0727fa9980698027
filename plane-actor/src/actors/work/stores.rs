//! PD's stores: which there are, of which versions, and are they well?

use super::{
    checks::{Checked, STEPS, Seen, together},
    context::WorkContext,
    retry::tried,
    versions,
};
use crate::{actors::plane_context::length, ports::Pd};
use shared::{
    duration::human,
    evidence::ClusterStore,
    reason::{Reason, Refusal},
    request::{Limits, MemberSpec},
    time::Millis,
    wire::PlanePhase,
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// Between two looks at stores that are not well. Heartbeats come every 10 s.
const STORES_AGAIN: Duration = Duration::from_secs(5);

/// Every store that can hold data.
pub(super) async fn list_stores(pd: &dyn Pd) -> Checked<Vec<ClusterStore>> {
    let stores = tried(Reason::PdUnavailable, || pd.stores()).await?;
    let text = format!("{} stores", stores.len());
    Ok((stores, text))
}

/// The versions of all of them will do.
pub(super) fn check_versions(stores: &[ClusterStore], allow_weaker: bool) -> Checked<(), Seen> {
    let mut weaker_only = None;
    for store in stores {
        let Some(why) = versions::lacking(&store.version) else { continue };
        let weaker = versions::lacking_weaker(&store.version);
        let of = |why: &str| {
            let text = format!("store {} ({}) runs TiKV {}: {why}", store.store, store.address, store.version);
            Refusal::new(Reason::VersionUnsupported, text)
        };
        match weaker {
            None if allow_weaker => {
                weaker_only = Some(of(&format!("{why}; its backups are never proved consistent")));
            }
            None => {
                let allows = "spec.barrier.allowWeakerHolds allows a backup that is not proved consistent";
                return Err(of(&format!("{why}; {allows}")));
            }
            Some(weaker) if allow_weaker => return Err(of(&format!("{why}; for a weaker hold: {weaker}"))),
            Some(_) => return Err(of(why)),
        }
    }
    let versions: BTreeSet<_> = stores.iter().map(|store| store.version.as_str()).collect();
    let versions = versions.into_iter().collect::<Vec<_>>().join(", ");
    Ok(((), Seen::with(format!("TiKV {versions}"), weaker_only)))
}

/// Each of them well. One that is away or has just started is looked at again within what Preparing has to spare: a rolling
/// restart is no reason to lose a night's backup. Without `context` a person asks, who wants to know at once, and of all.
pub(super) async fn wait_until_well(
    pd: &dyn Pd,
    mut stores: Vec<ClusterStore>,
    spec: &MemberSpec,
    context: Option<&WorkContext>,
) -> Checked<Vec<ClusterStore>> {
    let uptime = spec.limits.store_uptime;
    let Some(context) = context else {
        let wells = stores.iter().map(|store| store.unwell(uptime).map_or(Ok(()), Err)).collect();
        together(wells)?;
        return Ok(well(stores));
    };
    let end = Instant::now() + length(wait_for_stores(&spec.limits));
    while let Some((store, unwell)) = stores.iter().find_map(|store| Some((store, store.unwell(uptime)?))) {
        // What cannot be old enough in time is not waited for.
        let needs = match unwell.reason {
            Reason::StoreJustStarted => Duration::from_millis(uptime.0.saturating_sub(store.uptime.0)),
            _ => STORES_AGAIN,
        };
        if Instant::now() + needs > end {
            return Err(unwell);
        }
        context.progress(PlanePhase::Preparing, 0, STEPS, format!("waiting: {}", unwell.message));
        tokio::time::sleep(STORES_AGAIN).await;
        (stores, _) = list_stores(pd).await?;
        check_versions(&stores, spec.allow_weaker_holds)?;
    }
    Ok(well(stores))
}

fn well(stores: Vec<ClusterStore>) -> (Vec<ClusterStore>, String) {
    let youngest = stores.iter().map(|store| store.uptime).min().unwrap_or_default();
    (stores, format!("all heard of, the youngest up for {}", human(youngest)))
}

/// Two thirds of what Preparing may take; all that comes after it takes seconds.
fn wait_for_stores(limits: &Limits) -> Millis {
    Millis(limits.prepare.0 / 3 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::StoreId;

    fn store(number: u64, version: &str) -> ClusterStore {
        ClusterStore { store: StoreId(number), version: version.to_owned(), ..ClusterStore::example(number) }
    }

    #[test]
    fn what_can_only_be_held_weakly_is_a_warning_where_that_is_allowed() {
        let stores = [store(1, "7.5.1"), store(2, "7.1.2"), store(3, "7.0.0")];
        let refused = check_versions(&stores[..2], false).map(drop).unwrap_err();
        assert_eq!(refused.reason, Reason::VersionUnsupported);
        assert!(refused.message.contains("allowWeakerHolds") && refused.message.contains("store 2"), "{refused}");
        let (_, seen) = check_versions(&stores[..2], true).unwrap();
        assert!(seen.warning().is_some_and(|warning| warning.message.contains("never proved consistent")));
        let (_, seen) = check_versions(&stores[..1], true).unwrap();
        assert_eq!(seen.warning(), None);
        let refused = check_versions(&stores, true).map(drop).unwrap_err();
        assert!(refused.message.contains("store 3") && refused.message.contains("for a weaker hold"), "{refused}");
    }
}
