//! A link that is open is judged again by newer certificates and lists, as a coordinator does on its side.

use crate::{
    expiry::{Expiry, Kind},
    quic::Close,
    tls::{Credentials, Distrust, Peer, RELOAD_EVERY, Standing},
};
use quinn::Connection;
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use tokio::{sync::watch, time::timeout};

/// A coordinator that proved itself.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) connection: Connection,
    pub(super) peer: Peer,
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// What its certificate is for.
    pub(super) name: String,
}

/// Until the link is over. Judged also without a change, because certificates expire.
pub(super) fn keep(
    reached: Reached,
    credentials: Arc<Credentials>,
    distrusted: watch::Sender<Option<Distrust>>,
    linked: watch::Sender<Option<(usize, Expiry)>>,
) {
    let us = Expiry { identity: reached.peer.identity.to_string(), kind: Kind::Peer, at: reached.peer.until };
    let id = reached.connection.stable_id();
    linked.send_replace(Some((id, us)));
    tokio::spawn(async move {
        judge(reached, credentials, distrusted).await;
        // A newer link may have taken its place.
        linked.send_if_modified(|now| now.take_if(|(now, _)| *now == id).is_some());
    });
}

async fn judge(reached: Reached, credentials: Arc<Credentials>, distrusted: watch::Sender<Option<Distrust>>) {
    let Reached { connection, peer, chain, name } = reached;
    // It was connected to by this name.
    let Ok(name) = ServerName::try_from(name.as_str()) else { return };
    let mut changes = credentials.subscribe();
    loop {
        let (who, serial) = (&peer.identity, &peer.serial);
        match credentials.current().judge_server(&chain, &name) {
            Standing::Good => {}
            Standing::Doubtful(why) => {
                tracing::warn!(peer = %who, %serial, why, "link kept, a new one would not be made")
            }
            Standing::Bad(why) => {
                tracing::warn!(peer = %who, %serial, why, "the coordinator's certificate is no longer good, link closed");
                let distrust = Distrust { peer: who.to_string(), serial: serial.clone(), why: why.clone() };
                distrusted.send_replace(Some(distrust));
                connection.close(Close::Revoked.code(), why.as_bytes());
                return;
            }
        }
        tokio::select! {
            biased;
            _ = connection.closed() => return,
            // A time-out is the slow tick; the sender cannot be gone, we hold the credentials.
            _ = timeout(RELOAD_EVERY, changes.changed()) => {}
        }
    }
}
