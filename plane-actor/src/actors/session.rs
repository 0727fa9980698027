//! The link to the coordinator: dial, read, dial again. What is read goes to the plane actor one frame at a time.

use super::{
    messages::{Frame, Linked},
    plane::PlaneActor,
    plane_context::{PlaneContext, length},
};
use crate::{config::REDIAL, ports::PlaneView};
use actix::Addr;
use shared::backoff::seed;
use shell::link::Link;
use std::{rc::Rc, time::Duration};
use tokio::time::{Instant, timeout};

/// The plane actor answers mail at once; one that does not is stuck, and the link is dropped rather than its frames.
const MAIL_LIMIT: Duration = Duration::from_secs(10);

/// A link that ended sooner did not stand: another one is dialled as after a dial that failed, or two processes that share a name would
/// push each other out twice a second.
const STANDS: Duration = Duration::from_secs(10);

/// Runs until the plane actor is gone.
pub(crate) async fn keep_linked(env: Rc<PlaneContext>, plane: Addr<PlaneActor>) {
    let seed = seed(env.config.plane.as_str());
    let mut failures = 0_u32;
    loop {
        match env.ports.dialer.dial().await {
            Ok(link) => {
                let begun = Instant::now();
                tracing::info!(peer = %link.peer, "linked");
                let over = serve(&env, &plane, link).await;
                if begun.elapsed() >= STANDS {
                    failures = 0;
                }
                match over {
                    Over::Gone => return,
                    Over::Ended => tracing::warn!("link to the coordinator ended"),
                    Over::Outdated => {
                        tracing::info!("a better link can be had and nothing is under way: linking anew");
                        continue;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, failures, "coordinator not reached"),
        }
        if !plane.connected() {
            return;
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(length(REDIAL.wait(failures, seed))).await;
    }
}

/// How a link was left.
enum Over {
    /// The plane actor is gone.
    Gone,
    /// It broke, or the coordinator ended it.
    Ended,
    /// We left it: to show a renewed certificate before the old one ends and the link with it, or for a better way.
    Outdated,
}

async fn serve(env: &PlaneContext, plane: &Addr<PlaneActor>, link: Link) -> Over {
    let Link { tx, mut rx, .. } = link;
    let stalled = env.uplink.open(tx);
    let mut alive = matches!(timeout(MAIL_LIMIT, plane.send(Linked(true))).await, Ok(Ok(())));
    let mut views = env.ports.views.subscribe();
    let mut outdated = env.ports.dialer.outdated();
    let mut renew = false;
    while alive && !(renew && idle(&views.borrow_and_update())) {
        tokio::select! {
            // In this order, so that the same seed of a simulation takes the same branch.
            biased;
            () = stalled.notified() => break,
            frame = rx.recv() => match frame {
                None => break,
                Some(frame) => alive = matches!(timeout(MAIL_LIMIT, plane.send(Frame(frame))).await, Ok(Ok(()))),
            },
            () = &mut outdated, if !renew => renew = true,
            // Its sender lives as long as the plane does.
            _ = views.changed(), if renew => {}
        }
    }
    let renewed = renew && alive && idle(&views.borrow());
    env.uplink.close();
    let there = matches!(timeout(MAIL_LIMIT, plane.send(Linked(false))).await, Ok(Ok(()))) || plane.connected();
    match (there, renewed) {
        (false, _) => Over::Gone,
        (true, true) => Over::Outdated,
        (true, false) => Over::Ended,
    }
}

/// No work is under way, and nothing is held.
fn idle(view: &PlaneView) -> bool {
    view.members.iter().all(|member| !member.busy)
}
