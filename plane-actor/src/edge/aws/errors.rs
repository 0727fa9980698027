//! What AWS answered instead of a result, in the words of the port. Everything that is not certainly "nothing happened"
//! is [`CloudError::OutcomeUnknown`]: a repeated CreateSnapshots doubles a set (`facts/aws.md` A4), so doubt must show.

use crate::ports::{CloudError, PortError};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ec2::{config::http::HttpResponse, error::SdkError};
use aws_sdk_sts::operation::{
    assume_role::AssumeRoleError, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// Longest text taken over from an answer: UnauthorizedOperation carries kilobytes of encoded policy.
const MESSAGE_CHARS: usize = 400;

/// Deepest error chain that is read; the SDK's are five or six long.
const CHAIN: usize = 16;

/// Translates the failure of one call; `action` names it in the text.
pub(crate) fn cloud_error<E>(action: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let answer = context.err();
            classify(action, status, answer.code(), answer.message().unwrap_or_default())
        }
        _ => match (credentials_fault(error), error) {
            (Some(fault), _) => at(action, fault),
            // The request could not be built, so it was not sent.
            (None, SdkError::ConstructionFailure(_)) => {
                CloudError::Refused { code: "RequestNotBuilt".into(), message: format!("{action}: {}", chain(error)) }
            }
            (None, _) => CloudError::OutcomeUnknown(format!("{action}: {}", chain(error))),
        },
    }
}

/// The same, with the call that it kept from being made.
fn at(action: &str, fault: CloudError) -> CloudError {
    match fault {
        CloudError::Denied(text) => CloudError::Denied(format!("{action}: {text}")),
        CloudError::NotAccepted(text) => CloudError::NotAccepted(format!("{action}: {text}")),
        CloudError::WrongTime(text) => CloudError::WrongTime(format!("{action}: {text}")),
        CloudError::NoCredentials(text) => CloudError::NoCredentials(format!("{action}: {text}")),
        CloudError::Refused { code, message } => CloudError::Refused { code, message: format!("{action}: {message}") },
        // The port has no word for "not sent, may pass"; doubt is the safe side.
        other => CloudError::OutcomeUnknown(format!("{action}: {other}")),
    }
}

/// An answer that was parsed but does not hold what it must.
pub(crate) fn unreadable(action: &str, what: &str) -> CloudError {
    CloudError::OutcomeUnknown(format!("{action}: the answer has {what}"))
}

/// By code first, because RequestLimitExceeded comes with 503 and snapshot limits with 400 (`facts/ec2-wire.md` §3); then
/// by HTTP status. An answer with a good status that is still an error could not be understood.
fn classify(action: &str, status: u16, code: Option<&str>, message: &str) -> CloudError {
    let message = cut(message);
    let Some(code) = code else {
        let text = format!("{action}: HTTP {status} without an error code");
        return match status {
            429 => CloudError::Throttled(text),
            401 | 403 => CloudError::Denied(text),
            404 => CloudError::NotFound(text),
            300..=499 => CloudError::Refused { code: format!("HTTP {status}"), message: text },
            _ => CloudError::OutcomeUnknown(text),
        };
    };
    let text = if message.is_empty() { format!("{action}: {code}") } else { format!("{action}: {code}: {message}") };
    match code {
        "RequestLimitExceeded"
        | "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "EC2ThrottledException"
        | "SlowDown"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete" => CloudError::Throttled(text),
        "SnapshotCreationPerVolumeRateExceeded" => CloudError::PerVolumeRate(text),
        "InvalidState" | "VolumeInUse" => CloudError::InvalidState(text),
        "RequestExpired" | "RequestTimeTooSkewed" | "RequestInTheFuture" => CloudError::WrongTime(text),
        "ConcurrentSnapshotLimitExceeded"
        | "PendingSnapshotLimitExceeded"
        | "SnapshotLimitExceeded"
        | "VolumeLimitExceeded"
        | "MaxIOPSLimitExceeded" => CloudError::Quota(text),
        "InternalError"
        | "InternalFailure"
        | "InternalServerException"
        | "ServerInternal"
        | "Unavailable"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "RequestTimeoutException" => CloudError::OutcomeUnknown(text),
        // S3-compatible stores answer 501 to what they do not know; nothing was done.
        "NotImplemented" => CloudError::Refused { code: code.into(), message: text },
        // AWS could not reach the Kubernetes cluster's identity provider just now.
        "IDPCommunicationError" => CloudError::OutcomeUnknown(text),
        _ if is_unknown_caller(code) => CloudError::NotAccepted(text),
        _ if is_denial(code) => CloudError::Denied(text),
        _ if code.ends_with(".NotFound")
            || matches!(code, "NoSuchBucket" | "NoSuchKey" | "NotFound" | "ResourceNotFoundException") =>
        {
            CloudError::NotFound(text)
        }
        _ if status >= 500 => CloudError::OutcomeUnknown(text),
        _ => CloudError::Refused { code: code.into(), message: text },
    }
}

/// Codes that mean: not with these credentials, whatever they may do. EC2, S3 and STS each have their own words.
fn is_unknown_caller(code: &str) -> bool {
    matches!(
        code,
        "AuthFailure"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IDPRejectedClaim"
            | "IncompleteSignature"
            | "InvalidAccessKeyId"
            | "InvalidIdentityToken"
            | "InvalidSecurity"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "SignatureDoesNotMatch"
            | "TokenRefreshRequired"
    )
}

/// Codes that mean: the caller is known and may not.
fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "UnauthorizedOperation"
            | "AccessDenied"
            | "AccessDeniedException"
            | "AllAccessDisabled"
            | "AccountProblem"
            | "Blocked"
            | "OptInRequired"
            | "PendingVerification"
    )
}

/// Finds out of a chain why there are no credentials to sign with; the call itself was not sent. What our own providers
/// say is taken as it is; STS's answers to the SDK's providers by their code.
pub(crate) fn credentials_fault(error: &(dyn Error + 'static)) -> Option<CloudError> {
    let found = links(error).find_map(|link| link.downcast_ref::<CredentialsError>())?;
    if let Some(told) = links(found).find_map(|link| link.downcast_ref::<CloudError>()) {
        return Some(told.clone());
    }
    if let Some(told) = links(found).find_map(|link| link.downcast_ref::<PortError>()) {
        return Some(match told {
            PortError::Refused(refusal) => CloudError::NoCredentials(refusal.message.clone()),
            PortError::Unavailable(text) => CloudError::OutcomeUnknown(text.clone()),
        });
    }
    if let Some((action, code, message)) = links(found).find_map(sts_answer) {
        return Some(classify(action, 400, Some(code), message));
    }
    let text = format!("credentials: {}", chain(found));
    Some(match found {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            CloudError::NoCredentials(text)
        }
        _ => CloudError::OutcomeUnknown(text),
    })
}

fn sts_answer<'a>(error: &'a (dyn Error + 'static)) -> Option<(&'static str, &'a str, &'a str)> {
    let of = |action, error: &'a dyn ProvideErrorMetadata| {
        Some((action, error.code()?, error.message().unwrap_or_default()))
    };
    let role = error.downcast_ref::<AssumeRoleError>().and_then(|error| of("sts:AssumeRole", error));
    let web = error.downcast_ref::<AssumeRoleWithWebIdentityError>();
    role.or_else(|| web.and_then(|error| of("sts:AssumeRoleWithWebIdentity", error)))
}

fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| (*link).source()).take(CHAIN)
}

/// The whole chain as one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = links(error).map(ToString::to_string).collect();
    // Wrappers often print their source too.
    parts.dedup();
    cut(&parts.join(": "))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, code: Option<&str>) -> &'static str {
        match classify("CreateSnapshots", status, code, "m") {
            CloudError::Throttled(_) => "throttled",
            CloudError::PerVolumeRate(_) => "volume rate",
            CloudError::Quota(_) => "quota",
            CloudError::Refused { .. } => "refused",
            CloudError::Denied(_) => "denied",
            CloudError::NotAccepted(_) => "not accepted",
            CloudError::InvalidState(_) => "state",
            CloudError::WrongTime(_) => "time",
            CloudError::NoCredentials(_) => "no credentials",
            CloudError::NotFound(_) => "not found",
            CloudError::OutcomeUnknown(_) => "unknown",
        }
    }

    #[test]
    fn every_code_of_the_facts_has_its_meaning() {
        let table = [
            (503, "RequestLimitExceeded", "throttled"),
            (400, "Throttling", "throttled"),
            (503, "SlowDown", "throttled"),
            (400, "SnapshotCreationPerVolumeRateExceeded", "volume rate"),
            (503, "SnapshotCreationPerVolumeRateExceeded", "volume rate"),
            (400, "ConcurrentSnapshotLimitExceeded", "quota"),
            (400, "PendingSnapshotLimitExceeded", "quota"),
            (400, "SnapshotLimitExceeded", "quota"),
            (500, "InternalError", "unknown"),
            (400, "InternalError", "unknown"),
            (503, "Unavailable", "unknown"),
            (503, "SomethingNew", "unknown"),
            (400, "InvalidInstanceID.NotFound", "not found"),
            (400, "InvalidSnapshot.NotFound", "not found"),
            (404, "NoSuchBucket", "not found"),
            (400, "InvalidInstanceID.Malformed", "refused"),
            (400, "TagLimitExceeded", "refused"),
            (400, "InvalidState", "state"),
            (400, "VolumeInUse", "state"),
            (400, "VolumeLimitExceeded", "quota"),
            (400, "MaxIOPSLimitExceeded", "quota"),
            (400, "InvalidVolume.NotFound", "not found"),
            (400, "IdempotentParameterMismatch", "refused"),
            (400, "IncorrectState", "refused"),
            (501, "NotImplemented", "refused"),
            (403, "UnauthorizedOperation", "denied"),
            (403, "AccessDenied", "denied"),
            (401, "AuthFailure", "not accepted"),
            (400, "RequestExpired", "time"),
            (403, "RequestTimeTooSkewed", "time"),
            (403, "InvalidClientTokenId", "not accepted"),
            (403, "InvalidAccessKeyId", "not accepted"),
            (403, "SignatureDoesNotMatch", "not accepted"),
            (403, "ExpiredToken", "not accepted"),
            (400, "ExpiredTokenException", "not accepted"),
            (400, "UnrecognizedClientException", "not accepted"),
            (400, "InvalidIdentityToken", "not accepted"),
            (400, "IDPCommunicationError", "unknown"),
            (500, "InternalServerException", "unknown"),
            (400, "ThrottlingException", "throttled"),
            (400, "RequestThrottledException", "throttled"),
            (403, "AccessDeniedException", "denied"),
            (404, "ResourceNotFoundException", "not found"),
            (400, "ValidationError", "refused"),
        ];
        for (status, code, expected) in table {
            assert_eq!(kind(status, Some(code)), expected, "{status} {code}");
        }
    }

    #[test]
    fn without_a_code_the_status_decides_and_success_is_doubt() {
        let table = [(200, "unknown"), (500, "unknown"), (502, "unknown"), (429, "throttled"), (403, "denied")];
        for (status, expected) in table.into_iter().chain([(404, "not found"), (400, "refused"), (301, "refused")]) {
            assert_eq!(kind(status, None), expected, "{status}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let CloudError::Denied(text) = classify("A", 403, Some("UnauthorizedOperation"), &"é".repeat(5000)) else {
            panic!("a denial");
        };
        assert!(text.chars().count() < 500, "{}", text.len());
    }
}
