//! Schedules and backups at the API server, and what has happened to them.

use shared::{
    cron::Cron,
    retention::{Backup, Policy},
    schedule::{Spec, Status},
};
use std::collections::{BTreeMap, BTreeSet};

/// One schedule at the API server.
pub(crate) struct Schedule {
    pub(crate) spec: Spec,
    pub(crate) group: Option<String>,
    pub(crate) status: Status,
    pub(crate) backups: BTreeMap<String, Stored>,
    /// What the process was told last.
    pub(crate) listed: Vec<Backup>,
    pub(crate) list_due: Option<i64>,
    /// Names ever made.
    pub(crate) made: BTreeSet<String>,
    /// It had a good backup once.
    pub(crate) had_good: bool,
}

impl Schedule {
    pub(crate) fn new(cron: Cron, policy: Policy, group: Option<String>) -> Self {
        let spec = Spec { cron, pause: false, policy, labels: BTreeMap::new(), annotations: BTreeMap::new() };
        Self {
            spec,
            group,
            status: Status::default(),
            backups: BTreeMap::new(),
            listed: Vec::new(),
            list_due: None,
            made: BTreeSet::new(),
            had_good: false,
        }
    }
}

/// One backup at the API server.
pub(crate) struct Stored {
    pub(crate) backup: Backup,
    pub(crate) ends: i64,
    pub(crate) well: bool,
    pub(crate) gone: Option<i64>,
}

/// What happened, to see that it did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) steps: u64,
    pub(crate) made: u64,
    pub(crate) deleted: u64,
    pub(crate) found: u64,
    pub(crate) unknown: u64,
    pub(crate) crashes: u64,
    pub(crate) late: u64,
    pub(crate) back: u64,
    pub(crate) waited: u64,
    pub(crate) overtaken: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.made += other.made;
        self.deleted += other.deleted;
        self.found += other.found;
        self.unknown += other.unknown;
        self.crashes += other.crashes;
        self.late += other.late;
        self.back += other.back;
        self.waited += other.waited;
        self.overtaken += other.overtaken;
    }
}
