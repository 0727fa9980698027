//! Room for long frames. The orders to complete of a thousand planes hold the certificate of all of them each: they are
//! made one after the other as room becomes free, of all backups together, so that what waits in memory does not grow with
//! the planes.

use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What long frames may take at a time. Each lies in the memory of a coordinator up to three times until it is on its way
/// (as a frame, in its link's buffer, in QUIC's); that has 512 MiB by the chart, and uses some 150 of them with a thousand
/// planes and ten thousand backups.
const KIBIBYTES: u32 = 32 * 1024;

/// Of one coordinator. Clones share it.
#[derive(Clone)]
pub(in crate::actors) struct Rooms(Arc<Semaphore>);

impl Default for Rooms {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(KIBIBYTES as usize)))
    }
}

impl Rooms {
    /// Waits until there is room for so many bytes; more than there may be take all of it. First come, first served.
    pub(super) async fn of(self, bytes: usize) -> Option<Room> {
        let kibibytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, KIBIBYTES);
        // It is never closed.
        self.0.acquire_many_owned(kibibytes).await.ok().map(|_permit| Room { _permit })
    }
}

/// Room that was given. It is free again when the frame that was made in it is gone.
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Room {
    /// A frame that takes it.
    pub(super) fn frame(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(InRoom { bytes, _room: self })
    }
}

struct InRoom {
    bytes: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for InRoom {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn what_does_not_fit_waits_until_a_frame_is_gone() {
        let (rooms, all) = (Rooms::default(), KIBIBYTES as usize * 1024);
        let frame = rooms.clone().of(all - 1024).await.unwrap().frame(vec![7; 3]);
        assert_eq!(frame.as_ref(), [7; 3]);
        let last = rooms.clone().of(1).await.unwrap();
        let mut next = Box::pin(rooms.clone().of(10));
        assert!((&mut next).now_or_never().is_none());
        drop(last);
        assert!(next.now_or_never().is_some());
        // Whoever holds a part of the frame holds its room.
        let part = frame.slice(1..2);
        drop(frame);
        let mut large = Box::pin(rooms.of(usize::MAX));
        assert!((&mut large).now_or_never().is_none());
        drop(part);
        assert!(large.now_or_never().is_some(), "more than there is takes all of it");
    }
}
