//! The port [`CloudConnect`]: clients for one identity, whose credentials were tried.

use super::{
    ebs::EbsEdge,
    ec2::Ec2Edge,
    errors::cloud_error,
    identity::{carrying, with_identity},
    limits::limits,
    renewing::Renewing,
    s3::S3Edge,
    sts::sts,
};
use crate::ports::{Cloud, CloudConnect, CloudError, CloudIdentity, PortError};
use async_trait::async_trait;
use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
};
use shared::{
    reason::Reason,
    request::{ForeignRole, S3Target},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// Attempts of a call that changes nothing: enough for one lost packet and one throttle.
const READ_ATTEMPTS: u32 = 3;

/// Longest pause between two of them.
const READ_BACKOFF_CAP: Duration = Duration::from_secs(5);

/// One attempt. A describe of 1000 rows takes about a second; a barrier's Prepare has 120 s in all.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// All attempts of one call with their pauses.
const CALL_LIMIT: Duration = Duration::from_secs(35);

/// A body that stands still for so long is given up.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// All of [`CloudConnect::connect`]: region, credentials (STS twice at most) and the account.
const IDENTITY_LIMIT: Duration = Duration::from_secs(60);

/// Finding the region through profile or instance metadata when nobody named it; unreachable metadata takes seconds.
const REGION_LIMIT: Duration = Duration::from_secs(10);

/// A region that nobody told is looked for again after this: instance metadata may have been away for a moment.
const REGION_AGAIN: Duration = Duration::from_secs(60);

/// Where nobody names a region. TiDB Operator's placeholder (`facts/tidb-operator.md` §6); right for S3-compatible
/// stores, which ignore it.
const FALLBACK_REGION: &str = "us-east-1";

/// What the plane's configuration says of AWS. Empty strings: unset, and the standard variables `AWS_REGION` and
/// `AWS_ENDPOINT_URL[_EC2|_EBS|_S3|_STS]` hold, or AWS's own endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// Where this plane's volumes are.
    pub region: String,
    /// Overrides EC2's endpoint.
    pub endpoint_ec2: String,
    /// Overrides EBS direct's endpoint.
    pub endpoint_ebs: String,
    /// Overrides S3's endpoint; a backup's own `spec.template.s3.endpoint` comes before it.
    pub endpoint_s3: String,
    /// Overrides STS's endpoint for the calls made here (the default chain's own calls go by the environment).
    pub endpoint_sts: String,
    /// What CloudTrail shows as the session of a role that is assumed here: names the plane.
    pub session: String,
}

/// The real cloud. Holds no credentials of its own: each [`connect`](CloudConnect::connect) makes clients for one
/// identity.
#[derive(Debug)]
pub struct AwsCloud {
    config: AwsConfig,
    /// The plane actor's own chain and region; its credentials refresh themselves. Read once, unless nobody told the
    /// region: then it is looked for again after a while.
    own: Mutex<Option<(SdkConfig, Instant)>>,
}

impl AwsCloud {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(config: AwsConfig) -> Self {
        Self { config, own: Mutex::default() }
    }

    async fn own(&self) -> SdkConfig {
        let mut kept = self.own.lock().await;
        if let Some((own, read)) = kept.as_ref()
            && (own.region().is_some() || read.elapsed() < REGION_AGAIN)
        {
            return own.clone();
        }
        let own = self.load().await;
        *kept = Some((own.clone(), Instant::now()));
        own
    }

    async fn load(&self) -> SdkConfig {
        // An empty region would be looked for again by the loader; here the search has its limit.
        let region = self.own_region().await;
        let loaded = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .retry_config(RetryConfig::standard().with_max_attempts(READ_ATTEMPTS).with_max_backoff(READ_BACKOFF_CAP))
            .timeout_config(limits(ATTEMPT_LIMIT, CALL_LIMIT))
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(STALL_LIMIT).build())
            .load()
            .await;
        match loaded.credentials_provider() {
            Some(chain) => carrying(&loaded, Renewing::new(chain)),
            None => loaded,
        }
    }

    /// The configured region, else that of the environment, profile or instance. `None`: nobody knows it.
    async fn own_region(&self) -> Option<Region> {
        if !self.config.region.is_empty() {
            return Some(Region::new(self.config.region.clone()));
        }
        let chain = aws_config::default_provider::region::Builder::default().build();
        timeout(REGION_LIMIT, chain.region()).await.ok().flatten()
    }

    async fn identify(&self, identity: &CloudIdentity, storage: &S3Target) -> Result<Cloud, PortError> {
        let own = self.own().await;
        // Volumes are where the plane is. Only a plane that does not know its region falls back to that of the bucket,
        // which is what BR does today.
        let region = own.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let region_guessed = region.is_none();
        if region_guessed {
            tracing::warn!("nobody told this plane's AWS region; set aws.region");
        }
        let region = region.unwrap_or_else(|| or(&storage.region, FALLBACK_REGION).to_owned());
        let base = own.to_builder().region(Region::new(region.clone())).build();
        let endpoint_sts = given(&self.config.endpoint_sts);
        let acting = with_identity(&base, endpoint_sts, identity, &self.config.session);

        let account = account(&sts(&acting, endpoint_sts)).await?;
        tracing::debug!(account, region, ?identity, "AWS identity confirmed");
        let ec2 = aws_sdk_ec2::config::Builder::from(&acting);
        let ec2 = match given(&self.config.endpoint_ec2) {
            Some(endpoint) => ec2.endpoint_url(endpoint),
            None => ec2,
        };
        let ec2 = aws_sdk_ec2::Client::from_conf(ec2.build());
        let ebs = aws_sdk_ebs::config::Builder::from(&acting);
        let ebs = match given(&self.config.endpoint_ebs) {
            Some(endpoint) => ebs.endpoint_url(endpoint),
            None => ebs,
        };
        let blocks = Arc::new(EbsEdge::new(aws_sdk_ebs::Client::from_conf(ebs.build())));
        let bucket_region = or(&storage.region, &region);
        let s3 = self.reaching(&acting, storage).await?;
        let s3 = s3.to_builder().region(Region::new(bucket_region.to_owned())).build();
        let endpoint_s3 = given(or(&storage.endpoint, &self.config.endpoint_s3));
        let objects = Arc::new(S3Edge::new(&s3, endpoint_s3, storage));
        let ec2 = Arc::new(Ec2Edge::new(ec2));
        Ok(Cloud { account, region, region_guessed, ec2: ec2.clone(), volumes: ec2, blocks, objects })
    }
}

impl AwsCloud {
    /// Who S3 sees: this identity, or the role that it assumes for the bucket, tried.
    async fn reaching(&self, acting: &SdkConfig, storage: &S3Target) -> Result<SdkConfig, PortError> {
        let Some(ForeignRole { arn, external_id }) = storage.role.clone() else { return Ok(acting.clone()) };
        let endpoint = given(&self.config.endpoint_sts);
        let role = CloudIdentity::Role { arn, external_id };
        let reaching = with_identity(acting, endpoint, &role, &self.config.session);
        account(&sts(&reaching, endpoint)).await.map_err(|error| match error {
            PortError::Refused(refusal) => {
                PortError::refused(refusal.reason, format!("{}: {}", storage.of_its_role(), refusal.message))
            }
            other => other,
        })?;
        Ok(reaching)
    }
}

#[async_trait]
impl CloudConnect for AwsCloud {
    async fn connect(&self, identity: &CloudIdentity, storage: &S3Target) -> Result<Cloud, PortError> {
        timeout(IDENTITY_LIMIT, self.identify(identity, storage)).await.unwrap_or_else(|_| {
            Err(PortError::Unavailable(format!("AWS: no credentials or account within {IDENTITY_LIMIT:?}")))
        })
    }
}

/// Asks STS who these credentials are, which also proves that they work. It needs no permission.
async fn account(sts: &aws_sdk_sts::Client) -> Result<String, PortError> {
    const ACTION: &str = "sts:GetCallerIdentity";
    let answer = sts.get_caller_identity().send().await;
    let answer = answer.map_err(|error| refused(cloud_error(ACTION, &error)))?;
    answer.account.ok_or_else(|| PortError::Unavailable(format!("{ACTION}: the answer names no account")))
}

/// Why these credentials cannot be used. An answer that is no matter of credentials is final all the same: the role's
/// ARN was malformed, or STS is off in this Region.
fn refused(error: CloudError) -> PortError {
    match error {
        CloudError::Denied(text) => PortError::refused(Reason::AccessDenied, text),
        CloudError::NotAccepted(text) => PortError::refused(Reason::CredentialsRefused, text),
        CloudError::NoCredentials(text) => PortError::refused(Reason::CredentialsUnreadable, text),
        CloudError::Refused { .. } | CloudError::NotFound(_) => {
            PortError::refused(Reason::CredentialsUnreadable, error.to_string())
        }
        CloudError::WrongTime(text) => PortError::refused(Reason::NodeClockWrong, text),
        CloudError::Throttled(text)
        | CloudError::OutcomeUnknown(text)
        | CloudError::InvalidState(text)
        | CloudError::PerVolumeRate(text)
        | CloudError::Quota(text) => PortError::Unavailable(text),
    }
}

/// An endpoint that was named. It has to be set on the service's own configuration: what stands in a shared one loses to
/// `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_…` of the environment. Without one the environment has its say.
fn given(endpoint: &str) -> Option<&str> {
    (!endpoint.is_empty()).then_some(endpoint)
}

fn or<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}
