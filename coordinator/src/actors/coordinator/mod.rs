//! Admission, claims, sessions: the parent of every barrier. It never waits for one of them.

mod adopting;
mod asking;
mod checking;
mod claiming;
mod deletions;
mod diagnosing;
mod diagnosing_planes;
mod dividing;
mod division;
mod draining;
mod drains;
mod due;
mod ended;
mod ending;
mod inspecting;
mod known_restores;
mod letting_go;
mod linked;
mod objects;
mod orphans;
mod preflights;
mod questions;
mod reading;
mod restart;
mod restores;
mod resync;
mod scanning;
mod scans;
mod sessions;
mod told;
mod traced;
mod verifications;
mod verifying;
mod without;
mod writing;

use self::{
    deletions::Deletions, division::Division, drains::Drains, known_restores::Restores, linked::Session,
    preflights::Checking, reading::Found, scans::Scanning, traced::Traced, verifications::Verifying,
};
use super::{
    barrier::{BarrierActor, Beginning, room::Rooms},
    claims::ClaimStore,
    counted::Counted,
    few::{Few, IN_FLIGHT},
    messages::{Channel, Ended, StartLeading, ToBarrier},
    outcomes::Outcomes,
    planes::Allowed,
    store::{Stored, Writer},
};
use crate::{
    config::Prices,
    metrics::Metrics,
    ports::{LedgerKey, Object, Ports, Version},
    standing::Standing,
};
use actix::{Actor, Addr, AsyncContext, Context, Handler, WrapFuture, fut::ActorFutureExt};
use serde_json::Value;
use shared::{
    barrier::{Barrier, Claim, Input, Record, Summary, View},
    claims::{self, Claims},
    ids::{BackupUid, PlaneId},
    machine::Machine,
    reason::Refusal,
    time::{Millis, Now, Timestamp},
    verify::Pace,
};
use shell::{
    clock::Clock,
    driver::{Driver, Pasts, Performer},
    seldom::Seldom,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// Mail: answers of every plane, object events, admins. Senders use `send` and wait: the bound is back-pressure, not loss.
const MAILBOX: usize = 1024;
/// Between tries to read the ledger, and before a barrier that lost its record starts again.
const AGAIN: Duration = Duration::from_secs(1);
/// Sessions are told again this often, like everything else.
const RESYNC: Duration = Duration::from_secs(30);

pub use restores::RestoreSeen;

/// What the configuration says of how a coordinator works.
pub struct Wished {
    /// Of what backups keep.
    pub prices: Prices,
    /// How often backups are looked at; `None`: only when somebody asks.
    pub verify: Option<Pace>,
    /// How often AWS is looked through for what nothing names; `None`: only when somebody asks.
    pub scan: Option<Millis>,
    /// All of it, for who looks into what went wrong.
    pub whole: Value,
}

/// A backup that is under way, or owes something.
struct LiveBarrier {
    addr: Addr<BarrierActor>,
    incarnation: u64,
    /// Who has a part in it: what happens to other planes is not told to it.
    planes: BTreeSet<PlaneId>,
}

/// See the module.
pub struct CoordinatorActor {
    /// What objects may ask for.
    allowed: Allowed,
    prices: Prices,
    /// As it was at the start, to be shown.
    configuration: Value,
    /// Last steps of barriers that have ended, to be shown.
    pasts: Pasts<BackupUid>,
    traced: Traced,
    ports: Ports,
    rooms: Rooms,
    clock: Clock,
    metrics: Arc<Metrics>,
    standing: Arc<Standing>,
    writer: Writer,
    /// Who may run an attempt on which TiDB cluster.
    claims: Driver<Claims>,
    claim_store: ClaimStore,
    barriers: BTreeMap<BackupUid, LiveBarrier>,
    /// Barriers that this process has begun.
    incarnations: u64,
    views: BTreeMap<BackupUid, Arc<View>>,
    /// Backups that have ended and owe nothing: no actor, and no record in memory. It is read when somebody asks.
    ended: BTreeMap<BackupUid, Ended>,
    objects: BTreeMap<BackupUid, Object>,
    /// Objects whose finalizer is being added: they start when it is there.
    starting: BTreeSet<BackupUid>,
    /// Barriers that start again from the ledger, because they lost their record or somebody wants something of a backup
    /// that had ended: until then nobody may take their backup for one that has none.
    again: BTreeSet<BackupUid>,
    invalid: BTreeMap<BackupUid, Refusal>,
    sessions: BTreeMap<PlaneId, Session>,
    /// Planes that are not configured.
    knocks: Seldom,
    checking: Checking,
    verifying: Verifying,
    scanning: Scanning,
    restores: Restores,
    /// Records being read on somebody's wish, a few at a time.
    reads: Arc<Semaphore>,
    /// Planes whose session ended, and when.
    last_seen: BTreeMap<PlaneId, Timestamp>,
    generation: u64,
    /// The ledger has been read: records and claims are known.
    ready: bool,
    synced: bool,
    /// The process is to end: nothing new is begun.
    draining: bool,
    /// Waits until nothing is under way any more.
    drained: Option<oneshot::Sender<()>>,
    /// Records without an object, and since when this process knows.
    orphans: BTreeMap<BackupUid, Timestamp>,
    /// Orphans that a person deletes.
    condemned: BTreeSet<BackupUid>,
    /// Objects that are taking over an orphan's record.
    adopting: BTreeSet<BackupUid>,
    /// Objects that have an orphan's name and ask for another backup.
    strangers: BTreeSet<BackupUid>,
    /// Which object bears a name now.
    names: BTreeMap<(String, String), BackupUid>,
    /// Objects of which the ledger was asked, and those of which it has no record.
    asked: BTreeSet<BackupUid>,
    none: BTreeSet<BackupUid>,
    /// Records that this version cannot read, and why. Their objects are left alone, and are not let go.
    unreadable: BTreeMap<BackupUid, String>,
    /// What was said of objects that have no record.
    said: BTreeMap<BackupUid, Refusal>,
    deletions: Deletions,
    drains: Drains,
    division: Division,
    /// Objects that were let go with their records, and are still to vanish.
    over: BTreeSet<BackupUid>,
    /// By which uid planes know an adopted backup.
    known_as: BTreeMap<BackupUid, BackupUid>,
    outcomes: Arc<Outcomes>,
}

impl CoordinatorActor {
    /// An actor that does nothing until it is told to `StartLeading`.
    pub fn new(
        allowed: Allowed,
        mut ports: Ports,
        clock: Clock,
        metrics: Arc<Metrics>,
        standing: Arc<Standing>,
        outcomes: Arc<Outcomes>,
        Wished { prices, verify, scan, whole }: Wished,
    ) -> Self {
        ports.objects = Arc::new(Few::new(ports.objects));
        ports.ledger = Arc::new(Counted::new(ports.ledger, metrics.clone()));
        let writer = Writer(uuid::Uuid::new_v4().to_string());
        let claim_store = ClaimStore::new(ports.ledger.clone(), writer.clone());
        Self {
            allowed,
            prices,
            configuration: whole,
            pasts: Pasts::default(),
            traced: Traced::default(),
            ports,
            rooms: Rooms::default(),
            clock,
            metrics,
            standing,
            writer,
            claims: Driver::new(Claims::default()),
            claim_store,
            barriers: BTreeMap::new(),
            incarnations: 0,
            views: BTreeMap::new(),
            ended: BTreeMap::new(),
            objects: BTreeMap::new(),
            starting: BTreeSet::new(),
            again: BTreeSet::new(),
            invalid: BTreeMap::new(),
            sessions: BTreeMap::new(),
            knocks: Seldom::default(),
            checking: Checking::default(),
            verifying: Verifying::every(verify),
            scanning: Scanning::every(scan),
            restores: Restores::default(),
            reads: Arc::new(Semaphore::new(IN_FLIGHT)),
            last_seen: BTreeMap::new(),
            generation: 0,
            ready: false,
            synced: false,
            draining: false,
            drained: None,
            orphans: BTreeMap::new(),
            condemned: BTreeSet::new(),
            adopting: BTreeSet::new(),
            strangers: BTreeSet::new(),
            names: BTreeMap::new(),
            asked: BTreeSet::new(),
            none: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            said: BTreeMap::new(),
            deletions: Deletions::default(),
            drains: Drains::default(),
            division: Division::default(),
            over: BTreeSet::new(),
            known_as: BTreeMap::new(),
            outcomes,
        }
    }

    fn read_ledger(&mut self, ctx: &mut Context<Self>) {
        let reading = reading::everything(self.ports.ledger.clone(), self.reads.clone());
        ctx.spawn(reading.into_actor(self).map(|read, actor, ctx| match read {
            Ok(found) => actor.ledger_read(found, ctx),
            Err(error) => {
                tracing::warn!(%error, "ledger cannot be read; trying again");
                ctx.run_later(AGAIN, |actor, ctx| actor.read_ledger(ctx));
            }
        }));
    }

    fn ledger_read(&mut self, found: Found, ctx: &mut Context<Self>) {
        for entry in found.claims {
            match Stored::<Claim>::parse(&entry.body) {
                Ok(stored) => {
                    let cluster = stored.body.cluster;
                    self.claim_store.seen(cluster, Some(entry.version));
                    self.feed(claims::Input::Read { cluster, claim: Some(stored.body) }, ctx);
                }
                Err(error) => tracing::error!(key = ?entry.key, error, "claim cannot be read; it is left alone"),
            }
        }
        let (mut ended, mut open) = (found.ended, Vec::new());
        for entry in found.records {
            match (Stored::<Record>::parse(&entry.body), entry.key) {
                (Ok(stored), _) if is_over(&stored.body, self.clock.now()) => {
                    ended.push(Ended { summary: Summary::of(&stored.body), version: entry.version });
                }
                (Ok(stored), _) => open.push((stored.body, entry.version)),
                (Err(error), LedgerKey::Record(uid)) => {
                    tracing::error!(%uid, error, "record cannot be read; it is left alone");
                    self.unreadable.insert(uid, error);
                }
                (Err(_), LedgerKey::Claim(_) | LedgerKey::Restore(_)) => {}
            }
        }
        let adopted = open.iter().filter_map(|(record, _)| Summary::of(record).adopted_from).collect();
        self.remember(ended, adopted, ctx);
        for (record, version) in open {
            self.start_barrier(record, Some(version), None, ctx);
        }
        self.restores_read(found.restores, ctx);
        self.ready = true;
        self.standing.ledger_read();
        self.outcomes.complete();
        for object in self.objects.values().cloned().collect::<Vec<_>>() {
            self.consider(object, ctx);
        }
        self.consider_restores(ctx);
        self.find_orphans(ctx);
    }

    fn start_barrier(
        &mut self,
        record: Record,
        version: Option<Version>,
        hopeless: Option<Refusal>,
        ctx: &mut Context<Self>,
    ) {
        let uid = record.key().clone();
        if self.draining || self.barriers.contains_key(&uid) {
            return;
        }
        if let Some(adopted) = &record.adopted {
            self.known_as.insert(record.request.backup.clone(), uid.clone());
            if adopted.from != uid {
                self.is_no_more(&adopted.from);
            }
        }
        // Its own first view may be a moment away, and who asks for it by name must find it.
        if !self.views.contains_key(&uid) {
            self.views.insert(uid.clone(), Arc::new(Barrier::new(record.clone()).view()));
        }
        let planes: BTreeSet<PlaneId> = record.planes.keys().cloned().collect();
        let name = format!("{}/{}", record.request.namespace, record.request.name);
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let actor = BarrierActor::new(
            Beginning { record, version, hopeless, incarnation, rooms: self.rooms.clone() },
            &self.writer,
            self.ports.clone(),
            self.clock.clone(),
            self.channels_of(&planes),
            ctx.address().recipient(),
        );
        self.feed(claims::Input::BarrierStarted { backup: uid.clone(), name }, ctx);
        self.barriers.insert(uid, LiveBarrier { addr: actor.start(), incarnation, planes });
    }

    /// Sessions of these planes.
    fn channels_of(&self, planes: &BTreeSet<PlaneId>) -> BTreeMap<PlaneId, Channel> {
        let of = self.sessions.iter().filter(|(plane, _)| planes.contains(*plane));
        of.map(|(plane, session)| (plane.clone(), session.channel.clone())).collect()
    }

    /// Every barrier hears of every session it may have missed, because its mailbox was full.
    fn tell_sessions(&self) {
        for live in self.barriers.values() {
            self.tell(&live.addr, ToBarrier::Sessions(self.channels_of(&live.planes)));
        }
    }

    /// What happened to a plane, to the barriers in which it has a part.
    fn tell_members(&self, plane: &PlaneId, message: impl Fn() -> ToBarrier) {
        for live in self.barriers.values().filter(|live| live.planes.contains(plane)) {
            self.tell(&live.addr, message());
        }
    }

    /// Overflow rule: a barrier whose mailbox is full has stopped to read; its clocks and its planes' own leases
    /// end it, and the resync tells it again what objects want.
    fn tell(&self, addr: &Addr<BarrierActor>, message: ToBarrier) -> bool {
        let told = addr.try_send(message).is_ok();
        if !told && addr.connected() {
            tracing::error!("mailbox of a barrier is full; its input was dropped");
        }
        told
    }
}

/// Would a barrier of this record have nothing to do, send or wait for?
fn is_over(record: &Record, now: Now) -> bool {
    use shared::barrier::Milestone;
    if !matches!(record.milestone, Milestone::Complete | Milestone::Failed) {
        return false;
    }
    let mut machine = Barrier::new(record.clone());
    machine.step(now, Input::Start).is_empty() && machine.is_over()
}

impl Actor for CoordinatorActor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<StartLeading> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, _: StartLeading, ctx: &mut Self::Context) {
        self.metrics.leads();
        self.tell_planes();
        self.read_ledger(ctx);
        ctx.run_interval(RESYNC, Self::resync);
    }
}
