//! Does a TiKV write anywhere else than on volumes that are snapshotted (E4)? Its own `/config` says where it writes, its
//! pod (or the description of its host) says what is mounted where. Pure.

use crate::ports::{LocalStore, Mount, MountedOn};
use shared::{
    ids::VolumeId,
    reason::{Reason, Refusal},
};
use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

/// Dotted key of TiKV's configuration → directory.
pub(super) type Directories = BTreeMap<String, String>;

/// What TiKV keeps on each volume.
pub(super) type Placed = BTreeMap<VolumeId, Directories>;

/// Every store writes here.
const DATA_DIR: &str = "storage.data-dir";

/// Parts of the data directory that no key names, and without which a store does not come up as it was: the key-value
/// engine, raft snapshots that are not applied yet, and files whose ingestion is not.
const PARTS: [&str; 3] = ["db", "snap", "import"];

/// On which of its volumes each directory of a store lies. Refuses `VolumeUnsupported`, with key and path, when one lies
/// elsewhere, or when that cannot be told.
pub(super) fn placed(store: &LocalStore, named: &Directories) -> Result<Placed, Refusal> {
    let data = named.get(DATA_DIR).ok_or_else(|| {
        let text = format!("TiKV of store {} ({}) does not say in /config where {DATA_DIR} is", store.store, store.pod);
        Refusal::new(Reason::VolumeUnsupported, text)
    })?;
    let mut placed = Placed::new();
    for (key, path) in named {
        let volume = volume_under(store, key, path)?;
        placed.entry(volume).or_default().insert(key.clone(), path.clone());
    }
    for part in PARTS {
        volume_under(store, DATA_DIR, &format!("{data}/{part}"))?;
    }
    Ok(placed)
}

/// The deepest mount above a path decides: what is mounted further up is hidden by it.
fn volume_under(store: &LocalStore, key: &str, path: &str) -> Result<VolumeId, Refusal> {
    let refused = |what: &str| {
        let text = format!(
            "TiKV of store {} ({}) keeps {key} in {path}, which {what}: a backup would not contain it",
            store.store, store.pod
        );
        Refusal::new(Reason::VolumeUnsupported, text)
    };
    let directory = Path::new(path);
    if !directory.is_absolute() || directory.components().any(|part| part == Component::ParentDir) {
        return Err(refused("is not a plain absolute path"));
    }
    let above = store.mounts.iter().filter(|mount| directory.starts_with(&mount.path));
    match above.max_by_key(|mount| Path::new(&mount.path).components().count()) {
        None => Err(refused("is under no mount of its container")),
        Some(Mount { path: at, on: MountedOn::Other(what) }) => {
            Err(refused(&format!("is under {at}, {what}, not an EBS volume of this backup")))
        }
        Some(Mount { on: MountedOn::Volume(volume), .. }) => Ok(volume.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use shared::ids::StoreId;

    fn store(mounts: &[(&str, &str)]) -> LocalStore {
        let on = |what: &str| match what.strip_prefix("vol-") {
            Some(_) => MountedOn::Volume(VolumeId::new(what)),
            None => MountedOn::Other(what.to_owned()),
        };
        let mounts = mounts.iter().map(|(path, what)| Mount { path: (*path).to_owned(), on: on(what) }).collect();
        LocalStore { store: StoreId(4), pod: "db-tikv-0".to_owned(), volumes: Vec::new(), mounts }
    }

    fn named(rows: &[(&str, &str)]) -> Directories {
        rows.iter().map(|(key, path)| ((*key).to_owned(), (*path).to_owned())).collect()
    }

    const DATA: (&str, &str) = ("storage.data-dir", "/var/lib/tikv");

    #[test]
    fn every_directory_finds_the_volume_it_lies_on() {
        let store =
            store(&[("/var/lib/tikv", "vol-a"), ("/var/lib/raft/", "vol-b"), ("/etc/tikv", "configMap volume c")]);
        let all = named(&[
            DATA,
            ("raft-engine.dir", "/var/lib/raft"),
            ("rocksdb.titan.dirname", "/var/lib/tikv/db/titandb"),
            ("rocksdb.wal-dir", "/var/lib/raft/wal"),
        ]);
        let found = placed(&store, &all).unwrap();
        let keys = |volume: &str| found[&VolumeId::new(volume)].keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(keys("vol-a"), "rocksdb.titan.dirname storage.data-dir");
        assert_eq!(keys("vol-b"), "raft-engine.dir rocksdb.wal-dir");
        assert_eq!(found[&VolumeId::new("vol-b")]["rocksdb.wal-dir"], "/var/lib/raft/wal");
    }

    #[test]
    fn what_lies_elsewhere_is_refused_with_key_and_path() {
        let data = ("/var/lib/tikv", "vol-a");
        type Pairs<'a> = &'a [(&'a str, &'a str)];
        let rows: [(Pairs, Pairs, &[&str]); 9] = [
            // A raft log on the node's own disk, as additionalVolumes of the first operator make it.
            (
                &[data, ("/raft", "hostPath volume raft")],
                &[DATA, ("raft-engine.dir", "/raft")],
                &["raft-engine.dir in /raft", "hostPath"],
            ),
            (
                &[data, ("/nvme", "emptyDir volume nvme")],
                &[DATA, ("raft-engine.spill-dir", "/nvme/s")],
                &["raft-engine.spill-dir in /nvme/s"],
            ),
            (
                &[data, ("/w", "ephemeral volume w")],
                &[DATA, ("rocksdb.wal-dir", "/w")],
                &["rocksdb.wal-dir in /w", "ephemeral"],
            ),
            // No mount at all: the container's own file system, lost with it.
            (
                &[data],
                &[DATA, ("raftstore.raftdb-path", "/var/lib/raft")],
                &["raftstore.raftdb-path in /var/lib/raft", "no mount"],
            ),
            // A mount below the data volume hides a part of it.
            (
                &[data, ("/var/lib/tikv/raft-engine", "hostPath volume r")],
                &[DATA, ("raft-engine.dir", "/var/lib/tikv/raft-engine")],
                &["hostPath"],
            ),
            (&[data, ("/var/lib/tikv/db", "hostPath volume d")], &[DATA], &["storage.data-dir in /var/lib/tikv/db"]),
            (&[("/var/lib/tik", "vol-a")], &[DATA], &["no mount"]),
            (&[data], &[DATA, ("rocksdb.wal-dir", "wal")], &["rocksdb.wal-dir in wal", "absolute"]),
            (&[data], &[DATA, ("rocksdb.wal-dir", "/var/lib/tikv/../wal")], &["absolute"]),
        ];
        for (mounts, directories, parts) in rows {
            let refusal = placed(&store(mounts), &named(directories)).unwrap_err();
            assert_eq!(refusal.reason, Reason::VolumeUnsupported);
            let always = ["store 4", "db-tikv-0"];
            assert!(always.iter().chain(parts).all(|part| refusal.message.contains(part)), "{refusal}: {parts:?}");
        }
        let refusal = placed(&store(&[data]), &Directories::new()).unwrap_err();
        assert!(refusal.message.contains("storage.data-dir"), "{refusal}");
    }
}
