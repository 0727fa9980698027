//! What tests of work share.

use shared::request::{Credentials, MemberSpec, S3Target, SizeLevel};

/// A member of the init plane.
pub(super) fn spec(credentials: Credentials) -> MemberSpec {
    let storage = S3Target::example("b", "p");
    MemberSpec { storage, credentials, size_level: SizeLevel::All, ..MemberSpec::example() }
}
