//! Names as a user wrote them, before the API server is asked: what no object can be called is a mistake in one field, and
//! a client library would only say that its address has a bad character.

use crate::ports::PortError;
use shared::reason::Reason;

pub(crate) const TC_NAME: &str = "tcName in spec.clusters";
pub(crate) const TC_NAMESPACE: &str = "tcNamespace in spec.clusters";
pub(crate) const SECRET: &str = "spec.template.s3.secretName";
pub(crate) const SERVICE_ACCOUNT: &str = "spec.template.serviceAccount";

/// Longest name of an object, and of a namespace.
const NAME: usize = 253;
const LABEL: usize = 63;

/// The TidbCluster's name and namespace.
pub(crate) fn check_cluster(namespace: &str, name: &str) -> Result<(), PortError> {
    check_namespace(namespace)?;
    check(TC_NAME, name)
}

/// The namespace of everything that belongs to the TiDB cluster.
pub(crate) fn check_namespace(namespace: &str) -> Result<(), PortError> {
    if namespace.len() > LABEL || namespace.contains('.') {
        return Err(wrong(TC_NAMESPACE, namespace, "at most 63 letters, digits and hyphens"));
    }
    check(TC_NAMESPACE, namespace)
}

/// RFC 1123 subdomain, as every object's name here has to be.
pub(crate) fn check(field: &str, name: &str) -> Result<(), PortError> {
    let edge = |sign: Option<char>| sign.is_some_and(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit());
    let part = |part: &str| {
        let inside = |sign: char| edge(Some(sign)) || sign == '-';
        edge(part.chars().next()) && edge(part.chars().last()) && part.chars().all(inside)
    };
    if name.len() <= NAME && name.split('.').all(part) {
        return Ok(());
    }
    Err(wrong(field, name, "lower-case letters, digits, hyphens and dots, a letter or digit at both ends"))
}

fn wrong(field: &str, name: &str, allowed: &str) -> PortError {
    PortError::refused(Reason::SpecInvalid, format!("{field} is {name:?}, which no object can be called: {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_object_can_be_called_is_refused_with_its_field() {
        for right in ["s3-secret", "a", "shop.az1", "0", &"a".repeat(253)] {
            assert!(check(SECRET, right).is_ok(), "{right}");
        }
        for wrong in ["my secret", "Shop", "", "-a", "a-", "a..b", "a/b", "a_b", "ä", "a\n", &"a".repeat(254)] {
            let told = check(SECRET, wrong).unwrap_err().to_string();
            assert!(told.contains("spec.template.s3.secretName is ") && !told.contains("uri"), "{told}");
        }
        assert!(check_namespace("tidb").is_ok() && check_namespace("a.b").is_err());
        assert!(check_namespace(&"a".repeat(64)).is_err());
        let told = check_cluster("tidb", "Shop AZ2").unwrap_err().to_string();
        assert!(told.contains("tcName in spec.clusters is \"Shop AZ2\""), "{told}");
    }
}
