//! What lies in S3 where an attempt's tags say that its files are.

use super::{
    super::{
        meta::certified_attempt,
        question::{Look, Said, Stop},
        storage,
        storage::Owner,
    },
    names::Key,
};
use crate::ports::Cloud;
use shared::request::S3Target;

/// Whose the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// Nothing of ours is there, or it is another backup's, or another attempt's that is certified.
    None,
    /// The lock is this attempt's or an earlier one's, and nothing certifies it.
    Reserved,
    /// There is a certificate of this attempt.
    Certified,
    /// Tags do not say where they are.
    Unplaced,
    /// Why they were not read.
    Unread(String),
}

impl Files {
    pub(super) fn are_there(&self) -> bool {
        matches!(self, Self::Reserved | Self::Certified)
    }
}

/// A place as tags name it; `None`: it is in another bucket than this identity was given for.
pub(super) fn target(storage: &S3Target, path: &str) -> Option<S3Target> {
    let (bucket, prefix) = path.strip_prefix("s3://")?.split_once('/')?;
    (bucket == storage.bucket).then(|| S3Target { prefix: prefix.to_owned(), ..storage.clone() })
}

pub(super) async fn files(
    look: &Look<'_>,
    cloud: &Cloud,
    storage: &S3Target,
    path: &str,
    (backup, attempt): &Key,
) -> Files {
    let Some(target) = target(storage, path) else {
        return Files::Unread(format!("{path} is in another bucket than any backup here names"));
    };
    let unread = |stop: Stop| Files::Unread(format!("{path}: {}", Said::from(stop).text));
    let certificate = match look.object(cloud, &target.key(storage::CERTIFICATE)).await {
        Ok(body) => body,
        Err(stop) => return unread(stop),
    };
    // One that cannot be read may be of a later version: it counts as this attempt's.
    match certificate.map(|body| certified_attempt(&body)) {
        Some(None) => return Files::Certified,
        Some(Some((of, number))) if of == *backup && number == *attempt => return Files::Certified,
        // The lock is that attempt's, too.
        Some(Some((of, _))) if of == *backup => return Files::None,
        Some(Some(_)) | None => {}
    }
    match look.object(cloud, &target.key(storage::LOCK)).await {
        Ok(body) => match body.as_deref().and_then(Owner::of) {
            Some(owner) if owner.attempt.backup == *backup && owner.attempt.number <= *attempt => Files::Reserved,
            _ => Files::None,
        },
        Err(stop) => unread(stop),
    }
}
