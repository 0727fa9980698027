//! `spec.template.s3` and what options say of it: where metadata lies.

use super::{
    super::crd::{S3, Template},
    faults::Faults,
    options::Options,
};
use shared::{
    reason::Reason,
    request::{ForeignRole, S3Target},
};

/// The encryption by a key of the user's.
const KMS: &str = "aws:kms";

pub(super) fn storage(template: &Template, options: &Options, faults: &mut Faults) -> S3Target {
    let others =
        [("gcs", template.gcs.is_some()), ("azblob", template.azblob.is_some()), ("local", template.local.is_some())];
    let empty = S3::default();
    let s3 = match (&template.s3, others.iter().find(|(_, there)| *there)) {
        (Some(s3), _) => s3,
        (None, Some((other, _))) => {
            faults
                .add(Reason::StorageUnsupported, format!("spec.template.{other} cannot hold a volume-snapshot backup"));
            &empty
        }
        (None, None) => {
            faults.add(Reason::S3Missing, "spec.template.s3 is missing");
            &empty
        }
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let either = |option: &Option<String>, field: &Option<String>| option.clone().unwrap_or_else(|| text(field));
    let bucket = text(&s3.bucket);
    if template.s3.is_some() && bucket.is_empty() {
        faults.add(Reason::SpecInvalid, "spec.template.s3.bucket is empty");
    }
    let endpoint = either(&options.endpoint, &s3.endpoint);
    if !endpoint.is_empty() && !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        faults.add(
            Reason::SpecInvalid,
            format!("spec.template.s3.endpoint is {endpoint:?}; it must begin with http:// or https://"),
        );
    }
    let bucket_owner = text(&s3.bucket_owner);
    let is_account = bucket_owner.len() == 12 && bucket_owner.bytes().all(|byte| byte.is_ascii_digit());
    if !(bucket_owner.is_empty() || is_account) {
        let message = format!(
            "spec.template.s3.bucketOwner is {bucket_owner:?}; it must be the 12 digits of the account whose bucket it is"
        );
        faults.add(Reason::SpecInvalid, message);
    }
    let (sse, kms_key) = encryption(either(&options.sse, &s3.sse), text(&options.kms_key), faults);
    S3Target {
        // Two makers whose stores refuse path style (`facts/tidb-operator.md` §6).
        force_path_style: s3.force_path_style.unwrap_or(!matches!(s3.provider.as_str(), "alibaba" | "netease")),
        provider: s3.provider.clone(),
        region: either(&options.region, &s3.region),
        bucket,
        prefix: text(&s3.prefix),
        endpoint,
        acl: either(&options.acl, &s3.acl),
        sse,
        kms_key,
        storage_class: either(&options.storage_class, &s3.storage_class),
        bucket_owner,
        role: role(options, faults),
    }
}

/// A key of the user's means encryption by it.
fn encryption(sse: String, key: String, faults: &mut Faults) -> (String, String) {
    if key.is_empty() || sse.starts_with(KMS) {
        return (sse, key);
    }
    if !sse.is_empty() {
        let message = format!(
            "spec.template.br.options names a KMS key (--s3.sse-kms-key-id), and spec.template.s3.sse is {sse:?}; a key goes with \
             aws:kms"
        );
        faults.add(Reason::SpecInvalid, message);
    }
    (KMS.to_owned(), key)
}

/// By which role the bucket is reached.
fn role(options: &Options, faults: &mut Faults) -> Option<ForeignRole> {
    let external_id = options.external_id.clone().unwrap_or_default();
    match options.role.clone().filter(|arn| !arn.is_empty()) {
        Some(arn) => Some(ForeignRole { arn, external_id }),
        None if external_id.is_empty() => None,
        None => {
            let message =
                "spec.template.br.options has --s3.external-id without --s3.role-arn; an external id goes with a role";
            faults.add(Reason::SpecInvalid, message);
            None
        }
    }
}
