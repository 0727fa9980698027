//! Planes that dial in: a newer session supersedes an older one, words from a dead one are ignored.

use super::{CoordinatorActor, LiveBarrier, linked::Session};
use crate::actors::{
    messages::{Channel, FromSession, LinkOpen, PlaneConnecting, PlaneMessage, SessionOver, ToBarrier},
    restore::ToRestore,
    session::PlaneSession,
};
use actix::{Actor, AsyncContext, Context, Handler, WrapFuture};
use shared::{
    ids::PlaneId,
    wire::{Answer, MIN_WIRE_VERSION, Up, WIRE_VERSION, Welcome},
};
use std::sync::Arc;
use tokio::sync::Notify;

impl CoordinatorActor {
    /// To the metrics.
    pub(super) fn tell_planes(&self) {
        self.metrics.planes(&self.allowed.planes, self.sessions.keys());
    }

    /// To the metrics, of one plane: a thousand may come within a second.
    fn tell_plane(&self, plane: &PlaneId) {
        let (configured, up) = (self.allowed.planes.contains(plane.as_str()), self.sessions.contains_key(plane));
        self.metrics.plane(plane, configured, up, self.sessions.len());
    }

    /// It dials again and again: told seldom here, and each time there.
    fn not_wanted(&self, plane: &PlaneId) -> String {
        if let Some(left_out) = self.knocks.may_tell() {
            tracing::warn!(%plane, left_out, "a plane that is not configured dialled in");
        }
        format!("{plane} is not in the coordinator's list planes:")
    }

    /// A plane that was taken from the list finishes, and cleans, what it has a part in.
    fn has_part(&self, plane: &PlaneId) -> bool {
        self.restores.have_part(plane) || self.views.values().any(|view| view.record.planes.contains_key(plane))
    }
}

impl Handler<PlaneConnecting> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, PlaneConnecting(connecting): PlaneConnecting, ctx: &mut Self::Context) {
        let wanted = self.allowed.planes.contains(connecting.plane.as_str()) || self.has_part(&connecting.plane);
        let leading = self.ready;
        self.generation += 1;
        let generation = self.generation;
        let welcome = Welcome {
            wire: connecting.hello.wire.clamp(MIN_WIRE_VERSION, WIRE_VERSION),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation,
            leading,
        };
        let (plane, hello, answer) = (connecting.plane, connecting.hello, connecting.answer);
        // A standby sends everybody on: who may come in is the leader's to say.
        let said = if leading && !wanted { Err(self.not_wanted(&plane)) } else { Ok(welcome) };
        let parent = ctx.address();
        ctx.spawn(
            async move {
                match answer(said).await {
                    Ok(link) if leading => {
                        // The parent outlives its own future.
                        let _ = parent.send(LinkOpen { plane, generation, hello, link }).await;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%plane, %error, "plane went away before its link was open"),
                }
            }
            .into_actor(self),
        );
    }
}

impl Handler<LinkOpen> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, open: LinkOpen, ctx: &mut Self::Context) {
        let LinkOpen { plane, generation, hello, link } = open;
        if self.sessions.get(&plane).is_some_and(|session| session.generation > generation) {
            return;
        }
        let close = Arc::new(Notify::new());
        PlaneSession::new(plane.clone(), generation, link.rx, close.clone(), ctx.address().recipient()).start();
        let channel = Channel { generation, tx: link.tx, unpacks: hello.unpacks, restores: hello.restores, close };
        let since = self.clock.wall();
        let (over, until, superseded) = (link.over, link.until, link.superseded);
        let session = Session { generation, since, hello, over, until, superseded, channel: channel.clone() };
        if let Some(old) = self.sessions.insert(plane.clone(), session) {
            self.no_answer_from(&plane, old.generation);
            self.metrics.superseded(&plane);
            tracing::info!(%plane, generation, "a newer session of this plane supersedes the old one");
            old.superseded.tell();
            // A session that is stopped already needs no telling.
            old.channel.close.notify_one();
        } else {
            tracing::info!(%plane, generation, "plane connected");
        }
        self.last_seen.remove(&plane);
        self.divide_anew(&plane, ctx);
        self.tell_plane(&plane);
        self.tell_members(&plane, || ToBarrier::PlaneUp(plane.clone(), channel.clone()));
        self.restores.tell_members(&plane, || ToRestore::PlaneUp(plane.clone(), channel.clone()));
    }
}

impl Handler<FromSession> for CoordinatorActor {
    type Result = ();
    fn handle(&mut self, said: FromSession, ctx: &mut Self::Context) {
        match said {
            FromSession::PlaneMessage(heard) => self.heard(heard),
            FromSession::Over(over) => self.session_over(&over, ctx),
        }
    }
}

impl CoordinatorActor {
    /// Whoever asked it something waits in vain.
    fn no_answer_from(&mut self, plane: &PlaneId, generation: u64) {
        self.checking.questions.session_over(plane, generation);
        self.verifying.questions.session_over(plane, generation);
        self.verifying.inspections.session_over(plane, generation);
        self.scanning.questions.session_over(plane, generation);
        self.checking.diagnoses.session_over(plane, generation);
    }

    fn session_over(&mut self, over: &SessionOver, ctx: &mut Context<Self>) {
        if self.sessions.get(&over.plane).is_some_and(|session| session.generation == over.generation) {
            self.sessions.remove(&over.plane);
            self.last_seen.insert(over.plane.clone(), self.clock.wall());
            self.divide_soon(ctx);
            self.tell_plane(&over.plane);
            tracing::info!(plane = %over.plane, generation = over.generation, "plane disconnected");
        }
        self.no_answer_from(&over.plane, over.generation);
        self.tell_members(&over.plane, || ToBarrier::PlaneDown(over.plane.clone(), over.generation));
        self.restores.tell_members(&over.plane, || ToRestore::PlaneDown(over.plane.clone(), over.generation));
    }

    fn heard(&mut self, heard: PlaneMessage) {
        if self.sessions.get(&heard.plane).is_none_or(|session| session.generation != heard.generation) {
            return;
        }
        match heard.up {
            Up::Answer { attempt, epoch, answer } => {
                let key = self.known_as.get(&attempt.backup).unwrap_or(&attempt.backup);
                let Some(LiveBarrier { addr, .. }) = self.barriers.get(key) else { return };
                let is_progress = matches!(answer, Answer::Progress(_));
                let message = ToBarrier::Answer {
                    plane: heard.plane.clone(),
                    attempt: attempt.number,
                    epoch,
                    answer: Box::new(answer),
                };
                if addr.try_send(message).is_err() && !is_progress {
                    // What was lost is owed again on the next session.
                    if let Some(session) = self.sessions.get(&heard.plane) {
                        session.channel.close.notify_one();
                    }
                }
            }
            Up::Preflighted(found) => self.preflighted(&heard.plane, found),
            Up::Verified(found) => self.verified(&heard.plane, found),
            Up::Inspected(found) => self.inspected(&heard.plane, found),
            Up::Restored(restored) => self.restored(&heard.plane, *restored),
            Up::Scanned(found) => self.scanned(&heard.plane, found),
            Up::Diagnosed(told) => self.checking.diagnoses.answered(&heard.plane, told.number, told.told),
        }
    }
}
