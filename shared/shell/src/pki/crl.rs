//! Who is no longer believed.

use super::{
    authority::{Authority, SKEW, moment},
    error::{PkiError, make, not_ours},
    files::replace,
    index::Entry,
};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use shared::time::Timestamp;
use std::path::Path;
use time::OffsetDateTime;

/// Writes one list per authority. Each names every revoked serial: serials are random, so that none means another's
/// certificate.
pub(super) fn write(dir: &Path, authorities: &[Authority], entries: &[Entry], now: Timestamp) -> Result<(), PkiError> {
    let mut text = String::new();
    for authority in authorities {
        let revoked: Vec<RevokedCertParams> = entries
            .iter()
            .filter_map(|entry| Some((entry, OffsetDateTime::from_unix_timestamp(entry.revoked?).ok()?)))
            .map(|(entry, at)| {
                let serial = hex_bytes(&entry.serial)
                    .ok_or_else(|| not_ours(&dir.join("index"), format!("serial {} is no hex", entry.serial)))?;
                Ok(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&serial),
                    revocation_time: at,
                    reason_code: None,
                    invalidity_date: None,
                })
            })
            .collect::<Result<_, PkiError>>()?;
        let params = CertificateRevocationListParams {
            this_update: moment(now) - SKEW,
            next_update: authority.not_after,
            // Grows with every list: each holds one entry more than the one before.
            crl_number: SerialNumber::from(revoked.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let crl = params.signed_by(&authority.issuer).map_err(make("CRL"))?;
        text += &crl.pem().map_err(make("CRL"))?;
    }
    replace(&dir.join("crl.pem"), &text)
}

fn hex_bytes(hex: &str) -> Option<Vec<u8>> {
    let even = if hex.len().is_multiple_of(2) { hex.to_owned() } else { format!("0{hex}") };
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(even.get(at..at + 2)?, 16).ok()).collect()
}
