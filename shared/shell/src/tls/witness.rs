//! Whom we did not believe, and why. QUIC hands on only that a handshake failed.

use super::{
    identity::{peer_of, serial_of},
    servers::Servers,
};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// A certificate that was shown to us and not believed. Who it names is what it says, not what is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// Kind and name in it, or what there is instead.
    pub peer: String,
    /// Its serial; empty where it cannot be read.
    pub serial: String,
    /// What speaks against it.
    pub why: String,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, serial {}, is not believed: {}", self.peer, self.serial, self.why)
    }
}

/// Filled at most once, by one handshake.
pub(crate) type LastDistrust = Arc<OnceLock<Distrust>>;

/// Believes as `inner` does.
#[derive(Debug)]
pub(super) struct Witness {
    inner: Servers,
    kept: LastDistrust,
    crl: Option<PathBuf>,
}

impl Witness {
    pub(super) fn new(inner: Servers, kept: LastDistrust, crl: Option<PathBuf>) -> Self {
        Self { inner, kept, crl }
    }

    fn keep(&self, first: &CertificateDer<'_>, error: &Error) {
        let peer = match peer_of(std::slice::from_ref(first), self.inner.names()) {
            Ok(peer) => peer.identity.to_string(),
            Err(_) => "a stranger".to_owned(),
        };
        let serial = serial_of(first).unwrap_or_default();
        let why = said(error, self.crl.as_deref());
        // One handshake shows one certificate.
        let _ = self.kept.set(Distrust { peer, serial, why });
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        first: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner.believe(first, rest, name, ocsp, now).inspect_err(|error| self.keep(first, error))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.signatures().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.signatures().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.signatures().supported_verify_schemes()
    }
}

/// Why a certificate is not believed, for people: a revoked one by which list.
pub(super) fn said(error: &Error, crl: Option<&Path>) -> String {
    match (error, crl) {
        (Error::InvalidCertificate(CertificateError::Revoked), Some(crl)) => format!("revoked by {}", crl.display()),
        _ => error.to_string(),
    }
}
