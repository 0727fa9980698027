//! The authority as it stands in its folder: one root, or two while the newer takes over.

use super::{
    error::{PkiError, file, make, not_ours},
    names::{common_name, ia5},
};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use shared::time::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// How long an authority and its CRL live. A CRL that expired would keep everybody out, so it is made anew at every
/// revocation and otherwise lasts as long as what it speaks of.
const CA_DAYS: i64 = 3650;
/// Certificates are valid from a little before now, for machines whose clocks are behind.
pub(super) const SKEW: Duration = Duration::minutes(5);

/// Ends a certificate in PEM.
const END: &str = "-----END CERTIFICATE-----";

/// One root with its key.
pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) trust_domain: String,
    pub(super) not_after: OffsetDateTime,
    /// 1 is the first; each has a name of its own, or a list of the revoked could be taken for the other's.
    pub(super) number: u64,
    pub(super) pem: String,
}

impl Authority {
    /// The newest, which signs.
    pub(super) fn open(dir: &Path) -> Result<Self, PkiError> {
        let key = dir.join("ca.key");
        Self::of(dir, &key)?.ok_or_else(|| not_ours(&dir.join("ca.crt"), "no certificate of ca.key"))
    }

    /// All that `ca.crt` holds, the newest first. A key whose certificate is no longer there is retired.
    pub(super) fn all(dir: &Path) -> Result<Vec<Self>, PkiError> {
        let newest = Self::open(dir)?;
        let older = (1..newest.number).rev().map(|number| older_key(dir, number)).filter(|key| key.exists());
        let older: Vec<_> = older.map(|key| Self::of(dir, &key)).collect::<Result<_, _>>()?;
        Ok(std::iter::once(newest).chain(older.into_iter().flatten()).collect())
    }

    fn of(dir: &Path, key_path: &Path) -> Result<Option<Self>, PkiError> {
        let path = dir.join("ca.crt");
        let text = fs::read_to_string(&path).map_err(file(&path))?;
        let key = fs::read_to_string(key_path).map_err(file(key_path))?;
        let key = KeyPair::from_pem(&key).map_err(|error| not_ours(key_path, error))?;
        let ours = key.subject_public_key_info();
        for pem in text.split_inclusive(END).filter(|block| block.ends_with(END)) {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| not_ours(&path, error))?;
            let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| not_ours(&path, error))?;
            if parsed.public_key().raw != ours {
                continue;
            }
            let trust_domain = trust_domain_of(&parsed).map_err(|what| not_ours(&path, what))?;
            let number = number_of(&parsed, &trust_domain);
            let not_after = parsed.validity().not_after.to_datetime();
            let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| not_ours(&path, error))?;
            let pem = format!("{}\n", pem.trim());
            return Ok(Some(Self { issuer, trust_domain, not_after, number, pem }));
        }
        Ok(None)
    }
}

fn trust_domain_of(cert: &X509Certificate<'_>) -> Result<String, String> {
    let sans = cert.subject_alternative_name().map_err(|error| error.to_string())?;
    let names = sans.map(|san| san.value.general_names.as_slice()).unwrap_or_default();
    let uri = names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix("spiffe://"),
        _ => None,
    });
    uri.map(str::to_owned).ok_or_else(|| "no URI SAN spiffe://<trust-domain>".to_owned())
}

fn called(trust_domain: &str, number: u64) -> String {
    if number == 1 { format!("Isochron {trust_domain}") } else { format!("Isochron {trust_domain} {number}") }
}

fn number_of(cert: &X509Certificate<'_>, trust_domain: &str) -> u64 {
    let name = cert.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
    let rest = name.strip_prefix(&called(trust_domain, 1)).and_then(|rest| rest.strip_prefix(' '));
    rest.and_then(|number| number.parse().ok()).unwrap_or(1)
}

/// As certificates say it.
pub(super) fn moment(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The key of an authority that a newer one followed.
pub(super) fn older_key(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("ca-{number}.key"))
}

/// A new root's certificate and key.
pub(super) fn root(trust_domain: &str, number: u64, now: Timestamp) -> Result<(String, String), PkiError> {
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(make("CA key"))?;
    let mut params = CertificateParams::default();
    let now = moment(now);
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(CA_DAYS);
    params.distinguished_name = common_name(&called(trust_domain, number));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![SanType::URI(ia5(&format!("spiffe://{trust_domain}"))?)];
    let cert = params.self_signed(&key).map_err(make("CA certificate"))?;
    Ok((cert.pem(), key.serialize_pem()))
}

/// The trust domain of the authority in `dir`.
pub fn trust_domain(dir: &Path) -> Result<String, PkiError> {
    Authority::open(dir).map(|authority| authority.trust_domain)
}
