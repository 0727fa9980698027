//! Folders of this plane that a lock of ours reserves and no snapshot leads to.

use super::super::{
    question::{Look, Stop},
    storage,
    storage::Owner,
};
use crate::ports::Cloud;
use shared::request::S3Target;
use std::collections::BTreeSet;

/// Keys of one listing: the most that S3 gives at once.
const PAGE: usize = 1000;
/// Locks that are read below one prefix.
const LOCKS_MAX: usize = 500;

/// Every folder below a prefix, as a user wrote it, whose lock is ours; those of `known` are left out. And what stopped it.
pub(super) async fn locks(
    look: &Look<'_>,
    cloud: &Cloud,
    storage: &S3Target,
    prefix: &str,
    known: &BTreeSet<String>,
) -> (Vec<(String, Owner)>, Option<Stop>) {
    let below = S3Target { prefix: prefix.to_owned(), ..storage.clone() };
    // The prefix itself is not a folder yet: a dash and the plane, or a schedule's date before them, follow it.
    let from = below.key("").trim_end_matches('/').to_owned();
    let end = format!("-{}/{}", look.env().config.plane, storage::LOCK);
    let (mut found, mut read, mut after) = (Vec::new(), 0, String::new());
    loop {
        let keys = match look.list(cloud, &from, &after, PAGE).await {
            Ok(keys) => keys,
            Err(stop) => return (found, Some(stop)),
        };
        for key in keys.iter().filter(|key| key.ends_with(&end)) {
            let folder = key.strip_suffix(storage::LOCK).unwrap_or_default().trim_end_matches('/');
            let path = S3Target { prefix: folder.to_owned(), ..storage.clone() }.path();
            if known.contains(&path) {
                continue;
            }
            if read >= LOCKS_MAX {
                return (found, Some(Stop::NoCalls));
            }
            read += 1;
            match look.object(cloud, key).await {
                Ok(body) => found.extend(body.as_deref().and_then(Owner::of).map(|owner| (path, owner))),
                Err(stop) => return (found, Some(stop)),
            }
        }
        match keys.last() {
            Some(last) if keys.len() == PAGE => after = last.clone(),
            _ => return (found, None),
        }
    }
}
