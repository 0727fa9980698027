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
use time::{Duration, OffsetDateTime};

/// A revoked certificate stays listed for so long after its end, for machines whose clocks are behind. After that its end
/// alone keeps it out, or lists would grow for as long as there are programs.
const LISTED_AFTER_END: Duration = Duration::days(7);

/// Writes one list per authority. Each names every revoked serial: serials are random, so that none means another's
/// certificate. They end with their authority where nothing else is said.
pub(super) fn write(
    dir: &Path,
    authorities: &[Authority],
    entries: &[Entry],
    now: Timestamp,
    until: Option<Timestamp>,
) -> Result<(), PkiError> {
    let long_ago = Timestamp(now.0 - i64::try_from(LISTED_AFTER_END.whole_milliseconds()).unwrap_or(0));
    let mut text = String::new();
    for authority in authorities {
        let revoked: Vec<RevokedCertParams> = entries
            .iter()
            .filter(|entry| !entry.has_ended(long_ago))
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
            next_update: until.map_or(authority.not_after, |until| moment(until).min(authority.not_after)),
            // Grows with every list.
            crl_number: SerialNumber::from(now.0.unsigned_abs()),
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
