//! A link that is open is judged again by newer certificates and lists, as a coordinator does on its side.

use crate::{
    expiry::{Expiry, Kind},
    quic::{Close, ends::Ends},
    tls::{Credentials, Distrust, Peer, RELOAD_EVERY, Standing, first_end, first_life},
};
use rustls::pki_types::{CertificateDer, ServerName};
use shared::time::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// A coordinator that proved itself.
#[derive(Clone)]
pub(in crate::quic) struct Reached {
    pub(in crate::quic) connection: Arc<dyn Ends>,
    pub(in crate::quic) peer: Peer,
    pub(in crate::quic) chain: Vec<CertificateDer<'static>>,
    /// What its certificate is for.
    pub(in crate::quic) name: String,
}

/// A coordinator that a link goes to.
#[derive(Clone, Debug)]
pub(super) struct Linked {
    /// Number of the connection.
    id: u64,
    /// Of its certificate.
    pub(super) end: Expiry,
    /// How long its certificate lives in all.
    life: Duration,
}

/// What a coordinator shows is looked for anew when it ends sooner, this often: days before the end of what lives for months.
const SOON: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);
/// A shorter life has its last third for it, in which whoever renews it has renewed it, and eight looks there.
const LAST: u32 = 3;
const LOOKS: u32 = 8;

impl Linked {
    /// A newer certificate may be shown by now, and the last one was shown so long ago.
    pub(super) fn wants_a_look(&self, now: Timestamp, ago: Duration) -> bool {
        let left = Duration::from_millis(u64::try_from(self.end.at.0.saturating_sub(now.0)).unwrap_or(0));
        let soon = SOON.min(self.life / LAST);
        left < soon && ago >= AGAIN.min(self.life / LAST / LOOKS)
    }
}

/// Until the link is over. Judged also without a change, because certificates expire.
pub(super) fn keep(
    reached: Reached,
    credentials: Arc<Credentials>,
    distrusted: watch::Sender<Option<Distrust>>,
    linked: watch::Sender<Option<Linked>>,
) {
    let end = Expiry { identity: reached.peer.identity.to_string(), kind: Kind::Peer, at: reached.peer.until };
    let life = first_life(&reached.chain);
    let mut id = 0;
    linked.send_modify(|before| {
        id = before.as_ref().map_or(0, |before| before.id + 1);
        *before = Some(Linked { id, end, life });
    });
    tokio::spawn(async move {
        judge(reached, credentials, distrusted).await;
        // A newer link may have taken its place.
        linked.send_if_modified(|now| now.take_if(|now| now.id == id).is_some());
    });
}

/// A judgement costs signatures, so as on a coordinator's side it is made when files change, when the link is new, and once
/// something has ended.
async fn judge(reached: Reached, credentials: Arc<Credentials>, distrusted: watch::Sender<Option<Distrust>>) {
    let Reached { connection, peer, chain, name } = reached;
    // It was connected to by this name.
    let Ok(name) = ServerName::try_from(name.as_str()) else { return };
    let mut changes = credentials.subscribe();
    let until = first_end(&chain);
    // Files may have changed while it shook hands.
    let mut due = true;
    loop {
        let material = credentials.current();
        let now = material.now();
        if due || until <= now || material.something_ended(now) {
            let (who, serial) = (&peer.identity, &peer.serial);
            match material.judge_server(&chain, &name) {
                Standing::Good => {}
                Standing::Doubtful(why) => {
                    tracing::warn!(peer = %who, %serial, why, "link kept, a new one would not be made")
                }
                Standing::Bad(why) => {
                    tracing::warn!(peer = %who, %serial, why, "the coordinator's certificate is no longer good, link closed");
                    let distrust = Distrust { peer: who.to_string(), serial: serial.clone(), why: why.clone() };
                    distrusted.send_replace(Some(distrust));
                    connection.end(Close::Revoked, &why);
                    return;
                }
            }
        }
        tokio::select! {
            biased;
            () = connection.over() => return,
            // A time-out is the slow tick; the sender cannot be gone, we hold the credentials.
            change = timeout(RELOAD_EVERY, changes.changed()) => due = change.is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn wants(life: Duration, left: Duration, ago: Duration) -> bool {
        let end = Expiry { identity: "coordinator/c".to_owned(), kind: Kind::Peer, at: Timestamp(0) };
        let now = Timestamp(-i64::try_from(left.as_millis()).unwrap_or(i64::MAX));
        Linked { id: 0, end, life }.wants_a_look(now, ago)
    }

    #[test]
    fn a_certificate_is_looked_for_before_its_end_however_short_its_life() {
        let year = 365 * DAY;
        assert!(!wants(year, 7 * DAY, 2 * DAY) && wants(year, 7 * DAY - HOUR, DAY) && !wants(year, DAY, DAY - HOUR));
        // A mesh's, of a day or an hour: once renewed at two thirds of its life it is seen in time.
        assert!(!wants(DAY, 8 * HOUR, DAY) && wants(DAY, 8 * HOUR - HOUR / 60, HOUR) && !wants(DAY, HOUR, HOUR / 2));
        assert!(wants(HOUR, HOUR / 4, HOUR / 24) && !wants(HOUR, HOUR / 2, HOUR));
        assert!(wants(HOUR, Duration::ZERO, HOUR));
    }
}
