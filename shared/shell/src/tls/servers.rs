//! Which servers are believed: those whom an authority of ours signed, under the name that was dialled. Ids of a mesh often come
//! without any DNS name; where the configuration names such an id, that name counts.

use super::{identity::id_of, names::Names};
use crate::link::Identity;
use rustls::{
    CertificateError as C, Error,
    client::{
        WebPkiServerVerifier,
        danger::{ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;

/// What is read of the files, for servers.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    inner: Arc<WebPkiServerVerifier>,
    names: Arc<Names>,
}

impl Servers {
    pub(super) fn new(inner: Arc<WebPkiServerVerifier>, names: Arc<Names>) -> Self {
        Self { inner, names }
    }

    /// Whom its id names.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Is it the coordinator of this name by a line of the configuration?
    fn is_named(&self, first: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
        let identity = id_of(first).ok().and_then(|(id, _, _)| self.names.said(&id));
        matches!((identity, name), (Some(Identity::Coordinator(one)), ServerName::DnsName(other)) if one == other.as_ref())
    }

    /// By chain, term, lists, and last by name.
    pub(super) fn believe(
        &self,
        first: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(first, rest, name, ocsp, now) {
            // The name is looked at last: chain, term and lists are good (a test shows each of them refused).
            Err(Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }))
                if self.is_named(first, name) =>
            {
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    /// Whether who shows a certificate has its key is as ever.
    pub(super) fn signatures(&self) -> &WebPkiServerVerifier {
        &self.inner
    }
}
