//! Snapshots that bear this plane's name, added up by backup and attempt while they are listed: an account holds up to
//! 100,000 of them.

use super::{
    super::{
        question::{Look, Stop},
        tags,
    },
    files::Files,
    names::{Key, Names},
};
use crate::{
    budgets::Action,
    ports::{Cloud, CloudError, Find, SnapshotInfo, SnapshotState},
};
use shared::{ids::BackupUid, time::Timestamp, wire::Unnamed};
use std::collections::{BTreeMap, BTreeSet};

/// Pages of one list: those of 100,000 snapshots, ten times.
const PAGES: usize = 1000;
/// Different values of one tag that are kept of an attempt; one is what there is.
const VALUES: usize = 4;

/// What was listed.
#[derive(Default)]
pub(super) struct Seen {
    /// Whoever's they are.
    pub(super) all: u64,
    /// Those that nobody names.
    pub(super) groups: BTreeMap<Key, Group>,
    /// Where the files of the others are, as far as tags say it.
    pub(super) folders: BTreeSet<String>,
}

/// One attempt's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) snapshots: u64,
    gib: u64,
    first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// EC2 is still at work at one.
    pub(super) pending: bool,
    namespace: String,
    name: String,
    cluster: String,
    /// `s3://…`, as tags or the lock itself have it; one, if all is well; empty: a snapshot without.
    pub(super) paths: BTreeSet<String>,
    /// Names of ledgers; empty: a snapshot of an earlier version.
    pub(super) ledgers: BTreeSet<String>,
}

impl Group {
    /// Of a folder that no snapshot leads to.
    pub(super) fn of_files(path: String, ledger: String) -> Self {
        Self { paths: BTreeSet::from([path]), ledgers: BTreeSet::from([ledger]), ..Self::default() }
    }

    /// Where its files are, if its tags say one thing.
    pub(super) fn path(&self) -> Option<&str> {
        let mut paths = self.paths.iter();
        paths.next().filter(|path| paths.next().is_none() && !path.is_empty()).map(String::as_str)
    }

    fn add(&mut self, info: &SnapshotInfo) {
        let tag = |key| tag(info, key).unwrap_or_default().to_owned();
        if self.snapshots == 0 {
            (self.namespace, self.name, self.cluster) = (tag(tags::NAMESPACE), tag(tags::NAME), tag(tags::CLUSTER));
        }
        self.snapshots = self.snapshots.saturating_add(1);
        self.gib = self.gib.saturating_add(info.storage.gib);
        self.first = self.first.into_iter().chain([info.start_time]).min();
        self.last = self.last.max(Some(info.start_time));
        self.pending |= !matches!(info.state, SnapshotState::Completed | SnapshotState::Error);
        for (values, value) in [(&mut self.ledgers, tag(tags::LEDGER)), (&mut self.paths, tag(tags::PATH))] {
            if values.len() < VALUES {
                values.insert(value);
            }
        }
    }

    /// For the coordinator.
    pub(super) fn told(&self, (backup, attempt): &Key, files: &Files, kept: Option<String>) -> Unnamed {
        Unnamed {
            backup: backup.clone(),
            attempt: *attempt,
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            cluster: self.cluster.clone(),
            path: self.path().unwrap_or_default().to_owned(),
            files: files.are_there(),
            certified: *files == Files::Certified,
            snapshots: self.snapshots,
            gib: self.gib,
            first: self.first,
            kept,
        }
    }
}

fn tag<'a>(info: &'a SnapshotInfo, key: &str) -> Option<&'a str> {
    info.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// Page after page; what was seen until something stopped it. `only`: of this backup.
pub(super) async fn snapshots(
    look: &Look<'_>,
    cloud: &Cloud,
    names: &Names,
    only: Option<&BackupUid>,
) -> (Seen, Option<Stop>) {
    let mut wanted = vec![(tags::PLANE.to_owned(), look.env().config.plane.to_string())];
    wanted.extend(only.map(|backup| (tags::BACKUP.to_owned(), backup.to_string())));
    let find = Find { tags: wanted, volumes: Vec::new() };
    let (mut seen, mut page) = (Seen::default(), None);
    for _ in 0..PAGES {
        let asked = || cloud.ec2.find_snapshots(&find, page.clone());
        let answer = match look.ec2(cloud, Action::DescribeByFilter, asked).await {
            Ok(answer) => answer,
            Err(stop) => return (seen, Some(stop)),
        };
        seen.take(&answer.snapshots, names);
        match answer.next {
            None => return (seen, None),
            Some(next) if page.as_ref() == Some(&next) => break,
            next => page = next,
        }
    }
    let text = format!("DescribeSnapshots: no end: a page came twice, or more than {PAGES}");
    (seen, Some(Stop::Answer(CloudError::OutcomeUnknown(text))))
}

impl Seen {
    fn take(&mut self, page: &[SnapshotInfo], names: &Names) {
        for info in page {
            self.all = self.all.saturating_add(1);
            let backup = BackupUid::new(tag(info, tags::BACKUP).unwrap_or_default());
            let attempt = tag(info, tags::ATTEMPT).and_then(|number| number.parse().ok()).unwrap_or_default();
            let key = (backup, attempt);
            if names.has(&key) {
                if let Some(path) = tag(info, tags::PATH) {
                    self.folders.insert(path.to_owned());
                }
            } else {
                self.groups.entry(key).or_default().add(info);
            }
        }
    }
}
