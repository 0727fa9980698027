//! The way to a receiver of traces: plain, or by TLS to who is believed.

use super::error::OtlpError;
use http::Uri;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// `ca`: who has signed the receiver's certificate, PEM; empty: whom this machine believes.
///
/// # Errors
/// Nobody could be believed. Plain HTTP asks nobody.
pub(super) fn way(to: &Uri, ca: &Path) -> Result<HttpsConnector<HttpConnector>, OtlpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = |error: &dyn std::fmt::Display| OtlpError::Authorities {
        of: if ca.as_os_str().is_empty() { "this machine".to_owned() } else { ca.display().to_string() },
        why: error.to_string(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let config = match (to.scheme_str(), ca.as_os_str().is_empty()) {
        (Some("https"), true) => config.with_native_roots().map_err(|error| unusable(&error))?,
        (Some("https"), false) => config.with_root_certificates(roots(ca).map_err(|error| unusable(&error))?),
        _ => config.with_root_certificates(RootCertStore::empty()),
    };
    let config = config.with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

fn roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_is_believed_must_be_there_and_plain_http_asks_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, empty) = (folder.path().join("none.crt"), folder.path().join("empty.crt"));
        std::fs::write(&empty, "nothing").unwrap();
        let (encrypted, plain) = (Uri::from_static("https://c:4318"), Uri::from_static("http://c:4318"));
        for file in [&missing, &empty] {
            let error = way(&encrypted, file).unwrap_err().to_string();
            assert!(error.contains(&file.display().to_string()), "{error}");
            assert!(way(&plain, file).is_ok());
        }
        shell::pki::init(folder.path(), "isochron.local").unwrap();
        assert!(way(&encrypted, &folder.path().join("ca.crt")).is_ok());
    }
}
