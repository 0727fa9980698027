//! The oracle: judges a set of snapshots and a commit_ts by the world's own memory of what happened, and knows nothing
//! of the protocol (`facts/pd-tikv.md` §8.2, rules a to f).

use super::{
    bank::Transfer,
    engine::State,
    found::{Found, find},
    image::Cut,
    kv::{Key, account_key},
};
use serde::Serialize;
use shared::ts::Ts;
use std::collections::BTreeMap;

/// How many faults of one rule are told.
const TOLD: usize = 5;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `a` to `h`.
    pub rule: char,
    /// What was seen.
    pub text: String,
}

impl State {
    /// Empty: the set is consistent at its commit_ts.
    pub(crate) fn judge(&self, cut: &Cut) -> Vec<Finding> {
        let found = find(cut);
        let mut findings = Vec::new();
        let mut add = |rule: char, texts: Vec<String>| {
            findings.extend(texts.into_iter().take(TOLD).map(|text| Finding { rule, text }));
        };
        add('a', found.faults.iter().cloned().chain(found.tiling_faults()).collect());
        add('b', found.epoch_faults());
        add('c', self.ingest_faults(&found));
        add('d', self.durability_faults(&found, cut.commit_ts));
        add('e', self.late_commits(&found, cut.commit_ts));
        add('f', gc_faults(&found, cut.commit_ts));
        let lost = found.stores.values().filter(|image| image.raft_lost);
        add('h', lost.map(|image| format!("the raft log of store {} is on no volume", image.store)).collect());
        findings
    }

    /// Every ingest that any copy knows has its file wherever the region has a member, and none lies between the first
    /// and the last capture.
    fn ingest_faults(&self, found: &Found) -> Vec<String> {
        let mut faults = Vec::new();
        for (id, region) in &found.regions {
            for file in region.copies.iter().flat_map(|copy| &copy.files) {
                for copy in &region.copies {
                    if found.stores.get(&copy.store).is_some_and(|image| !image.files.contains(file)) {
                        faults.push(format!("region {id}: file {file} is not on the snapshot of store {}", copy.store));
                    }
                }
            }
        }
        let marks = || found.stores.values().map(|image| image.mark);
        let (first, last) = (marks().min().unwrap_or(0), marks().max().unwrap_or(0));
        let inside = self.ingests.iter().filter(|(_, mark)| (first + 1..last).contains(*mark));
        faults.extend(inside.map(|(file, _)| format!("file {file} was ingested while snapshots were taken")));
        faults
    }

    /// The newest version at or below `commit_ts` of every account is in a majority of its region's copies.
    fn durability_faults(&self, found: &Found, commit_ts: Ts) -> Vec<String> {
        let mut newest: BTreeMap<Key, &Transfer> = BTreeMap::new();
        for transfer in self.bank.history.range(..=commit_ts).map(|(_, transfer)| transfer) {
            newest.insert(account_key(transfer.from), transfer);
            newest.insert(account_key(transfer.to), transfer);
        }
        let mut faults = Vec::new();
        for (key, transfer) in newest {
            let Some((id, region)) = found.regions.iter().find(|(_, region)| region.region.holds(&key)) else {
                continue;
            };
            let holds = region
                .copies
                .iter()
                .filter(|copy| copy.rows.get(&key).is_some_and(|row| row.writes.contains_key(&transfer.commit_ts)))
                .count();
            if holds < region.region.majority() {
                faults.push(format!(
                    "transfer {} (commit_ts {} ≤ {commit_ts}) is on {holds} of {} copies of region {id}",
                    transfer.id,
                    transfer.commit_ts,
                    region.region.peers.len()
                ));
            }
        }
        faults
    }

    /// commit_ts must have been read before the first capture: nothing committed after that may lie at or below it.
    fn late_commits(&self, found: &Found, commit_ts: Ts) -> Vec<String> {
        let first = found.stores.values().map(|image| image.mark).min().unwrap_or(0);
        self.bank
            .history
            .range(..=commit_ts)
            .filter(|(_, transfer)| transfer.mark > first)
            .map(|(_, t)| {
                format!("transfer {} was committed after the first capture at {} ≤ {commit_ts}", t.id, t.commit_ts)
            })
            .collect()
    }
}

/// Rule g: versions in a cut above a ceiling that is said to be above all of them.
pub(crate) fn above(cut: &Cut, ceiling: Ts) -> Vec<Finding> {
    let found = find(cut);
    let copies = found.regions.iter().flat_map(|(id, region)| region.copies.iter().map(move |copy| (id, copy)));
    let newest = copies.filter_map(|(id, copy)| {
        let newest = copy.rows.values().filter_map(|row| row.writes.last_key_value()).map(|(ts, _)| *ts).max()?;
        (newest > ceiling).then(|| format!("region {id} on store {} holds {newest} > {ceiling}", copy.store))
    });
    newest.take(TOLD).map(|text| Finding { rule: 'g', text }).collect()
}

fn gc_faults(found: &Found, commit_ts: Ts) -> Vec<String> {
    found
        .stores
        .values()
        .filter(|image| image.gc_safe_point >= commit_ts)
        .map(|image| format!("GC stood at {} ≥ {commit_ts} when store {} was cut", image.gc_safe_point, image.store))
        .collect()
}
