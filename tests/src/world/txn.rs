//! The bank and its clients: transfers between accounts in different regions, as Percolator transactions whose commits
//! reach the regions one after the other, and whose clients sometimes die in between.

use super::{
    bank::{Death, Job, Open, Transfer, Waiter},
    config::Span,
    engine::{Event, State, millis},
    kv::{Row, account_key},
    peer::Command,
};
use rand::Rng;
use shared::{ids::RegionId, ts::Ts};

/// Committed transfers that are remembered to judge and to name: an hour at 100 a second.
const HISTORY: usize = 360_000;
/// Seconds of throughput that are remembered: an hour.
const SECONDS: usize = 3_600;
/// Pause before a client tries again after a region changed or was busy.
const RETRY: u64 = 20;
/// From the first answer to the commit of the second key: one round trip to TiDB and the next region.
const SECONDARY: Span = Span(2, 60);

impl State {
    fn row(&self, region: RegionId, key: &[u8]) -> Option<Row> {
        Some(self.leader(region)?.rows.get(key).cloned().unwrap_or_default())
    }

    /// So many transfers begin every second from now on.
    pub(crate) fn set_transfers(&mut self, per_second: u32) {
        let stood = std::mem::replace(&mut self.config.transfers_per_second, per_second) == 0;
        if stood && per_second > 0 {
            self.after(1, Event::BeginTransfer);
        }
    }

    pub(crate) fn begin_transfer(&mut self) {
        if self.config.transfers_per_second == 0 {
            return;
        }
        let mean = (1_000 / u64::from(self.config.transfers_per_second.max(1))).max(1);
        let burst = u64::from(self.config.transfers_per_second).div_ceil(1_000).max(1);
        for _ in 0..burst {
            if self.try_transfer().is_none() {
                self.bank.abandoned += 1;
            }
        }
        let gap = self.bank_rng.random_range(1..=mean * 2 - 1);
        self.after(gap, Event::BeginTransfer);
    }

    /// `None`: an account was locked, empty or between leaders; the customer goes away.
    fn try_transfer(&mut self) -> Option<()> {
        let from = self.bank_rng.random_range(0..self.config.accounts);
        let to = (from + self.bank_rng.random_range(1..self.config.accounts)) % self.config.accounts;
        let wish = self.bank_rng.random_range(1..=100i64);
        let dies = match self.bank_rng.random_range(0..2_000u32) {
            luck if luck < self.config.crash_permille => Death::AfterPrewrite,
            luck if luck < self.config.crash_permille * 2 => Death::AfterPrimary,
            _ => Death::Never,
        };
        let (payer, payee) = (account_key(from), account_key(to));
        let homes = [self.route(&payer)?, self.route(&payee)?];
        let rows = [self.row(homes[0], &payer)?, self.row(homes[1], &payee)?];
        for (key, row) in [&payer, &payee].into_iter().zip(&rows) {
            if self.latches.contains(key) {
                return None;
            }
            if row.lock.is_some() {
                self.resolve(key);
                return None;
            }
        }
        let start_ts = self.tso();
        let balance = [rows[0].at(start_ts)?.1.value, rows[1].at(start_ts)?.1.value];
        let amount = wish.min(balance[0]);
        if amount <= 0 {
            return None;
        }
        self.bank.next += 1;
        let id = self.bank.next;
        let transfer = Transfer { id, from, to, amount, start_ts, commit_ts: Ts::ZERO, mark: 0 };
        self.bank.open.insert(id, Open { transfer, prewrites: 2, failed: false, dies });
        let writes = [(payer.clone(), homes[0], balance[0] - amount), (payee, homes[1], balance[1] + amount)];
        for (key, home, value) in writes {
            self.latches.insert(key.clone());
            let command = Command::Prewrite { key: key.clone(), start_ts, primary: payer.clone(), value };
            self.propose(home, command, Some(Waiter::Prewrite(id, key)));
        }
        Some(())
    }

    pub(crate) fn answered(&mut self, _region: RegionId, waiter: Waiter, done: bool) {
        match waiter {
            Waiter::Prewrite(id, key) => {
                self.latches.remove(&key);
                self.prewritten(id, done);
            }
            Waiter::Primary(id) => {
                let Some(open) = self.bank.open.get(&id) else { return };
                self.latches.remove(&account_key(open.transfer.from));
                if done {
                    self.committed(id);
                } else {
                    self.after(RETRY, Event::CommitPrimary(id));
                }
            }
            Waiter::Job(job) => {
                self.latches.remove(&job.key);
                if !done {
                    self.after(RETRY, Event::Job(job));
                }
            }
        }
    }

    fn prewritten(&mut self, id: u64, done: bool) {
        let Some(open) = self.bank.open.get_mut(&id) else { return };
        open.prewrites -= 1;
        open.failed |= !done;
        if open.prewrites > 0 {
            return;
        }
        if open.dies == Death::AfterPrewrite {
            self.bank.open.remove(&id);
        } else if open.failed {
            self.give_up(id);
        } else {
            let commit_ts = self.tso();
            if let Some(open) = self.bank.open.get_mut(&id) {
                open.transfer.commit_ts = commit_ts;
            }
            let delay = self.draw(self.config.net);
            self.after(delay, Event::CommitPrimary(id));
        }
    }

    fn give_up(&mut self, id: u64) {
        self.bank.abandoned += 1;
        let Some(open) = self.bank.open.remove(&id) else { return };
        for account in [open.transfer.from, open.transfer.to] {
            let job = Job { key: account_key(account), start_ts: open.transfer.start_ts, commit: None };
            self.after(1, Event::Job(job));
        }
    }

    pub(crate) fn commit_primary(&mut self, id: u64) {
        let Some(open) = self.bank.open.get(&id) else { return };
        let (key, start_ts, commit_ts) =
            (account_key(open.transfer.from), open.transfer.start_ts, open.transfer.commit_ts);
        let Some(home) = self.route(&key).filter(|_| !self.latches.contains(&key)) else {
            return self.after(RETRY, Event::CommitPrimary(id));
        };
        let row = self.row(home, &key).unwrap_or_default();
        if row.committed(start_ts).is_some() {
            // The answer to an earlier try was lost with its region (a merge), the commit was not.
            return self.committed(id);
        }
        if !row.locked_by(start_ts) {
            return self.give_up(id);
        }
        self.latches.insert(key.clone());
        self.propose(home, Command::Commit { key, start_ts, commit_ts }, Some(Waiter::Primary(id)));
    }

    /// The primary is committed, and with it the transfer.
    fn committed(&mut self, id: u64) {
        let Some(mut open) = self.bank.open.remove(&id) else { return };
        open.transfer.mark = self.mark;
        self.note(&[10, id, open.transfer.commit_ts.0]);
        self.bank.committed += 1;
        *self.bank.per_second.entry(self.now / 1_000).or_default() += 1;
        let Transfer { to, start_ts, commit_ts, .. } = open.transfer;
        self.bank.history.insert(commit_ts, open.transfer);
        if self.bank.history.len() > HISTORY {
            self.bank.history.pop_first();
        }
        if self.bank.per_second.len() > SECONDS {
            self.bank.per_second.pop_first();
        }
        if open.dies != Death::AfterPrimary {
            let delay = self.draw(SECONDARY);
            self.after(delay, Event::Job(Job { key: account_key(to), start_ts, commit: Some(commit_ts) }));
        }
    }

    pub(crate) fn run_job(&mut self, job: Job) {
        let Some(home) = self.route(&job.key).filter(|_| !self.latches.contains(&job.key)) else {
            return self.after(RETRY, Event::Job(job));
        };
        if !self.row(home, &job.key).is_some_and(|row| row.locked_by(job.start_ts)) {
            return;
        }
        self.latches.insert(job.key.clone());
        let (key, start_ts) = (job.key.clone(), job.start_ts);
        let command = match job.commit {
            Some(commit_ts) => Command::Commit { key, start_ts, commit_ts },
            None => Command::Rollback { key, start_ts },
        };
        self.propose(home, command, Some(Waiter::Job(job)));
    }

    /// What a reader does with a lock that is in its way: the primary decides, once the lock is old enough.
    pub(crate) fn resolve(&mut self, key: &[u8]) {
        let Some(lock) = self.route(key).and_then(|home| self.row(home, key)).and_then(|row| row.lock) else { return };
        let ttl = millis(self.config.lock_ttl);
        if lock.start_ts.physical_ms() + ttl > self.wall().0.unsigned_abs() || self.latches.contains(&lock.primary) {
            return;
        }
        let Some(primary) = self.route(&lock.primary).and_then(|home| self.row(home, &lock.primary)) else { return };
        let job = if let Some(commit) = primary.committed(lock.start_ts) {
            Job { key: key.to_vec(), start_ts: lock.start_ts, commit: Some(commit) }
        } else if primary.locked_by(lock.start_ts) {
            Job { key: lock.primary, start_ts: lock.start_ts, commit: None }
        } else {
            Job { key: key.to_vec(), start_ts: lock.start_ts, commit: None }
        };
        self.run_job(job);
    }

    /// Clients of a region that was merged away: what had not been applied never will be.
    pub(crate) fn fail_clients_of(&mut self, region: RegionId) {
        let waiting: Vec<u64> =
            self.waiters.range((region, 0)..=(region, u64::MAX)).map(|((_, index), _)| *index).collect();
        for index in waiting {
            if let Some((waiter, outcome)) = self.waiters.remove(&(region, index)) {
                self.answered(region, waiter, outcome.unwrap_or(false));
            }
        }
    }
}
