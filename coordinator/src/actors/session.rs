//! One connected plane: reads its frames and hands them on. It has a generation; words from a dead one are ignored by
//! its parent. It never restarts: a new link makes a new session.

use super::{
    coordinator::CoordinatorActor,
    messages::{Heard, SessionOver},
};
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use bytes::Bytes;
use shared::{ids::PlaneId, wire};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the coordinator may take to accept one frame. Its handlers do no I/O, so a second is already a fault; the
/// session ends then, and the plane dials again.
const HAND_ON_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct PlaneSession {
    plane: PlaneId,
    generation: u64,
    frames: Option<mpsc::Receiver<Bytes>>,
    parent: Addr<CoordinatorActor>,
}

impl PlaneSession {
    pub(super) fn new(
        plane: PlaneId,
        generation: u64,
        frames: mpsc::Receiver<Bytes>,
        parent: Addr<CoordinatorActor>,
    ) -> Self {
        Self { plane, generation, frames: Some(frames), parent }
    }
}

impl Actor for PlaneSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(frames) = self.frames.take() else { return };
        let (plane, generation, parent) = (self.plane.clone(), self.generation, self.parent.clone());
        let reading = read(frames, plane.clone(), generation, parent.clone());
        ctx.spawn(reading.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // A full mailbox of the parent would lose this; it also sees the closed channel at its next send.
        let over = SessionOver { plane: self.plane.clone(), generation: self.generation };
        let parent = self.parent.clone();
        tokio::task::spawn_local(async move {
            let _ = tokio::time::timeout(HAND_ON_LIMIT, parent.send(over)).await;
        });
    }
}

async fn read(mut frames: mpsc::Receiver<Bytes>, plane: PlaneId, generation: u64, parent: Addr<CoordinatorActor>) {
    while let Some(frame) = frames.recv().await {
        let up = match wire::decode(&frame) {
            Ok(up) => up,
            Err(error) => {
                tracing::warn!(%plane, %error, "frame of plane is not a message; closing its session");
                return;
            }
        };
        let heard = Heard { plane: plane.clone(), generation, up };
        if !matches!(tokio::time::timeout(HAND_ON_LIMIT, parent.send(heard)).await, Ok(Ok(()))) {
            tracing::warn!(%plane, "message of plane was not taken in time; closing its session");
            return;
        }
    }
}

impl actix::Handler<super::messages::DropSession> for PlaneSession {
    type Result = ();
    fn handle(&mut self, message: super::messages::DropSession, ctx: &mut Self::Context) {
        if message.generation == self.generation {
            tracing::warn!(plane = %message.plane, "queue to plane is full; closing its session");
            ctx.stop();
        }
    }
}
