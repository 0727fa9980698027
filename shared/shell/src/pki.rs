//! A small certificate authority in a folder, for installations without one: `coordinator pki …`.
//!
//! ```text
//! ca.crt ca.key   the authority; its URI SAN is spiffe://<trust-domain>
//! <kind>-<name>.crt .key   what was issued; the name made readable where a file cannot bear it
//! crl.pem         who is no longer believed; copied to every program
//! index           one line per certificate: serial kind name (as in its SPIFFE id) not-after valid|revoked
//! ```
//! Keys are Ed25519 (small, and signatures of one length make traces reproducible, `facts/tech.md` §2) and readable by
//! their owner only. Nothing is ever overwritten but `crl.pem` and `index`, and these by rename.

use crate::tls::serial_hex;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevokedCertParams,
    SanType, SerialNumber,
};
use shared::plane_name::{file_stem, is_name, is_plain, path_segment, readable};
use std::{
    fmt, fs, io,
    net::IpAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

mod files;
#[cfg(test)]
mod tests;

use files::{create, file, replace};

/// How long the authority and its CRL live. A CRL that expired would keep everybody out, so it is made anew at every
/// revocation and otherwise lasts as long as what it speaks of.
const CA_DAYS: i64 = 3650;
/// How long an issued certificate lives.
const LEAF_DAYS: i64 = 365;
/// Longest common name (RFC 5280, ub-common-name). It is for people; programs read the SPIFFE id.
const MAX_COMMON_NAME: usize = 64;
/// Certificates are valid from a little before now, for machines whose clocks are behind.
const SKEW: Duration = Duration::minutes(5);

/// Who a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plane actor; name: `k8sClusterName`.
    Plane,
    /// A person or a script with the console.
    Admin,
    /// A coordinator; needs the DNS names or addresses that planes dial.
    Coordinator,
}

impl Kind {
    /// As in the SPIFFE id and in file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plane => "plane",
            Self::Admin => "admin",
            Self::Coordinator => "coordinator",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the authority could not do it.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// It is there already and is never overwritten.
    #[error("{0} exists; move it away first, or choose another name")]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name that cannot stand in a SPIFFE id and a file name.
    #[error("{0:?} is no name: 1 to 100 of A-Z a-z 0-9 . - _ , beginning and ending with a letter or digit")]
    Name(String),
    /// No `k8sClusterName` either.
    #[error("{0:?} is no k8sClusterName: 1 to 253 characters, none invisible, no empty, . or .. between slashes")]
    Plane(String),
    /// A coordinator without an address that planes could check.
    #[error("a coordinator certificate needs at least one DNS name or IP address that planes dial")]
    NoAddress,
    /// A DNS name that cannot stand in a certificate.
    #[error("{0:?} is no DNS name")]
    Dns(String),
    /// Not a certificate authority made by `pki init`.
    #[error("{path} is not an authority made by `pki init`: {what}")]
    NotOurs {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Nothing with this serial was issued here.
    #[error("no certificate with serial {0} in the index; see its first column")]
    UnknownSerial(String),
    /// It was revoked before.
    #[error("serial {0} is revoked already")]
    Revoked(String),
    /// The certificate could not be made.
    #[error("cannot make {what}")]
    Make {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
}

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

/// Makes an authority in `dir` (created if absent, for its owner only), with an empty CRL and index.
pub fn init(dir: &Path, trust_domain: &str) -> Result<(), PkiError> {
    check_name(trust_domain)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file(dir))?;
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(make("CA key"))?;
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(CA_DAYS);
    params.distinguished_name = common_name(&format!("Isochron {trust_domain}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![SanType::URI(ia5(&format!("spiffe://{trust_domain}"))?)];
    let cert = params.self_signed(&key).map_err(make("CA certificate"))?;
    create(&dir.join("ca.key"), &key.serialize_pem(), 0o600)?;
    create(&dir.join("ca.crt"), &cert.pem(), 0o644)?;
    create(&dir.join("index"), "", 0o644)?;
    write_crl(dir, &Authority::open(dir)?, &[])
}

/// Issues a certificate. `names` are DNS names or IP addresses; only a coordinator needs any. Its own name is one more:
/// what a load balancer will be called is often not known yet, and `serverName` in the planes' configuration then is this.
pub fn issue(dir: &Path, kind: Kind, name: &str, names: &[String]) -> Result<Issued, PkiError> {
    match kind {
        Kind::Plane if is_name(name) => {}
        Kind::Plane => return Err(PkiError::Plane(name.to_owned())),
        Kind::Admin | Kind::Coordinator => check_name(name)?,
    }
    if kind == Kind::Coordinator && names.is_empty() {
        return Err(PkiError::NoAddress);
    }
    let authority = Authority::open(dir)?;
    let stem = file_stem(name);
    let cert_path = dir.join(format!("{kind}-{stem}.crt"));
    let key_path = dir.join(format!("{kind}-{stem}.key"));
    if let Some(path) = [&cert_path, &key_path].into_iter().find(|path| path.exists()) {
        return Err(PkiError::Exists(path.clone()));
    }
    let segment = path_segment(name);
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(make("key"))?;
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now - SKEW;
    params.not_after = (now + Duration::days(LEAF_DAYS)).min(authority.not_after);
    params.distinguished_name = common_name(&readable(&format!("{kind} {name}"), MAX_COMMON_NAME, |_| true));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![match kind {
        Kind::Plane | Kind::Admin => ExtendedKeyUsagePurpose::ClientAuth,
        Kind::Coordinator => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    params.subject_alt_names =
        vec![SanType::URI(ia5(&format!("spiffe://{}/{kind}/{segment}", authority.trust_domain))?)];
    let own = (kind == Kind::Coordinator && !names.iter().any(|other| other == name) && check_dns(name).is_ok())
        .then(|| name.to_owned());
    for text in own.iter().chain(names) {
        params.subject_alt_names.push(match text.parse::<IpAddr>() {
            Ok(ip) => SanType::IpAddress(ip),
            Err(_) => SanType::DnsName(ia5(check_dns(text)?)?),
        });
    }
    let cert = params.signed_by(&key, &authority.issuer).map_err(make("certificate"))?;
    let serial = {
        let (_, parsed) =
            X509Certificate::from_der(cert.der()).map_err(|_| not_ours(&cert_path, "the certificate just made"))?;
        serial_hex(parsed.tbs_certificate.raw_serial())
    };
    // The index first: a certificate that is not in it could not be revoked.
    let mut entries = read_index(dir)?;
    entries.push(Entry {
        serial: serial.clone(),
        kind: kind.to_string(),
        name: segment,
        not_after: params.not_after.unix_timestamp(),
        revoked: None,
    });
    write_index(dir, &entries)?;
    create(&key_path, &key.serialize_pem(), 0o600)?;
    create(&cert_path, &cert.pem(), 0o644)?;
    Ok(Issued { serial, cert: cert_path, key: key_path })
}

/// The trust domain of the authority in `dir`.
pub fn trust_domain(dir: &Path) -> Result<String, PkiError> {
    Authority::open(dir).map(|authority| authority.trust_domain)
}

/// Revokes what was issued: index and CRL are made anew. Programs read a changed `crl.pem` by themselves.
pub fn revoke(dir: &Path, serial: &str) -> Result<(), PkiError> {
    let wanted = serial.replace(':', "").to_ascii_lowercase();
    let wanted = wanted.trim_start_matches('0');
    let authority = Authority::open(dir)?;
    let mut entries = read_index(dir)?;
    let entry = entries
        .iter_mut()
        .find(|entry| entry.serial == wanted)
        .ok_or_else(|| PkiError::UnknownSerial(wanted.to_owned()))?;
    if entry.revoked.is_some() {
        return Err(PkiError::Revoked(wanted.to_owned()));
    }
    entry.revoked = Some(OffsetDateTime::now_utc().unix_timestamp());
    write_index(dir, &entries)?;
    write_crl(dir, &authority, &entries)
}

/// The authority as it stands in its folder.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    trust_domain: String,
    not_after: OffsetDateTime,
}

impl Authority {
    fn open(dir: &Path) -> Result<Self, PkiError> {
        let (cert_path, key_path) = (dir.join("ca.crt"), dir.join("ca.key"));
        let pem = fs::read_to_string(&cert_path).map_err(file(&cert_path))?;
        let key = fs::read_to_string(&key_path).map_err(file(&key_path))?;
        let key = KeyPair::from_pem(&key).map_err(|error| not_ours(&key_path, error))?;
        let der = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(
            pem.as_bytes(),
        )
        .map_err(|error| not_ours(&cert_path, error))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| not_ours(&cert_path, error))?;
        let sans = parsed.subject_alternative_name().map_err(|error| not_ours(&cert_path, error))?;
        let names = sans.map(|san| san.value.general_names.as_slice()).unwrap_or_default();
        let trust_domain = names
            .iter()
            .find_map(|name| match name {
                GeneralName::URI(uri) => uri.strip_prefix("spiffe://"),
                _ => None,
            })
            .ok_or_else(|| not_ours(&cert_path, "no URI SAN spiffe://<trust-domain>"))?
            .to_owned();
        let not_after = parsed.validity().not_after.to_datetime();
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| not_ours(&cert_path, error))?;
        Ok(Self { issuer, trust_domain, not_after })
    }
}

/// One line of the index.
struct Entry {
    serial: String,
    kind: String,
    name: String,
    not_after: i64,
    revoked: Option<i64>,
}

fn read_index(dir: &Path) -> Result<Vec<Entry>, PkiError> {
    let path = dir.join("index");
    let text = fs::read_to_string(&path).map_err(file(&path))?;
    text.lines()
        .enumerate()
        .map(|(number, line)| {
            parse_entry(line).ok_or_else(|| not_ours(&path, format!("line {} cannot be read", number + 1)))
        })
        .collect()
}

fn parse_entry(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let entry = Entry {
        serial: words.next()?.to_owned(),
        kind: words.next()?.to_owned(),
        name: words.next()?.to_owned(),
        not_after: words.next()?.parse().ok()?,
        revoked: match words.next()? {
            "valid" => None,
            word => Some(word.strip_prefix("revoked:")?.parse().ok()?),
        },
    };
    words.next().is_none().then_some(entry)
}

fn write_index(dir: &Path, entries: &[Entry]) -> Result<(), PkiError> {
    let mut text = String::new();
    for entry in entries {
        let state = entry.revoked.map_or("valid".to_owned(), |at| format!("revoked:{at}"));
        text += &format!("{} {} {} {} {state}\n", entry.serial, entry.kind, entry.name, entry.not_after);
    }
    replace(&dir.join("index"), &text)
}

fn write_crl(dir: &Path, authority: &Authority, entries: &[Entry]) -> Result<(), PkiError> {
    let path = dir.join("crl.pem");
    let revoked: Vec<RevokedCertParams> = entries
        .iter()
        .filter_map(|entry| {
            let at = OffsetDateTime::from_unix_timestamp(entry.revoked?).ok()?;
            Some((entry, at))
        })
        .map(|(entry, at)| {
            let serial = hex_bytes(&entry.serial)
                .ok_or_else(|| not_ours(&dir.join("index"), format!("serial {} is no hex", entry.serial)))?;
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: at,
                reason_code: None,
                invalidity_date: None,
            })
        })
        .collect::<Result<_, PkiError>>()?;
    let params = CertificateRevocationListParams {
        this_update: OffsetDateTime::now_utc() - SKEW,
        next_update: authority.not_after,
        // Grows with every list: each holds one entry more than the one before.
        crl_number: SerialNumber::from(revoked.len() as u64 + 1),
        issuing_distribution_point: None,
        revoked_certs: revoked,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let crl = params.signed_by(&authority.issuer).map_err(make("CRL"))?;
    replace(&path, &crl.pem().map_err(make("CRL"))?)
}

fn hex_bytes(hex: &str) -> Option<Vec<u8>> {
    let even = if hex.len().is_multiple_of(2) { hex.to_owned() } else { format!("0{hex}") };
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(even.get(at..at + 2)?, 16).ok()).collect()
}

fn check_name(name: &str) -> Result<(), PkiError> {
    if is_plain(name) { Ok(()) } else { Err(PkiError::Name(name.to_owned())) }
}

fn check_dns(name: &str) -> Result<&str, PkiError> {
    match rustls::pki_types::DnsName::try_from(name) {
        Ok(_) => Ok(name),
        Err(_) => Err(PkiError::Dns(name.to_owned())),
    }
}

fn ia5(text: &str) -> Result<rcgen::string::Ia5String, PkiError> {
    text.try_into().map_err(make("name"))
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn make(what: &'static str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Make { what, source }
}

fn not_ours(path: &Path, what: impl fmt::Display) -> PkiError {
    PkiError::NotOurs { path: path.to_owned(), what: what.to_string() }
}
