//! What a plane's name is called where not every character may stand. `k8sClusterName` is the name of a kubeconfig
//! context, and `aws eks update-kubeconfig` makes that an ARN, eksctl `user@cluster.region.eksctl.io`.
//!
//! A plain name (what the PKI always took) is called by itself everywhere. Any other is made readable, and a hash of the
//! whole name keeps two of them apart.

use siphasher::sip::SipHasher24;
use std::{fmt::Write as _, hash::Hasher};

/// Longest name: the CRD's bound, so that it also fits into the value of a tag in EC2 (256).
pub const MAX_NAME: usize = 253;

/// Longest plain name: with its prefix it is an object's name and a file's name as it is.
const MAX_PLAIN: usize = 100;

/// A hash and its dash: 64 bits in hex.
const HASH_CHARS: usize = 17;

/// May a Kubernetes cluster be called that? Any character but control characters; no space at an end, where nobody would
/// see it; no part between slashes that S3 or the old manager's path rules would bend.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    (1..=MAX_NAME).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(char::is_control)
        && name.split('/').all(is_part)
}

/// 1 to 100 of A-Z a-z 0-9 . - _, beginning and ending with a letter or digit.
#[must_use]
pub fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let bytes = name.as_bytes();
    (1..=MAX_PLAIN).contains(&bytes.len())
        && bytes.iter().all(|&byte| plain(byte) || b"-._".contains(&byte))
        && bytes.first().is_some_and(|&byte| plain(byte))
        && bytes.last().is_some_and(|&byte| plain(byte))
}

/// As one segment of a URI's path: percent-encoded but for the unreserved characters of RFC 3986, in capitals.
#[must_use]
pub fn path_segment(name: &str) -> String {
    let mut segment = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

/// The name that [`path_segment`] makes this of. `None` for every other form, so that no two of them name one plane.
#[must_use]
pub fn of_path_segment(segment: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                rest = tail;
                let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(high)? << 4 | digit(low)?
            }
            (byte, _) => *byte,
        });
    }
    let name = String::from_utf8(bytes).ok()?;
    (!name.is_empty() && path_segment(&name) == segment).then_some(name)
}

/// As a part of a file's name.
#[must_use]
pub fn file_stem(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    readable(name, MAX_PLAIN, |char| char.is_ascii_alphanumeric() || "-._".contains(char))
}

/// As the end of a Kubernetes object's name, at most 230 characters.
#[must_use]
pub fn object_name(name: &str) -> String {
    if is_plain(name) {
        return labels(name);
    }
    let readable = readable(name, MAX_PLAIN, |char| char.is_ascii_alphanumeric() || "-.".contains(char));
    let labels = labels(&readable);
    // Of a name of dashes and dots nothing is left.
    if labels.is_empty() { format!("{:016x}", hash(name)) } else { labels }
}

/// At most `max` characters, none of which is not `allowed`: itself, or its end (which is where names differ) and a hash.
/// `max` must leave room for more than the hash.
#[must_use]
pub fn readable(name: &str, max: usize, allowed: impl Fn(char) -> bool) -> String {
    if name.chars().count() <= max && name.chars().all(&allowed) {
        return name.to_owned();
    }
    let kept: Vec<char> = name.chars().map(|char| if allowed(char) { char } else { '-' }).collect();
    let from = kept.len().saturating_sub(max.saturating_sub(HASH_CHARS));
    let end: String = kept.iter().skip(from).collect();
    format!("{}-{:016x}", end.trim_matches(['-', '.', '_']), hash(name)).trim_start_matches('-').to_owned()
}

fn hash(name: &str) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// Lower case, and labels between dots that begin and end with a letter or digit (RFC 1123).
fn labels(name: &str) -> String {
    let kept = name.chars().map(|char| match char.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9' | '-' | '.') => letter,
        _ => '-',
    });
    let name: String = kept.collect();
    let labels = name.split('.').map(|label| label.trim_matches('-')).filter(|label| !label.is_empty());
    labels.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ARN: &str = "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1";

    /// As tools name contexts: plain, kind, eksctl, EKS, GKE, AKS, OpenShift, minikube of a person, and worse.
    const NAMES: [&str; 12] = [
        "prod-az1",
        "kind-shop",
        "ann@shop.eu-west-1.eksctl.io",
        ARN,
        "gke_shop-project_europe-west1-b_prod",
        "shop_az1",
        "default/api-shop-example-com:6443/kube:admin",
        "docker desktop",
        "köln-1",
        "Prod AZ1 (old)",
        "a%2Fb",
        "a/b",
    ];

    #[test]
    fn every_name_is_called_something_everywhere_and_no_two_the_same() {
        let mut seen = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        for name in NAMES {
            assert!(is_name(name), "{name}");
            let (segment, stem, object) = (path_segment(name), file_stem(name), object_name(name));
            assert_eq!(of_path_segment(&segment).as_deref(), Some(name));
            assert!(segment.is_ascii() && !segment.contains('/'), "{segment}");
            assert!(is_plain(&stem), "{stem}");
            let is_label = |label: &str| {
                label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && (1..=230).contains(&label.len())
            };
            assert!(object.split('.').all(is_label), "{object}");
            for (seen, called) in seen.iter_mut().zip([segment, stem, object]) {
                assert!(seen.insert(called.clone()), "{name} is called {called}, as another");
            }
        }
    }

    #[test]
    fn a_name_of_which_nothing_is_left_is_called_by_its_hash() {
        let names: BTreeSet<String> = ["-", "--", "...", "-._"].map(object_name).into();
        assert!(names.len() == 4 && names.iter().all(|name| name.len() >= 16), "{names:?}");
    }

    #[test]
    fn plain_names_are_called_by_themselves() {
        for name in ["prod-az1", "kind-shop", "gke_shop-project_europe-west1-b_prod", "a", "A.b"] {
            assert_eq!((path_segment(name), file_stem(name)), (name.to_owned(), name.to_owned()));
        }
        assert_eq!(object_name("prod-az1"), "prod-az1");
        // As it was always called: the ledger of today lies there.
        assert_eq!(object_name("Prod_AZ1"), "prod-az1");
    }

    #[test]
    fn an_arn_stays_readable() {
        assert_eq!(path_segment(ARN), "arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fprod-az1");
        assert!(
            file_stem(ARN).starts_with("arn-aws-eks-eu-west-1-123456789012-cluster-prod-az1-"),
            "{}",
            file_stem(ARN)
        );
        let long = format!("{}/prod-az1", "x".repeat(240));
        for (called, max) in [(file_stem(&long), 100), (object_name(&long), 100), (readable(&long, 64, |_| true), 64)] {
            assert!(called.len() <= max && called.contains("prod-az1-"), "{called}");
        }
    }

    #[test]
    fn one_plane_has_one_path() {
        for other in ["arn%3aaws", "%61", "a:b", "a b", "%", "%4", "%zz", "%FF", "a/b", "", "ä"] {
            assert_eq!(of_path_segment(other), None, "{other}");
        }
    }

    #[test]
    fn what_nobody_could_see_or_s3_would_bend_is_no_name() {
        let long = "x".repeat(MAX_NAME + 1);
        for bad in ["", " ", " a", "a ", "a\nb", "a\u{7f}", "..", "a/../b", "a/./b", "a//b", "/a", "a/", &long] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
