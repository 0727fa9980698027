//! `console check`: asks planes for a preflight, and judges their answers together as Preparing would. No record, claim,
//! object or plane is touched by it.

use super::{CoordinatorActor, asking::reply, questions::heard};
use crate::{
    actors::schedule::ScheduleSeen,
    console::{
        self, Answered,
        check::{ControlPlane, Heard, OfPlane, Report, Session, Subject},
    },
    ports::{AdminCall, Ledger, ScheduleEvent},
};
use actix::{AsyncContext, Context, Handler, WrapFuture, fut::ActorFutureExt};
use futures::future::{join, join_all};
use shared::{
    barrier::would_admit,
    ids::{BackupUid, PlaneId},
    reason::{Reason, Refusal, cut},
    request::Request,
    schedule::scheduled_prefix,
    time::Millis,
    wire::{self, Down, Preflight, Preflighted, TEXT_MAX},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// A plane ends its checks by itself a little earlier and tells how far it came; one that is silent for so long is not
/// waited for any more.
const PLANE_LIMIT: Duration = Duration::from_secs(30);
/// The ledger's own calls are bounded; two of them end well within this.
const LEDGER_LIMIT: Duration = Duration::from_secs(20);
/// Checks under way at a time: each reads the ledger, and people ask for few.
const CHECKS_AT_ONCE: usize = 4;

/// The object that is checked, as people call it.
struct Wanted {
    name: String,
    /// As planes know it; a schedule has none.
    backup: Option<BackupUid>,
    request: Result<Request, Refusal>,
}

impl CoordinatorActor {
    /// Answers when every plane that is asked has answered, or has been silent for [`PLANE_LIMIT`].
    pub(super) fn check(&mut self, name: Option<&str>, call: AdminCall, ctx: &mut Context<Self>) {
        tracing::info!(who = call.who, name, "console check");
        if self.checking.under_way >= CHECKS_AT_ONCE {
            return reply(&call, console::not_yet("other checks are under way"));
        }
        let wanted = match name.map(|name| self.wanted(name)).transpose() {
            Ok(wanted) => wanted,
            Err(why) => return reply(&call, console::no_answer(why)),
        };
        let asked = match &wanted {
            Some(Wanted { request: Ok(request), backup, .. }) => self.ask_planes(request, backup.as_ref()),
            Some(Wanted { request: Err(_), .. }) | None => Vec::new(),
        };
        self.checking.under_way += 1;
        let looking = join(look_at_ledger(self.ports.ledger.clone()), join_all(asked));
        ctx.spawn(looking.into_actor(self).map(move |(ledger, told), actor, _| {
            actor.checking.under_way -= 1;
            let report = actor.report(wanted, ledger, told.into_iter().collect());
            reply(&call, console::text(&Answered::Ok(report.value())));
        }));
    }

    /// The one object of that name, by uid, name, or namespace and name.
    fn wanted(&self, name: &str) -> Result<Wanted, String> {
        if !self.ready {
            return Err(console::NOT_READ.to_owned());
        }
        let backups = self
            .objects
            .values()
            .filter(|object| console::is_called(name, &object.uid, &object.namespace, &object.name));
        let backups = backups.map(|object| {
            let known = self.known_as.iter().find(|(_, now)| **now == object.uid).map(|(first, _)| first);
            Wanted {
                name: format!("backup {}/{}", object.namespace, object.name),
                backup: Some(known.unwrap_or(&object.uid).clone()),
                request: object.request.clone(),
            }
        });
        let schedules =
            self.checking.schedules.iter().filter(|(key, _)| console::is_named(name, &key.namespace, &key.name));
        let schedules = schedules.map(|(key, template)| Wanted {
            name: format!("schedule {}/{}", key.namespace, key.name),
            backup: None,
            request: self.next_of(template.as_ref()),
        });
        let mut found: Vec<Wanted> = backups.chain(schedules).collect();
        let name = cut(name.to_owned(), TEXT_MAX);
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => {
                let known = |request: Request| self.allowed.request(&request).map(|()| request);
                Ok(Wanted { request: only.request.and_then(known), ..only })
            }
            (None, _) => Err(format!(
                "no VolumeBackup and no VolumeBackupSchedule is called {name}; `console backups` and `console schedules` list them"
            )),
            (Some(last), others) => {
                let names = others.iter().chain([&last]).map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
                Err(format!("{name} may be any of {}; say namespace/name, or a uid", cut(names, TEXT_MAX)))
            }
        }
    }

    /// As a run of a schedule would ask for it now.
    fn next_of(&self, template: Option<&Request>) -> Result<Request, Refusal> {
        let Some(mut request) = template.cloned() else {
            let text = "no backup of this schedule can work; `console schedules NAME` says why";
            return Err(Refusal::new(Reason::SpecInvalid, text));
        };
        request.storage.prefix = scheduled_prefix(&request.storage.prefix, self.clock.wall());
        Ok(request)
    }

    /// What becomes of each question to a plane that is connected.
    fn ask_planes(
        &mut self,
        request: &Request,
        backup: Option<&BackupUid>,
    ) -> Vec<impl Future<Output = (PlaneId, Result<Heard, Refusal>)> + use<>> {
        let planes: Vec<PlaneId> = request.members.iter().map(|member| member.plane.clone()).collect();
        let mut asked = Vec::new();
        for plane in planes {
            if !self.sessions.contains_key(&plane) {
                continue;
            }
            let answer = self.ask_plane(request, &plane, backup);
            asked.push(async move {
                let told = match answer {
                    Ok(answer) => heard(answer, PLANE_LIMIT).await,
                    Err(refusal) => Err(refusal),
                };
                (plane, told)
            });
        }
        asked
    }

    fn ask_plane(
        &mut self,
        request: &Request,
        plane: &PlaneId,
        backup: Option<&BackupUid>,
    ) -> Result<oneshot::Receiver<Heard>, Refusal> {
        let (Some(session), Some(spec)) = (self.sessions.get(plane), request.member_spec(plane)) else {
            return Err(Refusal::new(Reason::Internal, "it has no session, or no part in this"));
        };
        let question = |number| Down::Preflight(Preflight { number, spec, backup: backup.cloned() });
        self.checking.questions.ask(plane, &session.channel, self.clock.wall(), question)
    }

    /// A plane has answered.
    pub(super) fn preflighted(&mut self, plane: &PlaneId, found: Preflighted) {
        let (number, at) = (found.number, self.clock.wall());
        self.checking.questions.answered(plane, number, Heard { found, at });
    }

    fn report(
        &self,
        wanted: Option<Wanted>,
        ledger: Result<Millis, String>,
        mut told: BTreeMap<PlaneId, Result<Heard, Refusal>>,
    ) -> Report {
        let subject = wanted.as_ref().map(|wanted| self.judged(wanted, &told));
        let members: Option<BTreeSet<PlaneId>> = wanted.map(|wanted| {
            wanted.request.iter().flat_map(|request| &request.members).map(|member| member.plane.clone()).collect()
        });
        let mut names: BTreeSet<PlaneId> = self.allowed.planes.iter().map(PlaneId::new).collect();
        names.extend(members.iter().flatten().cloned());
        let planes = names.into_iter().map(|plane| OfPlane {
            needed: members.as_ref().is_none_or(|members| members.contains(&plane)),
            session: self.sessions.get(&plane).map(|session| Session {
                since: session.since,
                generation: session.generation,
                version: session.hello.version.clone(),
                ends: session.until,
            }),
            last_seen: self.last_seen.get(&plane).copied(),
            told: told.remove(&plane),
            name: plane.to_string(),
        });
        Report { now: self.clock.wall(), control: self.control_plane(ledger), planes: planes.collect(), subject }
    }

    fn control_plane(&self, ledger: Result<Millis, String>) -> ControlPlane {
        ControlPlane {
            leader: self.standing.holder(),
            leads: self.standing.leading(),
            ledger,
            objects: (self.objects.len(), self.checking.schedules.len()),
            expiries: self.standing.expiries(),
        }
    }

    /// The answers of all planes together, where every one of them found all that it needs.
    fn judged(&self, wanted: &Wanted, told: &BTreeMap<PlaneId, Result<Heard, Refusal>>) -> Subject {
        let judge = |request: &Request| {
            let prepared: BTreeMap<PlaneId, wire::Prepared> = told
                .iter()
                .filter_map(|(plane, told)| Some((plane.clone(), told.as_ref().ok()?.found.prepared.clone()?)))
                .collect();
            match prepared.len() == request.members.len() {
                true => would_admit(request, prepared).map(Some),
                false => Ok(None),
            }
        };
        let admitted = wanted.request.as_ref().map_err(Clone::clone).and_then(judge);
        let cluster = admitted.as_ref().ok().copied().flatten();
        let holder = cluster.and_then(|cluster| {
            let mut held = self.claims.machine().held();
            held.find(|(claim, _)| claim.cluster == cluster).map(|(_, holder)| holder)
        });
        let other = holder.filter(|holder| wanted.backup.as_ref() != Some(&holder.backup));
        let claimed_by = other.map(|holder| self.name_of(&holder.backup));
        Subject { name: wanted.name.clone(), admitted, claimed_by }
    }

    fn name_of(&self, backup: &BackupUid) -> String {
        let object = self.objects.get(backup);
        object
            .map_or_else(|| format!("backup {backup}"), |object| format!("backup {}/{}", object.namespace, object.name))
    }
}

/// How long it took to answer.
async fn look_at_ledger(ledger: Arc<dyn Ledger>) -> Result<Millis, String> {
    let begun = Instant::now();
    let looking = async {
        ledger.claims().await.map_err(|error| format!("it cannot be read: {error}"))?;
        ledger.may_write().await.map_err(|error| format!("it would take no write: {error}"))
    };
    match timeout(LEDGER_LIMIT, looking).await {
        Ok(looked) => looked.map(|()| Millis(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))),
        Err(_) => Err(format!("no answer within {} s", LEDGER_LIMIT.as_secs())),
    }
}

impl Handler<ScheduleSeen> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, ScheduleSeen(event): ScheduleSeen, _: &mut Self::Context) {
        match event {
            ScheduleEvent::Applied(schedule) => drop(self.checking.schedules.insert(schedule.key, schedule.template)),
            ScheduleEvent::Gone(gone) => drop(self.checking.schedules.remove(&gone.key)),
            ScheduleEvent::Synced => {}
        }
    }
}
