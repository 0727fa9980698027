//! What a plane says of itself, for who looks into what went wrong: from memory alone, and nothing is changed.

use crate::{ids::BackupUid, reason::Refusal};
use serde::{Deserialize, Serialize};

/// Backups that one question names: a person means one, of which there may have been several of one name.
pub const BACKUPS_MAX: usize = 16;

/// Longest answer, packed: those of eight planes go into one frame to a console. Log and steps of a plane that has worked for
/// weeks take a quarter of it.
pub const PACKED_MAX: usize = 384 * 1024;

/// Only to planes whose `Hello` says that they know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnose {
    /// Ties the answer to the question.
    pub number: u64,
    /// Of whose machines the last steps are told, at most [`BACKUPS_MAX`]; empty: of all, as far as they fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<BackupUid>,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnosed {
    /// Of which question.
    pub number: u64,
    /// A JSON object, a field for each part, packed (`crate::pack`); at most [`PACKED_MAX`]. Its parts are for people: no program
    /// goes by what is in them.
    pub told: Result<String, Refusal>,
}
