//! Which replica acts: one `coordination.k8s.io` Lease, taken and renewed by compare-and-set on resourceVersion.
//!
//! The Lease only keeps replicas from getting in each other's way. A wrong belief is harmless: the compare-and-set of
//! the ledger fences (`design.md` §5), and its claim gives the epochs. Other holders' times are never compared with our
//! clock: a Lease has run out when it has not changed for its length while we watched.

use super::call::bounded;
use crate::ports::PortError;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use shared::time::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// Names, and the lengths that users know (`facts/tidb-operator.md` §8.5).
#[derive(Clone)]
pub struct LeaderConfig {
    /// Where the Lease lies: the coordinator's own namespace.
    pub namespace: String,
    /// Name of the Lease.
    pub lease: String,
    /// Who we are: unique per process, or two of them would both renew.
    pub identity: String,
    /// How long others leave an unchanged Lease alone (15 s). Longer than `renew_deadline`.
    pub duration: Duration,
    /// How long we believe in a Lease that we could not renew (10 s).
    pub renew_deadline: Duration,
    /// Between two tries (2 s).
    pub retry: Duration,
    /// Goes into the Lease, for people.
    pub wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl LeaderConfig {
    /// With the default lengths.
    pub fn new(namespace: &str, lease: &str, identity: &str, wall: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            lease: lease.to_owned(),
            identity: identity.to_owned(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
            wall,
        }
    }
}

/// What the API server last said.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    /// When it last answered a try with sense; `None`: not yet.
    pub at: Option<Instant>,
    /// Why the last try failed; empty: it did not.
    pub trouble: String,
}

/// A running election. Dropping it stops to renew, without letting go of the Lease.
pub struct Leader {
    /// True while this process leads; false before the channel closes.
    pub is_leading: watch::Receiver<bool>,
    /// Who holds the Lease, as last read; empty: nobody, or not known yet.
    pub holder: watch::Receiver<String>,
    /// Followed for readiness: a try is made every few seconds, whoever leads.
    pub contact: watch::Receiver<Contact>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Leader {
    /// Starts to compete; needs a tokio runtime.
    pub fn start(client: Client, config: LeaderConfig) -> Self {
        let (tell, is_leading) = watch::channel(false);
        let (stop, stopped) = oneshot::channel();
        let (tell_holder, holder) = watch::channel(String::new());
        let (tell_contact, contact) = watch::channel(Contact::default());
        let election = Election {
            leases: Api::namespaced(client, &config.namespace),
            config,
            tell,
            tell_holder,
            tell_contact,
            seen: None,
            renewed: None,
        };
        Self { is_leading, holder, contact, stop: Some(stop), task: tokio::spawn(election.run(stopped)) }
    }

    /// Stops, and lets go of the Lease if we hold it, so that another replica need not wait. Call it once nothing acts
    /// any more.
    pub async fn resign(mut self) {
        if let Some(stop) = self.stop.take() {
            // The task is gone: then there is nothing to let go of.
            let _ = stop.send(());
        }
        let _ = (&mut self.task).await;
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        // After `resign` the task has ended already.
        self.task.abort();
    }
}

struct Election {
    leases: Api<Lease>,
    config: LeaderConfig,
    tell: watch::Sender<bool>,
    tell_holder: watch::Sender<String>,
    tell_contact: watch::Sender<Contact>,
    /// The Lease as last read, and since when it stands so.
    seen: Option<(Lease, Instant)>,
    /// When our last successful renewal was *asked for*.
    renewed: Option<Instant>,
}

impl Drop for Election {
    fn drop(&mut self) {
        // However the task ends, nobody goes on believing: a closed channel alone keeps its last word.
        self.tell.send_replace(false);
    }
}

impl Election {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let started = Instant::now();
            let deadline = self.renewed.map(|at| at + self.config.renew_deadline);
            let outcome = tokio::select! {
                _ = &mut stopped => break,
                () = until(deadline) => Err(PortError::Unavailable("the Lease could not be renewed in time".to_owned())),
                outcome = self.attempt() => outcome,
            };
            self.note(&outcome);
            match outcome {
                Ok(true) => self.renewed = Some(started),
                Ok(false) => self.renewed = None,
                Err(error) => tracing::warn!(%error, lease = self.config.lease, "leader election: try failed"),
            }
            self.judge();
            let deadline = self.renewed.map(|at| at + self.config.renew_deadline);
            tokio::select! {
                _ = &mut stopped => break,
                () = until(deadline) => self.judge(),
                () = sleep_until(Instant::now() + self.config.retry) => {}
            }
        }
        self.give_lease_back().await;
    }

    /// A lost compare-and-set is an answer like any other.
    fn note(&self, outcome: &Result<bool, PortError>) {
        self.tell_contact.send_modify(|contact| match outcome {
            Ok(_) | Err(PortError::Conflict(_)) => {
                *contact = Contact { at: Some(Instant::now()), trouble: String::new() };
            }
            Err(error) => contact.trouble = error.to_string(),
        });
    }

    /// Whether we lead, by our own monotonic clock; told when it changes.
    fn judge(&mut self) {
        let leads = self.renewed.is_some_and(|at| at.elapsed() < self.config.renew_deadline);
        if !leads {
            self.renewed = None;
        }
        let lease = &self.config.lease;
        let changed = self.tell.send_if_modified(|told| std::mem::replace(told, leads) != leads);
        match (changed, leads) {
            (true, true) => tracing::info!(lease, identity = self.config.identity, "this process leads"),
            (true, false) => tracing::warn!(lease, identity = self.config.identity, "this process no longer leads"),
            (false, _) => {}
        }
    }

    /// One look and, if the Lease is ours or free, one write. True: we hold it. False: somebody else does. A lost
    /// compare-and-set says neither: an earlier try of ours may have arrived late, and the next look shows it.
    async fn attempt(&mut self) -> Result<bool, PortError> {
        let name = self.config.lease.clone();
        let Some(lease) = bounded("read the Lease", self.leases.get_opt(&name)).await? else {
            let fresh = Lease {
                metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() },
                spec: Some(self.spec(None)),
            };
            let params = PostParams::default();
            return bounded("create the Lease", self.leases.create(&params, &fresh)).await.map(|_| true);
        };
        let old = lease.spec.clone().unwrap_or_default();
        let holder = old.holder_identity.clone().unwrap_or_default();
        self.tell_holder.send_if_modified(|told| {
            *told != holder && {
                told.clone_from(&holder);
                true
            }
        });
        if holder != self.config.identity && !holder.is_empty() && !self.ran_out(&lease) {
            return Ok(false);
        }
        // The resourceVersion read above goes back with it: whoever was quicker wins.
        let next = Lease { spec: Some(self.spec(Some(&old))), ..lease };
        let params = PostParams::default();
        bounded("renew the Lease", self.leases.replace(&name, &params, &next)).await.map(|_| true)
    }

    /// It stood unchanged for its whole length while we watched.
    fn ran_out(&mut self, lease: &Lease) -> bool {
        let now = Instant::now();
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let since = match &self.seen {
            Some((seen, since)) if version(seen) == version(lease) => *since,
            _ => {
                self.seen = Some((lease.clone(), now));
                now
            }
        };
        let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
        // A Lease that claims a shorter life than ours was let go, or written by an older configuration.
        let length = u64::try_from(seconds).map(Duration::from_secs).unwrap_or_default();
        now.duration_since(since) >= length
    }

    fn spec(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = self.now();
        let ours = old.is_some_and(|old| old.holder_identity.as_deref() == Some(&self.config.identity));
        let transitions = old.and_then(|old| old.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.config.identity.clone()),
            lease_duration_seconds: i32::try_from(self.config.duration.as_secs()).ok(),
            acquire_time: old.filter(|_| ours).and_then(|old| old.acquire_time.clone()).or(Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if old.is_none() || ours { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }

    /// Empties the Lease if it is ours, so that nobody waits for it to run out. Failing that, it runs out.
    async fn give_lease_back(&mut self) {
        let leads = self.tell.send_replace(false);
        if !leads {
            return;
        }
        let Ok(lease) = bounded("read the Lease", self.leases.get(&self.config.lease)).await else { return };
        let mut spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() != Some(&self.config.identity) {
            return;
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(self.now());
        let empty = Lease { spec: Some(spec), ..lease };
        let params = PostParams::default();
        let written = self.leases.replace(&self.config.lease, &params, &empty);
        if let Err(error) = bounded("let go of the Lease", written).await {
            tracing::warn!(%error, "the Lease runs out by itself");
        }
    }

    fn now(&self) -> MicroTime {
        MicroTime(jiff::Timestamp::from_millisecond((self.config.wall)().0).unwrap_or_default())
    }
}

/// Never, if there is no deadline.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
