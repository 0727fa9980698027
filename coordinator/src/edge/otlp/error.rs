//! Why traces cannot be sent at all.

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// It is no address of ours.
    #[error("tracing.endpoint {0:?} is neither http://HOST:PORT nor https://HOST:PORT")]
    Endpoint(String),
    /// It could not be told who it is.
    #[error(
        "tracing.endpoint is https, and the authorities of {of} cannot be used: {why}; name those that signed its certificate in tracing.ca"
    )]
    Authorities {
        /// Whose list it is.
        of: String,
        /// In words.
        why: String,
    },
}
