//! A new certificate with a new key in the place of one that ends.

use super::{
    Kind,
    authority::Authority,
    error::{PkiError, file, not_ours},
    files::{alone, create, remove, set_aside},
    index::{self, Entry},
    issue::{Issued, Made, usual_end},
    names::{check, paths},
};
use crate::tls::serial_hex;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use shared::time::Timestamp;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What was renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The new one, where the old one lay.
    pub new: Issued,
    /// The old one, good until it ends or is revoked.
    pub old: Issued,
}

/// Issues again what lies there for this kind and name: the same names, a new key, signed by the newest authority. The
/// old files get their serial into their names first, so nothing is overwritten; who reads between the two renames sees
/// a certificate without its key, and goes on with what it has. Older ones of the same name that have ended are removed.
pub fn renew(dir: &Path, kind: Kind, name: &str, now: Timestamp) -> Result<Renewed, PkiError> {
    renew_until(dir, kind, name, now, usual_end(kind, name, now))
}

/// The same with an end of the caller's choice.
pub fn renew_until(dir: &Path, kind: Kind, name: &str, now: Timestamp, until: Timestamp) -> Result<Renewed, PkiError> {
    check(kind, name)?;
    let authority = Authority::open(dir)?;
    let _alone = alone(dir)?;
    let (cert, key) = paths(dir, kind, name);
    for path in [&cert, &key] {
        if !path.exists() {
            return Err(PkiError::NotHere { kind, name: name.to_owned(), path: path.clone() });
        }
    }
    let (serial, names) = read(&cert)?;
    let (old_cert, old_key) = aside(&cert, &serial);
    let old = Issued { cert: old_cert, key: old_key, serial };
    let made = Made::new(&authority, kind, name, &names, (now, until))?;
    let (new_cert, new_key) = (cert.with_extension("crt.new"), key.with_extension("key.new"));
    create(&new_key, &made.key, 0o600)?;
    create(&new_cert, &made.cert, 0o644)?;
    made.enter(dir)?;
    set_aside(&key, &old.key)?;
    set_aside(&cert, &old.cert)?;
    set_aside(&new_key, &key)?;
    set_aside(&new_cert, &cert)?;
    remove_ended(dir, &made.entry, &cert, now)?;
    Ok(Renewed { new: Issued { serial: made.entry.serial, cert, key }, old })
}

/// Where a certificate and its key lie once another one has taken their place.
fn aside(cert: &Path, serial: &str) -> (PathBuf, PathBuf) {
    (cert.with_extension(format!("{serial}.crt")), cert.with_extension(format!("{serial}.key")))
}

/// Who renews for years would keep every key that there ever was. What has ended is good for nothing; it stays in the index.
fn remove_ended(dir: &Path, newest: &Entry, cert: &Path, now: Timestamp) -> Result<(), PkiError> {
    let ended = |one: &Entry| one.kind == newest.kind && one.name == newest.name && one.has_ended(now);
    for one in index::read(dir)?.into_iter().filter(ended) {
        let (cert, key) = aside(cert, &one.serial);
        remove(&key)?;
        remove(&cert)?;
    }
    Ok(())
}

/// Serial, and the DNS names and addresses in it.
fn read(path: &Path) -> Result<(String, Vec<String>), PkiError> {
    let pem = fs::read(path).map_err(file(path))?;
    let der = CertificateDer::from_pem_slice(&pem).map_err(|error| not_ours(path, error))?;
    let (_, cert) = X509Certificate::from_der(&der).map_err(|error| not_ours(path, error))?;
    let sans = cert.subject_alternative_name().map_err(|error| not_ours(path, error))?;
    let names = sans.map(|san| san.value.general_names.as_slice()).unwrap_or_default();
    let names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(dns) => Some((*dns).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    });
    Ok((serial_hex(cert.tbs_certificate.raw_serial()), names.collect()))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)))).ok()
}
