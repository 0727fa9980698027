//! A new authority.

use super::{
    authority::{Authority, root},
    crl,
    error::{PkiError, file},
    files::{alone, create},
    names::check_name,
};
use crate::clock::system_wall;
use shared::time::Timestamp;
use std::{fs, os::unix::fs::DirBuilderExt, path::Path};

/// Makes an authority in `dir` (created if absent, for its owner only), with an empty CRL and index.
pub fn init(dir: &Path, trust_domain: &str) -> Result<(), PkiError> {
    init_at(dir, trust_domain, system_wall())
}

/// The same at a moment that is said.
pub fn init_at(dir: &Path, trust_domain: &str, now: Timestamp) -> Result<(), PkiError> {
    check_name(trust_domain)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(file(dir))?;
    let _alone = alone(dir)?;
    let (cert, key) = root(trust_domain, 1, now)?;
    create(&dir.join("ca.key"), &key, 0o600)?;
    create(&dir.join("ca.crt"), &cert, 0o644)?;
    create(&dir.join("index"), "", 0o644)?;
    crl::write(dir, &Authority::all(dir)?, &[], now, None)
}
