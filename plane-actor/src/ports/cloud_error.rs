//! What EC2, EBS or S3 answered instead of a result, in words that decide what is done next.

/// What EC2 or S3 answered instead of a result.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CloudError {
    /// Rate refusal: nothing happened; wait and ask again.
    #[error("throttled: {0}")]
    Throttled(String),
    /// A volume was snapshotted less than 15 s ago: look whether an earlier call of ours succeeded, then wait.
    #[error("per-volume rate: {0}")]
    PerVolumeRate(String),
    /// The instance or volume is in a state that does not allow it now. EC2 says so too while an identical earlier request
    /// is unfinished, and of a volume that is attached.
    #[error("not in this state: {0}")]
    InvalidState(String),
    /// A quota of snapshots or volumes. Whatever frees room under it takes minutes at least: no hold is kept up for that.
    #[error("quota: {0}")]
    Quota(String),
    /// Final. `code` is AWS's.
    #[error("{code}: {message}")]
    Refused {
        /// AWS error code.
        code: String,
        /// AWS message.
        message: String,
    },
    /// No permission. The text names the action.
    #[error("access denied: {0}")]
    Denied(String),
    /// The credentials themselves are unknown, wrong or expired. The text names the action and AWS's code.
    #[error("credentials not accepted: {0}")]
    NotAccepted(String),
    /// The time of the request is not AWS's: this node's clock is wrong. The text names the action and AWS's code.
    #[error("time not accepted: {0}")]
    WrongTime(String),
    /// There are no credentials to sign with, so nothing was sent.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// No such bucket, snapshot or object.
    #[error("not found: {0}")]
    NotFound(String),
    /// The answer was lost: a mutating call may have happened. Look before any retry.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
}

impl CloudError {
    /// AWS's code of what it refused for good.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Throttled(_)
            | Self::PerVolumeRate(_)
            | Self::InvalidState(_)
            | Self::Quota(_)
            | Self::Denied(_)
            | Self::NotAccepted(_)
            | Self::WrongTime(_)
            | Self::NoCredentials(_)
            | Self::NotFound(_)
            | Self::OutcomeUnknown(_) => None,
        }
    }
}
