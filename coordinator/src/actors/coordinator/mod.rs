//! Admission, claims, sessions: the parent of every barrier. It never waits for one of them.

mod claiming;
mod ending;
mod objects;
mod restart;
mod sessions;

use super::{
    barrier::BarrierActor,
    claims::Claims,
    messages::{Ask, BarrierOver, Channel, Lead, ToBarrier, Viewed},
    store::{Stored, Writer},
};
use crate::{
    console::{self, Snapshot},
    metrics::Metrics,
    ports::{Entry, LedgerKey, Object, Ports, Version},
    standing::Standing,
};
use actix::{Actor, Addr, AsyncContext, Context, Handler, WrapFuture, fut::ActorFutureExt};
use shared::{
    barrier::{Claim, ClaimHolder, Record, View},
    epoch::Epoch,
    ids::{BackupUid, ClusterId, PlaneId},
    reason::Refusal,
};
use shell::clock::Clock;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;

/// Mail: answers of every plane of every running barrier, object events, admins. Senders here use `send` and wait, so
/// the bound is back-pressure, not loss.
const MAILBOX: usize = 1024;
/// Between tries to read the ledger, and before a barrier that lost its record starts again.
const AGAIN: Duration = Duration::from_secs(1);
/// Wishes for one claim that wait for it; more backups of one TiDB cluster than this are told to wait without a place.
const WAITING_MAX: usize = 256;

struct Session {
    generation: u64,
    version: String,
    channel: Channel,
}

/// See the module.
pub struct CoordinatorActor {
    /// Every plane that may be named.
    known: BTreeSet<String>,
    ports: Ports,
    clock: Clock,
    metrics: Arc<Metrics>,
    standing: Arc<Standing>,
    writer: Writer,
    claims: Claims,
    /// Backups that wait for a claim, in order.
    waiting: BTreeMap<ClusterId, VecDeque<BackupUid>>,
    /// Claims to be given back once the save under way is done.
    giving: BTreeSet<(ClusterId, BackupUid)>,
    /// Claims that were to be given back and may still be held, because that save failed.
    owed: BTreeMap<ClusterId, ClaimHolder>,
    /// Barriers of this process that have carried out a step, so that their record is theirs: whoever else had it will
    /// find his save refused.
    fenced: BTreeSet<BackupUid>,
    /// Claims that this process granted to a barrier that lives: its record may not name the epoch yet.
    granted: BTreeMap<ClusterId, (BackupUid, Epoch)>,
    barriers: BTreeMap<BackupUid, Addr<BarrierActor>>,
    views: BTreeMap<BackupUid, View>,
    objects: BTreeMap<BackupUid, Object>,
    /// Objects whose finalizer is being added: they start when it is there.
    starting: BTreeSet<BackupUid>,
    /// Barriers that lost their record and start again from the ledger: until then nobody may take their backup for one
    /// that has none.
    again: BTreeSet<BackupUid>,
    invalid: BTreeMap<BackupUid, Refusal>,
    sessions: BTreeMap<PlaneId, Session>,
    generation: u64,
    /// The ledger has been read: records and claims are known.
    ready: bool,
    synced: bool,
    /// The process is to end: nothing new is begun.
    draining: bool,
    /// Waits until nothing is under way any more.
    drained: Option<oneshot::Sender<()>>,
    /// Saves of claims under way.
    saving_claims: usize,
}

impl CoordinatorActor {
    /// An actor that does nothing until it is told to `Lead`.
    pub fn new(
        known: BTreeSet<String>,
        ports: Ports,
        clock: Clock,
        metrics: Arc<Metrics>,
        standing: Arc<Standing>,
    ) -> Self {
        let writer = Writer(uuid::Uuid::new_v4().to_string());
        let claims = Claims::new(ports.ledger.clone(), writer.clone());
        Self {
            known,
            ports,
            clock,
            metrics,
            standing,
            writer,
            claims,
            waiting: BTreeMap::new(),
            giving: BTreeSet::new(),
            owed: BTreeMap::new(),
            granted: BTreeMap::new(),
            fenced: BTreeSet::new(),
            barriers: BTreeMap::new(),
            views: BTreeMap::new(),
            objects: BTreeMap::new(),
            starting: BTreeSet::new(),
            again: BTreeSet::new(),
            invalid: BTreeMap::new(),
            sessions: BTreeMap::new(),
            generation: 0,
            ready: false,
            synced: false,
            draining: false,
            drained: None,
            saving_claims: 0,
        }
    }

    fn read_ledger(&mut self, ctx: &mut Context<Self>) {
        let ledger = self.ports.ledger.clone();
        let reading = async move { ledger.list().await };
        ctx.spawn(reading.into_actor(self).map(|read, actor, ctx| match read {
            Ok(entries) => actor.ledger_read(entries, ctx),
            Err(error) => {
                tracing::warn!(%error, "ledger cannot be read; trying again");
                ctx.run_later(AGAIN, |actor, ctx| actor.read_ledger(ctx));
            }
        }));
    }

    fn ledger_read(&mut self, entries: Vec<Entry>, ctx: &mut Context<Self>) {
        let mut records = Vec::new();
        for entry in entries {
            match entry.key {
                LedgerKey::Record(uid) => match Stored::<Record>::parse(&entry.body) {
                    Ok(stored) => records.push((stored.body, entry.version)),
                    Err(error) => tracing::error!(%uid, error, "record cannot be read; it is left alone"),
                },
                LedgerKey::Claim(cluster) => match Stored::<Claim>::parse(&entry.body) {
                    Ok(stored) => self.claims.found(stored.body, entry.version, String::new()),
                    Err(error) => tracing::error!(%cluster, error, "claim cannot be read; it is left alone"),
                },
            }
        }
        for (record, version) in records {
            self.start_barrier(record, Some(version), ctx);
        }
        // A claim whose record is missing, has ended, or does not name its epoch granted nothing (I2).
        for cluster in self.claims.live().map(|(claim, _)| claim.cluster).collect::<Vec<_>>() {
            self.judge_claim(cluster, ctx);
        }
        self.ready = true;
        self.standing.ledger_read();
        for object in self.objects.values().cloned().collect::<Vec<_>>() {
            self.consider(object, ctx);
        }
        self.end_orphans();
    }

    fn start_barrier(&mut self, record: Record, version: Option<Version>, ctx: &mut Context<Self>) {
        let uid = record.request.backup.clone();
        if self.draining || self.barriers.contains_key(&uid) {
            return;
        }
        let actor = BarrierActor::new(
            record,
            version,
            self.writer.clone(),
            self.ports.clone(),
            self.clock.clone(),
            self.sessions.iter().map(|(plane, session)| (plane.clone(), session.channel.clone())).collect(),
            ctx.address(),
        );
        self.barriers.insert(uid, actor.start());
    }

    /// Overflow rule: a barrier whose mailbox is full (512) has stopped to read; its clocks and its planes' own leases
    /// end it, and the resync tells it again what objects want.
    fn tell(&self, addr: &Addr<BarrierActor>, message: ToBarrier) -> bool {
        let told = addr.try_send(message).is_ok();
        if !told && addr.connected() {
            tracing::error!("mailbox of a barrier is full; its input was dropped");
        }
        told
    }

    /// Those that may be named, and those that still have a session.
    fn planes(&self) -> BTreeMap<&str, Option<(&str, u64)>> {
        let known = self.known.iter().map(|name| (name.as_str(), None));
        let connected = self.sessions.iter().map(|(name, s)| (name.as_str(), Some((s.version.as_str(), s.generation))));
        known.chain(connected).collect()
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            ready: self.ready,
            planes: self.planes(),
            views: &self.views,
            invalid: self
                .invalid
                .iter()
                .filter_map(|(uid, why)| self.objects.get(uid).map(|object| (object, why)))
                .collect(),
            claims: self.claims.live().map(|(claim, live)| (claim.cluster, claim.epoch, live.backup.clone())).collect(),
        }
    }
}

/// It has not ended: whoever has it may go on with it.
fn is_under_way(record: &Record) -> bool {
    use shared::barrier::Stage;
    !matches!(record.stage, Stage::Complete | Stage::Failed | Stage::Cleaning | Stage::Cleaned)
}

/// May an attempt with this record still hold anything under this claim?
fn names_claim(record: &Record, cluster: ClusterId, epoch: Epoch) -> bool {
    use shared::barrier::Stage;
    let holds = matches!(record.stage, Stage::Barrier | Stage::Snapshotting | Stage::Certified | Stage::Aborting);
    holds && record.epoch == epoch && record.cluster == Some(cluster)
}

impl Actor for CoordinatorActor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Lead> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: Lead, ctx: &mut Self::Context) {
        self.read_ledger(ctx);
    }
}

impl Handler<Viewed> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Viewed(view): Viewed, _: &mut Self::Context) {
        self.metrics.viewed(&view);
        self.fenced.insert(view.record.request.backup.clone());
        self.views.insert(view.record.request.backup.clone(), *view);
    }
}

impl Handler<BarrierOver> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, over: BarrierOver, ctx: &mut Self::Context) {
        if self.barriers.get(&over.backup) != Some(&over.addr) {
            return;
        }
        self.barriers.remove(&over.backup);
        self.granted.retain(|_, (backup, _)| *backup != over.backup);
        self.fenced.remove(&over.backup);
        if over.finished {
            self.views.remove(&over.backup);
            self.objects.remove(&over.backup);
            self.end_claims_of(over.backup, ctx);
        } else if !self.draining {
            self.start_again(over.backup, ctx);
        }
        self.look_for_the_end();
    }
}

impl Handler<Ask> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, Ask(call): Ask, _: &mut Self::Context) {
        let reply = console::answer(&self.snapshot(), &call.who, &call.body);
        // An admin who does not read has gone.
        let _ = call.reply.try_send(reply.into());
    }
}
