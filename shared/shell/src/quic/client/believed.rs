//! A link that is open is judged again by newer certificates and lists, as a coordinator does on its side.

use crate::{
    expiry::{Expiry, Kind},
    quic::{Close, ends::Ends},
    tls::{Credentials, Distrust, Peer, RELOAD_EVERY, Standing},
};
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
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

/// Until the link is over. Judged also without a change, because certificates expire.
pub(super) fn keep(
    reached: Reached,
    credentials: Arc<Credentials>,
    distrusted: watch::Sender<Option<Distrust>>,
    linked: watch::Sender<Option<(u64, Expiry)>>,
) {
    let us = Expiry { identity: reached.peer.identity.to_string(), kind: Kind::Peer, at: reached.peer.until };
    let mut id = 0;
    linked.send_modify(|before| {
        id = before.as_ref().map_or(0, |(id, _)| id + 1);
        *before = Some((id, us));
    });
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
                connection.end(Close::Revoked, &why);
                return;
            }
        }
        tokio::select! {
            biased;
            () = connection.over() => return,
            // A time-out is the slow tick; the sender cannot be gone, we hold the credentials.
            _ = timeout(RELOAD_EVERY, changes.changed()) => {}
        }
    }
}
