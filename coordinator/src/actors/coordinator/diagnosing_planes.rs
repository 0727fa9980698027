//! `console diagnose`, its planes: what each knows of itself, handed on as it was said. Secrets were taken out by the planes, and
//! the console takes them out once more.

use super::{CoordinatorActor, asking::reply, questions::heard};
use crate::{
    console::{
        self, Answered,
        diagnose::{PLANES_AT_ONCE, Page},
    },
    ports::AdminCall,
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use futures::future::join_all;
use shared::{
    ids::{BackupUid, PlaneId},
    reason::Refusal,
    wire::{BACKUPS_MAX, Diagnose, Down, MAX_FRAME_BYTES, PACKED_MAX, TEXT_MAX},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::oneshot;

/// A plane answers from memory: at most it waits four seconds for machines that are saving.
const PLANE_LIMIT: Duration = Duration::from_secs(10);
/// Their words, each as long as may be, fit into a frame together.
const _: () = assert!(PLANES_AT_ONCE * (PACKED_MAX + TEXT_MAX) < MAX_FRAME_BYTES);

impl CoordinatorActor {
    /// Answers when every plane that is meant has answered, or has been silent for [`PLANE_LIMIT`].
    pub(super) fn diagnose_planes(
        &mut self,
        name: Option<&str>,
        after: &str,
        call: AdminCall,
        ctx: &mut Context<Self>,
    ) {
        tracing::info!(who = call.who, name, after, "console diagnose, planes");
        let (backups, planes) = self.told_of(name);
        let mut behind = planes.into_iter().filter(|plane| plane.as_str() > after);
        let meant: Vec<PlaneId> = behind.by_ref().take(PLANES_AT_ONCE).collect();
        let next = behind.next().and_then(|_| meant.last()).map(ToString::to_string);
        let mut asked = Vec::new();
        for plane in meant {
            let answer = self.ask_of_itself(&plane, &backups);
            asked.push(async move {
                let told = match answer {
                    Ok(answer) => heard(answer, PLANE_LIMIT).await.and_then(|told| told),
                    Err(refusal) => Err(refusal),
                };
                (plane.to_string(), told.map_err(|refusal| refusal.message))
            });
        }
        ctx.spawn(join_all(asked).into_actor(self).map(move |planes, _, _| {
            reply(&call, console::text(&Answered::Ok(Page { planes: planes.into_iter().collect(), next }.value())));
        }));
    }

    /// A plane of an earlier version is not asked what it does not know.
    fn ask_of_itself(
        &mut self,
        plane: &PlaneId,
        backups: &[BackupUid],
    ) -> Result<oneshot::Receiver<Result<String, Refusal>>, Refusal> {
        use shared::reason::Reason::PlaneNotConnected;
        let Some(session) = self.sessions.get(plane) else {
            return Err(Refusal::new(PlaneNotConnected, "it is not connected"));
        };
        if !session.hello.diagnoses {
            let text =
                format!("not asked: the plane's version, {}, does not know how to answer", session.hello.version);
            return Err(Refusal::new(PlaneNotConnected, text));
        }
        let question = |number| Down::Diagnose(Diagnose { number, backups: backups.to_vec() });
        self.checking.diagnoses.ask(plane, &session.channel, self.clock.wall(), question)
    }

    /// Backups of that name, by every uid that planes may know them by, and their planes; all planes where nobody is named, or
    /// it is not known whose they were.
    fn told_of(&self, name: Option<&str>) -> (Vec<BackupUid>, BTreeSet<PlaneId>) {
        let mut uids = BTreeSet::new();
        let mut planes: BTreeSet<PlaneId> = BTreeSet::new();
        if let Some(name) = name {
            let objects =
                self.objects.values().filter(|one| console::is_called(name, &one.uid, &one.namespace, &one.name));
            for object in objects {
                uids.insert(object.uid.clone());
                planes.extend(object.request.iter().flat_map(|request| &request.members).map(|one| one.plane.clone()));
            }
            for (uid, view) in self.views.iter().filter(|(uid, _)| self.is_called(uid, name)) {
                uids.extend([uid.clone(), view.record.request.backup.clone()]);
                planes.extend(view.record.planes.keys().cloned());
            }
            for one in self.ended.values().map(|ended| &ended.summary) {
                if console::is_called(name, &one.backup, &one.namespace, &one.name) {
                    uids.extend([&one.backup].into_iter().chain(&one.adopted_from).chain(&one.known_as).cloned());
                }
            }
        }
        if planes.is_empty() {
            planes = self.allowed.planes.iter().map(PlaneId::new).chain(self.sessions.keys().cloned()).collect();
        }
        (uids.into_iter().take(BACKUPS_MAX).collect(), planes)
    }
}
