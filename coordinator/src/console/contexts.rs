//! The console's own configuration: which coordinators there are, and which one is meant; as a kubeconfig.
//!
//! ```yaml
//! currentContext: alice@isochron.local
//! contexts:
//! - name: alice@isochron.local
//!   server: [isochron.internal.example.com:7443]
//!   serverName: ""          # empty: the host in `server`
//!   trustDomain: isochron.local
//!   ca: /home/alice/pki/ca.crt
//!   cert: /home/alice/pki/admin-alice.crt
//!   key: /home/alice/pki/admin-alice.key
//!   crl: /home/alice/pki/crl.pem   # empty: no coordinator is revoked
//! ```

use serde::{Deserialize, Serialize};
use shell::{tls::Mapping, yaml};
use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Largest file that is read: a context is a few hundred bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// One coordinator, and who one is towards it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Context {
    /// What `--context` says.
    pub name: String,
    /// Addresses, `host:port`.
    pub server: Vec<String>,
    /// Name in the coordinator's certificate; empty: the host dialled.
    pub server_name: String,
    /// Trust domain of the certificates.
    pub trust_domain: String,
    /// Whom URI SANs of another form name, as in the coordinator's configuration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Mapping>,
    /// CA certificate.
    pub ca: PathBuf,
    /// Admin certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Revoked certificates: a coordinator named there is not asked; empty: none.
    pub crl: PathBuf,
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Contexts {
    /// The one that is meant when none is named.
    pub current_context: String,
    /// All.
    pub contexts: Vec<Context>,
}

/// Why it cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// Read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is none of ours, or was edited wrongly.
    #[error("{path} is no configuration of the console: {message}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What, at which line.
        message: String,
    },
    /// No context of this name.
    #[error("{path} has no context {name:?}; it has {known}")]
    Unknown {
        /// Which file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// `$XDG_CONFIG_HOME/isochron/config.yaml`, else `$HOME/.config/isochron/config.yaml`; `None`: neither is an absolute
/// path.
pub fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(config.join("isochron").join("config.yaml"))
}

impl Contexts {
    /// Reads the file; none is an empty one.
    pub fn load(path: &Path) -> Result<Self, ContextError> {
        let failed = |source| ContextError::File { path: path.to_owned(), source };
        let text = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
            Ok(meta) if meta.len() > MAX_FILE_BYTES => {
                return Err(failed(io::Error::other(format!("{} bytes are too many", meta.len()))));
            }
            Ok(_) => fs::read_to_string(path).map_err(failed)?,
        };
        Self::parse(&text).map_err(|message| ContextError::Unreadable { path: path.to_owned(), message })
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// What is wrong, at which line.
    pub fn parse(text: &str) -> Result<Self, String> {
        // Comments only is nothing yet.
        let read = yaml::read::<Option<Self>>(text);
        read.map(Option::unwrap_or_default).map_err(|error| yaml::told(&error))
    }

    /// The one that `name` says, or the current one; `None`: no name is said here or there.
    pub fn choose(&self, path: &Path, name: Option<&str>) -> Result<Option<&Context>, ContextError> {
        let Some(name) = name.or(Some(self.current_context.as_str()).filter(|name| !name.is_empty())) else {
            return Ok(None);
        };
        match self.contexts.iter().find(|context| context.name == name) {
            Some(context) => Ok(Some(context)),
            None => {
                let names: Vec<&str> = self.contexts.iter().map(|context| context.name.as_str()).collect();
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                Err(ContextError::Unknown { path: path.to_owned(), name: name.to_owned(), known })
            }
        }
    }

    /// Puts a context in the place of one with its name. It becomes the current one if none is: somebody may be working
    /// with another. True: it is the current one.
    pub fn put(&mut self, context: Context) -> bool {
        if self.current_context.is_empty() {
            self.current_context.clone_from(&context.name);
        }
        let current = self.current_context == context.name;
        match self.contexts.iter_mut().find(|old| old.name == context.name) {
            Some(old) => *old = context,
            None => self.contexts.push(context),
        }
        current
    }
}

/// Changes the file: read, changed, and put in its place whole, for its owner only. One at a time.
pub fn change<T>(path: &Path, how: impl FnOnce(&mut Contexts) -> Result<T, ContextError>) -> Result<T, ContextError> {
    let failed = |source| ContextError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let private = |path: &Path| fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let lock = private(&path.with_extension("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut contexts = Contexts::load(path)?;
    let done = how(&mut contexts)?;
    let text = serde_saphyr::to_string(&contexts).map_err(|error| failed(io::Error::other(error.to_string())))?;
    let part = path.with_extension("new");
    let _of_a_process_that_died = fs::remove_file(&part);
    let written = private(&part).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&part, path)).map_err(failed)?;
    Ok(done)
}

#[cfg(test)]
mod tests;
