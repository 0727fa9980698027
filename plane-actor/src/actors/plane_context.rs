//! What every actor and every piece of work of one plane shares.

use super::{
    bucket::{Bucket, BucketKey},
    ledger::LedgerHandle,
    parts::Parts,
    stuck::Stuck,
    taken::Taken,
    uplink::Uplink,
};
use crate::{
    budgets::Action,
    config::PlaneConfig,
    ports::{PdPause, PortError, Ports},
};
use shared::{
    ids::{Attempt, BackupUid, RestoreUid, VolumeId},
    limiter::Budget,
    time::{Instant, Millis},
    wire::{CallShare, Division},
};
use shell::{clock::Clock, driver::Pasts};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};
use tokio::sync::{Mutex, Semaphore};

/// How many snapshots an account has in a Region, as they were counted.
#[derive(Clone, Copy)]
pub(crate) struct Count {
    pub(crate) snapshots: u32,
    /// Of these: not completed at that moment.
    pub(crate) pending: u32,
    pub(crate) at: Instant,
}

/// Buckets kept; a plane works in one account and region or two. More only means that the oldest starts full again.
const MAX_BUCKETS: usize = 64;

/// Cleans that look and delete at a time. At the default `snapshotsDeleteRatio` of one a second five of them use up what an
/// account may delete (5/s), so more would only be slower each.
const CLEANS_AT_ONCE: usize = 6;

/// One per process; lives on the actors' thread.
pub struct PlaneContext {
    pub(crate) config: PlaneConfig,
    pub(crate) ports: Ports,
    pub(crate) clock: Clock,
    pub(crate) ledger: LedgerHandle,
    pub(crate) uplink: Uplink,
    pub(crate) stuck: Stuck,
    /// In the order in which they came.
    pub(crate) cleans: Semaphore,
    buckets: RefCell<BTreeMap<BucketKey, Bucket>>,
    parts: RefCell<Parts>,
    taken: RefCell<Taken>,
    objects: RefCell<BTreeMap<BackupUid, Rc<Mutex<()>>>>,
    /// Last steps of members that have ended, to be shown.
    pub(crate) pasts: RefCell<Pasts<Attempt>>,
    /// Of account and Region.
    pub(crate) counts: RefCell<BTreeMap<(String, String), Count>>,
    /// Of restores: what was paused in PD, so that exactly this can be undone.
    pub(crate) pauses: RefCell<BTreeMap<RestoreUid, PdPause>>,
}

impl PlaneContext {
    /// Reads the ledger; nothing else is touched.
    pub async fn open(config: PlaneConfig, ports: Ports) -> Result<Rc<Self>, PortError> {
        let ledger = LedgerHandle::open(ports.ledger.clone(), &config.new_ledger).await?;
        let clock = Clock::with_wall(ports.wall.clone());
        Ok(Rc::new(Self {
            config,
            ports,
            clock,
            ledger,
            uplink: Uplink::default(),
            stuck: Stuck::default(),
            cleans: Semaphore::new(CLEANS_AT_ONCE),
            buckets: RefCell::default(),
            parts: RefCell::default(),
            taken: RefCell::default(),
            objects: RefCell::default(),
            pasts: RefCell::default(),
            counts: RefCell::default(),
            pauses: RefCell::default(),
        }))
    }

    /// Becomes `Some(why)` when another process writes this plane's ledger.
    pub fn lost(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.ledger.lost()
    }

    /// Who changes a backup's objects in S3 does so alone, though several of its attempts may be at work here: S3 cannot
    /// compare a lock and delete beside it in one call.
    pub(crate) fn objects_of(&self, backup: &BackupUid) -> Rc<Mutex<()>> {
        let mut objects = self.objects.borrow_mut();
        // As many as members at work; those that nobody holds are forgotten.
        objects.retain(|_, lock| Rc::strong_count(lock) > 1);
        objects.entry(backup.clone()).or_default().clone()
    }

    /// An attempt has begun to hold something here and is not confirmed yet: every call of the account is its.
    pub(crate) fn is_in_barrier(&self) -> bool {
        self.ports.views.borrow().members.iter().any(|member| member.phase.is_live())
    }

    /// Waits until the account's budget for this action has room for one call.
    pub(crate) async fn permit(&self, account: &str, region: &str, action: Action) {
        while let Err(wait) = self.take(account, region, action) {
            tokio::time::sleep(length(wait)).await;
        }
    }

    /// Takes room for one call from the account's budget for this action, or says when to ask again.
    pub(crate) fn take(&self, account: &str, region: &str, action: Action) -> Result<(), Millis> {
        self.of_bucket((account.to_owned(), region.to_owned(), action), |bucket, now| bucket.take(now))
    }

    /// What an order says of this plane's part in the calls of its one backup. Without a part it takes what the configuration
    /// leaves it: who else uses the account, only that knows.
    pub(crate) fn divide(&self, account: &str, region: &str, action: Action, part: Option<CallShare>) {
        let key = (account.to_owned(), region.to_owned(), action);
        self.parts.borrow_mut().order(key.clone(), part);
        let budget = self.budget(&key);
        self.of_bucket(key, |bucket, now| bucket.set_budget(now, budget));
    }

    /// What the coordinator divides over all backups: whoever waits in a bucket goes on at the new rate.
    pub(crate) fn obey(&self, division: Division) {
        let changed = self.parts.borrow_mut().divide(division);
        for key in changed {
            let (budget, now) = (self.budget(&key), self.clock.at());
            if let Some(bucket) = self.buckets.borrow_mut().get_mut(&key) {
                bucket.set_budget(now, budget);
                self.show(&key, bucket, now);
            }
        }
    }

    /// It was given a part of these calls.
    pub(crate) fn has_part(&self, account: &str, region: &str, action: Action) -> bool {
        self.parts.borrow().has(&(account.to_owned(), region.to_owned(), action))
    }

    fn budget(&self, key: &BucketKey) -> Budget {
        let whole = self.config.budgets.of(key.2);
        self.parts.borrow().budget(key, whole, whole.share(self.config.sharing))
    }

    fn of_bucket<T>(&self, key: BucketKey, act: impl FnOnce(&mut Bucket, Instant) -> T) -> T {
        let budget = self.budget(&key);
        let now = self.clock.at();
        let mut buckets = self.buckets.borrow_mut();
        if buckets.len() >= MAX_BUCKETS
            && !buckets.contains_key(&key)
            && let Some(((account, region, action), _)) = buckets.pop_first()
        {
            self.ports.levels.forget(&account, &region, action.name());
        }
        let new = Bucket::new(key.2, budget, now);
        let bucket = buckets.entry(key.clone()).or_insert(new);
        let done = act(bucket, now);
        self.show(&key, bucket, now);
        done
    }

    fn show(&self, (account, region, action): &BucketKey, bucket: &Bucket, now: Instant) {
        self.ports.levels.show(account, region, action.name(), bucket.limiter(), now);
    }

    /// EC2 was asked for snapshots of these.
    pub(crate) fn taken<'a>(&self, volumes: impl IntoIterator<Item = &'a VolumeId>) {
        self.taken.borrow_mut().note(volumes, self.clock.at());
    }

    /// Until EC2 takes snapshots of these again, as far as this process asked for the last ones.
    pub(crate) fn rests_in<'a>(&self, volumes: impl IntoIterator<Item = &'a VolumeId>) -> Millis {
        self.taken.borrow().wait(volumes, self.clock.at())
    }

    /// EC2 refused by rate.
    pub(crate) fn throttled(&self, account: &str, region: &str, action: Action) {
        let (key, now) = ((account.to_owned(), region.to_owned(), action), self.clock.at());
        if let Some(bucket) = self.buckets.borrow_mut().get_mut(&key) {
            bucket.throttled(now);
            self.show(&key, bucket, now);
        }
    }
}

/// Our milliseconds as tokio's.
pub(crate) fn length(millis: Millis) -> Duration {
    Duration::from_millis(millis.0)
}
