//! Naming a hole: what PD expects to be led here, or nowhere, and no leader here reported.

use super::{discovery::Discovery, retry::tried};
use crate::ports::PdRegion;
use shared::{
    ids::RegionId,
    reason::{Reason, Refusal},
};
use std::sync::Arc;
use tokio::time::Instant;

/// Descriptions of missing regions that a person can still read.
const MAX_NAMED: usize = 20;

/// `reported` in order. PD's list is read page by page until `end`: 800 pages for a cluster of 3.3 million regions.
pub(super) async fn name(
    discovery: Arc<Discovery>,
    reported: Vec<RegionId>,
    end: Instant,
) -> Result<Vec<String>, Refusal> {
    let (mut start, mut missing) = (Vec::new(), Vec::new());
    loop {
        let page = tried(Reason::PdUnavailable, || discovery.pd.regions(&start)).await?;
        let here = |region: &&PdRegion| region.leader.is_none_or(|leader| discovery.tikv.contains_key(&leader));
        let absent = |region: &&PdRegion| reported.binary_search(&region.region).is_err();
        missing.extend(page.iter().filter(here).filter(absent).map(describe));
        match page.last() {
            Some(last) if last.end > start && missing.len() < MAX_NAMED => start.clone_from(&last.end),
            _ => break,
        }
        if Instant::now() >= end {
            missing.truncate(MAX_NAMED - 1);
            missing.push(format!("perhaps others from {} on, which there was no time to look for", key(&start)));
            break;
        }
    }
    missing.truncate(MAX_NAMED);
    Ok(missing)
}

fn describe(region: &PdRegion) -> String {
    let leader = region.leader.map_or("no leader".to_owned(), |leader| format!("leader on store {leader}"));
    format!("region {} from {} ({leader})", region.region, key(&region.start))
}

/// A key's first bytes, for people.
fn key(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the beginning".to_owned();
    }
    let shown: String = bytes.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 12 { format!("{shown}…") } else { shown }
}
