//! Restore: the union of the volumes, rolled back to commit_ts. The same function for a barrier's cut and for any other,
//! so that a sum which does not add up can only come from the cut.

use super::{
    bank::Transfer,
    engine::State,
    found::{Found, find},
    image::Cut,
    kv::{Key, Rows, Write, account_key, account_of, read_all},
};
use serde::Serialize;
use shared::{ids::SnapshotId, ts::Ts};
use std::collections::BTreeMap;

/// How many torn transfers are named: enough to see a pattern.
const NAMED: usize = 20;

/// What came out of a restore.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// Rolled back to this.
    pub commit_ts: Ts,
    /// Stores started.
    pub stores: usize,
    /// Regions found with a majority of their copies.
    pub regions: usize,
    /// Accounts found.
    pub accounts: u64,
    /// What all accounts must add up to.
    pub expected: i64,
    /// What they add up to.
    pub total: i64,
    /// Every account is there and they add up.
    pub sum_ok: bool,
    /// Transfers of which one half is there and the other is not; at most 20.
    pub torn: Vec<Torn>,
    /// Holes, overlaps, missing volumes, epochs without a majority: what makes a restore doubtful whatever the sum.
    pub faults: Vec<String>,
}

impl Restored {
    /// The sum adds up, no transfer is torn and nothing is doubtful.
    pub fn sound(&self) -> bool {
        self.sum_ok && self.torn.is_empty() && self.faults.is_empty()
    }
}

/// A transfer of which only one half was restored.
#[derive(Clone, Debug, Serialize)]
pub struct Torn {
    /// Which.
    pub transfer: Transfer,
    /// The half that is there.
    pub present: TornHalf,
    /// The half that is not.
    pub absent: TornHalf,
}

/// One account's side of a torn transfer and the copy it was restored from.
#[derive(Clone, Debug, Serialize)]
pub struct TornHalf {
    /// Which account.
    pub account: u32,
    /// Region that holds it.
    pub region: u64,
    /// Store whose copy was taken.
    pub store: u64,
    /// Plane of that store.
    pub plane: String,
    /// Snapshots of that store; none in a control, which makes no EC2 call.
    pub snapshots: Vec<SnapshotId>,
    /// When that store was cut, in milliseconds of the world.
    pub cut_at_ms: u64,
}

impl State {
    /// Starts a cluster from a cut and audits the bank.
    pub(crate) fn restore(&self, cut: &Cut) -> Restored {
        let found = find(cut);
        let rows = union(&found);
        let seen = read_all(&rows, cut.commit_ts);
        let balances: Vec<i64> =
            seen.iter().filter(|(key, _)| account_of(key).is_some()).map(|(_, (_, write))| write.value).collect();
        let expected = self.expected_sum();
        let total = balances.iter().sum();
        let mut faults = found.faults.clone();
        faults.extend(found.tiling_faults());
        faults.extend(found.epoch_faults());
        // What is no whole cluster may have no plan.
        if faults.is_empty() {
            faults = found.recovery_faults();
        }
        Restored {
            commit_ts: cut.commit_ts,
            stores: found.stores.len(),
            regions: found.regions.len(),
            accounts: balances.len() as u64,
            expected,
            total,
            sum_ok: total == expected && balances.len() as u64 == u64::from(self.config.accounts),
            torn: self.torn(&found, &seen, cut),
            faults,
        }
    }

    pub(crate) fn expected_sum(&self) -> i64 {
        self.config.opening_balance * i64::from(self.config.accounts)
    }

    fn torn(&self, found: &Found, seen: &BTreeMap<Key, (Ts, Write)>, cut: &Cut) -> Vec<Torn> {
        let named = |(transfer, present, absent): (&Transfer, u32, u32)| Torn {
            transfer: transfer.clone(),
            present: half(found, cut, present),
            absent: half(found, cut, absent),
        };
        self.torn_transfers(seen, cut.commit_ts).map(named).collect()
    }

    /// Transfers at or below `commit_ts` of which one account shows the half and the other does not: the one that does first.
    pub(crate) fn torn_transfers<'a>(
        &'a self,
        seen: &'a BTreeMap<Key, (Ts, Write)>,
        commit_ts: Ts,
    ) -> impl Iterator<Item = (&'a Transfer, u32, u32)> {
        let has = |account: u32, transfer: &Transfer| {
            seen.get(&account_key(account)).is_some_and(|(version, _)| *version >= transfer.commit_ts)
        };
        let transfers = self.bank.history.range(..=commit_ts).map(|(_, transfer)| transfer);
        let torn = transfers.filter_map(move |transfer| {
            let (from, to) = (has(transfer.from, transfer), has(transfer.to, transfer));
            match (from, to) {
                (true, false) => Some((transfer, transfer.from, transfer.to)),
                (false, true) => Some((transfer, transfer.to, transfer.from)),
                _ => None,
            }
        });
        torn.take(NAMED)
    }
}

/// Where an account was restored from; zeros if no region found holds it.
fn half(found: &Found, cut: &Cut, account: u32) -> TornHalf {
    let key = account_key(account);
    let home = found.regions.iter().find(|(_, region)| region.region.holds(&key));
    let store = home.and_then(|(_, region)| region.copies.first()).map(|copy| copy.store);
    let image = store.and_then(|store| found.stores.get(&store));
    let mine = cut.volumes.iter().filter(|volume| Some(volume.image.store) == store);
    TornHalf {
        account,
        region: home.map_or(0, |(id, _)| id.0),
        store: store.map_or(0, |store| store.0),
        plane: image.map(|image| image.plane.clone()).unwrap_or_default(),
        snapshots: mine.filter_map(|volume| volume.snapshot.clone()).collect(),
        cut_at_ms: image.map_or(0, |image| image.at),
    }
}

/// Rows of every region's leader; where regions overlap, the newer version's.
fn union(found: &Found) -> Rows {
    let mut regions: Vec<_> = found.regions.values().collect();
    regions.sort_by_key(|found| found.region.version);
    let mut rows = Rows::new();
    for region in regions {
        let Some(best) = region.copies.first() else { continue };
        let inside = best.rows.iter().filter(|(key, _)| region.region.holds(key));
        rows.extend(inside.map(|(key, row)| (key.clone(), row.clone())));
    }
    rows
}
