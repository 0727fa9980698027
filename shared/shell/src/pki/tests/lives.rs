//! Ends, renewals, and one authority after another.

use super::*;
use crate::tls::Peer;
use rustls::pki_types::CertificateRevocationListDer;
use std::collections::BTreeSet;
use x509_parser::prelude::CertificateRevocationList;

const DAY: i64 = 24 * 60 * 60 * 1000;

fn days(now: Timestamp, days: i64) -> Timestamp {
    Timestamp(now.0 + days * DAY)
}

fn peer(cert: &Path) -> Peer {
    peer_of(&[CertificateDer::from_pem_file(cert).unwrap()], &of_domain("test.example")).unwrap()
}

fn rows(dir: &Path, now: Timestamp) -> Vec<(String, i64, State)> {
    let all = list(dir, now).unwrap();
    all.into_iter().map(|one| (format!("{}/{}", one.kind, one.name), one.days_left, one.state)).collect()
}

#[test]
fn a_fleet_of_one_afternoon_does_not_end_in_one() {
    let now = system_wall();
    let dir = authority_at(now);
    for plane in 0..40 {
        issue_at(dir.path(), Kind::Plane, &format!("prod-az{plane}"), &[], now).unwrap();
    }
    let left: Vec<i64> = list(dir.path(), now).unwrap().into_iter().map(|one| one.days_left).collect();
    let (planes, authority) = left.split_at(40);
    assert!(planes.iter().all(|left| (335..=365).contains(left)), "{planes:?}");
    assert!(planes.is_sorted() && planes.iter().collect::<BTreeSet<_>>().len() > 15, "{planes:?}");
    assert_eq!(authority, [3650]);
    // Again the same length: renewed together they stay apart.
    let before = list(dir.path(), now).unwrap().into_iter().find(|one| one.name == "prod-az7").unwrap();
    renew(dir.path(), Kind::Plane, "prod-az7", days(now, 100)).unwrap();
    let after = list(dir.path(), days(now, 100)).unwrap();
    let after = after.iter().find(|one| one.name == "prod-az7" && one.state == State::Valid).unwrap();
    assert_eq!(after.days_left, before.days_left);
}

#[test]
fn what_is_renewed_has_its_names_and_the_old_one_is_kept() {
    let dir = authority();
    let dialled = ["isochron.example.com".to_owned(), "10.0.0.7".to_owned(), "2001:db8::7".to_owned()];
    let first = issue(dir.path(), Kind::Coordinator, "isochron", &dialled).unwrap();
    let names = |cert: &Path| {
        let der = CertificateDer::from_pem_file(cert).unwrap();
        let (_, cert) = X509Certificate::from_der(&der).unwrap();
        format!("{:?}", cert.subject_alternative_name().unwrap().unwrap().value)
    };
    let (before, key) = (names(&first.cert), fs::read(&first.key).unwrap());
    let renewed = renew(dir.path(), Kind::Coordinator, "isochron", system_wall()).unwrap();
    assert_eq!((&renewed.new.cert, &renewed.new.key, &renewed.old.serial), (&first.cert, &first.key, &first.serial));
    assert_eq!(names(&first.cert), before);
    assert_eq!(peer(&first.cert).serial, renewed.new.serial);
    assert_eq!(peer(&renewed.old.cert).serial, first.serial);
    assert_eq!(fs::read(&renewed.old.key).unwrap(), key);
    assert_ne!(fs::read(&first.key).unwrap(), key, "a new key");
    assert_eq!((mode(&first.key), mode(&renewed.old.key)), (0o600, 0o600));
    let states: Vec<_> =
        list(dir.path(), system_wall()).unwrap().into_iter().map(|one| (one.serial, one.state)).collect();
    assert!(states.contains(&(first.serial.clone(), State::Replaced)), "{states:?}");
    assert!(states.contains(&(renewed.new.serial, State::Valid)), "{states:?}");
    revoke(dir.path(), &first.serial).unwrap();
    renew(dir.path(), Kind::Coordinator, "isochron", system_wall()).unwrap();
    let unknown = renew(dir.path(), Kind::Plane, "az1", system_wall()).unwrap_err();
    assert!(unknown.to_string().contains("plane-az1.crt is not here"), "{unknown}");
    assert!(fs::read_dir(dir.path()).unwrap().all(|file| !file.unwrap().path().to_string_lossy().ends_with(".new")));
}

#[test]
fn what_ends_first_is_listed_first() {
    let now = system_wall();
    let dir = authority_at(now);
    issue_at(dir.path(), Kind::Admin, "ann", &[], days(now, -20)).unwrap();
    issue_at(dir.path(), Kind::Plane, "köln/1", &[], days(now, -364)).unwrap();
    let gone = issue_at(dir.path(), Kind::Plane, "old", &[], days(now, -400)).unwrap();
    let stolen = issue_at(dir.path(), Kind::Admin, "bob", &[], days(now, -300)).unwrap();
    revoke(dir.path(), &stolen.serial).unwrap();
    let rows = rows(dir.path(), now);
    assert!(rows.is_sorted_by_key(|row| row.1), "{rows:?}");
    let state = |name: &str| rows.iter().find(|row| row.0 == name).unwrap().2;
    assert_eq!(state("plane/old"), State::Ended);
    assert_eq!(state("admin/bob"), State::Revoked);
    assert_eq!((state("admin/ann"), state("ca/test.example")), (State::Valid, State::Valid));
    assert!(rows.iter().any(|row| row.0 == "plane/köln/1"), "as it was said: {rows:?}");
    assert_eq!(rows[0].0, "plane/old", "{gone:?}");
}

#[test]
fn one_authority_follows_another() {
    let now = system_wall();
    let dir = authority_at(now);
    for plane in ["a", "b"] {
        issue(dir.path(), Kind::Plane, plane, &[]).unwrap();
    }
    assert!(matches!(retire_ca(dir.path(), now), Err(PkiError::OneAuthority)));
    rotate_ca(dir.path(), now).unwrap();
    assert!(matches!(rotate_ca(dir.path(), now), Err(PkiError::Rotating)));
    let blocks = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap().matches("-----BEGIN").count();
    assert_eq!((blocks("ca.crt"), blocks("crl.pem")), (2, 2));
    assert_eq!((mode(&dir.path().join("ca.key")), mode(&dir.path().join("ca-1.key"))), (0o600, 0o600));
    let renewed = renew(dir.path(), Kind::Plane, "a", now).unwrap();
    let refused = retire_ca(dir.path(), now).unwrap_err().to_string();
    assert!(refused.contains("older authority: plane/b;"), "{refused}");
    revoke(dir.path(), &list(dir.path(), now).unwrap().iter().find(|one| one.name == "b").unwrap().serial).unwrap();
    retire_ca(dir.path(), now).unwrap();
    assert_eq!((blocks("ca.crt"), blocks("crl.pem")), (1, 1));
    let left = list(dir.path(), now).unwrap();
    assert_eq!(left.iter().find(|one| one.serial == renewed.new.serial).unwrap().ca, 2);
    assert_eq!(left.iter().filter(|one| one.kind == "ca").map(|one| one.ca).collect::<Vec<_>>(), [2]);
    // And the next one.
    rotate_ca(dir.path(), now).unwrap();
    renew(dir.path(), Kind::Plane, "a", now).unwrap();
    retire_ca(dir.path(), now).unwrap();
    assert_eq!(list(dir.path(), now).unwrap().iter().find(|one| one.kind == "ca").unwrap().ca, 3);
}

/// Two commands at once lose nothing: what is not in the index could not be revoked.
#[test]
fn two_commands_at_once_lose_no_certificate() {
    let dir = authority();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let dir = dir.path();
            scope.spawn(move || issue(dir, Kind::Plane, &format!("p{number}"), &[]).unwrap());
        }
    });
    assert_eq!(list(dir.path(), system_wall()).unwrap().len(), 8 + 1);
}

/// As versions before this one wrote it.
#[test]
fn an_index_without_authorities_is_read() {
    let dir = authority();
    fs::write(
        dir.path().join("index"),
        "ab12 plane az1 1900000000 valid\ncd34 admin ann 1900000000 revoked:1800000000\n",
    )
    .unwrap();
    revoke(dir.path(), "ab12").unwrap();
    let text = fs::read_to_string(dir.path().join("index")).unwrap();
    assert!(text.lines().nth(1) == Some("cd34 admin ann 1900000000 revoked:1800000000"), "{text}");
    assert!(list(dir.path(), system_wall()).unwrap().iter().all(|one| one.ca == 1));
}

/// Serials in the first list of `crl.pem`, and its end.
fn listed_there(dir: &Path) -> (usize, i64) {
    let der = CertificateRevocationListDer::from_pem_file(dir.join("crl.pem")).unwrap();
    let (_, list) = CertificateRevocationList::from_der(&der).unwrap();
    (list.iter_revoked_certificates().count(), list.next_update().unwrap().timestamp())
}

#[test]
fn lists_do_not_grow_for_ever_and_end_when_they_are_said_to() {
    let now = system_wall();
    let dir = authority_at(now);
    let short = issue_until(dir.path(), Kind::Plane, "a", &[], now, days(now, 2)).unwrap();
    let long = issue_at(dir.path(), Kind::Plane, "b", &[], now).unwrap();
    for one in [&short, &long] {
        revoke_at(dir.path(), &one.serial, now).unwrap();
    }
    assert_eq!(listed_there(dir.path()).0, 2);
    let end = |at: i64, lives: i64| days(now, at + lives).0.div_euclid(1000);
    relist(dir.path(), days(now, 8), days(now, 8 + 10)).unwrap();
    assert_eq!(listed_there(dir.path()), (2, end(8, 10)), "until a week after its end, for clocks that are behind");
    relist(dir.path(), days(now, 10), days(now, 10 + 20_000)).unwrap();
    let (left, until) = listed_there(dir.path());
    assert_eq!(left, 1);
    assert_eq!(until, end(0, 3650), "not longer than its authority");
    let states: Vec<State> = list(dir.path(), now).unwrap().into_iter().map(|one| one.state).collect();
    assert_eq!(states.iter().filter(|state| **state == State::Revoked).count(), 2, "the index forgets nothing");
}

#[test]
fn a_renewal_removes_what_has_ended() {
    let now = system_wall();
    let dir = authority_at(now);
    let files = || {
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|one| one.as_ref().unwrap().file_name().to_string_lossy().starts_with("plane-"))
    };
    issue_until(dir.path(), Kind::Plane, "a", &[], now, days(now, 30)).unwrap();
    issue_until(dir.path(), Kind::Plane, "b", &[], now, days(now, 1)).unwrap();
    let first = renew_until(dir.path(), Kind::Plane, "a", days(now, 20), days(now, 50)).unwrap().old;
    assert_eq!(files().count(), 2 + 2 + 2, "it is good for ten more days");
    renew_until(dir.path(), Kind::Plane, "a", days(now, 40), days(now, 70)).unwrap();
    assert_eq!(files().count(), 2 + 2 + 2);
    assert!(!first.cert.exists() && !first.key.exists());
    assert_eq!(
        list(dir.path(), now).unwrap().iter().filter(|one| one.name == "a").count(),
        3,
        "the index forgets nothing"
    );
}
