//! Until when files are good for anything: our own certificate, the authorities' and the revocation lists.

use super::identity::Peer;
use crate::expiry::{Expiry, Kind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use shared::time::Timestamp;
use std::time::Duration;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// Times in seconds of the Unix epoch.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// Our certificate is good from here,
    from: i64,
    /// up to and with here.
    until: i64,
    /// The end of the first list to end: nobody new is let in after it.
    lists_until: Option<i64>,
}

impl Term {
    pub(super) fn of(chain: &[CertificateDer<'_>], lists: &[CertificateRevocationListDer<'_>]) -> Self {
        let first = chain.first().and_then(|first| X509Certificate::from_der(first).ok());
        // What cannot be read gave no identity either, and was refused.
        let (from, until) = first.map_or((i64::MIN, i64::MIN), |(_, cert)| {
            (cert.validity().not_before.timestamp(), cert.validity().not_after.timestamp())
        });
        Self { from, until, lists_until: lists.iter().filter_map(next_update).min() }
    }

    /// Says what has run out, and since when.
    pub(super) fn holds_at(&self, now: i64) -> Result<(), String> {
        if now > self.until {
            return Err(format!("our certificate ended {} s ago; issue a new one", now.saturating_sub(self.until)));
        }
        if now < self.from {
            return Err(format!("our certificate begins in {} s; look at the clock", self.from.saturating_sub(now)));
        }
        match self.lists_until {
            Some(end) if now > end => Err(format!("a revocation list ended {} s ago; give a newer one", now - end)),
            _ => Ok(()),
        }
    }
}

fn next_update(list: &CertificateRevocationListDer<'_>) -> Option<i64> {
    let (_, list) = CertificateRevocationList::from_der(list).ok()?;
    list.next_update().map(|at| at.timestamp())
}

/// When the first certificate of a chain ends; what cannot be read has ended.
pub(crate) fn first_end(chain: &[CertificateDer<'_>]) -> Timestamp {
    let end = |cert: &CertificateDer<'_>| {
        X509Certificate::from_der(cert).map_or(i64::MIN, |(_, cert)| cert.validity().not_after.timestamp())
    };
    Timestamp(chain.iter().map(end).min().unwrap_or(i64::MIN).saturating_mul(1000))
}

/// How long the first certificate of a chain lives in all; what cannot be read does not.
pub(crate) fn first_life(chain: &[CertificateDer<'_>]) -> Duration {
    let first = chain.first().and_then(|first| X509Certificate::from_der(first).ok());
    let term = first.map_or(0, |(_, cert)| {
        cert.validity().not_after.timestamp().saturating_sub(cert.validity().not_before.timestamp())
    });
    Duration::from_secs(u64::try_from(term).unwrap_or(0))
}

/// Every end that our files know of.
pub(super) fn ends(us: &Peer, roots: &[CertificateDer<'_>], lists: &[CertificateRevocationListDer<'_>]) -> Vec<Expiry> {
    let expiry = |identity: String, kind, at: i64| Expiry { identity, kind, at: Timestamp(at.saturating_mul(1000)) };
    let mut ends = vec![Expiry { identity: us.identity.to_string(), kind: Kind::Own, at: us.until }];
    let roots = roots.iter().filter_map(|root| X509Certificate::from_der(root).ok());
    ends.extend(
        roots.map(|(_, root)| expiry(root.subject().to_string(), Kind::Ca, root.validity().not_after.timestamp())),
    );
    ends.extend(lists.iter().filter_map(|list| {
        let (_, issuer) = CertificateRevocationList::from_der(list).ok()?;
        Some(expiry(issuer.issuer().to_string(), Kind::Crl, next_update(list)?))
    }));
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_run_out_is_named() {
        let term = Term { from: 100, until: 200, lists_until: Some(150) };
        assert_eq!(term.holds_at(100), Ok(()));
        assert_eq!(term.holds_at(150), Ok(()));
        assert_eq!(term.holds_at(151), Err("a revocation list ended 1 s ago; give a newer one".to_owned()));
        assert_eq!(term.holds_at(201), Err("our certificate ended 1 s ago; issue a new one".to_owned()));
        assert_eq!(term.holds_at(99), Err("our certificate begins in 1 s; look at the clock".to_owned()));
        assert_eq!(Term { from: 100, until: 200, lists_until: None }.holds_at(200), Ok(()));
    }
}
