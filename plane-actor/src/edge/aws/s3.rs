//! The port [`Objects`] on aws-sdk-s3, for AWS and for stores that speak its protocol. Objects here are small JSON
//! documents; S3 reads what was written (`facts/aws.md` A11), so plain writes may be repeated and a conditional write
//! whose reply was lost is decided by reading back.

use super::errors::{chain, cloud_error, unreadable};
use crate::ports::{CloudError, Objects};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig},
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::ByteStream,
    types::{ObjectCannedAcl, ServerSideEncryption, StorageClass},
};
use shared::request::S3Target;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Largest object that is read. A clustermeta of 1000 stores is about 10 MiB; more than this is not ours.
const OBJECT_BYTES: usize = 64 << 20;

/// Reading one body to its end (a call's own limits end at the headers).
const BODY_LIMIT: Duration = Duration::from_secs(60);

/// Keys of one listing page: the most that S3 gives.
const PAGE: usize = 1000;

/// Pages of one listing beyond those that its limit needs: pages may be short.
const SPARE_PAGES: usize = 16;

/// Tries of a conditional write that S3 answers with 409 (a delete ran at the same time) or not at all.
const CONDITIONAL_TRIES: u32 = 4;

/// Pause between them; a concurrent delete is over at once.
const CONDITIONAL_PAUSE: Duration = Duration::from_millis(200);

/// One bucket with the options of one backup.
pub(crate) struct S3Edge {
    client: Client,
    storage: S3Target,
}

/// What became of one conditional write.
enum Conditional {
    Written,
    Exists,
    /// 409: a delete ran at the same time.
    Conflict(CloudError),
}

impl S3Edge {
    /// `endpoint`: as backup or configuration name it; it comes before the environment's.
    pub(crate) fn new(config: &SdkConfig, endpoint: Option<&str>, storage: &S3Target) -> Self {
        let mut builder = Builder::from(config).force_path_style(storage.force_path_style);
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        if !matches!(storage.provider.as_str(), "" | "aws") {
            // Older S3-compatible stores refuse the checksum headers that the SDK adds of its own accord.
            builder = builder
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Self { client: Client::from_conf(builder.build()), storage: storage.clone() }
    }

    fn writing(&self, key: &str, body: Vec<u8>) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.storage.bucket)
            .set_expected_bucket_owner(self.owner())
            .key(key)
            .body(ByteStream::from(body))
            .content_type("application/json")
            .set_acl(given(&self.storage.acl).map(|acl| ObjectCannedAcl::from(acl.as_str())))
            .set_server_side_encryption(given(&self.storage.sse).map(|sse| ServerSideEncryption::from(sse.as_str())))
            .set_ssekms_key_id(given(&self.storage.kms_key))
            .set_storage_class(class_of(&self.storage.storage_class))
    }

    /// Sent with every call: a bucket of another account is never written to, nor read.
    fn owner(&self) -> Option<String> {
        given(&self.storage.bucket_owner)
    }

    /// One attempt on the wire: a repeated one would take its own first write for somebody else's.
    async fn write_if_absent(&self, key: &str, body: Vec<u8>) -> Result<Conditional, CloudError> {
        let once = Builder::new().retry_config(RetryConfig::disabled());
        let sent = self.writing(key, body).if_none_match("*").customize().config_override(once).send().await;
        let Err(error) = sent else { return Ok(Conditional::Written) };
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let told = self.told("s3:PutObject", key, cloud_error("s3:PutObject", &error));
        match status {
            Some(412) => Ok(Conditional::Exists),
            Some(409) => Ok(Conditional::Conflict(told)),
            _ => Err(told),
        }
    }

    /// Names bucket and key, which AWS's messages leave out.
    fn told(&self, action: &str, key: &str, error: CloudError) -> CloudError {
        let at = format!("s3://{}/{key}", self.storage.bucket);
        match error {
            CloudError::NotFound(text) => CloudError::NotFound(format!("{at}: {text}")),
            CloudError::Denied(text) => CloudError::Denied(format!("{at}: {text}")),
            CloudError::Throttled(text) => CloudError::Throttled(format!("{at}: {text}")),
            CloudError::OutcomeUnknown(text) => CloudError::OutcomeUnknown(format!("{at}: {text}")),
            CloudError::Refused { code, message } => {
                CloudError::Refused { code, message: format!("{action} {at}: {message}") }
            }
            other => other,
        }
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The class that the backup names; `None`: the bucket's own. Classes from which an object has to be fetched for hours
/// before it can be read are not for metadata: whoever completes, restores or deletes reads it.
fn class_of(name: &str) -> Option<StorageClass> {
    match StorageClass::from(name) {
        _ if name.is_empty() => None,
        StorageClass::Glacier | StorageClass::DeepArchive => None,
        class => Some(class),
    }
}

#[async_trait]
impl Objects for S3Edge {
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, CloudError> {
        const ACTION: &str = "s3:ListBucket";
        let mut keys: Vec<String> = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..limit.div_ceil(PAGE) + SPARE_PAGES {
            // Between 1 and 1000, so it fits; a limit of 0 still asks whether the bucket is there.
            let page = i32::try_from((limit - keys.len()).clamp(1, PAGE)).unwrap_or(1);
            let call = self.client.list_objects_v2().bucket(&self.storage.bucket).prefix(prefix).max_keys(page);
            let call = call.set_expected_bucket_owner(self.owner()).set_start_after(given(after));
            let answer = call.set_continuation_token(token.take()).send().await;
            let answer = answer.map_err(|error| self.told(ACTION, prefix, cloud_error(ACTION, &error)))?;
            keys.extend(answer.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
            token = answer.next_continuation_token().map(str::to_owned);
            if keys.len() >= limit || answer.is_truncated() != Some(true) || token.is_none() {
                keys.truncate(limit);
                return Ok(keys);
            }
        }
        Err(self.told(ACTION, prefix, unreadable(ACTION, "no end: too many short pages")))
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        const ACTION: &str = "s3:GetObject";
        let call = self.client.get_object().bucket(&self.storage.bucket).set_expected_bucket_owner(self.owner());
        let answer = match call.key(key).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(self.told(ACTION, key, cloud_error(ACTION, &error))),
        };
        let body = timeout(BODY_LIMIT, read(answer.body)).await;
        let body = body.unwrap_or_else(|_| Err(format!("not read within {BODY_LIMIT:?}")));
        body.map(Some).map_err(|text| self.told(ACTION, key, CloudError::OutcomeUnknown(format!("{ACTION}: {text}"))))
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), CloudError> {
        let sent = self.writing(key, body).send().await;
        sent.map(|_| ()).map_err(|error| self.told("s3:PutObject", key, cloud_error("s3:PutObject", &error)))
    }

    async fn put_if_absent(&self, key: &str, body: Vec<u8>) -> Result<bool, CloudError> {
        let mut last = None;
        for attempt in 0..CONDITIONAL_TRIES {
            if attempt > 0 {
                sleep(CONDITIONAL_PAUSE * attempt).await;
            }
            match self.write_if_absent(key, body.clone()).await {
                Ok(Conditional::Written) => return Ok(true),
                Ok(Conditional::Exists) if last.is_none() => return Ok(false),
                // An earlier try whose reply was lost may have written it.
                Ok(Conditional::Exists) => return Ok(self.get(key).await?.is_some_and(|found| found == body)),
                Ok(Conditional::Conflict(error))
                | Err(error @ (CloudError::OutcomeUnknown(_) | CloudError::Throttled(_))) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| unreadable("s3:PutObject", "no outcome")))
    }

    async fn delete(&self, key: &str) -> Result<(), CloudError> {
        const ACTION: &str = "s3:DeleteObject";
        let call = self.client.delete_object().bucket(&self.storage.bucket).set_expected_bucket_owner(self.owner());
        let sent = call.key(key).send().await;
        match sent.map_err(|error| self.told(ACTION, key, cloud_error(ACTION, &error))) {
            // S3 itself answers 204 for an absent key; some compatible stores say so.
            Err(CloudError::NotFound(text)) if text.contains("NoSuchKey") => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }
}

async fn read(mut body: ByteStream) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    while let Some(part) = body.try_next().await.map_err(|error| chain(&error))? {
        if whole.len() + part.len() > OBJECT_BYTES {
            return Err(format!("larger than {OBJECT_BYTES} bytes"));
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_never_archived() {
        for archive in ["GLACIER", "DEEP_ARCHIVE", ""] {
            assert_eq!(class_of(archive), None, "{archive}");
        }
        for class in ["STANDARD", "STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING", "NEW_ONE"] {
            assert_eq!(class_of(class).map(|class| class.as_str().to_owned()), Some(class.to_owned()));
        }
    }
}
