//! The planes of the fleet: each has its own certificate, sockets and link, dials as a plane actor does, and answers every
//! order at once.

use super::{args::FleetArgs, certificates::of_plane, heard::Heard};
use bytes::Bytes;
use plane_actor::config::REDIAL;
use shared::{
    backoff::seed,
    ids::PlaneId,
    wire::{self, Down, Hello, Up},
};
use shell::{link::Link, quic::Client};
use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tests::light::{Place, plane_name};
use tokio::{sync::watch, task::JoinSet, time::Instant};

/// As a plane actor dials (`plane_actor::edge::quic`).
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// What all planes count together.
#[derive(Clone)]
struct Counted {
    linked: Arc<watch::Sender<u32>>,
    failed: Arc<AtomicU64>,
    heard: Heard,
}

/// All planes. Dropping it ends them.
pub(super) struct Fleet {
    all: u32,
    counted: Counted,
    _tasks: JoinSet<()>,
}

impl Fleet {
    /// They begin to dial, all at once.
    pub(super) fn start(args: &FleetArgs, folder: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let counted =
            Counted { linked: Arc::new(watch::Sender::new(0)), failed: Arc::default(), heard: Heard::default() };
        let clients = (0..args.planes).map(|number| Ok((number, Client::new(of_plane(folder, number)?)?)));
        // Read before the first of them dials: this is no part of a dial.
        let clients: Vec<(u32, Client)> = clients.collect::<anyhow::Result<_>>()?;
        let mut tasks = JoinSet::new();
        for (number, client) in clients {
            let place = Place::of(number, args.planes, args.members);
            tasks.spawn(plane(place, client, address, counted.clone()));
        }
        Ok(Self { all: args.planes, counted, _tasks: tasks })
    }

    /// What they have heard, and when.
    pub(super) fn heard(&self) -> &Heard {
        &self.counted.heard
    }

    /// Dials that came to nothing, so far.
    pub(super) fn failed(&self) -> u64 {
        self.counted.failed.load(Ordering::Relaxed)
    }

    /// When all of them are linked. The caller bounds it.
    pub(super) async fn all_linked(&self) -> Instant {
        self.until(|linked| linked == self.all).await
    }

    /// When none of them is linked any more.
    pub(super) async fn none_linked(&self) -> Instant {
        self.until(|linked| linked == 0).await
    }

    async fn until(&self, holds: impl Fn(u32) -> bool) -> Instant {
        // Its sender lives as long as this does.
        let _ = self.counted.linked.subscribe().wait_for(|linked| holds(*linked)).await;
        Instant::now()
    }
}

async fn plane(place: Place, client: Client, address: SocketAddr, counted: Counted) {
    let name = plane_name(place.number);
    let (servers, seed) = ([address.to_string()], seed(&name));
    let plain = Hello::plain(env!("CARGO_PKG_VERSION"), PlaneId::new(name.clone()), name);
    let hello = Hello { divides: true, unpacks: true, ..plain };
    let mut failures = 0_u32;
    loop {
        match client.dial_plane(&servers, None, &hello, DIAL_LIMIT).await {
            Ok((link, _)) => {
                failures = 0;
                counted.linked.send_modify(|linked| *linked += 1);
                if let Err(error) = serve(place, link, &counted.heard).await {
                    tracing::error!(%error, plane = place.number, "not what a coordinator says");
                }
                counted.linked.send_modify(|linked| *linked -= 1);
            }
            Err(error) => {
                tracing::info!(%error, plane = place.number, "dial failed");
                counted.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(Duration::from_millis(REDIAL.wait(failures, seed).0)).await;
    }
}

/// Until the link is over.
async fn serve(place: Place, mut link: Link, heard: &Heard) -> anyhow::Result<()> {
    while let Some(frame) = link.rx.recv().await {
        let at = Instant::now();
        match wire::decode(&frame)? {
            Down::Order { attempt, epoch, order } => {
                let step = order.name();
                heard.note(&attempt, step, place.number, at);
                let up = Up::Answer { attempt: attempt.clone(), epoch, answer: place.answer(epoch, order)? };
                let frame = Bytes::from(wire::encode(&up)?);
                heard.answered(&attempt, step);
                if link.tx.send(frame).await.is_err() {
                    break;
                }
            }
            // Nobody asks for one here.
            Down::Preflight(_)
            | Down::Verify(_)
            | Down::Scan(_)
            | Down::Divide(_)
            | Down::Diagnose(_)
            | Down::Inspect(_)
            | Down::Restore(_) => {}
        }
    }
    Ok(())
}
