//! `console orphans`, planes and all: has every plane look through what it has made in AWS, and names what no record and no
//! object knows. Nothing is deleted but on a person's word, and then only what the plane surely made itself.

use super::{CoordinatorActor, asking::reply, questions::heard};
use crate::{
    actors::messages::Ended,
    console::{
        self, Answered,
        leftovers::{Asked, Looked},
    },
    ports::{AdminCall, Noted},
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use futures::future::join_all;
use shared::{
    barrier::Milestone,
    ids::{BackupUid, PlaneId},
    reason::Reason,
    request::{MemberRequest, MemberSpec, Request, S3Target},
    time::Millis,
    wire::{Down, FOLDERS_MAX, KNOWN_MAX, Known, PLACES_MAX, Place, Scan, Scanned},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::oneshot;

/// A plane ends its look by itself a little earlier and tells how far it came.
const PLANE_LIMIT: Duration = Duration::from_secs(130);
/// After the start, before the first look that nobody asks for: planes link again, and backups come first.
const FIRST: Millis = Millis::secs(600);

/// A plane, and its answer to come with what it was not told for want of room, or why none will.
type OfPlane = (PlaneId, Result<(oneshot::Receiver<Scanned>, u64), String>);

impl CoordinatorActor {
    /// Answers when every plane has answered, or has been silent for [`PLANE_LIMIT`].
    pub(super) fn scan(&mut self, delete: Option<BackupUid>, call: AdminCall, ctx: &mut Context<Self>) {
        if let Some(backup) = &delete {
            tracing::warn!(who = call.who, %backup, "a person deletes what nothing names");
        }
        let (records, back) = (self.orphan_rows(), call.reply.clone());
        let begun = self.look_through(delete, ctx, move |looked, _| {
            let answered = match looked {
                Ok(looked) => looked.answer(&records),
                Err(why) => Answered::Error(why),
            };
            reply(&call, console::text(&answered));
        });
        if !begun {
            // An admin who does not read has gone.
            let _ = back.try_send(console::not_yet("another scan is under way").into());
        }
    }

    /// At each resync: has it been long enough?
    pub(super) fn scan_if_due(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.wall();
        let Some(every) = self.scanning.every.filter(|_| self.ready && self.synced && !self.draining) else { return };
        let next = *self.scanning.next.get_or_insert(now + FIRST);
        if now < next {
            return;
        }
        self.scanning.next = Some(now + every);
        // Another one, which a person asked for, does as well.
        self.look_through(None, ctx, |looked, actor| {
            if let Err(why) = looked {
                tracing::warn!(why, "AWS was not looked through; it is tried again at the next turn");
                actor.scanning.next = None;
            }
        });
    }

    /// False: another one is under way, nothing is begun.
    fn look_through(
        &mut self,
        delete: Option<BackupUid>,
        ctx: &mut Context<Self>,
        then: impl FnOnce(Result<Looked, String>, &mut Self) + 'static,
    ) -> bool {
        if std::mem::replace(&mut self.scanning.under_way, true) {
            return false;
        }
        // What another process has written since this one read the ledger is known as well.
        let ledger = self.ports.ledger.clone();
        let listing = async move { ledger.records().await };
        let asking = listing.into_actor(self).then(move |listed, actor: &mut Self, _| {
            let asked = match listed {
                Ok(listed) => actor.ask_to_scan(&listed, delete),
                Err(error) => Err(format!("the ledger cannot be listed: {error}")),
            };
            async move {
                let asked = asked?;
                Ok(join_all(asked.into_iter().map(|(plane, asked)| async move {
                    let told = match asked {
                        Ok((answer, cut)) => match heard(answer, PLANE_LIMIT).await {
                            Ok(scanned) => Asked::Answered { scanned, cut },
                            Err(refusal) => Asked::Unasked(refusal.message),
                        },
                        Err(why) => Asked::Unasked(why),
                    };
                    (plane, told)
                }))
                .await)
            }
            .into_actor(actor)
        });
        ctx.spawn(asking.map(move |told: Result<Vec<(PlaneId, Asked)>, String>, actor, _| {
            actor.scanning.under_way = false;
            let looked = told.map(|planes| Looked { planes });
            if let Ok(looked) = &looked {
                actor.metrics.scanned(looked.unnamed(), looked.is_whole().then(|| actor.clock.wall()));
            }
            then(looked, actor);
        }));
        true
    }

    /// A plane of an earlier version is not asked what it does not know.
    fn ask_to_scan(&mut self, listed: &[Noted], delete: Option<BackupUid>) -> Result<Vec<OfPlane>, String> {
        if !(self.ready && self.synced) {
            return Err(console::NOT_READ.to_owned());
        }
        let known = self.known_backups(listed);
        if let Some(backup) = &delete
            && known.iter().any(|one| one.backup == *backup && one.attempt.is_none())
        {
            return Err(format!("{backup} has a record or an object here; delete its VolumeBackup or VolumeRestore"));
        }
        if known.len() > KNOWN_MAX {
            return Err(format!("{} backups are known, and a plane can be told of {KNOWN_MAX}", known.len()));
        }
        let mut asked = Vec::new();
        for (plane, (places, cut)) in self.places() {
            let answer = match self.sessions.get(&plane) {
                None => Err("it is not connected".to_owned()),
                Some(session) if !session.hello.scans => {
                    Err(format!("the plane's version, {}, does not know how to", session.hello.version))
                }
                Some(session) => {
                    let (known, delete) = (known.clone(), delete.clone());
                    let question = |number| Down::Scan(Scan { number, places, known, delete });
                    let asked = self.scanning.questions.ask(&plane, &session.channel, self.clock.wall(), question);
                    asked.map(|answer| (answer, cut)).map_err(|refusal| refusal.message)
                }
            };
            asked.push((plane, answer));
        }
        Ok(asked)
    }

    /// Whatever has a record or an object, by every uid that it ever had: what is told too much here only hides an orphan.
    fn known_backups(&self, listed: &[Noted]) -> Vec<Known> {
        let mut known: BTreeMap<BackupUid, Option<u32>> = BTreeMap::new();
        for Ended { summary, .. } in self.ended.values() {
            let only = match (summary.milestone, summary.reason) {
                (Milestone::Complete, _) => Some(summary.attempt),
                // It was cleaned, but for what S3 certifies.
                (Milestone::Failed, Some(Reason::BackupProven)) => None,
                (Milestone::Failed, _) => Some(0),
                _ => None,
            };
            for uid in [&summary.backup].into_iter().chain(&summary.adopted_from).chain(&summary.known_as) {
                known.insert(uid.clone(), only);
            }
        }
        let there = listed.iter().map(|noted| &noted.backup).chain(self.objects.keys());
        let whole =
            there.filter(|uid| !self.ended.contains_key(uid)).chain(self.barriers.keys()).chain(self.unreadable.keys());
        let whole = whole.chain(&self.again).chain(&self.starting).chain(self.orphans.keys()).chain(&self.condemned);
        for uid in whole.chain(self.known_as.iter().flat_map(|(first, now)| [first, now])) {
            known.insert(uid.clone(), None);
        }
        // Volumes name their restore where snapshots name their backup.
        known.extend(self.restores.uids().map(|uid| (BackupUid::new(uid.as_str()), None)));
        known.into_iter().map(|(backup, attempt)| Known { backup, attempt }).collect()
    }

    /// As whom each plane is to look, and where, by what backups and schedules name; and how much there was no room for.
    fn places(&self) -> BTreeMap<PlaneId, (Vec<Place>, u64)> {
        let schedules = self.checking.schedules.values().flatten();
        let objects = self.objects.values().filter_map(|object| object.request.as_ref().ok());
        let live = self.views.values().map(|view| &view.record.request);
        let mut all: BTreeMap<PlaneId, (Vec<Place>, u64)> =
            self.allowed.planes.iter().map(|plane| (PlaneId::new(plane), <_>::default())).collect();
        for request in schedules.chain(objects).chain(live) {
            for member in &request.members {
                let (places, cut) = all.entry(member.plane.clone()).or_default();
                add(places, cut, request, member);
            }
        }
        all
    }

    /// A plane has answered.
    pub(super) fn scanned(&mut self, plane: &PlaneId, found: Scanned) {
        let number = found.number;
        self.scanning.questions.answered(plane, number, found);
    }
}

fn add(places: &mut Vec<Place>, cut: &mut u64, request: &Request, member: &MemberRequest) {
    let folder = &request.storage.prefix;
    let room = places.len() < PLACES_MAX;
    match places.iter_mut().find(|place| is_of(&place.spec, request, member)) {
        // A schedule's prefix is that of all its backups.
        Some(place) if place.folders.iter().any(|listed| folder.starts_with(listed.as_str())) => {}
        Some(place) if place.folders.len() < FOLDERS_MAX => place.folders.push(folder.clone()),
        None if room && let Some(spec) = request.member_spec(&member.plane) => {
            places.push(Place { spec, folders: vec![folder.clone()] });
        }
        Some(_) | None => *cut = cut.saturating_add(1),
    }
}

/// The same identity and bucket, whatever the prefix.
fn is_of(spec: &MemberSpec, request: &Request, member: &MemberRequest) -> bool {
    spec.credentials == request.credentials
        && spec.role_external_id == request.role_external_id
        && spec.tc_namespace == member.tc_namespace
        && S3Target { prefix: spec.storage.prefix.clone(), ..request.storage.clone() } == spec.storage
}
