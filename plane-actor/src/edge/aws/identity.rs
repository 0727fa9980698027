//! Who a plane is towards AWS: the four ways of [`CloudIdentity`], each as an SDK configuration that carries its
//! credentials and nobody else's.

use super::{
    renewing::Renewing,
    sts::{AssumedRole, WebRole, sts},
};
use crate::ports::CloudIdentity;
use aws_config::{SdkConfig, identity::IdentityCache};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use shared::plane_name::readable;
use std::sync::Arc;

/// Sessions of planes that have no name (preflight of a plane that is not configured yet).
const NAMELESS: &str = "isochron-plane-actor";

/// STS takes a session name of 2 to 64 of these and letters and digits (doc: AssumeRole).
const SESSION_SIGNS: &str = "_+=,.@-";
const SESSION_CHARS: usize = 64;

/// The configuration of one identity, made from the plane actor's own, by whose credentials a role is assumed.
/// `endpoint`: of STS, if one was named.
pub(crate) fn with_identity(
    base: &SdkConfig,
    endpoint: Option<&str>,
    identity: &CloudIdentity,
    session: &str,
) -> SdkConfig {
    let (session, client) = (session_name(session), || sts(base, endpoint));
    match identity {
        CloudIdentity::Default => base.clone(),
        CloudIdentity::Keys { access_key, secret_key } => {
            carrying(base, Credentials::new(access_key.as_str(), secret_key.as_str(), None, None, "s3.secretName"))
        }
        CloudIdentity::Role { arn, external_id } => {
            let (role, external_id) = (arn.clone(), external_id.clone());
            carrying(base, Renewing::new(AssumedRole { sts: client(), role, external_id, session }))
        }
        CloudIdentity::ServiceAccount(source) => {
            carrying(base, Renewing::new(WebRole { sts: client(), source: Arc::clone(source), session }))
        }
    }
}

/// Without the SDK's cache: [`Renewing`] is one, and keys need none.
pub(crate) fn carrying(config: &SdkConfig, provider: impl ProvideCredentials + 'static) -> SdkConfig {
    let provider = SharedCredentialsProvider::new(provider);
    config.to_builder().credentials_provider(provider).identity_cache(IdentityCache::no_cache()).build()
}

/// What CloudTrail shows as the session of an assumed role.
fn session_name(wanted: &str) -> String {
    let name = readable(wanted, SESSION_CHARS, |sign| sign.is_ascii_alphanumeric() || SESSION_SIGNS.contains(sign));
    if name.len() < 2 { NAMELESS.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_name_that_sts_takes() {
        assert_eq!(session_name("isochron-prod-az1"), "isochron-prod-az1");
        assert_eq!(session_name("isochron-ann@shop.eu-west-1.eksctl.io"), "isochron-ann@shop.eu-west-1.eksctl.io");
        let of = |name: &str| session_name(&format!("isochron-arn:aws:eks:eu-west-1:123456789012:cluster/{name}"));
        for session in [of("prod-az1"), of(&"a".repeat(80))] {
            let allowed = |sign: char| sign.is_ascii_alphanumeric() || SESSION_SIGNS.contains(sign);
            assert!(session.len() <= SESSION_CHARS && session.chars().all(allowed), "{session}");
        }
        assert!(of("prod-az1").contains("123456789012-cluster-prod-az1"), "{}", of("prod-az1"));
        assert_ne!(of("prod-az1"), of("prod_az1").replace('_', "-"));
        assert_eq!(session_name(""), NAMELESS);
    }
}
