//! Taking a certificate back.

use super::{authority::Authority, crl, error::PkiError, files::alone, index};
use crate::clock::system_wall;
use shared::time::Timestamp;
use std::path::Path;

/// Revokes what was issued: index and CRL are made anew. Programs read a changed `crl.pem` by themselves.
pub fn revoke(dir: &Path, serial: &str) -> Result<(), PkiError> {
    revoke_at(dir, serial, system_wall())
}

/// The same at a moment that is said.
pub fn revoke_at(dir: &Path, serial: &str, now: Timestamp) -> Result<(), PkiError> {
    let wanted = serial.replace(':', "").to_ascii_lowercase();
    let wanted = wanted.trim_start_matches('0');
    let authorities = Authority::all(dir)?;
    let _alone = alone(dir)?;
    let mut entries = index::read(dir)?;
    let entry = entries
        .iter_mut()
        .find(|entry| entry.serial == wanted)
        .ok_or_else(|| PkiError::UnknownSerial(wanted.to_owned()))?;
    if entry.revoked.is_some() {
        return Err(PkiError::Revoked(wanted.to_owned()));
    }
    entry.revoked = Some(now.0.div_euclid(1000));
    index::write(dir, &entries)?;
    crl::write(dir, &authorities, &entries, now, None)
}

/// Makes the lists anew, with an end of the caller's choice: who gets no newer one by then lets nobody new in.
pub fn relist(dir: &Path, now: Timestamp, until: Timestamp) -> Result<(), PkiError> {
    let authorities = Authority::all(dir)?;
    let _alone = alone(dir)?;
    crl::write(dir, &authorities, &index::read(dir)?, now, Some(until))
}
