//! Why the authority could not do it.

use super::Kind;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

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
    /// Nothing of this kind and name was issued here, or its files are elsewhere.
    #[error("cannot renew {kind} {name}: {path} is not here; `pki list` shows what was issued")]
    NotHere {
        /// Of whom.
        kind: Kind,
        /// Of whom.
        name: String,
        /// What is looked for.
        path: PathBuf,
    },
    /// There is no older authority beside the newest.
    #[error("no authority to retire: ca.crt holds one; `pki rotate-ca` makes the next")]
    OneAuthority,
    /// A rotation is under way.
    #[error("a rotation is under way: ca.crt holds more than one authority; renew certificates, then `pki retire-ca`")]
    Rotating,
    /// The older authority is still needed.
    #[error("still on the older authority: {}; `pki renew KIND NAME` and put them in use, or revoke them", .0.join(", "))]
    StillUsed(Vec<String>),
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

pub(super) fn make(what: &'static str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Make { what, source }
}

pub(super) fn not_ours(path: &Path, what: impl fmt::Display) -> PkiError {
    PkiError::NotOurs { path: path.to_owned(), what: what.to_string() }
}

pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    let path = path.to_owned();
    move |source| PkiError::File { path, source }
}
