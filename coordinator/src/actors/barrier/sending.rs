//! Orders to planes. Most are short and go at once; an order to complete holds a whole certificate, which is packed first
//! and waits for room.

use super::{
    BarrierActor,
    packed::Packed,
    room::{Room, Rooms},
};
use crate::actors::messages::Channel;
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use bytes::Bytes;
use shared::{
    ids::PlaneId,
    wire::{self, CodecError, Complete, Down, Order},
};

/// Beside a certificate an order holds stores and snapshots of its plane: some hundred bytes each.
const BESIDE: usize = 16 * 1024;

impl BarrierActor {
    /// Whatever waits for this plane is out of date now.
    pub(super) fn send(&mut self, plane: &PlaneId, down: Down, ctx: &mut Context<Self>) {
        self.waiting.remove(plane);
        let Some(channel) = self.channels.get(plane) else { return };
        match down {
            Down::Order { attempt, epoch, order: Order::Complete(complete) } => {
                self.orders += 1;
                self.waiting.insert(plane.clone(), self.orders);
                let (plane, number, generation) = (plane.clone(), self.orders, channel.generation);
                let made = ready(complete, self.packed.clone(), channel.unpacks, self.rooms.clone());
                ctx.spawn(made.into_actor(self).map(move |made, actor, _| {
                    let current = actor.waiting.get(&plane) == Some(&number);
                    let channel = actor.channels.get(&plane).filter(|now| current && now.generation == generation);
                    let Some(channel) = channel else { return };
                    match made {
                        Some((complete, room)) => {
                            let down = Down::Order { attempt, epoch, order: Order::Complete(complete) };
                            put(&plane, channel, &down, |bytes| room.frame(bytes));
                        }
                        // Told again on the next session.
                        None => channel.close.notify_one(),
                    }
                    actor.waiting.remove(&plane);
                }));
            }
            short => put(plane, channel, &short, Bytes::from),
        }
    }
}

/// The order as it goes, and room for it. `None`: the process ends.
async fn ready(mut complete: Complete, packed: Packed, unpacks: bool, rooms: Rooms) -> Option<(Complete, Room)> {
    if unpacks && let Err(error) = packed.shorten(&mut complete).await {
        tracing::error!(%error, "a certificate was not packed");
        return None;
    }
    let text = complete.packed.as_ref().unwrap_or(&complete.certificate);
    let room = rooms.of(text.len() + BESIDE).await?;
    Some((complete, room))
}

/// Overflow rule: a queue that is full, closed or slow ends its session; the plane dials again and is told then what it
/// owes.
pub(in crate::actors) fn put(plane: &PlaneId, channel: &Channel, down: &Down, frame: impl FnOnce(Vec<u8>) -> Bytes) {
    let encoded: Result<Vec<u8>, CodecError> = wire::encode(down);
    match encoded {
        Ok(bytes) => {
            if channel.tx.try_send(frame(bytes)).is_err() {
                // A session that is stopped already needs no telling.
                channel.close.notify_one();
            }
        }
        Err(error) => tracing::error!(%plane, %error, "order cannot be encoded"),
    }
}
