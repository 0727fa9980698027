//! A small certificate authority in a folder, for installations without one: `coordinator pki …`.
//!
//! ```text
//! ca.crt ca.key   the authority; its URI SAN is spiffe://<trust-domain>. While one follows another both are in ca.crt,
//!                 the newest first
//! ca-<n>.key      an older authority's key: its list of the revoked is still signed with it
//! <kind>-<name>.crt .key   what was issued; the name made readable where a file cannot bear it
//! <kind>-<name>.<serial>.crt .key   what was renewed since; good until it ends or is revoked, and removed by the
//!                 first renewal after its end
//! crl.pem         who is no longer believed although not long ended, one list per authority; copied to every program
//! index           one line per certificate: serial kind name (as in its SPIFFE id) not-after valid|revoked [ca=<n>]
//! lock            held by the one `pki` command that writes
//! ```
//! Keys are Ed25519 (small, and signatures of one length make traces reproducible, `facts/tech.md` §2) and readable by
//! their owner only. Nothing is ever overwritten but `ca.crt`, `crl.pem` and `index`, and these by rename.

use std::fmt;

mod authority;
mod crl;
mod error;
mod files;
mod index;
mod init;
mod issue;
mod list;
mod names;
mod renew;
mod revoke;
mod rotate;
#[cfg(test)]
mod tests;

pub use authority::trust_domain;
pub use error::PkiError;
pub use init::{init, init_at};
pub use issue::{Issued, issue, issue_at, issue_until};
pub use list::{Listed, State, list};
pub use renew::{Renewed, renew, renew_until};
pub use revoke::{relist, revoke, revoke_at};
pub use rotate::{retire_ca, rotate_ca};

/// Who a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plane actor; name: `k8sClusterName`.
    Plane,
    /// A person or a script with the console, who may do everything.
    Admin,
    /// One who may ask, and end what runs.
    Operator,
    /// One who may ask.
    Viewer,
    /// A coordinator; needs the DNS names or addresses that planes dial.
    Coordinator,
}

impl Kind {
    /// As in the SPIFFE id and in file names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plane => "plane",
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::Coordinator => "coordinator",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Plane, Self::Admin, Self::Operator, Self::Viewer, Self::Coordinator];
        let found = all.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| "plane, admin, operator, viewer or coordinator".to_owned())
    }
}
