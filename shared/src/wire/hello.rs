//! The first frame each way. A connection counts as up only after `Welcome` was read, because TLS 1.3 lets a client
//! believe in a connection that the server is about to refuse (`facts/tech.md` §2).

use crate::ids::PlaneId;
use serde::{Deserialize, Serialize};

/// The version this program speaks.
pub const WIRE_VERSION: u16 = 1;
/// The oldest version it still understands: one back, from version 2 on.
pub const MIN_WIRE_VERSION: u16 = 1;

/// From the side that dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Highest wire version spoken.
    pub wire: u16,
    /// Program version, for people.
    pub version: String,
    /// Who it believes to be; the certificate decides.
    pub plane: PlaneId,
    /// A name of this process of the plane, another with every start. For people: sessions are told apart by their generation.
    pub boot: String,
    /// It answers `Verify`; planes of earlier versions do not know the question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verifies: bool,
    /// It answers `Scan`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scans: bool,
    /// It obeys `Divide`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub divides: bool,
    /// It takes a certificate packed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpacks: bool,
    /// It answers `Diagnose`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub diagnoses: bool,
    /// It answers `Inspect`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inspects: bool,
    /// It obeys `Restore`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restores: bool,
}

impl Hello {
    /// The first words alone, of this version of the wire: it knows none of what came later.
    pub fn plain(version: impl Into<String>, plane: PlaneId, boot: impl Into<String>) -> Self {
        Self {
            wire: WIRE_VERSION,
            version: version.into(),
            plane,
            boot: boot.into(),
            verifies: false,
            scans: false,
            divides: false,
            unpacks: false,
            diagnoses: false,
            inspects: false,
            restores: false,
        }
    }
}

/// From the side that listened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Agreed wire version.
    pub wire: u16,
    /// Program version, for people.
    pub version: String,
    /// Number of this session; guards against words from a dead one.
    pub generation: u64,
    /// False: this replica does not lead; dial another, or again later.
    pub leading: bool,
}
