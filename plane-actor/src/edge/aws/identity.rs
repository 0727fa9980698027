//! Who a plane is towards AWS: the four ways of [`CloudIdentity`], each as an SDK configuration that carries its
//! credentials. Role and web identity last an hour at most (role chaining is capped there, `facts/aws.md` A9) and are
//! renewed by the SDK's cache before they end.

use crate::ports::{CloudIdentity, WebIdentity};
use aws_config::{SdkConfig, identity::IdentityCache, sts::AssumeRoleProvider};
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use std::{fmt, time::Duration};

/// What CloudTrail shows as the session of an assumed role.
const SESSION: &str = "isochron-plane-actor";

/// Length of a session. The longest that role chaining allows; a longer one is refused.
const SESSION_LENGTH: Duration = Duration::from_secs(3600);

/// The configuration of one identity, made from the plane actor's own. `sts` is the same with STS's endpoint.
pub(crate) async fn with_identity(base: &SdkConfig, sts: &SdkConfig, identity: &CloudIdentity) -> SdkConfig {
    let provider = match identity {
        CloudIdentity::Default => return base.clone(),
        CloudIdentity::Keys { access_key, secret_key } => SharedCredentialsProvider::new(Credentials::new(
            access_key.as_str(),
            secret_key.as_str(),
            None,
            None,
            "s3.secretName",
        )),
        CloudIdentity::Role(role) => SharedCredentialsProvider::new(
            AssumeRoleProvider::builder(role.as_str())
                .session_name(SESSION)
                .session_length(SESSION_LENGTH)
                .configure(sts)
                .build()
                .await,
        ),
        CloudIdentity::WebIdentity(web) => SharedCredentialsProvider::new(WebIdentityProvider {
            sts: aws_sdk_sts::Client::new(sts),
            identity: web.clone(),
        }),
    };
    // A cache of its own: credentials of one identity must never be served to another.
    base.to_builder().credentials_provider(provider).identity_cache(IdentityCache::lazy().build()).build()
}

/// AssumeRoleWithWebIdentity with a token held in memory (the SDK's own provider reads files only). The call is
/// unsigned. Once the token itself has expired STS refuses, and a new connection with a new token is needed.
struct WebIdentityProvider {
    sts: aws_sdk_sts::Client,
    identity: WebIdentity,
}

impl fmt::Debug for WebIdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebIdentityProvider({})", self.identity.role)
    }
}

impl WebIdentityProvider {
    async fn assume(&self) -> provider::Result {
        let answer = self
            .sts
            .assume_role_with_web_identity()
            .role_arn(&self.identity.role)
            .role_session_name(SESSION)
            .web_identity_token(&self.identity.token)
            // SESSION_LENGTH in seconds is 3600.
            .duration_seconds(i32::try_from(SESSION_LENGTH.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        let given =
            answer.credentials.ok_or_else(|| CredentialsError::unhandled("STS answered without credentials"))?;
        let expiry = given.expiration.try_into().map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(expiry),
            "AssumeRoleWithWebIdentity",
        ))
    }
}

impl ProvideCredentials for WebIdentityProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
