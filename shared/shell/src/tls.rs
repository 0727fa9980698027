//! Mutual TLS 1.3 from files: who we are, whom we believe, and who the other end is.
//!
//! Everything is built with an explicit provider (aws-lc-rs), because a process may hold two and rustls then refuses to
//! guess. Session tickets are off on the server and resumption on the client: a resumed session would skip the CRL, the
//! roots and the identity (`facts/tech.md` §2, "resumption hole"); without tickets 0-RTT is impossible as well.

mod credentials;
mod files;
mod identity;
mod material;
mod moment;
mod names;
mod servers;
mod term;
mod witness;

pub use credentials::Credentials;
pub use files::{TlsError, TlsFiles};
pub use identity::{IdentityError, Peer, peer_of, serial_hex};
pub use material::{Material, Standing};
pub use names::{Mapping, MappingError, Names};
pub(crate) use term::{first_end, first_life};
pub use witness::Distrust;

use std::time::Duration;

/// Trust domain of every program, of `pki init` and of the manifests, unless somebody says otherwise: then in all of
/// them.
pub const TRUST_DOMAIN: &str = "isochron.local";

/// ALPN of a plane's connection.
pub const ALPN_PLANE: &[u8] = b"isochron-plane/1";
/// ALPN of an admin's connection.
pub const ALPN_ADMIN: &[u8] = b"isochron-admin/1";

/// How often files are read again. Kubernetes itself needs about a minute to bring a changed secret into a pod.
pub const RELOAD_EVERY: Duration = Duration::from_secs(10);
