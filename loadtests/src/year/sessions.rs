//! Every session of every plane, from the dial to its end, and what was held meanwhile: read from the frames themselves.

use super::{calendar::Version, versions};
use async_trait::async_trait;
use bytes::Bytes;
use plane_actor::ports::{Dialer, PortError};
use serde::Serialize;
use shared::wire::{self, Answer, Down, Order, Up};
use shell::link::{LINK_QUEUE, Link};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc};

/// What became of sessions.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Sessions {
    /// Welcomed.
    pub(super) begun: u64,
    /// A plane was told to hold its stores, and said over the same session that it had let go.
    pub(super) through: u64,
    /// Left for a renewed certificate, with nothing under way.
    pub(super) anew: u64,
    /// Ended by what was broken, restarted or taken back on purpose, beside a hold.
    pub(super) explained: u64,
    /// The same while the plane held its stores.
    pub(super) lost_to_faults: u64,
    /// Ended beside a hold, and nobody knows why.
    pub(super) cut: u64,
    /// Ended while the plane held its stores, and nobody killed or cut off anybody.
    pub(super) in_hold: u64,
    /// Words that a plane of the version before was sent and does not know.
    pub(super) unknown: u64,
}

impl Sessions {
    /// What came since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            begun: self.begun - before.begun,
            through: self.through - before.through,
            anew: self.anew - before.anew,
            explained: self.explained - before.explained,
            lost_to_faults: self.lost_to_faults - before.lost_to_faults,
            cut: self.cut - before.cut,
            in_hold: self.in_hold - before.in_hold,
            unknown: self.unknown - before.unknown,
        }
    }
}

#[derive(Default)]
struct Plane {
    /// By the number of its session.
    held: Option<u64>,
    renews: bool,
}

#[derive(Default)]
struct Inner {
    counts: Sessions,
    planes: BTreeMap<String, Plane>,
    /// Sessions may end now.
    excused: bool,
    told: Arc<Notify>,
}

/// Clones are the same book.
#[derive(Clone, Default)]
pub(super) struct Book(Arc<Mutex<Inner>>);

impl Book {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody breaks something, restarts somebody, or lets a certificate end; or has done so.
    pub(super) fn excuse(&self, excused: bool) {
        self.lock().excused = excused;
    }

    pub(super) fn counts(&self) -> Sessions {
        self.lock().counts
    }

    /// Some plane holds its stores.
    pub(super) fn holding(&self) -> bool {
        self.lock().planes.values().any(|plane| plane.held.is_some())
    }

    /// Ends when one begins to.
    pub(super) async fn held(&self) {
        let told = self.lock().told.clone();
        told.notified().await;
    }

    fn begins(&self, plane: &str) -> u64 {
        let mut inner = self.lock();
        inner.counts.begun += 1;
        let number = inner.counts.begun;
        inner.planes.entry(plane.to_owned()).or_default().renews = false;
        number
    }

    fn renews(&self, plane: &str) {
        self.lock().planes.entry(plane.to_owned()).or_default().renews = true;
    }

    fn ends(&self, plane: &str, session: u64) {
        let mut inner = self.lock();
        let Inner { counts, planes, excused, .. } = &mut *inner;
        let plane = planes.entry(plane.to_owned()).or_default();
        let held = plane.held.take_if(|holder| *holder == session).is_some();
        let renewed = std::mem::take(&mut plane.renews);
        let count = match (held, *excused, renewed) {
            (true, true, _) => &mut counts.lost_to_faults,
            (true, false, _) => &mut counts.in_hold,
            (false, _, true) => &mut counts.anew,
            (false, true, false) => &mut counts.explained,
            (false, false, false) => &mut counts.cut,
        };
        *count += 1;
    }

    fn down(&self, plane: &str, session: u64, version: Version, frame: &[u8]) {
        let Ok(down) = wire::decode::<Down>(frame) else { return };
        let mut inner = self.lock();
        inner.counts.unknown += u64::from(version == Version::Earlier && !versions::knows(&down));
        if matches!(down, Down::Order { order: Order::Suspend, .. }) {
            inner.planes.entry(plane.to_owned()).or_default().held = Some(session);
            inner.told.notify_waiters();
        }
    }

    /// What goes on its way.
    fn up(&self, plane: &str, session: u64, version: Version, frame: Bytes) -> Bytes {
        let Ok(up) = wire::decode::<Up>(&frame) else { return frame };
        if matches!(up, Up::Answer { answer: Answer::Released(_) | Answer::Aborted(_), .. }) {
            let mut inner = self.lock();
            let held = inner.planes.entry(plane.to_owned()).or_default().held.take();
            inner.counts.through += u64::from(held == Some(session));
        }
        match version {
            Version::Present => frame,
            Version::Earlier => wire::encode(&versions::as_it_says(up)).map_or(frame, Bytes::from),
        }
    }
}

/// A plane's way to the coordinator, looked at.
pub(super) struct Watched {
    inner: Arc<dyn Dialer>,
    plane: String,
    version: Version,
    book: Book,
}

impl Watched {
    pub(super) fn new(inner: Arc<dyn Dialer>, plane: &str, version: Version, book: Book) -> Self {
        Self { inner, plane: plane.to_owned(), version, book }
    }
}

#[async_trait]
impl Dialer for Watched {
    async fn dial(&self) -> Result<Link, PortError> {
        let Link { peer, serial, until, over, superseded, tx, rx } = self.inner.dial().await?;
        let session = self.book.begins(&self.plane);
        let (to_plane, from_coordinator) = mpsc::channel(LINK_QUEUE);
        let (to_coordinator, from_plane) = mpsc::channel(LINK_QUEUE);
        let (book, plane, version) = (self.book.clone(), self.plane.clone(), self.version);
        tokio::spawn(async move {
            carry(&book, (&plane, session, version), (tx, rx), (to_plane, from_plane)).await;
            book.ends(&plane, session);
        });
        Ok(Link { peer, serial, until, over, superseded, tx: to_coordinator, rx: from_coordinator })
    }

    async fn outdated(&self) {
        self.inner.outdated().await;
        self.book.renews(&self.plane);
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

type Ends = (mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>);

/// Until either side has dropped its end.
async fn carry(
    book: &Book,
    (plane, session, version): (&str, u64, Version),
    (to_coordinator, mut from_coordinator): Ends,
    (to_plane, mut from_plane): Ends,
) {
    loop {
        tokio::select! {
            biased;
            frame = from_plane.recv() => {
                let Some(frame) = frame else { return };
                let frame = book.up(plane, session, version, frame);
                if to_coordinator.send(frame).await.is_err() {
                    return;
                }
            }
            frame = from_coordinator.recv() => {
                let Some(frame) = frame else { return };
                book.down(plane, session, version, &frame);
                if to_plane.send(frame).await.is_err() {
                    return;
                }
            }
        }
    }
}
