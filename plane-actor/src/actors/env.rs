//! What every actor and every piece of work of one plane shares.

use super::{book::Book, stuck::Stuck, uplink::Uplink};
use crate::{
    config::PlaneConfig,
    ports::{PortError, Ports},
};
use shared::{
    ids::BackupUid,
    limiter::{Budget, Limiter},
    time::Millis,
};
use shell::clock::Clock;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};
use tokio::sync::{Mutex, Semaphore};

/// One bucket of EC2: account, region, action (`facts/aws.md` A7).
type BucketKey = (String, String, &'static str);

/// Buckets kept; a plane works in one account and region or two. More only means that the oldest starts full again.
const MAX_BUCKETS: usize = 64;

/// Cleans that look and delete at a time. They share the account's budgets with each other and with backups, so more of
/// them would only be slower each.
const CLEANS_AT_ONCE: usize = 3;

/// One per process; lives on the actors' thread.
pub struct Env {
    pub(crate) config: PlaneConfig,
    pub(crate) ports: Ports,
    pub(crate) clock: Clock,
    pub(crate) book: Book,
    pub(crate) uplink: Uplink,
    pub(crate) stuck: Stuck,
    /// In the order in which they came.
    pub(crate) cleans: Semaphore,
    buckets: RefCell<BTreeMap<BucketKey, Limiter>>,
    objects: RefCell<BTreeMap<BackupUid, Rc<Mutex<()>>>>,
}

impl Env {
    /// Reads the ledger; nothing else is touched.
    pub async fn open(config: PlaneConfig, ports: Ports) -> Result<Rc<Self>, PortError> {
        let book = Book::open(ports.ledger.clone()).await?;
        let clock = Clock::with_wall(ports.wall.clone());
        Ok(Rc::new(Self {
            config,
            ports,
            clock,
            book,
            uplink: Uplink::default(),
            stuck: Stuck::default(),
            cleans: Semaphore::new(CLEANS_AT_ONCE),
            buckets: RefCell::default(),
            objects: RefCell::default(),
        }))
    }

    /// Becomes `Some(why)` when another process writes this plane's ledger.
    pub fn lost(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.book.lost()
    }

    /// Who changes a backup's objects in S3 does so alone, though several of its attempts may be at work here: S3 cannot
    /// compare a lock and delete beside it in one call.
    pub(crate) fn objects_of(&self, backup: &BackupUid) -> Rc<Mutex<()>> {
        let mut objects = self.objects.borrow_mut();
        // As many as members at work; those that nobody holds are forgotten.
        objects.retain(|_, lock| Rc::strong_count(lock) > 1);
        objects.entry(backup.clone()).or_default().clone()
    }

    /// Waits until the account's budget for this action has room for one call.
    pub(crate) async fn permit(&self, account: &str, region: &str, action: &'static str, budget: Budget) {
        loop {
            let wait = {
                let now = self.clock.at();
                let mut buckets = self.buckets.borrow_mut();
                let key = (account.to_owned(), region.to_owned(), action);
                if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&key) {
                    buckets.pop_first();
                }
                let limiter =
                    buckets.entry(key).or_insert_with(|| Limiter::new(budget.share(self.config.sharing), now));
                match limiter.take(now, 1) {
                    Ok(()) => return,
                    Err(wait) => wait,
                }
            };
            tokio::time::sleep(length(wait)).await;
        }
    }

    /// EC2 refused by rate.
    pub(crate) fn throttled(&self, account: &str, region: &str, action: &'static str) {
        let now = self.clock.at();
        if let Some(limiter) = self.buckets.borrow_mut().get_mut(&(account.to_owned(), region.to_owned(), action)) {
            limiter.penalty(now);
        }
    }
}

/// Our milliseconds as tokio's.
pub(crate) fn length(millis: Millis) -> Duration {
    Duration::from_millis(millis.0)
}
