//! Certificate files: where they are, and what stands in them.

use super::{
    identity::IdentityError,
    names::{Mapping, MappingError},
};
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};

/// Largest file that is read. A CRL with 10 000 entries is about 400 KiB.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Where the PEM files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates of the CAs that are believed.
    pub ca: PathBuf,
    /// Our certificate, then any intermediates.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Revocation lists, one PEM block per CA; when absent, nobody is revoked. A list must not have expired. A CA without
    /// one locks nobody out, or forgetting it when authorities change would end every link: the log says that nobody whom
    /// it signed can be revoked.
    pub crl: Option<PathBuf>,
    /// Of ids of our own form (`spiffe://<trust-domain>/<kind>/<name>`).
    pub trust_domain: String,
    /// Whom ids of other forms name, of whatever trust domain: an authority in `ca` must have signed them all the same.
    pub identities: Vec<Mapping>,
}

/// Why files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It could not be read.
    #[error("cannot read {path}: check that it exists and may be read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{path} does not hold {wanted} in PEM: {found}")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// What was found.
        found: String,
    },
    /// Certificate, key, roots or CRL do not fit together.
    #[error("certificate files do not fit together ({what})")]
    Unusable {
        /// Which part.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the configuration says of ids.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// Our own certificate names no identity.
    #[error("certificate {path} cannot be ours")]
    Identity {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: IdentityError,
    },
}

/// The bytes of all files, to see whether anything changed: times and links of mounted secrets say too little.
#[derive(PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) ca: Vec<u8>,
    pub(super) cert: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) crl: Option<Vec<u8>>,
}

impl Raw {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            ca: read(&files.ca)?,
            cert: read(&files.cert)?,
            key: read(&files.key)?,
            crl: files.crl.as_deref().map(read).transpose()?,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other(format!("{size} bytes are over the limit of {MAX_FILE_BYTES}"))));
    }
    std::fs::read(path).map_err(failed)
}

pub(super) fn blocks<T: PemObject>(bytes: &[u8], path: &Path, wanted: &'static str) -> Result<Vec<T>, TlsError> {
    let wrong = |found: String| TlsError::Pem { path: path.to_owned(), wanted, found };
    let found: Vec<T> = T::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("no such block".to_owned())) } else { Ok(found) }
}
