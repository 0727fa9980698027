//! What tests of more than one part share.

use shared::{
    barrier::Record,
    request::{CleanPolicy, Credentials, Limits, MemberRequest, Request, SizeLevel, Storage},
    time::Timestamp,
};

/// 2024-05-01T03:00:20Z, as in the example of `facts/tidb-operator.md` §1.4.
pub(crate) const START: i64 = 1_714_532_420_000;

/// Of a backup of two planes, first seen 0.3 s later.
pub(crate) fn record() -> Record {
    let member = |plane: &str| MemberRequest {
        plane: plane.into(),
        tc_name: format!("shop-{plane}"),
        tc_namespace: "tidb".to_owned(),
    };
    let request = Request {
        backup: "u1".into(),
        name: "nightly".to_owned(),
        namespace: "br-admin".to_owned(),
        members: vec![member("az1"), member("az2")],
        storage: Storage {
            provider: "aws".to_owned(),
            region: "eu-west-1".to_owned(),
            bucket: "shop-bk".to_owned(),
            prefix: "vol".to_owned(),
            endpoint: String::new(),
            force_path_style: true,
            acl: String::new(),
            sse: String::new(),
            storage_class: String::new(),
        },
        credentials: Credentials::Default,
        clean_policy: CleanPolicy::Delete,
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        retry_within: None,
        allow_weaker_holds: false,
    };
    Record::new(request, Timestamp(START + 300))
}
