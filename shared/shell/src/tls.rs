//! Mutual TLS 1.3 from files: who we are, whom we believe, and who the other end is.
//!
//! Everything is built with an explicit provider (aws-lc-rs), because a process may hold two and rustls then refuses to
//! guess. Session tickets are off on the server and resumption on the client: a resumed session would skip the CRL, the
//! roots and the identity (`facts/tech.md` §2, "resumption hole"); without tickets 0-RTT is impossible as well.

mod term;

use crate::link::Identity;
use rustls::{
    RootCertStore,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};
use shared::plane_name::of_path_segment;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use term::Term;
use tokio::sync::watch;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Trust domain of every program, of `pki init` and of the manifests, unless somebody says otherwise: then in all of
/// them.
pub const TRUST_DOMAIN: &str = "isochron.local";

/// ALPN of a plane's connection.
pub const ALPN_PLANE: &[u8] = b"isochron-plane/1";
/// ALPN of an admin's connection.
pub const ALPN_ADMIN: &[u8] = b"isochron-admin/1";

/// How often files are read again. Kubernetes itself needs about a minute to bring a changed secret into a pod.
pub const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// Largest file that is read. A CRL with 10 000 entries is about 400 KiB.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Where the PEM files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the CAs that are believed.
    pub ca: PathBuf,
    /// Our certificate, then any intermediates.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Revocation lists, one PEM block per CA. When given, every CA of a peer's chain needs one and it must not have
    /// expired; when absent, nobody is revoked.
    pub crl: Option<PathBuf>,
    /// The only trust domain that is believed (`spiffe://<trust-domain>/…`).
    pub trust_domain: String,
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It could not be read.
    #[error("cannot read {path}: check that it exists and may be read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path} does not hold {wanted} in PEM: {found}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What was found.
        found: String,
    },
    /// Certificate, key, roots or CRL do not fit together.
    #[error("certificate files do not fit together ({what})")]
    Unusable {
        /// Which part.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Our own certificate names no identity.
    #[error("certificate {path} cannot be ours")]
    Identity {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: IdentityError,
    },
}

/// Why a certificate gives no identity.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    /// The handshake left no certificate.
    #[error("no certificate was presented")]
    Missing,
    /// It is not X.509 as we read it.
    #[error("certificate cannot be read")]
    Malformed,
    /// There must be exactly one, so that nobody is two.
    #[error("certificate has {0} SPIFFE ids, it must have exactly one URI SAN spiffe://<trust-domain>/<kind>/<name>")]
    Count(usize),
    /// Another trust domain, kind or form.
    #[error(
        "{uri} is not spiffe://{trust_domain}/{{plane|admin|coordinator}}/<name>, with %XX for every character of the name \
         but letters, digits and - . _ ~"
    )]
    Foreign {
        /// What the certificate says.
        uri: String,
        /// What is believed.
        trust_domain: String,
    },
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Kind and name.
    pub identity: Identity,
    /// Serial of its certificate, lower-case hex without leading zeros.
    pub serial: String,
}

/// The identity of the first certificate of a chain.
pub fn peer_of(chain: &[CertificateDer<'_>], trust_domain: &str) -> Result<Peer, IdentityError> {
    let first = chain.first().ok_or(IdentityError::Missing)?;
    let (_, cert) = X509Certificate::from_der(first).map_err(|_| IdentityError::Malformed)?;
    let sans = cert.subject_alternative_name().map_err(|_| IdentityError::Malformed)?;
    let names = sans.map(|san| san.value.general_names.as_slice()).unwrap_or_default();
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with("spiffe://") => Some(*uri),
            _ => None,
        })
        .collect();
    let [uri] = uris.as_slice() else { return Err(IdentityError::Count(uris.len())) };
    let identity = parse_spiffe(uri, trust_domain)
        .ok_or_else(|| IdentityError::Foreign { uri: (*uri).to_owned(), trust_domain: trust_domain.to_owned() })?;
    Ok(Peer { identity, serial: serial_hex(cert.tbs_certificate.raw_serial()) })
}

/// `spiffe://<trust-domain>/<kind>/<name>`, nothing more and nothing less; the name percent-encoded in one form only.
fn parse_spiffe(uri: &str, trust_domain: &str) -> Option<Identity> {
    let path = uri.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?.strip_prefix('/')?;
    let (kind, segment) = path.split_once('/')?;
    let name = of_path_segment(segment)?;
    match kind {
        "plane" => Some(Identity::Plane(name)),
        "admin" => Some(Identity::Admin(name)),
        "coordinator" => Some(Identity::Coordinator(name)),
        _ => None,
    }
}

/// The one way in which serials are written: in links, in the PKI's index, in `revoke`.
pub fn serial_hex(serial: &[u8]) -> String {
    let hex: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    let trimmed = hex.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}

/// One consistent reading of the files.
pub struct Material {
    /// Who we are.
    pub us: Peer,
    /// The only trust domain that is believed.
    pub trust_domain: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: Arc<dyn ClientCertVerifier>,
    servers: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    term: Term,
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
    /// It would not be let in again, but nothing was said against it (its CRL has expired or is missing).
    Doubtful(String),
    /// Revoked, expired, or no longer signed by anybody we believe.
    Bad(String),
}

impl Material {
    /// A server that demands a client certificate and speaks `alpns`.
    pub fn server(&self, alpns: &[&[u8]]) -> Result<rustls::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(self.provider.clone())
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

    /// Could we serve with it now? Says what has run out, and since when.
    pub fn in_force(&self) -> Result<(), String> {
        self.term.holds_at(i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX))
    }

    /// A client that presents our certificate and speaks `alpn`.
    pub fn client(&self, alpn: &[u8]) -> Result<rustls::ClientConfig, TlsError> {
        let mut config = rustls::ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable("TLS 1.3"))?
            .with_webpki_verifier(self.servers.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(unusable("certificate and key"))?;
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        Ok(config)
    }

    /// Judges a client whose session is open, by the same verifier that lets clients in. An expired CRL keeps new ones
    /// out but ends no session: it would end every barrier at once and says nothing against anybody.
    pub fn judge_client(&self, chain: &[CertificateDer<'_>]) -> Standing {
        use rustls::{CertificateError as C, Error};
        let Some((first, rest)) = chain.split_first() else { return Standing::Bad("no certificate".to_owned()) };
        match self.clients.verify_client_cert(first, rest, UnixTime::now()) {
            Ok(_) => Standing::Good,
            Err(
                error @ Error::InvalidCertificate(
                    C::UnknownRevocationStatus | C::ExpiredRevocationList | C::ExpiredRevocationListContext { .. },
                ),
            ) => Standing::Doubtful(error.to_string()),
            Err(error) => Standing::Bad(error.to_string()),
        }
    }
}

fn unusable<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> TlsError {
    move |source| TlsError::Unusable { what, source: Box::new(source) }
}

/// The bytes of all files, to see whether anything changed: times and links of mounted secrets say too little.
#[derive(PartialEq, Eq)]
struct Raw {
    ca: Vec<u8>,
    cert: Vec<u8>,
    key: Vec<u8>,
    crl: Option<Vec<u8>>,
}

impl Raw {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            ca: read(&files.ca)?,
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            crl: files.crl.as_deref().map(read).transpose()?,
        })
    }

    fn material(&self, files: &TlsFiles) -> Result<Material, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for root in blocks::<CertificateDer<'static>>(&self.ca, &files.ca, "certificates")? {
            roots.add(root).map_err(unusable("CA certificate"))?;
        }
        let roots = Arc::new(roots);
        let crls: Vec<CertificateRevocationListDer<'static>> = match (&self.crl, &files.crl) {
            (Some(bytes), Some(path)) => blocks(bytes, path, "revocation lists")?,
            _ => Vec::new(),
        };
        let chain = blocks::<CertificateDer<'static>>(&self.cert, &files.cert, "a certificate")?;
        let term = Term::of(&chain, &crls);
        let mut clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let mut servers = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        if !crls.is_empty() {
            clients = clients.with_crls(crls.clone()).enforce_revocation_expiration();
            servers = servers.with_crls(crls).enforce_revocation_expiration();
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| TlsError::Pem {
            path: files.key.clone(),
            wanted: "a private key",
            found: error.to_string(),
        })?;
        let us = peer_of(&chain, &files.trust_domain)
            .map_err(|source| TlsError::Identity { path: files.cert.clone(), source })?;
        let material = Material {
            us,
            term,
            trust_domain: files.trust_domain.clone(),
            chain,
            key,
            clients: clients.build().map_err(unusable("roots and CRLs for clients"))?,
            servers: servers.build().map_err(unusable("roots and CRLs for servers"))?,
            provider,
        };
        // A certificate that does not fit its key is seen here, not at the first connection: a renewal may have been
        // half written when we read it.
        material.server(&[ALPN_PLANE])?;
        Ok(material)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other(format!("{size} bytes are over the limit of {MAX_FILE_BYTES}"))));
    }
    std::fs::read(path).map_err(failed)
}

fn blocks<T: PemObject>(bytes: &[u8], path: &Path, wanted: &'static str) -> Result<Vec<T>, TlsError> {
    let wrong = |found: String| TlsError::Pem { path: path.to_owned(), wanted, found };
    let found: Vec<T> = T::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("no such block".to_owned())) } else { Ok(found) }
}

/// The files, kept up to date. Readers get the newest reading that was whole; a bad one is logged and changes nothing.
pub struct Credentials {
    files: TlsFiles,
    seen: std::sync::Mutex<Raw>,
    current: watch::Sender<Arc<Material>>,
}

impl Credentials {
    /// Reads the files; all must be there and fit.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let raw = Raw::read(&files)?;
        let (current, _) = watch::channel(Arc::new(raw.material(&files)?));
        Ok(Arc::new(Self { files, seen: std::sync::Mutex::new(raw), current }))
    }

    /// The newest whole reading.
    pub fn current(&self) -> Arc<Material> {
        self.current.borrow().clone()
    }

    /// Told of every new reading.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Material>> {
        self.current.subscribe()
    }

    /// Reads the files again. True: something changed and is now in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let raw = Raw::read(&self.files)?;
        // A poisoned lock only means that a reader panicked between two whole values.
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *seen == raw {
            return Ok(false);
        }
        let material = raw.material(&self.files)?;
        *seen = raw;
        self.current.send_replace(Arc::new(material));
        Ok(true)
    }

    /// Reads the files again every `every`, for as long as the process lives.
    pub async fn keep_fresh(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let credentials = self.clone();
            match tokio::task::spawn_blocking(move || credentials.reload()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!(us = %self.current().us.identity, "certificate files reloaded"),
                Ok(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "certificate files cannot be used, the ones before stay in use");
                }
                Err(error) => tracing::warn!(%error, "reading certificate files did not end"),
            }
        }
    }
}
