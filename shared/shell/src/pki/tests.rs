use super::*;
use crate::clock::system_wall;
use crate::{
    link::Identity,
    tls::{Credentials, IdentityError, Names, TlsError, TlsFiles, peer_of},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use shared::time::Timestamp;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

mod lives;

fn authority() -> tempfile::TempDir {
    authority_at(system_wall())
}

/// Made at the moment from which a test counts days: two looks at the clock may have a second's end between them.
fn authority_at(now: Timestamp) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    init_at(dir.path(), "test.example", now).unwrap();
    dir
}

fn of_domain(trust_domain: &str) -> Names {
    Names::of(trust_domain, &[]).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_issued_says_who_it_is_and_keys_are_private() {
    let dir = authority();
    let issued = issue(dir.path(), Kind::Plane, "us-west-2", &[]).unwrap();
    let cert = CertificateDer::from_pem_file(&issued.cert).unwrap();
    let peer = peer_of(std::slice::from_ref(&cert), &of_domain("test.example")).unwrap();
    assert_eq!(peer.identity, Identity::Plane("us-west-2".to_owned()));
    assert_eq!(peer.serial, issued.serial);
    assert_eq!((mode(&issued.key), mode(&dir.path().join("ca.key"))), (0o600, 0o600));
    for foreign in ["test.exampl", "test.example2", "test", ""] {
        assert!(
            matches!(peer_of(std::slice::from_ref(&cert), &of_domain(foreign)), Err(IdentityError::Foreign { .. })),
            "{foreign:?}"
        );
    }
    assert_eq!(peer_of(&[], &of_domain("test.example")), Err(IdentityError::Missing));
}

/// Names of contexts as tools make them.
#[test]
fn a_plane_may_be_called_as_its_context_is() {
    let dir = authority();
    let arn = "arn:aws:eks:eu-west-1:123456789012:cluster/az1";
    let names = [arn, "ann@shop.eu-west-1.eksctl.io", "gke_shop_europe-west1-b_prod", "docker desktop", "köln/1"];
    let mut issued = Vec::new();
    for name in names {
        let made = issue(dir.path(), Kind::Plane, name, &[]).unwrap();
        let cert = CertificateDer::from_pem_file(&made.cert).unwrap();
        let peer = peer_of(std::slice::from_ref(&cert), &of_domain("test.example")).unwrap();
        assert_eq!(peer.identity, Identity::Plane(name.to_owned()));
        assert_eq!(made.cert.parent(), Some(dir.path()), "{name}");
        assert!(matches!(issue(dir.path(), Kind::Plane, name, &[]), Err(PkiError::Exists(_))));
        issued.push(made);
    }
    assert!(issued[0].cert.to_str().unwrap().contains("plane-arn-aws-eks-eu-west-1-123456789012-cluster-az1-"));
    for made in issued {
        revoke(dir.path(), &made.serial).unwrap();
    }
}

#[test]
fn nothing_is_overwritten() {
    let dir = authority();
    let before = fs::read(dir.path().join("ca.key")).unwrap();
    assert!(matches!(init(dir.path(), "other"), Err(PkiError::Exists(_))));
    assert_eq!(fs::read(dir.path().join("ca.key")).unwrap(), before);
    issue(dir.path(), Kind::Admin, "ann", &[]).unwrap();
    assert!(matches!(issue(dir.path(), Kind::Admin, "ann", &[]), Err(PkiError::Exists(_))));
    assert_eq!(
        fs::read_to_string(dir.path().join("index")).unwrap().lines().count(),
        1,
        "no entry for what was not made"
    );
}

#[test]
fn names_stay_names() {
    let dir = authority();
    for bad in ["", "../x", "a/b", "a b", "-a", "a.", "ä", &"x".repeat(101)] {
        assert!(matches!(issue(dir.path(), Kind::Admin, bad, &[]), Err(PkiError::Name(_))), "{bad:?}");
    }
    for bad in ["", "../x", "a/", " a", "a\nb", &"x".repeat(254)] {
        assert!(matches!(issue(dir.path(), Kind::Plane, bad, &[]), Err(PkiError::Plane(_))), "{bad:?}");
    }
    assert!(matches!(issue(dir.path(), Kind::Coordinator, "c", &[]), Err(PkiError::NoAddress)));
    let bad = ["no_good name".to_owned()];
    assert!(matches!(issue(dir.path(), Kind::Coordinator, "c", &bad), Err(PkiError::Dns(_))));
}

#[test]
fn revoking_goes_by_serial_and_lists_grow() {
    let dir = authority();
    let crl = || fs::read_to_string(dir.path().join("crl.pem")).unwrap();
    let issued = issue(dir.path(), Kind::Plane, "a", &[]).unwrap();
    let other = issue(dir.path(), Kind::Plane, "b", &[]).unwrap();
    let empty = crl();
    revoke(dir.path(), &issued.serial).unwrap();
    let one = crl();
    // As openssl prints serials.
    let spelled: Vec<String> = other
        .serial
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    if other.serial.len().is_multiple_of(2) {
        revoke(dir.path(), &spelled.join(":")).unwrap();
    } else {
        revoke(dir.path(), &other.serial).unwrap();
    }
    assert!(empty.len() < one.len() && one.len() < crl().len());
    assert!(matches!(revoke(dir.path(), &issued.serial), Err(PkiError::Revoked(_))));
    assert!(matches!(revoke(dir.path(), "abc"), Err(PkiError::UnknownSerial(_))));
}

#[test]
fn a_key_that_does_not_fit_changes_nothing() {
    let dir = authority();
    let (a, b) = (issue(dir.path(), Kind::Plane, "a", &[]).unwrap(), issue(dir.path(), Kind::Plane, "b", &[]).unwrap());
    let files = TlsFiles {
        ca: dir.path().join("ca.crt"),
        cert: a.cert.clone(),
        key: a.key.clone(),
        crl: Some(dir.path().join("crl.pem")),
        trust_domain: "test.example".to_owned(),
        identities: Vec::new(),
    };
    let credentials = Credentials::load(files).unwrap();
    assert!(!credentials.reload().unwrap());
    fs::copy(&b.cert, &a.cert).unwrap();
    assert!(matches!(credentials.reload(), Err(TlsError::Unusable { .. })), "half a renewal is not used");
    assert_eq!(credentials.current().us.serial, a.serial);
    fs::copy(&b.key, &a.key).unwrap();
    assert!(credentials.reload().unwrap());
    assert_eq!(credentials.current().us.serial, b.serial);
}

#[test]
fn a_coordinator_is_known_by_its_own_name_and_by_those_that_are_dialled() {
    let dir = authority();
    let dialled = ["isochron.internal.example.com".to_owned(), "10.0.0.7".to_owned()];
    let issued = issue(dir.path(), Kind::Coordinator, "isochron", &dialled).unwrap();
    let der = CertificateDer::from_pem_file(&issued.cert).unwrap();
    let (_, cert) = X509Certificate::from_der(&der).unwrap();
    let sans = cert.subject_alternative_name().unwrap().unwrap();
    let names: Vec<String> = sans
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(dns) => Some((*dns).to_owned()),
            GeneralName::IPAddress(ip) => Some(format!("{ip:?}")),
            _ => None,
        })
        .collect();
    assert_eq!(names, ["isochron", "isochron.internal.example.com", "[10, 0, 0, 7]"]);
}
