//! What was issued, and how long it is good for.

use super::{
    authority::Authority,
    error::PkiError,
    index::{self, Entry},
};
use crate::expiry::days_left;
use shared::{plane_name::of_path_segment, time::Timestamp};
use std::{fmt, path::Path};

/// Of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In use, as far as we know.
    Valid,
    /// Good, but there is a newer one of the same name.
    Replaced,
    /// Over.
    Ended,
    /// Taken back.
    Revoked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Replaced => "replaced",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        })
    }
}

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As `revoke` takes it; empty for an authority.
    pub serial: String,
    /// plane, admin, coordinator or ca.
    pub kind: String,
    /// Of whom.
    pub name: String,
    /// Number of the authority that signed it.
    pub ca: u64,
    /// Its end.
    pub not_after: Timestamp,
    /// Whole days until then, below nothing when it is over.
    pub days_left: i64,
    /// What it is good for.
    pub state: State,
}

/// Authorities and everything that was issued, what ends first at the top.
pub fn list(dir: &Path, now: Timestamp) -> Result<Vec<Listed>, PkiError> {
    let entries = index::read(dir)?;
    let mut all: Vec<Listed> = entries.iter().enumerate().map(|(at, entry)| row(&entries, at, entry, now)).collect();
    let authorities = Authority::all(dir)?;
    all.extend(authorities.iter().enumerate().map(|(at, authority)| {
        let state = if at == 0 { State::Valid } else { State::Replaced };
        let end = authority.not_after.unix_timestamp();
        let (kind, name) = ("ca".to_owned(), authority.trust_domain.clone());
        listed(String::new(), kind, name, authority.number, end, state, now)
    }));
    all.sort_by(|a, b| (a.not_after, &a.kind, &a.name).cmp(&(b.not_after, &b.kind, &b.name)));
    Ok(all)
}

fn row(entries: &[Entry], at: usize, entry: &Entry, now: Timestamp) -> Listed {
    let newer = entries.get(at + 1..).unwrap_or_default();
    let same = |other: &Entry| other.kind == entry.kind && other.name == entry.name && other.revoked.is_none();
    let state = match entry.revoked {
        Some(_) => State::Revoked,
        None if newer.iter().any(same) => State::Replaced,
        None => State::Valid,
    };
    let name = of_path_segment(&entry.name).unwrap_or_else(|| entry.name.clone());
    listed(entry.serial.clone(), entry.kind.clone(), name, entry.ca, entry.not_after, state, now)
}

fn listed(serial: String, kind: String, name: String, ca: u64, end: i64, state: State, now: Timestamp) -> Listed {
    let not_after = Timestamp(end.saturating_mul(1000));
    // Ends are whole seconds: a certificate of this second has all of its days.
    let days_left = days_left(not_after, Timestamp(now.0.div_euclid(1000).saturating_mul(1000)));
    let state = if days_left < 0 && state != State::Revoked { State::Ended } else { state };
    Listed { serial, kind, name, ca, not_after, days_left, state }
}
