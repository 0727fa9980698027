//! One reading of certificate files, as TLS uses it.

use super::{
    ALPN_PLANE,
    files::{Raw, TlsError, TlsFiles, blocks},
    identity::{Peer, peer_of},
    moment::Moment,
    names::Names,
    servers::Servers,
    term::{Term, ends},
    witness::{LastDistrust, Witness, said},
};
use crate::{clock::Wall, expiry::Expiry};
use rustls::{
    CertificateError as C, Error, RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};
use shared::time::Timestamp;
use std::{path::PathBuf, sync::Arc};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// One consistent reading of the files.
pub struct Material {
    /// Who we are.
    pub us: Peer,
    /// Whom ids name.
    pub names: Arc<Names>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Arc<dyn ClientCertVerifier>,
    servers: Servers,
    provider: Arc<CryptoProvider>,
    term: Term,
    ends: Vec<Expiry>,
    crl: Option<PathBuf>,
    /// By which everything is judged.
    moment: Arc<Moment>,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("us", &self.us).finish_non_exhaustive()
    }
}

/// Judgement of a peer whose session is already open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It would be let in again.
    Good,
    /// It would not be let in again, but nothing was said against it (its CRL has expired).
    Doubtful(String),
    /// Revoked, expired, or no longer signed by anybody we believe.
    Bad(String),
}

impl Material {
    /// All must be there and fit.
    pub(super) fn of(raw: &Raw, files: &TlsFiles, wall: Wall) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut store = RootCertStore::empty();
        let roots = blocks::<CertificateDer<'static>>(&raw.ca, &files.ca, "certificates")?;
        for root in &roots {
            store.add(root.clone()).map_err(unusable("CA certificate"))?;
        }
        let store = Arc::new(store);
        let lists: Vec<CertificateRevocationListDer<'static>> = match (&raw.crl, &files.crl) {
            (Some(bytes), Some(path)) => blocks(bytes, path, "revocation lists")?,
            _ => Vec::new(),
        };
        let chain = blocks::<CertificateDer<'static>>(&raw.cert, &files.cert, "a certificate")?;
        let term = Term::of(&chain, &lists);
        let mut clients = WebPkiClientVerifier::builder_with_provider(store.clone(), provider.clone());
        let mut servers = WebPkiServerVerifier::builder_with_provider(store, provider.clone());
        if !lists.is_empty() {
            for name in bare(&roots, &lists) {
                tracing::warn!(ca = name, "no revocation list of this CA: nobody whom it signed can be revoked");
            }
            clients =
                clients.with_crls(lists.clone()).allow_unknown_revocation_status().enforce_revocation_expiration();
            servers =
                servers.with_crls(lists.clone()).allow_unknown_revocation_status().enforce_revocation_expiration();
        }
        let key = PrivateKeyDer::from_pem_slice(&raw.key).map_err(|error| TlsError::Pem {
            path: files.key.clone(),
            wanted: "a private key",
            found: error.to_string(),
        })?;
        let names = Arc::new(Names::of(&files.trust_domain, &files.identities)?);
        let us = peer_of(&chain, &names).map_err(|source| TlsError::Identity { path: files.cert.clone(), source })?;
        let material = Self {
            ends: ends(&us, &roots, &lists),
            us,
            term,
            chain,
            key,
            clients: clients.build().map_err(unusable("roots and CRLs for clients"))?,
            servers: Servers::new(servers.build().map_err(unusable("roots and CRLs for servers"))?, names.clone()),
            names,
            provider,
            crl: files.crl.clone(),
            moment: Arc::new(Moment(wall)),
        };
        // A certificate that does not fit its key is seen here, not at the first connection: a renewal may have been
        // half written when we read it.
        material.server(&[ALPN_PLANE])?;
        Ok(material)
    }

    /// A server that demands a client certificate and speaks `alpns`.
    pub fn server(&self, alpns: &[&[u8]]) -> Result<rustls::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_details(self.provider.clone(), self.moment.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable("TLS 1.3"))?
            .with_client_cert_verifier(self.clients.clone())
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(unusable("certificate and key"))?;
        config.alpn_protocols = alpns.iter().map(|alpn| alpn.to_vec()).collect();
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// When our certificate, what we believe and the lists end.
    pub fn expiries(&self) -> &[Expiry] {
        &self.ends
    }

    /// Now, by the clock by which certificates are judged.
    pub fn now(&self) -> Timestamp {
        self.moment.now()
    }

    /// Our own certificate, an authority or a list is over.
    pub(crate) fn something_ended(&self, now: Timestamp) -> bool {
        self.ends.iter().any(|end| end.at <= now)
    }

    /// Could we serve with it now? Says what has run out, and since when.
    pub fn in_force(&self) -> Result<(), String> {
        self.term.holds_at(self.now().0.div_euclid(1000))
    }

    /// A client that presents our certificate and speaks `alpn`. Whom it does not believe is also kept there, with why.
    pub(crate) fn client(&self, alpn: &[u8]) -> Result<(rustls::ClientConfig, LastDistrust), TlsError> {
        let kept = LastDistrust::default();
        let witness = Witness::new(self.servers.clone(), kept.clone(), self.crl.clone());
        let mut config = rustls::ClientConfig::builder_with_details(self.provider.clone(), self.moment.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable("TLS 1.3"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(witness))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(unusable("certificate and key"))?;
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok((config, kept))
    }

    /// Judges a client whose session is open, by the same verifier that lets clients in.
    pub fn judge_client(&self, chain: &[CertificateDer<'_>]) -> Standing {
        let Some((first, rest)) = chain.split_first() else { return Standing::missing() };
        self.standing(self.clients.verify_client_cert(first, rest, self.moment.unix()).err())
    }

    /// Judges a server whose session is open, by the same verifier that believed it when it was dialled as `name`.
    pub fn judge_server(&self, chain: &[CertificateDer<'_>], name: &ServerName<'_>) -> Standing {
        let Some((first, rest)) = chain.split_first() else { return Standing::missing() };
        self.standing(self.servers.believe(first, rest, name, &[], self.moment.unix()).err())
    }

    /// An expired CRL keeps new ones out but ends no session: it would end every barrier at once and says nothing
    /// against anybody.
    fn standing(&self, error: Option<Error>) -> Standing {
        let Some(error) = error else { return Standing::Good };
        let why = said(&error, self.crl.as_deref());
        match error {
            Error::InvalidCertificate(C::ExpiredRevocationList | C::ExpiredRevocationListContext { .. }) => {
                Standing::Doubtful(why)
            }
            _ => Standing::Bad(why),
        }
    }
}

impl Standing {
    fn missing() -> Self {
        Self::Bad("no certificate".to_owned())
    }
}

/// Names of the CAs that no list speaks of.
fn bare(roots: &[CertificateDer<'_>], lists: &[CertificateRevocationListDer<'_>]) -> Vec<String> {
    let lists: Vec<_> = lists.iter().filter_map(|list| CertificateRevocationList::from_der(list).ok()).collect();
    let named = |root: &X509Certificate<'_>| lists.iter().any(|(_, list)| list.issuer() == root.subject());
    let roots = roots.iter().filter_map(|root| X509Certificate::from_der(root).ok());
    roots.filter(|(_, root)| !named(root)).map(|(_, root)| root.subject().to_string()).collect()
}

fn unusable<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> TlsError {
    move |source| TlsError::Unusable { what, source: Box::new(source) }
}
