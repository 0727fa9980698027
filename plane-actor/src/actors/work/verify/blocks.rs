//! Can they be read? A block or two of some snapshots, by EBS direct: what comes must have the sum that EBS tells with it. Of
//! an encrypted snapshot that takes a usable key and `kms:Decrypt` (`facts/aws.md` A6), which nothing else here proves.

use super::{
    super::question::{Look, Said, Stop},
    sharing::turn,
    snapshots::Shown,
};
use crate::{
    budgets::Action,
    ports::{BlockAt, Cloud, CloudError, SnapshotInfo},
};
use shared::{
    ids::SnapshotId,
    wire::{FindingState, Verify},
};
use std::collections::BTreeSet;

/// Snapshots that are read from: one of each key first, then others with each verification.
const SNAPSHOTS: usize = 4;
/// Blocks of each: the first, which holds the file system's own description, and another.
const BLOCKS: usize = 2;
/// Pages that may be empty before a block is found.
const PAGES: usize = 3;
/// Calls of it.
pub(super) const CALLS_AT_MOST: usize = SNAPSHOTS * (PAGES + BLOCKS);

pub(super) async fn look(look: &Look<'_>, cloud: &Cloud, ask: &Verify, shown: &Shown) -> Said {
    let usable: Vec<&SnapshotInfo> = shown.usable(ask).into_iter().map(|(_, info)| info).collect();
    let chosen = choose(&usable, ask.number);
    if chosen.is_empty() {
        return Said::new(FindingState::Unchecked, "there is no snapshot that could be read");
    }
    let (mut amiss, mut stopped, mut read, mut keys) = (Vec::new(), None, 0, BTreeSet::new());
    for info in &chosen {
        match read_some(look, cloud, &info.snapshot).await {
            Ok(Read::Sound(blocks)) => {
                read += blocks;
                keys.extend(Some(info.storage.key.as_str()).filter(|_| info.storage.encrypted));
            }
            Ok(Read::Broken(why)) => amiss.push(format!("{}: {why}", info.snapshot)),
            Err(Stop::Answer(error @ (CloudError::Refused { .. } | CloudError::NotFound(_)))) => {
                amiss.push(format!("{}: {error}", info.snapshot));
            }
            Err(stop) => stopped = Some((stop, info.storage.encrypted)),
        }
    }
    if !amiss.is_empty() {
        return Said::all(FindingState::Broken, &amiss, String::new);
    }
    match stopped {
        Some((Stop::Answer(error @ CloudError::Denied(_)), true)) => Said::new(
            FindingState::Doubtful,
            format!(
                "whether the key of the snapshots can be used is not known (ebs: or kms:Decrypt is missing, or it is disabled): {error}"
            ),
        ),
        Some((stop, _)) => stop.into(),
        None if read == 0 => {
            Said::new(FindingState::Doubtful, format!("no block was found on {PAGES} pages, so none was read"))
        }
        None => Said::sound(format!(
            "{read} blocks of {} snapshots were read and have their sums; {}",
            chosen.len(),
            of_keys(keys.len())
        )),
    }
}

fn of_keys(keys: usize) -> String {
    match keys {
        0 => "none of these is encrypted".to_owned(),
        1 => "their key decrypts".to_owned(),
        more => format!("{more} keys decrypt"),
    }
}

/// One of each key, then others.
fn choose<'a>(usable: &[&'a SnapshotInfo], number: u64) -> Vec<&'a SnapshotInfo> {
    let turned = turn(usable, number, usable.len());
    let mut keys = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) = turned.into_iter().partition(|info| keys.insert(info.storage.key.as_str()));
    first.into_iter().chain(rest).take(SNAPSHOTS).collect()
}

enum Read {
    Sound(usize),
    Broken(String),
}

async fn read_some(look: &Look<'_>, cloud: &Cloud, snapshot: &SnapshotId) -> Result<Read, Stop> {
    let (mut blocks, mut page): (Vec<BlockAt>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES {
        let asked = || cloud.blocks.some_blocks(snapshot, page.clone());
        let answer = look.ec2(cloud, Action::ListSnapshotBlocks, asked).await?;
        blocks = answer.blocks;
        page = answer.next;
        if !blocks.is_empty() || page.is_none() {
            break;
        }
    }
    let chosen: BTreeSet<usize> = [0, blocks.len().saturating_sub(1)].into();
    let mut read = 0;
    for block in chosen.into_iter().take(BLOCKS).filter_map(|at| blocks.get(at)) {
        let answer = look.ec2(cloud, Action::ListSnapshotBlocks, || cloud.blocks.read(snapshot, block)).await?;
        if !answer.matches {
            return Ok(Read::Broken(format!("block {} is not what EBS has a sum of", block.index)));
        }
        read += 1;
    }
    // A page may be empty although others follow; one that is the last is not.
    Ok(match (read, page) {
        (0, None) => Read::Broken("it holds no block at all".to_owned()),
        (read, _) => Read::Sound(read),
    })
}
