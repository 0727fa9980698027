//! Who somebody is, by the one SPIFFE id in a certificate.

use super::names::Names;
use crate::link::Identity;
use rustls::pki_types::CertificateDer;
use shared::time::Timestamp;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

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
         but letters, digits and - . _ ~, and no line of `identities` speaks of it"
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
    /// When its certificate ends.
    pub until: Timestamp,
}

/// The identity of the first certificate of a chain.
pub fn peer_of(chain: &[CertificateDer<'_>], names: &Names) -> Result<Peer, IdentityError> {
    let first = chain.first().ok_or(IdentityError::Missing)?;
    let (id, serial, until) = id_of(first)?;
    let trust_domain = names.trust_domain().to_owned();
    let identity = names.identity(&id).ok_or(IdentityError::Foreign { uri: id, trust_domain })?;
    Ok(Peer { identity, serial, until })
}

/// The one SPIFFE id of a certificate, its serial and its end.
pub(super) fn id_of(cert: &CertificateDer<'_>) -> Result<(String, String, Timestamp), IdentityError> {
    let (_, cert) = X509Certificate::from_der(cert).map_err(|_| IdentityError::Malformed)?;
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
    let until = Timestamp(cert.validity().not_after.timestamp().saturating_mul(1000));
    Ok(((*uri).to_owned(), serial_hex(cert.tbs_certificate.raw_serial()), until))
}

/// The serial of a certificate, as [`serial_hex`] writes it; `None`: it cannot be read.
pub(super) fn serial_of(cert: &CertificateDer<'_>) -> Option<String> {
    let (_, cert) = X509Certificate::from_der(cert).ok()?;
    Some(serial_hex(cert.tbs_certificate.raw_serial()))
}

/// The one way in which serials are written: in links, in the PKI's index, in `revoke`.
pub fn serial_hex(serial: &[u8]) -> String {
    let hex: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    let trimmed = hex.trim_start_matches('0');
    if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }
}
