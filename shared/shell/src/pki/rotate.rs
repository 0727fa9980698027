//! One authority follows another. For a while both are believed: what the older one signed goes on until it is renewed.

use super::{
    authority::{Authority, older_key, root},
    crl,
    error::PkiError,
    files::{alone, create, replace, set_aside},
    index,
    list::{State, list},
};
use shared::time::Timestamp;
use std::path::Path;

/// Makes the next authority. `ca.crt` then holds both, and `crl.pem` a list of each: programs must have both files before
/// they are shown anything that the newer one signed. What is issued or renewed from now on, it signs.
pub fn rotate_ca(dir: &Path, now: Timestamp) -> Result<(), PkiError> {
    let _alone = alone(dir)?;
    let authorities = Authority::all(dir)?;
    let [old] = authorities.as_slice() else { return Err(PkiError::Rotating) };
    let (cert, key) = root(&old.trust_domain, old.number + 1, now)?;
    let (ca_key, new_key) = (dir.join("ca.key"), dir.join("ca.key.new"));
    create(&new_key, &key, 0o600)?;
    // With both in it the older key is still found, whatever ends in between.
    replace(&dir.join("ca.crt"), &format!("{cert}{}", old.pem))?;
    set_aside(&ca_key, &older_key(dir, old.number))?;
    set_aside(&new_key, &ca_key)?;
    crl::write(dir, &Authority::all(dir)?, &index::read(dir)?, now, None)
}

/// Takes the older authority out of `ca.crt` and `crl.pem`: nobody is believed any more whom it signed. Refused as long as
/// somebody has nothing newer. Its key stays in the folder.
pub fn retire_ca(dir: &Path, now: Timestamp) -> Result<(), PkiError> {
    let _alone = alone(dir)?;
    let mut authorities = Authority::all(dir)?;
    if authorities.len() < 2 {
        return Err(PkiError::OneAuthority);
    }
    authorities.truncate(1);
    let newest = authorities.first().map_or(0, |authority| authority.number);
    let still =
        list(dir, now)?.into_iter().filter(|one| one.ca < newest && one.state == State::Valid && one.kind != "ca");
    let still: Vec<String> = still.map(|one| format!("{}/{}", one.kind, one.name)).collect();
    if !still.is_empty() {
        return Err(PkiError::StillUsed(still));
    }
    let pem: String = authorities.iter().map(|authority| authority.pem.as_str()).collect();
    replace(&dir.join("ca.crt"), &pem)?;
    crl::write(dir, &authorities, &index::read(dir)?, now, None)
}
