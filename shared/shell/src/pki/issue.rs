//! A new certificate.

use super::{
    Kind,
    authority::{Authority, SKEW, moment},
    error::{PkiError, make, not_ours},
    files::{alone, create},
    index::{self, Entry},
    names::{check, check_dns, common_name, ia5, paths},
};
use crate::clock::system_wall;
use crate::tls::serial_hex;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ED25519, SanType};
use shared::plane_name::{path_segment, readable};
use shared::time::Timestamp;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// How long a certificate lives at most, and how many days less at most: what is installed in an afternoon shall not
/// end in one.
const LEAF_DAYS: i64 = 365;
const SPREAD_DAYS: u64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest common name (RFC 5280, ub-common-name). It is for people; programs read the SPIFFE id.
const MAX_COMMON_NAME: usize = 64;

/// What was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Serial, as in the index and in `revoke`.
    pub serial: String,
    /// The certificate's file.
    pub cert: PathBuf,
    /// Its key's file.
    pub key: PathBuf,
}

/// Issues a certificate. `names` are DNS names or IP addresses; only a coordinator needs any. Its own name is one more:
/// what a load balancer will be called is often not known yet, and `serverName` in the planes' configuration then is this.
pub fn issue(dir: &Path, kind: Kind, name: &str, names: &[String]) -> Result<Issued, PkiError> {
    issue_at(dir, kind, name, names, system_wall())
}

/// The same at a moment that is said.
pub fn issue_at(dir: &Path, kind: Kind, name: &str, names: &[String], now: Timestamp) -> Result<Issued, PkiError> {
    issue_until(dir, kind, name, names, now, usual_end(kind, name, now))
}

/// The same with an end of the caller's choice.
pub fn issue_until(
    dir: &Path,
    kind: Kind,
    name: &str,
    names: &[String],
    now: Timestamp,
    until: Timestamp,
) -> Result<Issued, PkiError> {
    check(kind, name)?;
    if kind == Kind::Coordinator && names.is_empty() {
        return Err(PkiError::NoAddress);
    }
    let authority = Authority::open(dir)?;
    let _alone = alone(dir)?;
    let (cert, key) = paths(dir, kind, name);
    if let Some(path) = [&cert, &key].into_iter().find(|path| path.exists()) {
        return Err(PkiError::Exists(path.clone()));
    }
    let own = (kind == Kind::Coordinator && !names.iter().any(|other| other == name) && check_dns(name).is_ok())
        .then(|| name.to_owned());
    let names: Vec<String> = own.into_iter().chain(names.iter().cloned()).collect();
    let made = Made::new(&authority, kind, name, &names, (now, until))?;
    made.enter(dir)?;
    create(&key, &made.key, 0o600)?;
    create(&cert, &made.cert, 0o644)?;
    Ok(Issued { serial: made.entry.serial, cert, key })
}

/// A certificate that stands nowhere yet.
pub(super) struct Made {
    pub(super) entry: Entry,
    pub(super) cert: String,
    pub(super) key: String,
}

impl Made {
    /// `names` exactly: DNS names and addresses. Good from now until an end, at most that of the authority.
    pub(super) fn new(
        authority: &Authority,
        kind: Kind,
        name: &str,
        names: &[String],
        (now, until): (Timestamp, Timestamp),
    ) -> Result<Self, PkiError> {
        let segment = path_segment(name);
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(make("key"))?;
        let mut params = CertificateParams::default();
        params.not_before = moment(now) - SKEW;
        params.not_after = moment(until).min(authority.not_after);
        params.distinguished_name = common_name(&readable(&format!("{kind} {name}"), MAX_COMMON_NAME, |_| true));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![match kind {
            Kind::Plane | Kind::Admin | Kind::Operator | Kind::Viewer => ExtendedKeyUsagePurpose::ClientAuth,
            Kind::Coordinator => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.subject_alt_names =
            vec![SanType::URI(ia5(&format!("spiffe://{}/{kind}/{segment}", authority.trust_domain))?)];
        for text in names {
            params.subject_alt_names.push(match text.parse::<IpAddr>() {
                Ok(ip) => SanType::IpAddress(ip),
                Err(_) => SanType::DnsName(ia5(check_dns(text)?)?),
            });
        }
        let cert = params.signed_by(&key, &authority.issuer).map_err(make("certificate"))?;
        let (_, parsed) =
            X509Certificate::from_der(cert.der()).map_err(|_| not_ours(Path::new("-"), "the certificate just made"))?;
        let entry = Entry {
            serial: serial_hex(parsed.tbs_certificate.raw_serial()),
            kind: kind.to_string(),
            name: segment,
            not_after: params.not_after.unix_timestamp(),
            revoked: None,
            ca: authority.number,
        };
        Ok(Self { entry, cert: cert.pem(), key: key.serialize_pem() })
    }

    /// The index first: a certificate that is not in it could not be revoked.
    pub(super) fn enter(&self, dir: &Path) -> Result<(), PkiError> {
        let mut entries = index::read(dir)?;
        entries.push(self.entry.clone());
        index::write(dir, &entries)
    }
}

/// When a certificate ends of which nothing else is said. Its length is by the name alone (FNV-1a), so that a renewal keeps its
/// distance from the others.
pub(super) fn usual_end(kind: Kind, name: &str, now: Timestamp) -> Timestamp {
    let hash = format!("{kind}/{name}")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The low bits of FNV alone are weak.
    let less = (hash ^ (hash >> 32)) % (SPREAD_DAYS + 1);
    let days = LEAF_DAYS - i64::try_from(less).unwrap_or(0);
    Timestamp(now.0.saturating_add(days * DAY_MS))
}
