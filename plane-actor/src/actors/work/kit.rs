//! What tests of work share.

use shared::request::{Credentials, Limits, MemberSpec, S3Target, SizeLevel};

/// A member of the init plane.
pub(super) fn spec(credentials: Credentials) -> MemberSpec {
    let storage = S3Target {
        provider: "aws".into(),
        region: String::new(),
        bucket: "b".into(),
        prefix: "p".into(),
        endpoint: String::new(),
        force_path_style: true,
        acl: String::new(),
        sse: String::new(),
        storage_class: String::new(),
    };
    MemberSpec {
        backup_name: "b".into(),
        backup_namespace: "admin".into(),
        tc_name: "shop".into(),
        tc_namespace: "tidb".into(),
        init: true,
        storage,
        credentials,
        size_level: SizeLevel::All,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}
