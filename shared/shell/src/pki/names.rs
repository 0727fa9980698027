//! Names that may stand in certificates and files.

use super::{
    Kind,
    error::{PkiError, make},
};
use rcgen::{DistinguishedName, DnType, string::Ia5String};
use shared::plane_name::{file_stem, is_name, is_plain};
use std::path::{Path, PathBuf};

pub(super) fn check(kind: Kind, name: &str) -> Result<(), PkiError> {
    match kind {
        Kind::Plane if is_name(name) => Ok(()),
        Kind::Plane => Err(PkiError::Plane(name.to_owned())),
        Kind::Admin | Kind::Operator | Kind::Viewer | Kind::Coordinator => check_name(name),
    }
}

pub(super) fn check_name(name: &str) -> Result<(), PkiError> {
    if is_plain(name) { Ok(()) } else { Err(PkiError::Name(name.to_owned())) }
}

pub(super) fn check_dns(name: &str) -> Result<&str, PkiError> {
    match rustls::pki_types::DnsName::try_from(name) {
        Ok(_) => Ok(name),
        Err(_) => Err(PkiError::Dns(name.to_owned())),
    }
}

/// Where the certificate and the key of somebody lie.
pub(super) fn paths(dir: &Path, kind: Kind, name: &str) -> (PathBuf, PathBuf) {
    let stem = file_stem(name);
    (dir.join(format!("{kind}-{stem}.crt")), dir.join(format!("{kind}-{stem}.key")))
}

pub(super) fn ia5(text: &str) -> Result<Ia5String, PkiError> {
    text.try_into().map_err(make("name"))
}

pub(super) fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
