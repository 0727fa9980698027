//! From the QUIC server to what comes in to the coordinator.

use crate::ports::{AdminCall, IncomingPlane, PortError};
use futures::FutureExt;
use shared::ids::PlaneId;
use shell::{
    link::Role,
    quic::{Incoming, PlaneIncoming, Server},
};
use tokio::sync::mpsc;

/// Planes and questions that may wait for the coordinator; beyond it the server's own queue, then QUIC, holds back.
pub const GATE_QUEUE: usize = 64;

/// Hands on whoever comes in, until the server or the coordinator is gone. Returns the server for a clean shutdown.
pub async fn serve(mut server: Server, planes: mpsc::Sender<IncomingPlane>, admins: mpsc::Sender<AdminCall>) -> Server {
    while let Some(incoming) = server.accept().await {
        let taken = match incoming {
            Incoming::Plane(plane) => planes.send(incoming_plane(plane)).await.is_ok(),
            Incoming::Admin(request) => {
                // The server lets nobody else ask.
                let role = request.identity.role().unwrap_or(Role::Viewer);
                let who = request.identity.name().to_owned();
                admins.send(AdminCall { who, role, body: request.body, reply: request.reply }).await.is_ok()
            }
        };
        if !taken {
            break;
        }
    }
    server
}

fn incoming_plane(incoming: PlaneIncoming) -> IncomingPlane {
    let plane = PlaneId::new(incoming.identity.name());
    let mut hello = incoming.hello.clone();
    hello.wire = incoming.wire;
    IncomingPlane {
        plane,
        hello,
        answer: Box::new(move |answer| {
            async move {
                let welcome = match answer {
                    Ok(welcome) => welcome,
                    Err(why) => {
                        incoming.refuse(&why);
                        return Err(PortError::Unavailable(format!("refused: {why}")));
                    }
                };
                if welcome.leading {
                    return incoming.accept(&welcome).map_err(|error| PortError::Unavailable(error.to_string()));
                }
                // It dials the next replica; how that went is nothing to us.
                let _ = incoming.turn_away(&welcome);
                Err(PortError::Unavailable("turned away: not leading".to_owned()))
            }
            .boxed()
        }),
    }
}
